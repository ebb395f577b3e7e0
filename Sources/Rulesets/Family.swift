package import Addresses

/// The family of a table: which packets its base chains see.
///
/// Source: nft(8) "ADDRESS FAMILIES".
package enum Family: String, Hashable, Sendable, CaseIterable {
  case ip
  case ip6
  case inet
  case arp
  case bridge
  case netdev

  /// Whether base chains of this family see packets of `family` at the IP hooks.
  package func covers(_ family: IPFamily) -> Bool {
    switch self {
    case .ip: family == .ipv4
    case .ip6: family == .ipv6
    case .inet: true
    case .arp, .bridge, .netdev: false
    }
  }
}
