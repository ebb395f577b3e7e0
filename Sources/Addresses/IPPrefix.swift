/// A network: an address and how many of its leading bits count.
///
/// Source: RFC 4632 §3.1 (IPv4), RFC 4291 §2.3 (IPv6).
package struct IPPrefix: Hashable, Sendable {
  /// The lowest address of the network; no host bit is set.
  package let network: IPAddress
  /// How many leading bits count: 0…32 or 0…128.
  package let length: Int

  /// Makes the network of `length` bits that `address` lies in; host bits are cleared.
  ///
  /// - Precondition: `length` is at most the width of the address.
  package init(containing address: IPAddress, length: Int) {
    let family = address.family
    precondition((0...family.bitWidth).contains(length), "a prefix length is 0…\(family.bitWidth)")
    let hostBits = family.highestAddress >> UInt128(length) & family.highestAddress
    network = IPAddress(family, rawValue: address.rawValue & ~hostBits)
    self.length = length
  }

  /// Why a text is not a prefix.
  package enum Problem: Error, Hashable, Sendable {
    case notAPrefix
    case lengthTooLong(widest: Int)
    case hostBitsSet(network: IPPrefix, host: IPAddress)
  }

  /// Reads `address/length`.
  ///
  /// - Throws: ``Problem`` that names what is wrong; host bits that are set are refused, because
  ///   `10.0.0.5/24` may have meant the host or the network.
  package init(reading text: some StringProtocol) throws(Problem) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let address = IPAddress(parts[0]),
      !parts[1].isEmpty, parts[1].utf8.count <= 3,
      parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let length = Int(parts[1])
    else { throw .notAPrefix }
    guard length <= address.family.bitWidth else {
      throw .lengthTooLong(widest: address.family.bitWidth)
    }
    let prefix = IPPrefix(containing: address, length: length)
    guard prefix.network == address else { throw .hostBitsSet(network: prefix, host: address) }
    self = prefix
  }

  package var family: IPFamily { network.family }

  /// The lowest and the highest address, as numbers.
  package var interval: Interval {
    let hostBits = family.highestAddress >> UInt128(length) & family.highestAddress
    return Interval(network.rawValue, network.rawValue | hostBits)
  }
}

extension IPPrefix: CustomStringConvertible {
  package var description: String { "\(network)/\(length)" }
}
