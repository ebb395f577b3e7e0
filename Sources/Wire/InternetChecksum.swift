package import Addresses

/// The sum that IPv4, TCP, UDP and ICMP guard their bytes with.
///
/// Source: RFC 1071; the pseudo header is RFC 9293 §3.1 (IPv4) and RFC 8200 §8.1 (IPv6).
package struct InternetChecksum: Sendable {
  private var sum: UInt64 = 0

  package init() {}

  /// Adds bytes; an odd last byte counts as if a zero followed.
  package mutating func add(_ bytes: [UInt8], in range: Range<Int>) {
    var index = range.lowerBound
    while index + 1 < range.upperBound {
      sum &+= UInt64(bytes[index]) << 8 | UInt64(bytes[index + 1])
      index += 2
    }
    if index < range.upperBound { sum &+= UInt64(bytes[index]) << 8 }
  }

  package mutating func add(_ number: UInt16) { sum &+= UInt64(number) }

  /// Adds the pseudo header of a transport segment of `byteCount` bytes.
  package mutating func addPseudoHeader(
    source: IPAddress, destination: IPAddress, transport: TransportProtocol, byteCount: Int
  ) {
    add(address: source.rawValue)
    add(address: destination.rawValue)
    sum &+= UInt64(transport.rawValue)
    sum &+= UInt64(byteCount & 0xFFFF) &+ UInt64(byteCount >> 16 & 0xFFFF)
  }

  // A sum of 32-bit words folds to that of their halves.
  private mutating func add(address: UInt128) {
    let high = UInt64(truncatingIfNeeded: address >> 64)
    let low = UInt64(truncatingIfNeeded: address)
    sum &+= high >> 32 &+ high & 0xFFFF_FFFF &+ low >> 32 &+ low & 0xFFFF_FFFF
  }

  /// The ones' complement of the sum so far: what belongs in the header's field.
  package var value: UInt16 {
    var folded = sum
    while folded > 0xFFFF { folded = (folded & 0xFFFF) &+ (folded >> 16) }
    return ~UInt16(truncatingIfNeeded: folded)
  }

  /// Whether bytes that hold their own checksum sum up.
  package var isValid: Bool { value == 0 }
}
