internal import Addresses
internal import PacketSets
internal import Rulesets

/// Takes one packet of a connection along its whole way.
extension Prover {
  /// What is asked about all packets of a walk.
  struct PhaseQuestion {
    var path: FlowPath
    var transport: PhasePackets.Transport
    var phase: Phase
    var coversUnusualPackets: Bool
    /// What is known of the connection at every hook.
    var connection: HookContext.Connection
    var gates: RulesetWalk.GatePolicy
    /// The hops, by their place on the way, whose connection table holds nothing of the packets.
    var untrackedHops: Set<Int> = []
    /// How many cubes the walk may make.
    var budget = Prover.budget
    /// Whether every part is wanted as it is, with the rules that decide it.
    var keepsParts = false
    /// The place of the last hop of the whole way, where only its first hops are asked about.
    var lastPlace = 0
  }

  /// How many cubes one walk may make.
  static let budget = 400_000

  /// Follows the packets to the end of their way.
  mutating func follow(_ question: PhaseQuestion) -> FateCollector {
    let family = question.path.family
    var collector = FateCollector()
    register.forgetVariables()
    var states = [opening(question)]
    var budget = question.budget
    collector.keepsAll = question.keepsParts
    for (index, hop) in question.path.hops.enumerated() {
      let isLastHop = index == question.path.hops.count - 1
      enter(hop, &states, question)
      let isUntracked = question.untrackedHops.contains(index)
      let state = isUntracked ? question.transport.untrackedState : question.transport.state
      walks[hop.firewall].gates = question.gates
      walks[hop.firewall].budget = budget
      walks[hop.firewall].keepsParts = question.keepsParts
      doubtBridges(hop, &states, &collector)
      let hooks = walks[hop.firewall].hooksThatMatter(hop.kind.hooks, family)
      for (position, hook) in hooks.enumerated() {
        let context = HookContext(
          family: family, hook: hook,
          connection: isUntracked ? .opening(mayBeTranslated: false) : question.connection,
          hasInputDevice: hop.kind != .outbound,
          hasOutputDevice: hook.hasOutputDevice,
          coversUnusualPackets: question.coversUnusualPackets)
        if hook == .forward
          || (hook == .postrouting && hop.kind == .through
            && !hooks.contains(.forward))
        {
          countDownLifetime(&states, family)
        }
        let isLast = isLastHop && position == hooks.count - 1
        // Whether packets end up untracked or translated matters to the answer to the first one.
        let keeps =
          isLast && question.phase == .first && walks[hop.firewall].changesConnections
        states = walks[hop.firewall].walk(
          hook: context, states, connectionState: state, isLast: isLast && !keeps, &collector,
          &register)
        if collector.overflow != nil { return collector }
      }
      budget = walks[hop.firewall].budget
      if !hooks.isEmpty {
        for state in states { note(state, at: index, &collector) }
      }
    }
    for state in states {
      walks[question.path.hops.last?.firewall ?? 0].finish(
        state, .accepted, nil, &collector, register)
    }
    return collector
  }

  /// The packets before the first firewall.
  private mutating func opening(_ question: PhaseQuestion) -> PacketState {
    let path = question.path
    let transport = question.transport
    let all = IntervalSet(bitWidth: 128)
    let cube = Cube(core: [
      path.sources, path.destinations, transport.protocols, transport.word0, transport.word1,
      all, all, transport.state, IntervalSet(0), transport.flags,
    ])
    var state = PacketState(cube: cube)
    if !path.destinations.mayBeMulticast(path.family) {
      state.cube.assign(IntervalSet(0), to: register.packetType)
    }
    return state
  }

  /// Makes packets arrive at a host: what one host knows of them the next does not.
  private mutating func enter(
    _ hop: Hop, _ states: inout [PacketState], _ question: PhaseQuestion
  ) {
    let named = hop.interface.flatMap { InterfaceName($0) }.map { IntervalSet($0.rawValue) }
    let interface = named ?? Self.ordinaryInterfaces
    let none = IntervalSet(InterfaceName.none.rawValue)
    let sendersMark =
      hop.kind == .outbound && question.coversUnusualPackets
      ? IntervalSet(bitWidth: 32) : IntervalSet(0)
    for index in states.indices {
      leaveBehind(&states[index])
      states[index].unknown.removeAll { $0.dimension == .mark || $0.dimension == .outputName }
      states[index].cube.assign(sendersMark, to: .mark)
      switch hop.kind {
      case .outbound:
        states[index].cube.assign(none, to: .inputName)
        states[index].cube.assign(interface, to: .outputName)
      case .through:
        states[index].cube.assign(interface, to: .inputName)
        states[index].cube.assign(Self.ordinaryInterfaces, to: .outputName)
      case .inbound:
        states[index].cube.assign(interface, to: .inputName)
        states[index].cube.assign(none, to: .outputName)
      }
      // A new entry has no mark; one that is there may have any.
      let connectionMark = register.connectionMark
      if question.transport.state == IntervalSet(ConnectionBits.new) {
        states[index].cube.assign(IntervalSet(0), to: connectionMark)
      } else {
        states[index].forget(connectionMark, domain: IntervalSet(bitWidth: 32))
      }
    }
  }

  /// Forgets what the last host's frame, devices and connection table held.
  ///
  /// A leaf that rests on something unknown there goes on resting on it, under a name of its own.
  private mutating func leaveBehind(_ state: inout PacketState) {
    for name in Self.hostFields {
      guard let dimension = register.knownField(name), let set = state.cube[dimension] else {
        continue
      }
      let meaning = register[dimension]
      state.cube.release(dimension)
      guard meaning.kind == .unknown, set != meaning.domain else { continue }
      let kept = register.variable(name, like: dimension)
      state.cube.assign(set, to: kept)
    }
  }

  /// The fields that a packet does not carry from host to host.
  private static let hostFields = [
    "ether saddr", "ether daddr", "frame is tagged", "meta iif", "meta oif", "meta iiftype",
    "meta oiftype", "ct status",
  ]

  /// Every interface but the loopback and none at all.
  static let ordinaryInterfaces: IntervalSet = {
    let loopback = InterfaceName("lo").map { IntervalSet($0.rawValue) } ?? .empty
    return IntervalSet(bitWidth: 128)
      .subtracting(IntervalSet(InterfaceName.none.rawValue)).subtracting(loopback)
  }()

  /// Frames that cross a bridge meet its family's chains too, and whether they do is not in the
  /// ruleset.
  private mutating func doubtBridges(
    _ hop: Hop, _ states: inout [PacketState], _ collector: inout FateCollector
  ) {
    guard walks[hop.firewall].mayFilterBridgedFrames else { return }
    let isFiltered = register.variable(
      "whether frames pass a bridge and its chains", valueCount: 2, kind: .unknown)
    for index in states.indices {
      var lost = states[index]
      lost.cube.assign(IntervalSet(1), to: isFiltered)
      walks[hop.firewall].finish(lost, .dropped, nil, &collector, register)
      states[index].cube.assign(IntervalSet(0), to: isFiltered)
    }
  }

  /// Routers count the packet's lifetime down before the forward hook.
  private mutating func countDownLifetime(_ states: inout [PacketState], _ family: IPFamily) {
    // The rules that read it may not be made ready yet, so it is not enough to ask if it is known.
    let domain = IntervalSet(Interval(1, 255))
    let lifetime = register.field(family == .ipv4 ? "ip ttl" : "ip6 hoplimit", domain: domain)
    var forwarded: [PacketState] = []
    for state in states {
      var state = state
      let alive = (state.cube[lifetime] ?? domain).intersection(
        IntervalSet(Interval(2, 255)))
      if alive.isEmpty { continue }
      state.write(
        IntervalSet(alive.intervals.map { Interval($0.lower - 1, $0.upper - 1) }), to: lifetime,
        domain: domain)
      forwarded.append(state)
    }
    states = forwarded
  }

  /// Notes what the way of the first packet means for the answer.
  private func note(_ state: PacketState, at hop: Int, _ collector: inout FateCollector) {
    let untracked = IntervalSet(ConnectionBits.untracked)
    if let states = state.cube[.connectionState] {
      if states.overlaps(untracked) { collector.untrackedHops.insert(hop) }
      if states != untracked { collector.trackedHops.insert(hop) }
    }
    if !state.translations.isEmpty, collector.translatedBy == nil {
      collector.translatedBy =
        state.path?.steps.last { step in
          if case .translated = step.effect { true } else { false }
        }?.location
    }
  }
}

extension Hop.Kind {
  /// The hooks of the way, in order.
  fileprivate var hooks: [Hook] {
    switch self {
    case .outbound: [.output, .postrouting, .egress]
    case .through: [.ingress, .prerouting, .forward, .postrouting, .egress]
    case .inbound: [.ingress, .prerouting, .input]
    }
  }
}

extension Hook {
  fileprivate var hasOutputDevice: Bool {
    switch self {
    case .forward, .output, .postrouting, .egress: true
    case .ingress, .prerouting, .input: false
    }
  }
}

extension IntervalSet {
  /// Whether addresses of several hosts at once are among these (RFC 5771, RFC 4291 §2.7, RFC 919).
  fileprivate func mayBeMulticast(_ family: IPFamily) -> Bool {
    switch family {
    case .ipv4: overlaps(Interval(0xE000_0000, 0xEFFF_FFFF)) || contains(0xFFFF_FFFF)
    case .ipv6: overlaps(Interval(0xFF << 120, .max))
    }
  }
}
