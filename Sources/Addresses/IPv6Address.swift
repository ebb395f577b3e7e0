/// An IPv6 address.
///
/// Source: RFC 4291 §2.2 for reading, RFC 5952 §4 for printing. Zone identifiers (`%eth0`) are not
/// part of an address and are refused.
package struct IPv6Address: Hashable, Sendable, Comparable {
  /// The address as a number, most significant octet first.
  package let rawValue: UInt128

  package init(rawValue: UInt128) { self.rawValue = rawValue }

  /// Reads the full, the compressed (`::`) and the mixed (`::ffff:192.0.2.1`) form.
  package init?(_ text: some StringProtocol) {
    var groups: [UInt16] = []
    var gap: Int?
    let bytes = Array(text.utf8)
    var index = 0
    if bytes.starts(with: [UInt8(ascii: ":"), UInt8(ascii: ":")]) {
      gap = 0
      index = 2
    }
    while index < bytes.count {
      let end = bytes[index...].firstIndex(of: UInt8(ascii: ":")) ?? bytes.count
      let field = bytes[index..<end]
      if field.contains(UInt8(ascii: ".")) {
        guard end == bytes.count, groups.count <= 6,
          let quad = IPv4Address(String(decoding: field, as: UTF8.self))
        else { return nil }
        groups += [UInt16(quad.rawValue >> 16), UInt16(quad.rawValue & 0xFFFF)]
        index = end
        break
      }
      guard (1...4).contains(field.count), groups.count < 8, let group = hexadecimal(field) else {
        return nil
      }
      groups.append(group)
      index = end
      guard end < bytes.count else { break }
      index = end + 1
      if index < bytes.count, bytes[index] == UInt8(ascii: ":") {
        guard gap == nil else { return nil }
        gap = groups.count
        index += 1
      } else if index == bytes.count {
        return nil
      }
    }
    guard groups.count <= 8 else { return nil }
    if let gap {
      guard groups.count < 8 else { return nil }
      groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
    }
    guard groups.count == 8 else { return nil }
    rawValue = groups.reduce(0) { $0 << 16 | UInt128($1) }
  }

  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension IPv6Address: CustomStringConvertible {
  package var description: String {
    let groups = (0..<8).map { UInt16(truncatingIfNeeded: rawValue >> UInt128(112 - 16 * $0)) }
    // RFC 5952 §5: well-known mixed notation for IPv4-mapped addresses.
    if rawValue >> 32 == 0xFFFF {
      return "::ffff:\(IPv4Address(rawValue: UInt32(truncatingIfNeeded: rawValue)))"
    }
    // RFC 5952 §4.2: the longest run of two or more zero groups, the first of equals.
    var best = 0..<0
    var start = 0
    while start < 8 {
      var end = start
      while end < 8, groups[end] == 0 { end += 1 }
      if end - start >= 2, end - start > best.count { best = start..<end }
      start = max(end, start + 1)
    }
    func joined(_ part: some Sequence<UInt16>) -> String {
      part.map { String($0, radix: 16) }.joined(separator: ":")
    }
    if best.isEmpty { return joined(groups) }
    return joined(groups[..<best.lowerBound]) + "::" + joined(groups[best.upperBound...])
  }
}

private func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt16? {
  var value: UInt16 = 0
  for byte in digits {
    let digit: UInt8
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
    default: return nil
    }
    value = value << 4 | UInt16(digit)
  }
  return value
}
