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
    let end: PacketReport
    let original = copy packet
    if packet.frame != nil {
      end = arrival(of: packet, &way)
    } else {
      end = departure(of: packet, &way)
    }
    let report = way.doubt?.report ?? end
    if let doubt = way.doubt {
      // What rules after it kept of the packet is left to `disturb`.
      state = doubt.state
      trace.removeSubrange(min(doubt.traceCount, trace.count)...)
    }
    // What is not followed as far as to tracking may well have got there.
    if way.isTracked || report.verdict == .unknown {
      var passed: Bool? =
        switch end.verdict {
        case .accept: keepsConnections || way.isConfirmed
        // What the host sends may come back by `lo`, and then counts as passed.
        case .unknown:
          way.isConfirmed && way.isTracked
            ? true : keepsConnections || original.frame == nil ? nil : false
        case .drop, .reject: way.isConfirmed
        }
      if way.doubt?.isBeforeConfirmation == true, passed == true { passed = nil }
      var environments = way.environments
      let family = original.layout.family
      if end.verdict == .unknown, program.translatedFamilies.contains(family) {
        // The hooks that it was not followed to may have translated it.
        let source = mayTranslate(at: [.input, .postrouting], family)
        let destination = !way.isTracked && mayTranslate(at: [.prerouting, .output], family)
        for index in environments.indices {
          if source { environments[index].flags.insert(.sourceTranslated) }
          if destination { environments[index].flags.insert(.destinationTranslated) }
        }
      }
      settle(original, environments, passed: passed)
    }
    switch report.verdict {
    // It may have gone on, through any chain.
    case .unknown: disturb(program.effects)
    // Where a rule drops it, nobody hears of it.
    case .drop: if way.hooks.last?.verdict != .drop { disturbByAnswer(to: original) }
    case .reject: disturbByAnswer(to: original)
    case .accept: if keepsConnections { disturbByAnswer(to: original) }
    }
    return report
  }

  /// Whether a chain at one of the hooks may translate what begins a connection, or the kernel may
  /// because others have.
  private func mayTranslate(at hooks: [Hook], _ family: IPFamily) -> Bool {
    hooks.contains { hook in
      program.plan(hook, family).schedules.contains { schedule in
        schedule.contains { entry in
          switch entry {
          case .chain(let chain, _): program.chains[Int(chain)].isNat
          case .boundFlows: false
          case .unboundFlows: !connections.isEmpty
          }
        }
      }
    }
  }

  /// What was found on the way so far.
  struct Way {
    var environments: [Environment]
    var hooks: [PacketReport.Entered] = []
    /// Whether connection tracking has looked at the packet.
    var isTracked = false
    /// Whether the packet left the hook that enters its connection into the table.
    var isConfirmed = false
    /// What is said of the packet where a hook lets it pass or not; it is followed on for what it
    /// would leave behind.
    var doubt: Doubt?

    struct Doubt {
      var report: PacketReport
      var isBeforeConfirmation: Bool
      /// What rules held, and how much was recorded, before it went on.
      var state: RunState
      var traceCount: Int
    }

    func ended(
      _ verdict: PacketVerdict, _ because: String, at location: RuleLocation? = nil
    ) -> PacketReport {
      PacketReport(verdict: verdict, because: because, decidedBy: location, hooks: hooks)
    }
  }

  /// Reckons with what the host may send because of a packet: an answer of a program, an error.
  private mutating func disturbByAnswer(to packet: borrowing Packet) {
    guard !program.loopEffects.isEmpty else { return }
    let isLooped = host?.localDestination(packet.source) != nil
    disturb(isLooped ? program.loopEffects : program.sendingEffects)
  }

  /// Runs a hook and says how the way ended, or nil if it goes on.
  mutating func enter(
    _ hook: Hook, _ packet: borrowing Packet, _ way: inout Way
  ) -> PacketReport? {
    if unknownReason >= 0 { (earlierReason, earlierRule) = (unknownReason, unknownRule) }
    unknownReason = -1
    unknownRule = -1
    phase = .after
    let before = way.environments
    let answer = run(hook, packet, &way.environments)
    // What was dropped leaves nothing but what it was when it came.
    if way.environments.isEmpty { way.environments = before }
    if hook != .ingress, phase == .after || answer.verdict == .accept { way.isTracked = true }
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
      let end = way.ended(.unknown, answer.reason ?? "not known", at: answer.decidedBy)
      guard !ends.isIncomplete, !ends.accepting.isEmpty else { return end }
      if way.doubt == nil {
        way.doubt = Way.Doubt(
          report: end, isBeforeConfirmation: !way.isConfirmed, state: state,
          traceCount: trace.count)
      }
      return nil
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
    if let end = reception(of: packet, input, host, &way) { return end }
    if packet.layout.isFragment, let end = fragmentEnd(packet, &way) { return end }
    if let end = enter(.prerouting, packet, &way) { return end }
    if way.environments.contains(where: { $0.mayRouteOtherwise(packet.layout) }) {
      return way.ended(.unknown, program.reasons[Int(fixedReasons.translated)])
    }
    switch routing(of: packet, way, input, host) {
    case .local:
      if packet.layout.isFragment, packet.layout.isIPv4 {
        return keptFragment(packet, way)
      }
      if let end = enter(.input, packet, &way) { return end }
      return way.ended(.accept, "delivered")
    case .forward(let device):
      return forward(packet, to: device, host, &way)
    case .discarded(let why): return way.ended(.drop, why)
    case .undecided(let why): return way.ended(.unknown, why)
    }
  }

  /// What the host does with the packet before any hook of the IP layer, in whatever form it may be.
  func reception(
    of packet: borrowing Packet, _ input: InterfaceName, _ host: Host, _ way: inout Way
  ) -> PacketReport? {
    if way.environments.contains(where: { $0.mayDiffer(0, 40) }) {
      return way.ended(.unknown, program.reasons[Int(fixedReasons.altered)])
    }
    let spoilt = way.environments.filter { $0.flags.contains(.headerSumSpoilt) }
    if !spoilt.isEmpty {
      let isCertain = spoilt.count == way.environments.count
      return way.ended(isCertain ? .drop : .unknown, "its header's checksum is wrong")
    }
    var accepted = 0
    var fault: String?
    for environment in way.environments {
      var form = environment.content.map { packet.carrying($0) } ?? copy packet
      if environment.flags.contains(.packetTypeUnknown) {
        return way.ended(.unknown, "whether its frame was for this host was rewritten")
      }
      if let type = environment.packetType {
        // PACKET_OTHERHOST; whom the frame was for does not count any more.
        if type == 3 {
          fault = "the frame was for another host"
          continue
        }
        form.frame?.destination = nil
      }
      guard form.layout.isFragment == packet.layout.isFragment else {
        return way.ended(.unknown, program.reasons[Int(fixedReasons.altered)])
      }
      switch receptionFault(form, input, host) {
      case .accepted: accepted += 1
      case .discarded(let why): fault = why
      case .undecided(let why): return way.ended(.unknown, why)
      }
    }
    guard let fault else { return nil }
    return way.ended(accepted == 0 ? .drop : .unknown, fault)
  }

  /// Where routing takes the packet, in whatever form it may be in by now.
  private func routing(
    of packet: borrowing Packet, _ way: Way, _ input: InterfaceName, _ host: Host
  ) -> Routing {
    var found: Routing?
    for environment in way.environments {
      let routing: Routing
      if let content = environment.content {
        routing = self.routing(of: packet.carrying(content), input, host)
      } else {
        routing = self.routing(of: packet, input, host)
      }
      if let found, found != routing {
        return .undecided(program.reasons[Int(fixedReasons.translated)])
      }
      found = routing
    }
    return found ?? routing(of: packet, input, host)
  }

  private mutating func forward(
    _ packet: consuming Packet, to device: InterfaceName, _ host: Host, _ way: inout Way
  ) -> PacketReport {
    let isIPv4 = packet.layout.family == .ipv4
    if way.environments.contains(where: { isIPv4 ? $0.mayDiffer(8, 9) : $0.mayDiffer(7, 8) }) {
      return way.ended(.unknown, program.reasons[Int(fixedReasons.altered)])
    }
    let offset = isIPv4 ? 8 : 7
    let limits = Set(way.environments.map { $0.content?.bytes[offset] ?? packet.bytes[offset] })
    guard limits.count == 1, let limit = limits.first else {
      return way.ended(.unknown, program.reasons[Int(fixedReasons.altered)])
    }
    guard limit > 1 else { return way.ended(.drop, "its hop limit ends here") }
    guard packet.layout.byteCount <= 1280 else {
      return way.ended(.unknown, "whether it fits the next link is not known")
    }
    let isGroupFrame = packet.frame?.destination.map { $0.rawValue >> 40 & 1 != 0 } ?? false
    var isForHost: Set<Bool> = []
    for environment in way.environments {
      if environment.flags.contains(.packetTypeUnknown) {
        isForHost.formUnion([true, false])
      } else {
        isForHost.insert(environment.packetType.map { $0 == 0 } ?? !isGroupFrame)
      }
    }
    if isForHost.count > 1 {
      return way.ended(.unknown, "whether its frame was for this host was rewritten")
    }
    if isForHost.contains(false) {
      return way.ended(.drop, "what came by broadcast is not forwarded")
    }
    // Whoever sent it could have taken the shorter way, and is told so before the forward hook.
    if case .named(let input, _) = packet.input, input == device { disturb(program.loopEffects) }
    // The hop limit is lowered before the forward hook.
    for index in way.environments.indices {
      way.environments[index].content?.setHopLimit(limit - 1)
    }
    var content = PacketContent(of: packet)
    content.setHopLimit(limit - 1)
    #if FAULTS
    if fault == .hopLimitKept { content = PacketContent(of: packet) }
    #endif
    packet = packet.carrying(content)
    packet.output = host.device(device)
    if let end = enter(.forward, packet, &way) { return end }
    if let end = enter(.postrouting, packet, &way) { return end }
    if program.hasEgress { return way.ended(.unknown, Self.egress) }
    return way.ended(.accept, "forwarded by \(device)")
  }

  /// What tracking does with a fragment: it keeps it until the others have come.
  mutating func fragmentEnd(
    _ packet: borrowing Packet, _ way: inout Way
  ) -> PacketReport? {
    let hook = packet.frame == nil ? Hook.output : .prerouting
    switch program.tracking(packet.layout.family) {
    case .off: return nil
    case .unknown: return way.ended(.unknown, program.reasons[Int(fixedReasons.tracking)])
    case .on: break
    }
    let plan = program.plan(hook, packet.layout.family)
    if plan.hasChainsBeforeReassembly || !packet.isKeptAlone {
      way.hooks.append(PacketReport.Entered(hook: hook, verdict: .unknown))
      return way.ended(.unknown, "fragments are put together before rules see them")
    }
    let report = keptFragment(packet, way)
    way.hooks.append(PacketReport.Entered(hook: hook, verdict: report.verdict))
    return way.ended(report.verdict, report.because)
  }

  /// What becomes of a fragment that waits for the others.
  mutating func keptFragment(_ packet: borrowing Packet, _ way: Way) -> PacketReport {
    guard keptFragments.insert(packet.datagram).inserted else {
      return way.ended(.unknown, "it may complete what other fragments began")
    }
    return way.ended(.drop, "a fragment is kept until the others have come")
  }
}
