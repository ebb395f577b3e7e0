import Addresses
import Rulesets
import Wire

extension Simulator {
  /// What the receive path does before the first hook.
  enum Reception {
    case accepted
    case discarded(String)
    case undecided(String)
  }

  /// Source: net/ipv4/ip_input.c `ip_rcv_core`, net/ipv6/ip6_input.c `ip6_rcv_core`.
  func receptionFault(
    _ packet: borrowing Packet, _ input: InterfaceName, _ host: Host
  ) -> Reception {
    if let vlan = packet.frame?.vlan, vlan != 0 {
      if let tagged = InterfaceName("\(input).\(vlan)"), host.interface(tagged) != nil {
        return .undecided("the frame belongs to \(tagged)")
      }
      return .discarded("the frame's VLAN is not this host's")
    }
    if let destination = packet.frame?.destination, destination.rawValue >> 40 & 1 == 0 {
      guard let own = host.interface(input)?.hardwareAddress else {
        return .undecided("whether the frame was for this host is not known")
      }
      if own != destination { return .discarded("the frame was for another host") }
    }
    guard !packet.layout.isIPv4 else { return .accepted }
    let source = packet.source.rawValue
    let destination = packet.destination.rawValue
    if input != Host.loopback, source == 1 || destination == 1 {
      return .discarded("the loopback address came from outside")
    }
    if source >> 120 == 0xFF { return .discarded("its source is a group") }
    if source >> 32 == 0xFFFF || destination >> 32 == 0xFFFF {
      return .undecided("an IPv4 address in an IPv6 packet")
    }
    if destination >> 120 == 0xFF {
      let scope = destination >> 112 & 0xF
      if scope == 0 { return .discarded("its group has no scope") }
      if scope == 1, input != Host.loopback { return .discarded("its group is of another host") }
    }
    if packet.bytes[6] == 0 { return hopByHopFault(packet) }
    return .accepted
  }

  /// Source: net/ipv6/exthdrs.c `ip6_parse_tlv`.
  private func hopByHopFault(_ packet: borrowing Packet) -> Reception {
    let bytes = packet.bytes
    guard packet.layout.byteCount >= 48 else { return .discarded("its options are cut off") }
    let end = 40 + (Int(bytes[41]) + 1) * 8
    guard end <= packet.layout.byteCount else { return .discarded("its options are cut off") }
    var offset = 42
    var padding = 0
    while offset < end {
      if bytes[offset] == 0 {
        padding += 1
        offset += 1
      } else {
        guard offset + 1 < end else { return .undecided("its options are malformed") }
        let length = Int(bytes[offset + 1]) + 2
        guard offset + length <= end else { return .undecided("its options are malformed") }
        guard bytes[offset] == 1, bytes[offset + 2..<offset + length].allSatisfy({ $0 == 0 }) else {
          return .undecided("its hop-by-hop options are not followed")
        }
        padding += length
        offset += length
      }
    }
    return padding <= 7 ? .accepted : .undecided("its padding is long")
  }

  /// Where routing takes a packet that came in.
  enum Routing: Equatable {
    case local
    case forward(InterfaceName)
    case discarded(String)
    case undecided(String)
  }

  func routing(
    of packet: borrowing Packet, _ input: InterfaceName, _ host: Host
  ) -> Routing {
    switch (packet.source, packet.destination) {
    case (.ipv4(let source), .ipv4(let destination)):
      routingIPv4(packet, source.rawValue, destination.rawValue, input, host)
    case (.ipv6(let source), .ipv6(let destination)):
      routingIPv6(source, destination, input, host)
    case (.ipv4, .ipv6), (.ipv6, .ipv4):
      preconditionFailure("both addresses of a packet are of its family")
    }
  }

  /// Source: net/ipv4/route.c `ip_route_input_slow`, net/ipv4/fib_frontend.c `fib_validate_source`.
  private func routingIPv4(
    _ packet: borrowing Packet, _ source: UInt32, _ destination: UInt32, _ input: InterfaceName,
    _ host: Host
  ) -> Routing {
    let martian = Routing.discarded("its source is a martian")
    if source >> 28 == 0xE || source == .max { return martian }
    if packet.layout.transportOffset > 20 {
      for option in packet.bytes[20..<packet.layout.transportOffset] where option > 1 {
        return .undecided("its IP options are not followed")
      }
    }
    if destination >> 28 == 0xE {
      switch host.isMember(of: packet.destination, on: input) {
      case false?: return .discarded("nobody here has joined its group")
      case nil: return .undecided("which groups the host has joined is not known")
      case true?: break
      }
      if source >> 24 == 127, !host.routesLocalnet { return martian }
      // Without a source only groups of the link are taken in (`ip_mc_validate_source`).
      if source == 0 {
        let isOfLink = destination >> 8 == 0xE0_0000 || packet.layout.transport == 2
        return isOfLink ? .local : martian
      }
      return sourceFault(source, input, nil, host) ?? .local
    }
    if destination == .max || (source == 0 && destination == 0) {
      if source == 0 { return .local }
      return sourceFault(source, input, nil, host) ?? .local
    }
    // Only the address 0.0.0.0 is special; the rest of its network is not, since Linux 5.3.
    if source == 0 { return martian }
    if destination == 0 { return .discarded("its destination is a martian") }
    if !host.routesLocalnet, source >> 24 == 127 || destination >> 24 == 127 {
      return .discarded("a loopback address came from outside")
    }
    let address = IPAddress.ipv4(IPv4Address(rawValue: destination))
    switch host.route(to: address) {
    case .local, .broadcast: return sourceFault(source, input, nil, host) ?? .local
    case .ambiguous: return .undecided("more than one route leads there")
    case .unreachable: return .discarded("no route")
    case .device(let device):
      guard host.isForwarding else { return .discarded("the host does not forward") }
      return sourceFault(source, input, device, host) ?? .forward(device)
    }
  }

  /// Why a packet's source does not fit the device it came by.
  private func sourceFault(
    _ source: UInt32, _ input: InterfaceName, _ output: InterfaceName?, _ host: Host
  ) -> Routing? {
    let address = IPAddress.ipv4(IPv4Address(rawValue: source))
    let isOwn = host.interfaces.contains { $0.addresses.contains { $0.address == address } }
    if isOwn || source == 0x7F00_0001 {
      switch host.acceptsLocal {
      case false?: return .discarded("its source is this host")
      case true?: return host.reversePathFilter == 0 ? nil : .undecided("its source is this host")
      case nil: return .undecided("its source is this host, which accept_local may allow")
      }
    }
    guard host.reversePathFilter != 0 || output == input else { return nil }
    switch host.route(to: address) {
    case .local: return .undecided("its source is this host, which accept_local may allow")
    case .broadcast: return .discarded("its source is a martian")
    case .ambiguous: return .undecided("more than one route leads back")
    case .unreachable:
      return host.reversePathFilter == 0 ? nil : .discarded("no way back to its source")
    case .device(let device):
      if host.reversePathFilter == 1, device != input {
        return .discarded("the way back to its source is another")
      }
      return nil
    }
  }

  /// Source: net/ipv6/ip6_output.c `ip6_forward`, net/ipv6/ip6_input.c `ip6_mc_input`.
  private func routingIPv6(
    _ source: IPv6Address, _ destination: IPv6Address, _ input: InterfaceName, _ host: Host
  ) -> Routing {
    let from = source.rawValue
    let to = destination.rawValue
    if to >> 120 == 0xFF { return groupRouting(.ipv6(destination), input, host) }
    if to == 0 { return .undecided("a packet to the unspecified address") }
    let address = IPAddress.ipv6(destination)
    if address.isLinkLocal {
      switch host.linkDestination(address, on: input) {
      case .local, .anycast: return .local
      case .link:
        return host.isForwarding ? .forward(input) : .discarded("the host does not forward")
      case .unreachable: return .discarded("no route")
      case .unknown: return .undecided("link-local addresses of the host are not all known")
      }
    }
    // After translation; from the wire such packets do not get this far.
    if to == 1, input != Host.loopback {
      // Only routes of the device are looked at, as for all addresses that belong to one.
      guard host.isForwarding, case .device = host.remoteDestination(address, through: input) else {
        return .discarded("no route")
      }
      return .forward(input)
    }
    switch host.localDestination(address) {
    case .local: return .local
    case .broadcast, .device, .unreachable, .ambiguous, nil: break
    }
    switch host.remoteDestination(address, through: nil) {
    case .device(let device):
      guard host.isForwarding else { return .discarded("the host does not forward") }
      // What goes back by the device it came by is not looked at any closer (`ip6_forward`).
      if device != input, from >> 118 == 0x3FA || from == 0 {
        return .discarded("its source does not leave its link")
      }
      return .forward(device)
    case .ambiguous: return .undecided("more than one route leads there")
    case .unreachable: return .discarded("no route")
    case .local, .broadcast: return .local
    }
  }

  private func groupRouting(_ group: IPAddress, _ input: InterfaceName, _ host: Host) -> Routing {
    switch host.isMember(of: group, on: input) {
    case true?: .local
    case false?: .discarded("nobody here has joined its group")
    case nil: .undecided("which groups the host has joined is not known")
    }
  }
}
