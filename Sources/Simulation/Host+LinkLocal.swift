import Addresses

// What a host has beside the addresses that its description lists.
extension Host {
  /// Where a packet to, or a lookup of, a link-local address leads on one device.
  enum LinkDestination: Hashable {
    case local
    case anycast
    /// Out by the same device.
    case link
    case unreachable
    /// The description lists no link-local addresses, and one of the host's own could matter.
    case unknown
  }

  /// Looks a link-local address up on the device that it belongs to.
  ///
  /// The kernel looks at routes of that device alone. A device with a link-local address has the
  /// route fe80::/64; one that the description gives none may have one all the same.
  ///
  /// Source: net/ipv6/route.c `rt6_need_strict`, `rt6_score_route`; net/ipv6/addrconf.c.
  func linkDestination(_ address: IPAddress, on device: InterfaceName) -> LinkDestination {
    let number = address.rawValue
    let byRoute: LinkDestination =
      switch remoteDestination(address, through: device) {
      case .device: .link
      case .local, .broadcast, .unreachable, .ambiguous: .unreachable
      }
    guard let interface = interface(device) else { return .unknown }
    let own = interface.addresses.filter { $0.address.isLinkLocal }
    if own.contains(where: { $0.address == address }) { return .local }
    if own.isEmpty {
      guard number >> 64 == 0xFE80 << 48 else { return byRoute }
      // With an address of its own the device would lead there in any case.
      guard byRoute == .link, let hardware = interface.hardwareAddress else { return .unknown }
      if number == hardware.linkLocalAddress { return .unknown }
      return isForwarding && number == 0xFE80 << 112 ? .unknown : .link
    }
    if isForwarding {
      let isRouter = own.contains {
        $0.length < 127
          && IPPrefix(containing: $0.address, length: $0.length).interval.lower == number
      }
      if isRouter { return .anycast }
    }
    return byRoute
  }

  /// Whether a packet to a group is taken in by a device; nil where that is not known.
  ///
  /// Source: net/ipv4/igmp.c `ip_mc_up`; net/ipv6/addrconf.c `addrconf_join_solict`,
  /// `dev_forward_change`; RFC 4291 §2.7.1.
  func isMember(of group: IPAddress, on device: InterfaceName) -> Bool? {
    guard let interface = interface(device) else { return nil }
    let number = group.rawValue
    switch group.family {
    case .ipv4:
      if number == 0xE000_0001 { return true }
    case .ipv6:
      let node: UInt128 = 0xFF01 << 112
      let link: UInt128 = 0xFF02 << 112
      let site: UInt128 = 0xFF05 << 112
      if number == link | 1 || number == node | 1 { return true }
      if isForwarding, [link | 2, node | 2, site | 2].contains(number) { return true }
      let solicited = link | 0x1_FF00_0000
      if number >> 24 == solicited >> 24 {
        let low = number & 0xFF_FFFF
        let own = interface.addresses.filter { $0.address.family == .ipv6 }
        if own.contains(where: { $0.address.rawValue & 0xFF_FFFF == low }) { return true }
        if isForwarding {
          for address in own where address.length < 127 {
            let network = IPPrefix(containing: address.address, length: address.length)
            if network.interval.lower & 0xFF_FFFF == low { return true }
          }
        }
        // The device may have a link-local address that is not listed, and its routers' with it.
        if !own.contains(where: { $0.address.isLinkLocal }) {
          guard let hardware = interface.hardwareAddress else { return nil }
          if hardware.linkLocalAddress & 0xFF_FFFF == low || low == 0 { return nil }
        }
      }
    }
    if let groups = interface.groups { return groups.contains(group) }
    return isFullListing && !followsLoopback ? false : nil
  }
}

extension IPAddress {
  /// Whether the address is in fe80::/10 (RFC 4291 §2.4).
  var isLinkLocal: Bool { family == .ipv6 && rawValue >> 118 == 0x3FA }
}

extension MACAddress {
  /// The link-local address that is made of the hardware address (RFC 4291 appendix A).
  var linkLocalAddress: UInt128 {
    let octets = UInt128(rawValue)
    let upper = (octets >> 24 ^ 0x02_0000) << 40
    return 0xFE80 << 112 | upper | 0xFFFE << 24 | octets & 0xFF_FFFF
  }
}
