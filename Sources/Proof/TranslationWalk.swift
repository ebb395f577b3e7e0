internal import Addresses
internal import PacketSets
internal import Rulesets

/// Address translation at a hook.
extension RulesetWalk {
  /// Address translation: packets of bound connections first, then the nat chains for new ones.
  mutating func translate(
    _ chains: [BaseChainReference], _ states: [PacketState], _ context: HookContext, isLast: Bool,
    _ collector: inout FateCollector, _ register: inout DimensionRegister
  ) -> [PacketState] {
    var here = states
    if hasTranslations, context.connection.mayBeBound, tracking.runs(for: context.family) {
      here = here.flatMap { bound($0, context.family, &register) }
    }
    if case .following(let isReply) = context.connection, tracking.runs(for: context.family) {
      exchange(&here, context.hook, isReply: isReply, &collector, &register)
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

  /// Exchanges the addresses of packets whose connections are bound, there or back.
  ///
  /// Source: net/netfilter/nf_nat_core.c, `nf_nat_packet`.
  private func exchange(
    _ states: inout [PacketState], _ hook: Hook, isReply: Bool, _ collector: inout FateCollector,
    _ register: inout DimensionRegister
  ) {
    guard let inPacket = hook.translatedEnd else { return }
    let end = isReply ? inPacket.opposite : inPacket
    for index in states.indices {
      guard let binding = states[index].bindings[station], !binding.parts(of: end).isEmpty,
        binding.carried.contains(end) == isReply
      else { continue }
      states[index].exchange(end, at: station, isReply: isReply)
    }
    let inZones = states.filter { $0.hasOwnZone && $0.bindings[station] != nil }
    for state in inZones {
      finish(state, .unknown("the zone of a translated connection"), nil, &collector, register)
    }
    if !inZones.isEmpty {
      states.removeAll { $0.hasOwnZone && $0.bindings[station] != nil }
    }
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
  func divideByConnection(
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
