/// The name of a network interface, as the number that its 16 bytes make.
///
/// The kernel compares names as 16 bytes padded with zeros (`IFNAMSIZ`), and `"eth*"` as the bytes
/// before the star. Read as one 128-bit number, most significant byte first, a name is one number
/// and a wildcard is one interval.
package struct InterfaceName: Hashable, Sendable {
  package let rawValue: UInt128

  package init(rawValue: UInt128) { self.rawValue = rawValue }

  /// The longest name, in bytes: `IFNAMSIZ` less the final zero.
  package static let longest = 15

  /// The name of no interface: what `iifname` reads where there is no device.
  package static let none = InterfaceName(rawValue: 0)

  /// - Returns: nil if `name` has more than 15 bytes or a zero byte.
  package init?(_ name: some StringProtocol) {
    let bytes = Array(name.utf8)
    guard bytes.count <= Self.longest, !bytes.contains(0) else { return nil }
    rawValue = padded(bytes)
  }

  /// The names that begin with `prefix`.
  ///
  /// - Returns: nil if `prefix` has more than 15 bytes or a zero byte.
  package static func beginning(with prefix: some StringProtocol) -> Interval? {
    guard let lowest = InterfaceName(prefix) else { return nil }
    let count = prefix.utf8.count
    return Interval(
      lowest.rawValue, lowest.rawValue | (count == 0 ? .max : .max >> UInt128(8 * count)))
  }
}

extension InterfaceName: CustomStringConvertible {
  package var description: String {
    let bytes = (0..<16).map { UInt8(truncatingIfNeeded: rawValue >> UInt128(120 - 8 * $0)) }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}

private func padded(_ bytes: [UInt8]) -> UInt128 {
  (0..<16).reduce(0) { $0 << 8 | ($1 < bytes.count ? UInt128(bytes[$1]) : 0) }
}
