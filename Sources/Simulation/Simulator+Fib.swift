import Addresses
import Rulesets
import Wire

// Source: net/ipv4/netfilter/nft_fib_ipv4.c, net/ipv6/netfilter/nft_fib_ipv6.c.
extension Simulator {
  /// The device that an expression is bound to where the packet is: `.absent` for none.
  private func bound(
    _ binding: RouteBinding, _ packet: borrowing Packet, _ hook: Hook
  ) -> Packet.Device {
    switch binding {
    case .none: .absent
    case .input: inputDevice(packet, hook)
    case .output: outputDevice(packet, hook)
    }
  }

  func addressType(
    _ query: AddressTypeQuery, _ packet: borrowing Packet, _ environment: Environment, _ hook: Hook
  ) -> Loaded {
    guard let host else { return .unknown(fixedReasons.route) }
    if environment.mayDiffer(8, 40) { return .unknown(fixedReasons.altered) }
    let device: InterfaceName?
    switch bound(query.binding, packet, hook) {
    case .absent: device = nil
    case .named(let name, _): device = name
    case .unknown: return .unknown(fixedReasons.device)
    }
    let address = query.ofSource ? packet.source : packet.destination
    // Groups of the link are looked up on the packet's own device, and `lo` is in none.
    if address.family == .ipv6, address.rawValue >> 120 == 0xFF,
      isReturning || packet.output == host.device(Host.loopback)
    {
      return .unknown(fixedReasons.route)
    }
    guard let type = host.addressType(address, on: device) else {
      return .unknown(fixedReasons.route)
    }
    return .value(type)
  }

  func route(
    _ query: RouteQuery, _ packet: borrowing Packet, _ environment: Environment, _ hook: Hook
  ) -> Loaded {
    guard let host, !isReturning else { return .unknown(fixedReasons.route) }
    if environment.mayDiffer(8, 40) { return .unknown(fixedReasons.altered) }
    let device: InterfaceName?
    switch bound(query.binding, packet, hook) {
    case .absent: device = nil
    case .named(let name, _): device = name
    case .unknown: return .unknown(fixedReasons.device)
    }
    if case .named(let input, let index) = packet.input {
      if input == Host.loopback { return .unknown(fixedReasons.route) }
      if hook == .prerouting || hook == .ingress, packet.isAskingForItself {
        return result(query, input, index, host)
      }
    }
    let address = query.ofSource ? packet.source : packet.destination
    let found: InterfaceName
    switch address.family {
    case .ipv4:
      switch host.route(to: address) {
      case .local, .unreachable: return .value(0)
      case .ambiguous: return .unknown(fixedReasons.route)
      case .device(let name), .broadcast(let name): found = name
      }
    case .ipv6:
      if address.isLinkLocal {
        guard case .named(let input, _) = packet.input else {
          return .unknown(fixedReasons.route)
        }
        switch host.linkDestination(address, on: device ?? input) {
        case .local, .anycast, .unreachable: return .value(0)
        case .unknown: return .unknown(fixedReasons.route)
        case .link: found = device ?? input
        }
      } else {
        guard address.rawValue >> 96 != 0 else { return .unknown(fixedReasons.route) }
        // A group is reached by every device at once.
        if address.rawValue >> 120 == 0xFF { return .unknown(fixedReasons.route) }
        switch host.route(to: address) {
        case .local, .unreachable, .broadcast: return .value(0)
        case .ambiguous: return .unknown(fixedReasons.route)
        case .device(let name): found = name
        }
        if let device, device != found,
          case .device = host.remoteDestination(address, through: device)
        {
          // Kernels differ in whether routes of other devices are looked at.
          return .unknown(fixedReasons.route)
        }
      }
    }
    if let device, device != found { return .value(0) }
    return result(query, found, host.interface(found)?.index, host)
  }

  private func result(
    _ query: RouteQuery, _ device: InterfaceName, _ index: UInt32?, _ host: Host
  ) -> Loaded {
    switch query.result {
    case .presence: .value(1)
    case .name: .value(device.rawValue)
    case .index: index.map { .value(UInt128($0)) } ?? .unknown(fixedReasons.route)
    }
  }
}

extension Packet {
  /// Whether the packet has no source yet and goes no further than its link, as in DHCP and
  /// duplicate address detection; such packets are said to come from where they came in.
  fileprivate var isAskingForItself: Bool {
    guard source.rawValue == 0 else { return false }
    let to = destination.rawValue
    switch layout.family {
    case .ipv4: return to == 0xFFFF_FFFF || to >> 8 == 0xE0_0000
    case .ipv6:
      return layout.transport == TransportProtocol.icmpv6.rawValue
        && (to >> 118 == 0x3FA || to >> 112 & 0xFF0F == 0xFF02)
    }
  }
}

extension Host {
  /// What `fib … type` reads.
  ///
  /// - Parameters:
  ///   - address: The address that is asked about.
  ///   - device: The device that the address must belong to, to be more than unicast.
  /// - Returns: nil where it is not known from addresses and routes alone.
  ///
  /// Source: net/ipv4/fib_frontend.c `inet_dev_addr_type`; net/ipv6/netfilter/nft_fib_ipv6.c.
  func addressType(_ address: IPAddress, on device: InterfaceName?) -> UInt128? {
    let number = address.rawValue
    switch address.family {
    case .ipv4:
      if number == 0 || number == 0xFFFF_FFFF { return 3 }
      if number >> 28 == 0xE { return 5 }
      switch localDestination(address) {
      case .local(let owner):
        if let device, device != owner { return 1 }
        return number == 0x7FFF_FFFF ? 3 : 2
      case .broadcast(let owner):
        if let device, device != owner { return 1 }
        return 3
      case .device, .unreachable, .ambiguous, nil: return 1
      }
    case .ipv6:
      if number >> 120 == 0xFF { return 5 }
      // Unspecified, loopback and mapped addresses, and link-local ones, need more than a table.
      guard number >> 96 != 0, number >> 118 != 0x3FA else { return nil }
      switch localDestination(address) {
      case .local(let owner):
        let isOwn = interface(owner)?.addresses.contains { $0.address == address } ?? false
        guard isOwn else { return 4 }
        if let device, device != owner { return 1 }
        return 2
      case .broadcast, .device, .unreachable, .ambiguous, nil: break
      }
      switch remoteDestination(address, through: nil) {
      case .device: return isFirstOfNetwork(address) ? nil : 1
      case .unreachable: return 7
      case .local, .broadcast, .ambiguous: return nil
      }
    }
  }

  /// Whether an IPv6 address is the first of a network, which makes it an anycast one unless a
  /// gateway leads there.
  ///
  /// Source: include/net/ip6_route.h `ipv6_anycast_destination`.
  private func isFirstOfNetwork(_ address: IPAddress) -> Bool {
    let number = address.rawValue
    return routes.contains { route in
      guard let to = route.destination else { return number == 0 }
      return to.family == .ipv6 && to.length < 127 && to.interval.lower == number
    }
      || interfaces.contains { interface in
        interface.addresses.contains { own in
          own.address.family == .ipv6 && own.length < 127
            && IPPrefix(containing: own.address, length: own.length).interval.lower == number
        }
      }
  }
}
