import Addresses
package import Rulesets
import Wire

/// What becomes of a packet on its whole way across a host.
package struct PacketReport: Hashable, Sendable {
  package struct Entered: Hashable, Sendable {
    package var hook: Hook
    package var verdict: PacketVerdict
  }

  package var verdict: PacketVerdict
  /// Why: a phrase that ends at the rule, the policy, or what the host does outside the rules.
  package var because: String
  package var decidedBy: RuleLocation?
  /// The hooks that the packet entered, in order; the last may be unknown.
  package var hooks: [Entered] = []
}

extension Simulator {
  /// What becomes of a packet that came in, or that this host sends, by the routes of its host.
  ///
  /// - Parameter packet: A packet with a frame came in by its input device; one without is sent
  ///   from here, by its output device where it names one.
  /// - Returns: The hooks it entered and what became of it.
  package mutating func report(on packet: consuming Packet) -> PacketReport {
    begin()
    isWholeWay = true
    defer { isWholeWay = false }
    var way = Way(environments: [Environment(mark: packet.mark)])
    let report: PacketReport
    if packet.frame != nil {
      report = arrival(of: packet, &way)
    } else {
      report = departure(of: packet, &way)
    }
    return report
  }

  /// What was found on the way so far.
  struct Way {
    var environments: [Environment]
    var hooks: [PacketReport.Entered] = []

    func ended(
      _ verdict: PacketVerdict, _ because: String, at location: RuleLocation? = nil
    ) -> PacketReport {
      PacketReport(verdict: verdict, because: because, decidedBy: location, hooks: hooks)
    }
  }

  /// Runs a hook and says how the way ended, or nil if it goes on.
  private mutating func enter(
    _ hook: Hook, _ packet: borrowing Packet, _ way: inout Way
  ) -> PacketReport? {
    unknownReason = -1
    unknownRule = -1
    let answer = run(hook, packet, &way.environments)
    way.hooks.append(PacketReport.Entered(hook: hook, verdict: answer.verdict))
    switch answer.verdict {
    case .accept: return nil
    case .drop: return way.ended(.drop, "dropped in \(hook.rawValue)", at: answer.decidedBy)
    case .reject:
      // The answer is a packet of this host's; whether it is sent (icmp_ratelimit) and gets through
      // is not followed.
      if packet.frame != nil {
        way.hooks.append(PacketReport.Entered(hook: .output, verdict: .unknown))
      }
      return way.ended(answer.verdict, "rejected in \(hook.rawValue)", at: answer.decidedBy)
    case .unknown:
      return way.ended(.unknown, answer.reason ?? "not known", at: answer.decidedBy)
    }
  }

  private mutating func arrival(of packet: consuming Packet, _ way: inout Way) -> PacketReport {
    guard let host else { return way.ended(.unknown, "the host is not described") }
    guard case .named(let input, _) = packet.input, host.interface(input) != nil else {
      return way.ended(.unknown, "the host has no such interface")
    }
    packet.input = host.device(input)
    packet.output = .absent
    if program.hasIngress, let end = enter(.ingress, packet, &way) { return end }
    switch receptionFault(packet, input, host) {
    case .accepted: break
    case .discarded(let why): return way.ended(.drop, why)
    case .undecided(let why): return way.ended(.unknown, why)
    }
    if packet.layout.isFragment, let end = fragmentEnd(packet, &way) { return end }
    if let end = enter(.prerouting, packet, &way) { return end }
    if way.environments.contains(where: { $0.mayDiffer(8, 40) }) {
      return way.ended(.unknown, program.reasons[Int(fixedReasons.translated)])
    }
    switch routing(of: packet, input, host) {
    case .local:
      if packet.layout.isFragment, packet.layout.isIPv4 {
        return way.ended(.drop, "a fragment is kept until the others have come")
      }
      if let end = enter(.input, packet, &way) { return end }
      confirm(packet, way)
      return way.ended(.accept, "delivered")
    case .forward(let device):
      return forward(packet, to: device, host, &way)
    case .discarded(let why): return way.ended(.drop, why)
    case .undecided(let why): return way.ended(.unknown, why)
    }
  }

  private mutating func forward(
    _ packet: consuming Packet, to device: InterfaceName, _ host: Host, _ way: inout Way
  ) -> PacketReport {
    let isIPv4 = packet.layout.family == .ipv4
    let limit = packet.bytes[isIPv4 ? 8 : 7]
    if way.environments.contains(where: { isIPv4 ? $0.mayDiffer(8, 9) : $0.mayDiffer(7, 8) }) {
      return way.ended(.unknown, program.reasons[Int(fixedReasons.altered)])
    }
    guard limit > 1 else { return way.ended(.drop, "its hop limit ends here") }
    guard packet.layout.byteCount <= 1280 else {
      return way.ended(.unknown, "whether it fits the next link is not known")
    }
    if let destination = packet.frame?.destination, destination.rawValue >> 40 & 1 != 0 {
      return way.ended(.drop, "what came by broadcast is not forwarded")
    }
    // The hop limit is lowered before the forward hook.
    guard let lowered = packet.withHopLimit(limit - 1) else {
      return way.ended(.unknown, program.reasons[Int(fixedReasons.altered)])
    }
    var onward = lowered
    onward.output = host.device(device)
    if let end = enter(.forward, onward, &way) { return end }
    if let end = enter(.postrouting, onward, &way) { return end }
    confirm(onward, way)
    return way.ended(.accept, "forwarded by \(device)")
  }

  private mutating func departure(of packet: consuming Packet, _ way: inout Way) -> PacketReport {
    guard let host else { return way.ended(.unknown, "the host is not described") }
    packet.input = .absent
    if packet.layout.isFragment, let end = fragmentEnd(packet, &way) { return end }
    let destination = packet.destination
    var returns = false
    if case .named(let output, _) = packet.output {
      packet.output = host.device(output)
      returns = output == Host.loopback
    } else {
      guard !isGroup(destination) else {
        return way.ended(.unknown, "where packets to groups go out is not known")
      }
      // It goes to the host itself, by an address that depends on the socket.
      guard destination.rawValue != 0 else {
        return way.ended(.unknown, "a packet to the unspecified address")
      }
      switch host.route(to: destination) {
      case .local:
        packet.output = host.device(Host.loopback)
        returns = true
      case .device(let device): packet.output = host.device(device)
      case .broadcast, .ambiguous:
        return way.ended(.unknown, program.reasons[Int(fixedReasons.route)])
      case .unreachable: return way.ended(.drop, "no route")
      }
    }
    if let end = enter(.output, packet, &way) { return end }
    if way.environments.contains(where: { $0.mayDiffer(8, 40) }) {
      return way.ended(.unknown, program.reasons[Int(fixedReasons.translated)])
    }
    if let end = enter(.postrouting, packet, &way) { return end }
    confirm(packet, way)
    guard returns else { return way.ended(.accept, "sent") }
    guard host.followsLoopback else {
      if host.isFullListing {
        return way.ended(.accept, "sent by lo, which is not among the host's interfaces")
      }
      return way.ended(.unknown, "it comes back on lo, which the host does not describe")
    }
    if way.environments.contains(where: { $0.mayDiffer(8, 40) }) {
      return way.ended(.unknown, program.reasons[Int(fixedReasons.altered)])
    }
    packet.input = host.device(Host.loopback)
    packet.output = .absent
    packet.frame = Packet.Frame()
    isReturning = true
    switch receptionFault(packet, Host.loopback, host) {
    case .accepted: break
    case .discarded(let why): return way.ended(.drop, why)
    case .undecided(let why): return way.ended(.unknown, why)
    }
    if let end = enter(.prerouting, packet, &way) { return end }
    if packet.layout.isFragment, packet.layout.isIPv4 {
      return way.ended(.drop, "a fragment is kept until the others have come")
    }
    if let end = enter(.input, packet, &way) { return end }
    return way.ended(.accept, "delivered")
  }

  /// What tracking does with a fragment: it keeps it until the others have come.
  private mutating func fragmentEnd(
    _ packet: borrowing Packet, _ way: inout Way
  ) -> PacketReport? {
    let hook = packet.frame == nil ? Hook.output : .prerouting
    switch program.tracking(packet.layout.family) {
    case .off: return nil
    case .unknown: return way.ended(.unknown, program.reasons[Int(fixedReasons.tracking)])
    case .on: break
    }
    way.hooks.append(PacketReport.Entered(hook: hook, verdict: .unknown))
    return way.ended(.unknown, "fragments are put together before rules see them")
  }

  private func isGroup(_ address: IPAddress) -> Bool {
    switch address {
    case .ipv4(let address): address.rawValue >> 28 >= 0xE
    case .ipv6(let address): address.rawValue >> 120 == 0xFF || address.rawValue >> 118 == 0x3FA
    }
  }

  /// Enters a packet that passed its last hook into the connection table.
  private mutating func confirm(_ packet: borrowing Packet, _ way: Way) {
    guard program.tracking(packet.layout.family) != .off, packet.state == nil else { return }
    if !keepsConnections {
      guard case .named(Host.loopback, _) = packet.output else { return }
    }
    switch classification(packet) {
    case .known(.invalid), .known(.untracked): return
    case .known(.new), .known(.established), .known(.related), .unknown: break
    }
    guard let flow = flow(of: packet) else { return }
    if way.environments.allSatisfy({ $0.flags.contains(.untracked) }) { return }
    connections.confirm(
      flow, isTranslated: way.environments.contains { $0.isTranslated },
      isHidden: program.setsZones
        || way.environments.contains {
          $0.flags.contains(.sourceTranslated) && $0.flags.contains(.destinationTranslated)
        })
  }
}

extension Packet {
  /// The same packet with another hop limit, and the checksum that goes with it.
  consuming func withHopLimit(_ limit: UInt8) -> Packet? {
    var bytes = self.bytes
    switch layout.family {
    case .ipv4:
      bytes[8] = limit
      bytes[10] = 0
      bytes[11] = 0
      var sum = InternetChecksum()
      sum.add(bytes, in: 0..<Int(bytes[0] & 15) * 4)
      bytes[10] = UInt8(sum.value >> 8)
      bytes[11] = UInt8(sum.value & 0xFF)
    case .ipv6: bytes[7] = limit
    }
    do throws(PacketLayout.Malformation) {
      return try Packet(
        bytes: bytes, input: input, output: output, frame: frame, state: state, mark: mark)
    } catch {
      return nil
    }
  }
}
