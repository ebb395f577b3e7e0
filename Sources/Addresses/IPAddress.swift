/// An address of either family.
package enum IPAddress: Hashable, Sendable, Comparable {
  case ipv4(IPv4Address)
  case ipv6(IPv6Address)

  /// Reads a dotted quad or an IPv6 address.
  package init?(_ text: some StringProtocol) {
    if let address = IPv4Address(text) {
      self = .ipv4(address)
    } else if let address = IPv6Address(text) {
      self = .ipv6(address)
    } else {
      return nil
    }
  }

  /// Makes the address with the number `rawValue` in `family`.
  ///
  /// - Precondition: an IPv4 number fits 32 bits.
  package init(_ family: IPFamily, rawValue: UInt128) {
    switch family {
    case .ipv4: self = .ipv4(IPv4Address(rawValue: UInt32(rawValue)))
    case .ipv6: self = .ipv6(IPv6Address(rawValue: rawValue))
    }
  }

  package var family: IPFamily {
    switch self {
    case .ipv4: .ipv4
    case .ipv6: .ipv6
    }
  }

  /// The address as a number, most significant octet first.
  package var rawValue: UInt128 {
    switch self {
    case .ipv4(let address): UInt128(address.rawValue)
    case .ipv6(let address): address.rawValue
    }
  }

  package static func < (left: Self, right: Self) -> Bool {
    (left.family, left.rawValue) < (right.family, right.rawValue)
  }
}

extension IPAddress: CustomStringConvertible {
  package var description: String {
    switch self {
    case .ipv4(let address): address.description
    case .ipv6(let address): address.description
    }
  }
}
