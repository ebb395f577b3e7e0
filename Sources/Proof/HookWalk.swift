package import Addresses
internal import PacketSets
internal import Rulesets

/// The base chains of one hook, in the order they run.
extension RulesetWalk {
  /// A base chain's place in the ruleset.
  struct BaseChainReference {
    let table: Int
    let chain: Int
    let base: BaseChain
  }

  /// What runs at one priority of a hook.
  enum Entry {
    case chain(BaseChainReference)
    /// Address translation: what is bound already, then the nat chains by their own priorities.
    case translation([BaseChainReference])

    /// The table whose chains keep their order among themselves; nil for translation.
    var table: Int? {
      switch self {
      case .chain(let reference): reference.table
      case .translation: nil
      }
    }
  }

  /// The priority at which the kernel translates addresses.
  ///
  /// Chains of type nat run there whatever their own priority, which only orders them among
  /// themselves. Source: net/ipv4/netfilter/nf_nat_l3proto_ipv4.c before 4.18, since then
  /// net/netfilter/nf_nat_proto.c, `nf_nat_ipv4_ops`; include/uapi/linux/netfilter_ipv4.h.
  private static func translationPriority(at hook: Hook) -> Int? {
    switch hook {
    case .prerouting, .output: -100
    case .input, .postrouting: 100
    case .forward, .ingress, .egress: nil
    }
  }

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
      if readsConnectionStatus, position < groups.count - 1 {
        doubtStatus(&here, &collector, register)
      }
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

  /// Later chains of a hook read in the entry's status that it was translated here.
  private func doubtStatus(
    _ states: inout [PacketState], _ collector: inout FateCollector, _ register: DimensionRegister
  ) {
    guard followsRouting else { return }
    for state in states where state.isBoundAtHook {
      let location = state.path.flatMap(\.steps.last)?.location
      finish(
        state, .unknown("the connection's status after a translation"), location, &collector,
        register)
    }
    states.removeAll(where: \.isBoundAtHook)
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
      finish(
        state, .unknown("the packet's addresses are rewritten on the way"), location, &collector,
        register)
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

  /// What runs at a hook, as it was found out the first time.
  private mutating func schedule(at context: HookContext) -> [Group] {
    let key = ScheduleKey(
      hook: context.hook, family: context.family, mayBeBound: context.connection.mayBeBound)
    if let known = schedules[key] { return known }
    let groups = entries(at: context)
    schedules[key] = groups
    return groups
  }

  struct ScheduleKey: Hashable {
    let hook: Hook
    let family: IPFamily
    let mayBeBound: Bool
  }

  /// What runs at one priority.
  struct Group {
    let priority: Int
    let entries: [Entry]
  }

  /// What runs at a hook, in groups of equal priority, rising.
  private func entries(at context: HookContext) -> [Group] {
    var filters: [BaseChainReference] = []
    var translations: [BaseChainReference] = []
    for (tableIndex, table) in ruleset.tables.enumerated() where !table.isDormant {
      let isSeen: Bool
      switch context.hook {
      case .ingress, .egress:
        isSeen = table.family == .netdev || table.family == .inet
      case .prerouting, .input, .forward, .output, .postrouting:
        isSeen = table.family.covers(context.family)
      }
      guard isSeen else { continue }
      for (chainIndex, chain) in table.chains.enumerated() {
        guard let base = chain.base, base.hook == context.hook else { continue }
        let reference = BaseChainReference(table: tableIndex, chain: chainIndex, base: base)
        if base.kind == .nat { translations.append(reference) } else { filters.append(reference) }
      }
    }
    var groups: [Int: [Entry]] = [:]
    for filter in filters { groups[filter.base.priority, default: []].append(.chain(filter)) }
    let mayBeBound = hasTranslations && context.connection.mayBeBound
    if let priority = Self.translationPriority(at: context.hook),
      !translations.isEmpty || mayBeBound
    {
      groups[priority, default: []].append(.translation(translations))
    }
    return groups.keys.sorted().map { Group(priority: $0, entries: groups[$0] ?? []) }
  }

  /// Runs what has one priority.
  ///
  /// Of one table's chains the one registered last runs first; across tables the order is not in
  /// the listing, so where it can matter every order is tried.
  private mutating func run(
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

  /// Address translation: packets of bound connections first, then the nat chains for new ones.
  private mutating func translate(
    _ chains: [BaseChainReference], _ states: [PacketState], _ context: HookContext, isLast: Bool,
    _ collector: inout FateCollector, _ register: inout DimensionRegister
  ) -> [PacketState] {
    var here = states
    if hasTranslations, context.connection.mayBeBound, tracking.runs(for: context.family) {
      here = here.flatMap { bound($0, context.family, &register) }
    }
    let priorities = Set(chains.map(\.base.priority)).sorted()
    for (position, priority) in priorities.enumerated() {
      let group = chains.filter { $0.base.priority == priority }.map { Entry.chain($0) }
      here = run(
        group, priority, here, context, isLast: isLast && position == priorities.count - 1,
        &collector, &register)
      if here.isEmpty || collector.overflow != nil { return [] }
    }
    if isLast, priorities.isEmpty {
      for state in here { finish(state, .accepted, nil, &collector, register) }
      return []
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
        guard tracking.runs(for: family), !state.isBoundAtHook else {
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
      for index in passed.indices where !passed[index].original.isEmpty {
        passed[index].mayTakeAnotherRoute = true
      }
    }
    return passed
  }

  /// What translation makes of packets whose connections may be bound: they keep their
  /// translation, and which it is nobody tells.
  private func bound(
    _ state: PacketState, _ family: IPFamily, _ register: inout DimensionRegister
  ) -> [PacketState] {
    func altered(_ state: PacketState) -> PacketState {
      var state = state
      for dimension: Dimension in [
        .sourceAddress, .destinationAddress, .transportWord0, .transportWord1,
      ] {
        state.forget(dimension, domain: register.domain(of: dimension, in: family))
      }
      return state
    }
    let (established, others) = state.split(byConnectionState: ConnectionBits.established)
    var states = established.map { [altered($0)] } ?? []
    for state in others {
      let (related, rest) = state.split(byConnectionState: ConnectionBits.related)
      states += rest
      guard let related else { continue }
      for way in begins(related, &register) {
        states.append(way.beginsConnection == true ? way : altered(way))
      }
    }
    return states
  }

  /// A related packet begins a connection of its own or is an ICMP error, which does not.
  private func begins(
    _ state: PacketState, _ register: inout DimensionRegister
  ) -> [PacketState] {
    if state.beginsConnection != nil { return [state] }
    let variable = register.variable(
      "whether a related packet begins a connection", valueCount: 2, kind: .unknown)
    return [false, true].map { begins in
      var way = state
      way.beginsConnection = begins
      way.cube.assign(IntervalSet(begins ? 1 : 0), to: variable)
      return way
    }
  }

  /// Nat chains see the packet that begins a tracked connection.
  ///
  /// Source: net/netfilter/nf_nat_core.c, `nf_nat_inet_fn`.
  private func divideByConnection(
    _ state: PacketState, _ entering: inout [PacketState], _ bypassing: inout [PacketState],
    _ register: inout DimensionRegister
  ) {
    let (new, others) = state.split(byConnectionState: ConnectionBits.new)
    if let new { entering.append(new) }
    for state in others {
      let (related, rest) = state.split(byConnectionState: ConnectionBits.related)
      bypassing += rest
      guard let related else { continue }
      for way in begins(related, &register) {
        if way.beginsConnection == true { entering.append(way) } else { bypassing.append(way) }
      }
    }
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

  /// Whether what an entry does can change what another decides.
  private func changesPackets(_ entry: Entry) -> Bool {
    switch entry {
    case .chain(let reference):
      var seen: Set<Int> = []
      return changesPackets(reference.table, reference.chain, &seen)
    case .translation(let chains):
      return hasTranslations || chains.contains { changesPackets(.chain($0)) }
    }
  }

  private func changesPackets(_ table: Int, _ chain: Int, _ seen: inout Set<Int>) -> Bool {
    guard seen.insert(chain).inserted else { return false }
    for rule in ruleset.tables[table].chains[chain].rules {
      for statement in rule.statements {
        switch statement {
        case .mangle, .notrack, .translate, .setUpdate, .unmodelled, .reject: return true
        case .verdict(.jump(let next)), .verdict(.goto(let next)):
          if changesPackets(table, next, &seen) { return true }
        case .verdictMap(_, let map):
          for next in targets(of: map, in: table) where changesPackets(table, next, &seen) {
            return true
          }
        case .match, .verdict, .gate, .object, .inert, .duplicate, .diverts: continue
        }
      }
    }
    return false
  }

  private func targets(of map: SetReference, in table: Int) -> [Int] {
    let contents: SetContents
    switch map {
    case .anonymous(let anonymous): contents = anonymous
    case .named(let index): contents = ruleset.tables[table].sets[index].contents
    case .missing: return []
    }
    return (contents.elements.map(\.data) + [contents.catchAll]).compactMap { data in
      switch data {
      case .verdict(.jump(let chain)), .verdict(.goto(let chain)): chain
      default: nil
      }
    }
  }

  /// Every order of a few entries that keeps each table's own.
  private func permutations(_ left: [Entry]) -> [[Entry]] {
    guard !left.isEmpty else { return [[]] }
    return left.indices.flatMap { index -> [[Entry]] in
      let first = left[index]
      if first.table != nil, left[..<index].contains(where: { $0.table == first.table }) {
        return []
      }
      var rest = left
      rest.remove(at: index)
      return permutations(rest).map { [first] + $0 }
    }
  }
}

/// What a ruleset does at all, so that a walk may leave out what it does not.
extension RulesetWalk {
  /// The hooks at which something runs, and those at which connections are looked up before it.
  func hooksThatMatter(_ hooks: [Hook], _ family: IPFamily) -> [Hook] {
    guard let last = hooks.lastIndex(where: { hasBaseChains(at: $0, family) }) else { return [] }
    return hooks[...last].filter {
      $0 == .prerouting || $0 == .output || hasBaseChains(at: $0, family)
    }
  }

  private func hasBaseChains(at hook: Hook, _ family: IPFamily) -> Bool {
    ruleset.tables.contains { table in
      let isSeen =
        hook == .ingress || hook == .egress
        ? table.family == .netdev || table.family == .inet : table.family.covers(family)
      return !table.isDormant && isSeen && table.chains.contains { $0.base?.hook == hook }
    }
  }

  /// Whether some bridge chain could stop a frame.
  var mayFilterBridgedFrames: Bool {
    ruleset.tables.contains { table in
      table.family == .bridge && !table.isDormant
        && table.chains.contains { chain in
          guard let base = chain.base else { return false }
          return base.policy == .drop || !chain.rules.isEmpty
        }
    }
  }

  /// Whether some rule takes packets out of tracking, translates them or moves their zone.
  static func connectionsChange(in ruleset: Ruleset) -> Bool {
    ruleset.tables.contains { table in
      table.chains.contains { chain in
        chain.rules.contains { rule in
          rule.statements.contains { statement in
            switch statement {
            case .notrack, .translate, .unmodelled: true
            case .mangle(let selector, _):
              if case .connection = selector.field { true } else { false }
            case .match, .verdict, .verdictMap, .reject, .gate, .object, .setUpdate, .inert,
              .duplicate, .diverts:
              false
            }
          }
        }
      }
    }
  }

  /// Whether some rule reads the status of a connection's entry.
  static func readsConnectionStatus(_ ruleset: Ruleset) -> Bool {
    func reads(_ expression: Expression) -> Bool {
      switch expression {
      case .selector(let selector):
        if case .connection(let key) = selector.field { return key.key == .status }
        return false
      case .masked(let inner, _, _), .shifted(let inner, _, _): return reads(inner)
      case .concatenation(let parts): return parts.contains(where: reads)
      case .lookup(let key, _): return reads(key)
      case .constant, .unmodelled: return false
      }
    }
    return ruleset.tables.contains { table in
      table.chains.contains { chain in
        chain.rules.contains { rule in
          rule.statements.contains { statement in
            switch statement {
            case .match(let match): reads(match.left)
            case .verdictMap(let key, _): reads(key)
            case .mangle(_, let value): reads(value)
            case .verdict, .reject, .gate, .object, .notrack, .translate, .setUpdate, .inert,
              .duplicate, .diverts, .unmodelled:
              false
            }
          }
        }
      }
    }
  }

  /// Whether some rule translates addresses.
  static func translates(_ ruleset: Ruleset) -> Bool {
    ruleset.tables.contains { table in
      table.chains.contains { chain in
        chain.rules.contains { rule in
          rule.statements.contains { statement in
            if case .translate = statement { true } else { false }
          }
        }
      }
    }
  }
}

extension PacketState {
  /// The packets in one state of their connection, and the others.
  fileprivate func split(
    byConnectionState bit: UInt128
  ) -> (inside: PacketState?, outside: [PacketState]) {
    let constraint = Constraint(
      .connectionState, IntervalSet(bit), domain: ConnectionBits.every)
    let (inside, outside) = cube.split(by: [constraint])
    return (inside.map { with($0) }, outside.map { with($0) })
  }
}
