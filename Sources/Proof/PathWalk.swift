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
    /// What is known of the connection at every hook where the host has an entry of it.
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
    /// Whether what becomes of the connection on its way matters to later packets of it.
    var keepsArrivals = false
  }

  /// Packets, and the firewalls ahead of them.
  struct Departure {
    var state: PacketState
    var hops: [Hop]
  }

  /// How many cubes one walk may make.
  static let budget = 400_000

  /// Follows all packets of a question, from the first firewall on, to the end of their way.
  mutating func follow(_ question: PhaseQuestion) -> FateCollector {
    register.forgetVariables()
    return follow(
      question, from: [Departure(state: opening(question), hops: question.path.hops)])
  }

  /// Follows packets to the end of their way.
  mutating func follow(_ question: PhaseQuestion, from departures: [Departure]) -> FateCollector {
    var collector = FateCollector()
    // What follows others came from another host, whatever translation made of its ends.
    collector.countsOneHostAlone = departures.contains { !$0.state.visits.isEmpty }
    collector.keepsAll = question.keepsParts
    budget = question.budget
    var groups: [(hops: [Hop], states: [PacketState])] = []
    for departure in departures {
      if let index = groups.firstIndex(where: { $0.hops == departure.hops }) {
        groups[index].states.append(departure.state)
      } else {
        groups.append((departure.hops, [departure.state]))
      }
    }
    for group in groups {
      travel(group.states, group.hops, from: 0, question, &collector)
    }
    return collector
  }

  /// Takes packets from one hop of their way to its end.
  private mutating func travel(
    _ states: [PacketState], _ hops: [Hop], from index: Int, _ question: PhaseQuestion,
    _ collector: inout FateCollector
  ) {
    if states.isEmpty || collector.overflow != nil { return }
    guard index < hops.count else {
      arrive(states, hops, question, &collector)
      return
    }
    let hop = hops[index]
    var entering = states
    enter(hop, &entering, question)
    walks[hop.firewall].gates = question.gates
    walks[hop.firewall].station = hop.station
    walks[hop.firewall].surroundings = surroundings(of: hop)
    walks[hop.firewall].isReturning = false
    walks[hop.firewall].isOpening = question.phase == .first
    doubtBridges(hop, &entering, &collector)
    walks[hop.firewall].keepsParts = question.keepsParts
    for isUntracked in [false, true] {
      let here = entering.filter { state in
        let isTrackedBefore = state.visits[hop.station].map { !$0.isUntracked }
        return isUntracked != (isTrackedBefore ?? !question.untrackedHops.contains(index))
      }
      if here.isEmpty { continue }
      cross(hop, hops, index, here, isUntracked: isUntracked, question, &collector)
    }
  }

  /// Takes packets across one host, and on.
  private mutating func cross(
    _ hop: Hop, _ hops: [Hop], _ index: Int, _ states: [PacketState], isUntracked: Bool,
    _ question: PhaseQuestion, _ collector: inout FateCollector
  ) {
    let mayDivert = question.phase == .first && walks[hop.firewall].hasTranslations
    let before = mayDivert ? hop.kind.hooksBeforeRouting : []
    let arrived = run(
      before, hop, isUntracked: isUntracked, isLast: false, states, question, &collector)
    for part in mayDivert
      ? routed(arrived, hop, hops, index, question.path.family) : [Routed(arrived, hop, hops)]
    {
      for state in part.refused {
        let location = state.path?.steps.last?.location
        walks[hop.firewall].finish(state, .dropped, location, &collector, register)
      }
      let hooks = part.hop.kind.hooks.filter { !before.contains($0) }
      let isLast = index == part.hops.count - 1 && !question.keepsArrivals
      var passed = run(
        hooks, part.hop, isUntracked: isUntracked, isLast: isLast, part.states, question,
        &collector)
      if question.keepsArrivals {
        for position in passed.indices { leave(part.hop, &passed[position], question) }
      }
      for state in passed { note(state, at: index, &collector) }
      travel(passed, part.hops, from: index + 1, question, &collector)
    }
  }

  /// Takes packets through some of a host's hooks.
  private mutating func run(
    _ all: [Hook], _ hop: Hop, isUntracked: Bool, isLast: Bool, _ states: [PacketState],
    _ question: PhaseQuestion, _ collector: inout FateCollector
  ) -> [PacketState] {
    let family = question.path.family
    let hooks = walks[hop.firewall].hooksThatMatter(all, family)
    let transport = question.transport
    var here = states
    for (position, hook) in hooks.enumerated() {
      if hop.kind == .looped, hook == .ingress || hook == .prerouting {
        returnByLoopback(&here)
        walks[hop.firewall].isReturning = true
      }
      let context = HookContext(
        family: family, hook: hook,
        connection: isUntracked ? .opening(mayBeTranslated: false) : question.connection,
        hasInputDevice: hop.kind.hasInputDevice(at: hook), hasOutputDevice: hook.hasOutputDevice,
        coversUnusualPackets: question.coversUnusualPackets)
      if hook == .forward
        || (hook == .postrouting && hop.kind == .through && !hooks.contains(.forward))
      {
        countDownLifetime(&here, family)
      }
      walks[hop.firewall].budget = budget
      here = walks[hop.firewall].walk(
        hook: context, here,
        connectionState: isUntracked ? transport.untrackedState : transport.state,
        isLast: isLast && position == hooks.count - 1, &collector, &register)
      budget = walks[hop.firewall].budget
      if collector.overflow != nil || here.isEmpty { return [] }
    }
    return here
  }

  /// Packets at the end of their way.
  private func arrive(
    _ states: [PacketState], _ hops: [Hop], _ question: PhaseQuestion,
    _ collector: inout FateCollector
  ) {
    for state in states {
      let last = state.path.flatMap { path -> PathStep? in
        if case .step(let step, _) = path { step } else { nil }
      }
      let walk = walks[hops.last?.firewall ?? 0]
      for state in state.divided(byReceiver: question.phase) {
        if question.phase == .first, state.isTranslatedToItself {
          walk.finish(
            state, .unknown("whether a host takes packets that come from its own address"),
            last?.location, &collector, register)
          continue
        }
        walk.finish(
          state, .accepted, last?.firewall == hops.last?.firewall ? last?.location : nil,
          &collector, register)
        if question.keepsArrivals, register.brokenAssumptions(of: state).isEmpty {
          collector.arrivals.append(Departure(state: state, hops: hops))
        }
      }
    }
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
    state.cube.assign(
      path.destinations.mayBeMulticast(path.family)
        ? DimensionRegister.arrivingPacketTypes : IntervalSet(0),
      to: register.packetType)
    return state
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
}

extension Hop.Kind {
  /// The hooks of the way, in order.
  fileprivate var hooks: [Hook] {
    switch self {
    case .outbound: [.output, .postrouting, .egress]
    case .through: [.ingress, .prerouting, .forward, .postrouting, .egress]
    case .inbound: [.ingress, .prerouting, .input]
    case .looped: [.output, .postrouting, .egress, .ingress, .prerouting, .input]
    }
  }

  /// The hooks that packets pass before the host looks where they go.
  fileprivate var hooksBeforeRouting: [Hook] {
    switch self {
    case .outbound, .looped: [.output]
    case .through, .inbound: [.ingress, .prerouting]
    }
  }

  /// Whether a device delivered the packets that stand at a hook.
  fileprivate func hasInputDevice(at hook: Hook) -> Bool {
    switch self {
    case .through, .inbound: true
    case .outbound: false
    case .looped: hook == .ingress || hook == .prerouting || hook == .input
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
  func mayBeMulticast(_ family: IPFamily) -> Bool {
    switch family {
    case .ipv4: overlaps(Interval(0xE000_0000, 0xEFFF_FFFF)) || contains(0xFFFF_FFFF)
    case .ipv6: overlaps(Interval(0xFF << 120, .max))
    }
  }
}

extension PacketState {
  /// The packets whose ends are one and the same address after translation, and the others.
  fileprivate func divided(byReceiver phase: Phase) -> [PacketState] {
    guard phase == .first, bindings.values.contains(where: { $0.carried.contains(.destination) }),
      let destination = cube[.destinationAddress]?.onlyValue, let sources = cube[.sourceAddress],
      !unknown.contains(where: { $0.dimension == .sourceAddress }), sources.contains(destination),
      sources.onlyValue == nil
    else { return [self] }
    var same = self
    same.cube.assign(IntervalSet(destination), to: .sourceAddress)
    var others = self
    others.cube.assign(sources.subtracting(IntervalSet(destination)), to: .sourceAddress)
    return [same, others]
  }

  /// Whether translation made both ends one and the same address of another host.
  fileprivate var isTranslatedToItself: Bool {
    guard !isOneHostAlone, let source = cube[.sourceAddress]?.onlyValue,
      source == cube[.destinationAddress]?.onlyValue
    else { return false }
    return bindings.values.contains { $0.carried.contains(.destination) }
  }
}
