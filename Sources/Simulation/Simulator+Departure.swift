import Addresses
import Rulesets
import Wire

// The way of packets that this host sends, and back in by `lo` where they are for itself.
extension Simulator {
  mutating func departure(of packet: consuming Packet, _ way: inout Way) -> PacketReport {
    guard let host else { return way.ended(.unknown, "the host is not described") }
    packet.input = .absent
    if packet.layout.isIPv4, packet.source.rawValue == 0 {
      return way.ended(.unknown, "the kernel gives it a source address")
    }
    var returns = false
    if case .named(let output, _) = packet.output {
      packet.output = host.device(output)
      returns = output == Host.loopback
    } else {
      switch departure(to: packet.destination, host) {
      case .device(let device):
        packet.output = host.device(device)
        returns = device == Host.loopback
      case .undecided(let why): return way.ended(.unknown, why)
      case .unreachable: return way.ended(.drop, "no route")
      }
    }
    if packet.layout.isFragment, let end = fragmentEnd(packet, &way) { return end }
    if let end = enter(.output, packet, &way) { return end }
    if way.environments.contains(where: { $0.mayRouteOtherwise(packet.layout) }) {
      // A new destination is looked up within the hook, and what has no route is dropped there.
      way.hooks[way.hooks.count - 1].verdict = .unknown
      return way.ended(.unknown, program.reasons[Int(fixedReasons.translated)])
    }
    if let end = rerouted(&packet, host, &way) { return end }
    if case .named(let output, _) = packet.output { returns = output == Host.loopback }
    if let end = enter(.postrouting, packet, &way) { return end }
    if program.hasEgress { return way.ended(.unknown, Self.egress) }
    guard returns else { return way.ended(.accept, "sent") }
    way.isConfirmed = true
    guard host.followsLoopback else {
      if host.isFullListing {
        return way.ended(.accept, "sent by lo, which is not among the host's interfaces")
      }
      return way.ended(.unknown, "it comes back on lo, which the host does not describe")
    }
    packet.input = host.device(Host.loopback)
    packet.output = .absent
    packet.frame = Packet.Frame()
    isReturning = true
    if program.hasIngress, let end = enter(.ingress, packet, &way) { return end }
    if let end = reception(of: packet, Host.loopback, host, &way) { return end }
    if let end = enter(.prerouting, packet, &way) { return end }
    if let end = returned(packet, host, way) { return end }
    if packet.layout.isFragment, packet.layout.isIPv4 { return keptFragment(packet, way) }
    if let end = enter(.input, packet, &way) { return end }
    return way.ended(.accept, "delivered")
  }

  static let egress = "what chains at egress do to whole ways is not followed"

  private enum Departure: Equatable {
    case device(InterfaceName)
    case unreachable
    case undecided(String)
  }

  /// Where the host's own packets leave.
  private func departure(to destination: IPAddress, _ host: Host) -> Departure {
    guard !isGroup(destination) else {
      return .undecided("where packets to groups go out is not known")
    }
    // It goes to the host itself, by an address that depends on the socket.
    if destination.rawValue == 0 { return .undecided("a packet to the unspecified address") }
    switch host.route(to: destination) {
    case .local: return .device(Host.loopback)
    case .device(let device): return .device(device)
    case .broadcast, .ambiguous:
      return .undecided(program.reasons[Int(fixedReasons.route)])
    case .unreachable: return .unreachable
    }
  }

  /// Looks the way of a packet up again whose destination is another than it was.
  ///
  /// Source: net/netfilter/nf_nat_proto.c `nf_nat_ipv4_local_fn`; net/ipv4/netfilter.c
  /// `ip_route_me_harder`.
  private mutating func rerouted(
    _ packet: inout Packet, _ host: Host, _ way: inout Way
  ) -> PacketReport? {
    var devices: Set<InterfaceName> = []
    for environment in way.environments {
      let content = environment.content
      let destination = content.map { packet.carrying($0).destination } ?? packet.destination
      guard destination != packet.destination else {
        if case .named(let output, _) = packet.output { devices.insert(output) }
        continue
      }
      // Chains of type filter change addresses without a new look, others with one.
      if environment.flags.contains(.addressesWritten) {
        return way.ended(.unknown, program.reasons[Int(fixedReasons.translated)])
      }
      switch departure(to: destination, host) {
      case .device(let device) where device == Host.loopback || !packet.isFromLoopback:
        devices.insert(device)
      case .device, .unreachable, .undecided:
        // The kernel looks within the hook, and drops there what has no route: what comes from a
        // loopback address has none to elsewhere (net/ipv4/route.c, `__mkroute_output`).
        way.hooks[way.hooks.count - 1].verdict = .unknown
        return way.ended(.unknown, program.reasons[Int(fixedReasons.route)])
      }
    }
    guard devices.count == 1, let device = devices.first else {
      return way.ended(.unknown, program.reasons[Int(fixedReasons.translated)])
    }
    packet.output = host.device(device)
    return nil
  }

  /// Looks up where a packet that came back goes, as far as its route from the way out was dropped;
  /// with that it stays here, whatever rules made of its addresses.
  ///
  /// - Returns: Nil where it goes on to `input`.
  ///
  /// Source: net/netfilter/nf_nat_proto.c `nf_nat_ipv4_pre_routing`, `nf_nat_ipv6_in`;
  /// net/ipv4/ip_input.c `ip_rcv_finish_core`, net/ipv6/ip6_input.c `ip6_rcv_finish_core`.
  private func returned(
    _ packet: borrowing Packet, _ host: Host, _ way: Way
  ) -> PacketReport? {
    var ends: [PacketReport?] = []
    for environment in way.environments {
      guard environment.flags.contains(.routeForgotten) else {
        ends.append(nil)
        continue
      }
      guard !environment.mayRouteOtherwise(packet.layout) else {
        return way.ended(.unknown, program.reasons[Int(fixedReasons.translated)])
      }
      let found = environment.content.map { packet.carrying($0) } ?? copy packet
      switch routing(of: found, Host.loopback, host) {
      case .local: ends.append(nil)
      case .discarded(let why): ends.append(way.ended(.drop, why))
      case .undecided(let why): return way.ended(.unknown, why)
      case .forward: return way.ended(.unknown, program.reasons[Int(fixedReasons.route)])
      }
    }
    guard Set(ends).count == 1, let end = ends.first else {
      return way.ended(.unknown, program.reasons[Int(fixedReasons.translated)])
    }
    return end
  }

  private func isGroup(_ address: IPAddress) -> Bool {
    switch address {
    case .ipv4(let address): address.rawValue >> 28 >= 0xE
    case .ipv6(let address): address.rawValue >> 120 == 0xFF || address.rawValue >> 118 == 0x3FA
    }
  }
}

extension Packet {
  /// Whether the source is an IPv4 address that only the host itself has (127.0.0.0/8).
  fileprivate var isFromLoopback: Bool { layout.isIPv4 && source.rawValue >> 24 == 127 }
}
