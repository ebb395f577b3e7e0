/// An IPv4 address.
///
/// Source: RFC 791; the text form is the dotted quad of RFC 6943 §3.1.1 ("strict" form): four
/// decimal numbers without leading zeros.
package struct IPv4Address: Hashable, Sendable, Comparable {
  /// The address as a number, most significant octet first.
  package let rawValue: UInt32

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Reads a dotted quad, and nothing else: no leading zeros, no missing parts.
  package init?(_ text: some StringProtocol) {
    var value: UInt32 = 0
    var parts = 0
    var digits = 0
    var part: UInt32 = 0
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        if digits > 0 && part == 0 { return nil }
        part = part * 10 + UInt32(byte - UInt8(ascii: "0"))
        digits += 1
        if part > 255 { return nil }
      case UInt8(ascii: "."):
        if digits == 0 || parts == 3 { return nil }
        value = value << 8 | part
        parts += 1
        digits = 0
        part = 0
      default:
        return nil
      }
    }
    guard parts == 3, digits > 0 else { return nil }
    rawValue = value << 8 | part
  }

  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension IPv4Address: CustomStringConvertible {
  package var description: String {
    "\(rawValue >> 24).\(rawValue >> 16 & 0xFF).\(rawValue >> 8 & 0xFF).\(rawValue & 0xFF)"
  }
}
