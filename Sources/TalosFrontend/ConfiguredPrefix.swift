package import Addresses

/// A network as a configuration writes it, host bits and all: `10.0.0.5/24`.
///
/// Talos keeps what was written and clears the host bits only where rules are made of it.
package struct ConfiguredPrefix: Hashable, Sendable {
  package let address: IPAddress
  /// How many leading bits count: 0…32 or 0…128.
  package let length: Int

  /// - Precondition: `length` is at most the width of the address.
  package init(_ address: IPAddress, length: Int) {
    precondition(
      (0...address.family.bitWidth).contains(length),
      "a prefix length is 0…\(address.family.bitWidth)")
    self.address = address
    self.length = length
  }

  package init(_ prefix: IPPrefix) { self.init(prefix.network, length: prefix.length) }

  /// The prefix that holds one address, `/32` or `/128`.
  package init(_ address: IPAddress) {
    self.init(address, length: address.family.bitWidth)
  }

  /// Reads `address/length` as Go's `netip.ParsePrefix` does: no zone, no sign, no leading zeros.
  package init?(_ text: some StringProtocol) {
    guard let slash = text.lastIndex(of: "/"), let address = IPAddress(text[..<slash]) else {
      return nil
    }
    let digits = text[text.index(after: slash)...].utf8
    guard 1...3 ~= digits.count, digits.allSatisfy({ 0x30...0x39 ~= $0 }),
      digits.count == 1 || digits.first != 0x30,
      let length = Int(String(text[text.index(after: slash)...])),
      length <= address.family.bitWidth
    else { return nil }
    self.init(address, length: length)
  }

  package var family: IPFamily { address.family }

  /// The network that rules test for.
  package var network: IPPrefix { IPPrefix(containing: address, length: length) }

  /// Whether the address has bits beyond the prefix.
  package var hasHostBits: Bool { network.network != address }
}

extension ConfiguredPrefix: CustomStringConvertible {
  package var description: String { "\(address)/\(length)" }
}
