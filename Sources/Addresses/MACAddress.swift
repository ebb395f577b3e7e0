/// A 48-bit IEEE 802 address.
package struct MACAddress: Hashable, Sendable {
  /// The address as a number of 48 bits, first transmitted octet most significant.
  package let rawValue: UInt64

  /// - Precondition: only the low 48 bits are set.
  package init(rawValue: UInt64) {
    precondition(rawValue >> 48 == 0, "a MAC address has 48 bits")
    self.rawValue = rawValue
  }

  /// Reads six groups of one or two hexadecimal digits, separated by `:` or by `-`.
  package init?(_ text: some StringProtocol) {
    let separator: Character = text.contains("-") ? "-" : ":"
    let groups = text.split(separator: separator, omittingEmptySubsequences: false)
    guard groups.count == 6 else { return nil }
    var value: UInt64 = 0
    for group in groups {
      guard (1...2).contains(group.utf8.count), group.utf8.allSatisfy(isHexadecimal),
        let octet = UInt64(group, radix: 16)
      else { return nil }
      value = value << 8 | octet
    }
    rawValue = value
  }
}

extension MACAddress: CustomStringConvertible {
  package var description: String {
    (0..<6).map { index in
      let octet = UInt8(truncatingIfNeeded: rawValue >> UInt64(40 - 8 * index))
      return (octet < 16 ? "0" : "") + String(octet, radix: 16)
    }.joined(separator: ":")
  }
}

private func isHexadecimal(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
    UInt8(ascii: "A")...UInt8(ascii: "F"):
    true
  default: false
  }
}
