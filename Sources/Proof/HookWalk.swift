package import Addresses
internal import PacketSets
internal import Rulesets

/// The base chains of one hook, in the order they run.
extension RulesetWalk {
  /// The priority at which connection tracking looks packets up (`NF_IP_PRI_CONNTRACK`).
  private static let trackingPriority = -200

  /// Takes packets through every base chain of a hook.
  ///
  /// - Parameters:
  ///   - context: The hook, and what is known of all packets there.
  ///   - states: The packets that arrive at the hook.
  ///   - connectionState: What the connection table says of them, as bits of `ct state`.
  ///   - isLast: Whether packets that the hook lets pass are done.
  ///   - collector: Takes the packets whose fate is decided.
  ///   - register: The dimensions of the question.
  /// - Returns: the packets that pass; empty where `isLast`.
  package mutating func walk(
    hook context: HookContext, _ states: [PacketState], connectionState: IntervalSet,
    isLast: Bool, _ collector: inout FateCollector, _ register: inout DimensionRegister
  ) -> [PacketState] {
    let groups = schedule(at: context)
    var here = states
    let isFirst = context.hook == .prerouting || context.hook == .output
    var isTracked = !isFirst
    if isFirst || context.hook == .ingress {
      for index in here.indices {
        here[index].cube.assign(IntervalSet(ConnectionBits.invalid), to: .connectionState)
      }
    }
    for index in here.indices { here[index].isBoundAtHook = false }
    for (position, group) in groups.enumerated() {
      if !isTracked, group.priority >= Self.trackingPriority {
        if group.priority > Self.trackingPriority {
          for index in here.indices { track(&here[index], connectionState) }
          isTracked = true
        } else {
          // Before or after the lookup: the order of registration decides, and is not listed.
          let isAfter = register.variable(
            "whether chains of priority \(group.priority) run before connections are looked up",
            valueCount: 2, kind: .unknown)
          here = here.flatMap { state in
            var before = state
            before.cube.assign(IntervalSet(0), to: isAfter)
            var after = state
            after.cube.assign(IntervalSet(1), to: isAfter)
            track(&after, connectionState)
            return [before, after]
          }
        }
      }
      here = run(
        group.entries, group.priority, here, context,
        isLast: isLast && position == groups.count - 1, &collector, &register)
      if collector.overflow != nil || here.isEmpty { return [] }
    }
    if !isTracked {
      for index in here.indices { track(&here[index], connectionState) }
    }
    leave(context.hook, &here, &collector, register)
    if isLast {
      for state in here { finish(state, .accepted, nil, &collector, register) }
      return []
    }
    return here
  }

  /// What follows a hook: routing, which a rewritten destination may send another way.
  private func leave(
    _ hook: Hook, _ states: inout [PacketState], _ collector: inout FateCollector,
    _ register: DimensionRegister
  ) {
    guard followsRouting, hook == .prerouting || hook == .output else { return }
    // A route chain that changed marks or addresses makes the kernel route anew after the hook.
    for index in states.indices where states[index].mayTakeAnotherRoute {
      states[index].forget(.outputName, domain: IntervalSet(bitWidth: 128))
    }
    for state in states where state.isRerouted {
      let location = state.path.flatMap(\.steps.last)?.location
      finish(state, .accepted, location, &collector, register)
    }
    states.removeAll(where: \.isRerouted)
  }

  /// What the lookup in the connection table does to packets.
  private func track(_ state: inout PacketState, _ connectionState: IntervalSet) {
    state.unknown.removeAll { $0.dimension == .connectionState }
    if state.cube[.connectionState] == IntervalSet(ConnectionBits.untracked) { return }
    guard state.hasOwnZone else {
      state.cube.assign(connectionState, to: .connectionState)
      return
    }
    state.cube.assign(ConnectionBits.every, to: .connectionState)
    state.unknown.append(Cube.Entry(dimension: .connectionState, set: ConnectionBits.every))
  }

  /// Runs what has one priority.
  ///
  /// Of one table's chains the one registered last runs first; across tables the order is not in
  /// the listing, so where it can matter every order is tried.
  mutating func run(
    _ group: [Entry], _ priority: Int, _ states: [PacketState], _ context: HookContext,
    isLast: Bool, _ collector: inout FateCollector, _ register: inout DimensionRegister
  ) -> [PacketState] {
    let newestFirst = Array(group.reversed())
    let isOrdered = Set(group.map(\.table)).count == 1
    guard group.count > 1, !isOrdered, group.contains(where: { changesPackets($0) }) else {
      return run(inOrder: newestFirst, states, context, isLast: isLast, &collector, &register)
    }
    guard group.count <= 4 else {
      let reason = "the order of \(group.count) base chains of priority \(priority)"
      for state in states { finish(state, .unknown(reason), nil, &collector, register) }
      return []
    }
    let orders = permutations(newestFirst)
    let order = register.variable(
      "the order of base chains of priority \(priority)", valueCount: orders.count,
      kind: .unknown)
    var passed: [PacketState] = []
    for (index, entries) in orders.enumerated() {
      let ordered = states.map { state in
        var state = state
        state.cube.assign(IntervalSet(UInt128(index)), to: order)
        return state
      }
      passed += run(inOrder: entries, ordered, context, isLast: isLast, &collector, &register)
    }
    merge(&passed)
    return passed
  }

  private mutating func run(
    inOrder entries: [Entry], _ states: [PacketState], _ context: HookContext, isLast: Bool,
    _ collector: inout FateCollector, _ register: inout DimensionRegister
  ) -> [PacketState] {
    var here = states
    for (position, entry) in entries.enumerated() {
      let isLastEntry = isLast && position == entries.count - 1
      switch entry {
      case .chain(let chain):
        here = run(chain, here, context, isLast: isLastEntry, &collector, &register)
      case .translation(let chains):
        here = translate(chains, here, context, isLast: isLastEntry, &collector, &register)
      }
      if here.isEmpty || collector.overflow != nil { return [] }
    }
    return here
  }

  /// Runs one base chain, its policy included.
  private mutating func run(
    _ reference: BaseChainReference, _ states: [PacketState], _ context: HookContext,
    isLast: Bool, _ collector: inout FateCollector, _ register: inout DimensionRegister
  ) -> [PacketState] {
    let base = reference.base
    let family = context.family
    var entering: [PacketState] = []
    var bypassing: [PacketState] = []
    for state in states {
      if base.kind == .nat {
        guard tracking.runs(for: family), !state.isBoundAtHook, !isReturning else {
          bypassing.append(state)
          continue
        }
        divideByConnection(state, &entering, &bypassing, &register)
      } else if context.hook == .ingress || context.hook == .egress {
        divideByDevice(state, base, context, &entering, &bypassing, &register)
      } else {
        entering.append(state)
      }
    }
    acceptIsFinal = isLast
    var running = Running(table: reference.table, base: base)
    let ended = walk(
      reference.chain, entering, context, &running, &collector, &register)
    let location = RuleLocation(table: reference.table, chain: reference.chain, rule: nil)
    for state in ended {
      var state = state
      state.passed(
        PathStep(
          firewall: firewall, hook: context.hook, location: location, effect: .policy(base.policy)))
      switch base.policy {
      case .accept: accept(state, location, &running, &collector, register)
      case .drop: finish(state, .dropped, location, &collector, register)
      }
    }
    if isLast {
      for state in bypassing { finish(state, .accepted, nil, &collector, register) }
      return []
    }
    var passed = running.accepted + bypassing
    if base.kind == .route {
      for index in passed.indices where !passed[index].written.isEmpty {
        passed[index].mayTakeAnotherRoute = true
      }
    }
    return passed
  }

  /// Ingress and egress chains see the frames of their devices; nft 1.0.6 does not list which.
  private func divideByDevice(
    _ state: PacketState, _ base: BaseChain, _ context: HookContext,
    _ entering: inout [PacketState], _ bypassing: inout [PacketState],
    _ register: inout DimensionRegister
  ) {
    let dimension: Dimension = context.hook == .ingress ? .inputName : .outputName
    if let devices = base.devices {
      let names = IntervalSet(
        devices.compactMap { InterfaceName($0).map { Interval($0.rawValue) } })
      let constraint = Constraint(dimension, names, domain: IntervalSet(bitWidth: 128))
      guard !names.isEmpty else {
        bypassing.append(state)
        return
      }
      let (inside, outside) = state.cube.split(by: [constraint])
      bypassing += outside.map { state.with($0) }
      if let inside { entering.append(state.with(inside)) }
      return
    }
    let isOnDevice = register.variable(
      "the devices of an \(context.hook.rawValue) chain, which nft does not list", valueCount: 2,
      kind: .unknown)
    var with = state
    with.cube.assign(IntervalSet(1), to: isOnDevice)
    entering.append(with)
    var without = state
    without.cube.assign(IntervalSet(0), to: isOnDevice)
    bypassing.append(without)
  }
}
