internal import Addresses
internal import PacketSets
internal import Rulesets

/// One rule at work on the packets that reach it.
struct RuleRun {
  let location: RuleLocation
  let context: HookContext
  let depth: Int
  /// Packets that go on with the next rule.
  var next: [PacketState]
  /// Packets that return from the chain.
  var ended: [PacketState]
  /// Whether packets came back from a jump, so that cubes may join again.
  var mayMerge = false

  /// Lets packets for which a guard does not hold go on with the next rule.
  ///
  /// - Parameters:
  ///   - state: Packets that stand before a statement.
  ///   - guards: What must hold for it; nil where that cannot be.
  /// - Returns: the packets for which all guards hold; nil where there are none.
  mutating func restrict(_ state: PacketState, to guards: [Constraint]?) -> PacketState? {
    guard let guards else {
      next.append(state)
      return nil
    }
    let (inside, outside) = state.cube.split(by: guards)
    next += outside.map { state.with($0) }
    return inside.map { state.with($0) }
  }
}

extension RulesetWalk {
  /// Applies a rule to packets.
  mutating func apply(
    _ rule: CompiledRule, to state: PacketState, _ run: inout RuleRun, _ running: inout Running,
    _ collector: inout FateCollector, _ register: inout DimensionRegister
  ) {
    guard let doubt = rule.doubt else {
      perform(rule.actions[...], on: state, &run, &running, &collector, &register)
      return
    }
    let isThere = register.variable(doubt, valueCount: 2, kind: .unknown)
    var without = state
    without.cube.assign(IntervalSet(0), to: isThere)
    run.next.append(without)
    var with = state
    with.cube.assign(IntervalSet(1), to: isThere)
    perform(rule.actions[...], on: with, &run, &running, &collector, &register)
  }

  /// Carries out what is left of a rule.
  mutating func perform(
    _ actions: ArraySlice<CompiledRule.Action>, on state: PacketState, _ run: inout RuleRun,
    _ running: inout Running, _ collector: inout FateCollector,
    _ register: inout DimensionRegister
  ) {
    guard let action = actions.first else {
      var state = state
      note(.wentOn, &state, run)
      run.next.append(state)
      return
    }
    let rest = actions.dropFirst()
    switch action {
    case .require(let condition):
      if case .never = condition.test {
        run.next.append(state)
        return
      }
      var state = state
      for choice in condition.choices { state.cube.release(choice) }
      let condition = condition.resolved(for: state, in: register, run.context, at: station)
      if case .addressType(let test) = condition.test {
        ask(test, condition.guards, rest, state, &run, &running, &collector, &register)
        return
      }
      let (holds, breaks) = state.cube.divide(by: condition)
      run.next += breaks.map { state.with($0) }
      for cube in holds {
        guard case .unknown(let text) = condition.test else {
          perform(rest, on: state.with(cube), &run, &running, &collector, &register)
          continue
        }
        fork(state.with(cube), text, .unknown, &run, &register) { walk, matched, run, register in
          walk.perform(rest, on: matched, &run, &running, &collector, &register)
        }
      }
    case .verdict(let verdict):
      decide(verdict, rest, state, &run, &running, &collector, &register)
    case .verdictMap(let lookup):
      lookUp(lookup, rest, state, &run, &running, &collector, &register)
    case .reject(let rejection, let guards):
      guard var refused = run.restrict(state, to: guards) else { return }
      note(.reject(rejection), &refused, run)
      finish(refused, .rejected(rejection), run.location, &collector, register)
    case .gate(let gate):
      pass(gate, rest, state, &run, &running, &collector, &register)
    case .room(let text):
      pass(
        "room for \(text)", passesUsually: true, rest, state, &run, &running, &collector, &register)
    case .hit(let lookup):
      requireHit(lookup, rest, state, &run, &running, &collector, &register)
    case .write(let selector, let value):
      write(selector, value, rest, state, &run, &running, &collector, &register)
    case .notrack:
      // A packet with an entry keeps it; one without reads as invalid until now
      // (net/netfilter/nft_ct.c, nft_notrack_eval).
      let invalid = Constraint(
        .connectionState, IntervalSet(ConnectionBits.invalid),
        domain: register.domain(of: .connectionState, in: run.context.family))
      let (without, with) = state.cube.split(by: [invalid])
      for cube in with {
        perform(rest, on: state.with(cube), &run, &running, &collector, &register)
      }
      guard let without else { return }
      var untracked = state.with(without)
      untracked.cube.assign(IntervalSet(ConnectionBits.untracked), to: .connectionState)
      perform(rest, on: untracked, &run, &running, &collector, &register)
    case .translate(let translation, let guards, let address, let port):
      guard let here = run.restrict(state, to: guards) else { return }
      translate(
        translation, address, port, here, &run, &running, &collector, &register)
    case .anything(let text):
      anything(text, rest, state, &run, &running, &collector, &register)
    case .diverts(let text):
      let fate = register.variable(text, valueCount: 2, kind: .unknown)
      for value in 0..<2 {
        var way = state
        way.cube.assign(IntervalSet(UInt128(value)), to: fate)
        note(.notKnown, &way, run)
        if value == 0 {
          finish(way, .dropped, run.location, &collector, register)
        } else {
          accept(way, run.location, &running, &collector, register)
        }
      }
    }
  }

  /// Asks what the host knows of an address.
  private mutating func ask(
    _ test: AddressTypeTest, _ guards: [Constraint], _ rest: ArraySlice<CompiledRule.Action>,
    _ state: PacketState, _ run: inout RuleRun, _ running: inout Running,
    _ collector: inout FateCollector, _ register: inout DimensionRegister
  ) {
    guard let state = run.restrict(state, to: guards) else { return }
    let here = surroundings?.ownDimension(
      state, isReply: run.context.connection.isReply, at: station)
    // An address that is not known is not one that anybody looked up.
    let isKnown = !state.unknown.contains { $0.dimension == test.dimension }
    let parts =
      isKnown
      ? test.divided(state.cube, in: surroundings, here: here, run.context.family)
      : [(state.cube, nil)]
    for (cube, holds) in parts {
      switch holds {
      case false?: run.next.append(state.with(cube))
      case true?: perform(rest, on: state.with(cube), &run, &running, &collector, &register)
      case nil:
        fork(state.with(cube), test.text, .unknown, &run, &register) { walk, hit, run, register in
          walk.perform(rest, on: hit, &run, &running, &collector, &register)
        }
      }
    }
    run.mayMerge = true
  }

  /// Goes both ways at something that may hold or not: on through `body`, and past the rule.
  mutating func fork(
    _ state: PacketState, _ name: String, _ kind: DimensionRegister.Kind, _ run: inout RuleRun,
    _ register: inout DimensionRegister,
    _ body: (inout RulesetWalk, PacketState, inout RuleRun, inout DimensionRegister) -> Void
  ) {
    if kind == .unknown, let answer = shared?.answer(to: name, for: state, &register) {
      let (with, without) = state.divided(by: answer)
      if let without { run.next.append(without) }
      if let with { body(&self, with, &run, &register) }
      run.mayMerge = true
      return
    }
    let variable = register.variable(name, valueCount: 2, kind: kind)
    var without = state
    without.cube.assign(IntervalSet(0), to: variable)
    var with = state
    with.cube.assign(IntervalSet(1), to: variable)
    run.next.append(without)
    body(&self, with, &run, &register)
    run.mayMerge = true
  }

  func note(_ effect: PathStep.Effect, _ state: inout PacketState, _ run: RuleRun) {
    state.passed(
      PathStep(firewall: firewall, hook: run.context.hook, location: run.location, effect: effect))
  }

  private mutating func decide(
    _ verdict: Verdict, _ rest: ArraySlice<CompiledRule.Action>, _ state: PacketState,
    _ run: inout RuleRun, _ running: inout Running, _ collector: inout FateCollector,
    _ register: inout DimensionRegister
  ) {
    var state = state
    switch verdict {
    case .continue:
      perform(rest, on: state, &run, &running, &collector, &register)
    case .accept:
      note(.verdict(verdict), &state, run)
      accept(state, run.location, &running, &collector, register)
    case .drop:
      note(.verdict(verdict), &state, run)
      finish(state, .dropped, run.location, &collector, register)
    case .return:
      note(.verdict(verdict), &state, run)
      run.ended.append(state)
    case .jump(let chain):
      note(.verdict(verdict), &state, run)
      run.next += call(chain, state, run, &running, &collector, &register)
      run.mayMerge = true
    case .goto(let chain):
      note(.verdict(verdict), &state, run)
      run.ended += call(chain, state, run, &running, &collector, &register)
    }
  }

  private mutating func lookUp(
    _ lookup: Lookup, _ rest: ArraySlice<CompiledRule.Action>, _ state: PacketState,
    _ run: inout RuleRun, _ running: inout Running, _ collector: inout FateCollector,
    _ register: inout DimensionRegister
  ) {
    var arriving = state
    for choice in lookup.choices { arriving.cube.release(choice) }
    let lookup = lookup.resolved(for: arriving, run.context, at: station)
    guard let state = run.restrict(arriving, to: lookup.guards) else { return }
    let readable = state.cube
    if let unknown = lookup.unknown, let possible = lookup.possible {
      // One of the elements, or none.
      let which = register.variable(unknown, valueCount: possible.count + 1, kind: .unknown)
      for (index, data) in possible.enumerated() {
        var hit = state
        hit.cube.assign(IntervalSet(UInt128(index)), to: which)
        found(data, rest, hit, &run, &running, &collector, &register)
      }
      if lookup.mayMiss {
        var missed = state
        missed.cube.assign(IntervalSet(UInt128(possible.count)), to: which)
        run.next.append(missed)
      }
      run.mayMerge = true
      return
    }
    if let unknown = lookup.unknown {
      anything(unknown, rest, state.with(readable), &run, &running, &collector, &register)
      return
    }
    var left = [readable]
    for branch in lookup.branches {
      if left.isEmpty { break }
      var missed: [Cube] = []
      for cube in left {
        let (hits, misses) = cube.divide(byAnyOf: branch.boxes)
        missed += misses
        for hit in hits {
          guard let doubt = branch.doubt else {
            found(branch.data, rest, state.with(hit), &run, &running, &collector, &register)
            continue
          }
          // Where the element is gone, later ones and the catch-all are found instead.
          let isThere = register.variable(doubt, valueCount: 2, kind: .unknown)
          var without = hit
          without.assign(IntervalSet(0), to: isThere)
          missed.append(without)
          var with = hit
          with.assign(IntervalSet(1), to: isThere)
          found(branch.data, rest, state.with(with), &run, &running, &collector, &register)
          run.mayMerge = true
        }
      }
      left = missed
    }
    for cube in left {
      if let data = lookup.catchAll {
        found(data, rest, state.with(cube), &run, &running, &collector, &register)
      } else {
        run.next.append(state.with(cube))
      }
    }
  }

  /// Goes on where a map holds an element for the key.
  private mutating func requireHit(
    _ lookup: Lookup, _ rest: ArraySlice<CompiledRule.Action>, _ state: PacketState,
    _ run: inout RuleRun, _ running: inout Running, _ collector: inout FateCollector,
    _ register: inout DimensionRegister
  ) {
    var arriving = state
    for choice in lookup.choices { arriving.cube.release(choice) }
    let lookup = lookup.resolved(for: arriving, run.context, at: station)
    guard let state = run.restrict(arriving, to: lookup.guards) else { return }
    let readable = state.cube
    let doubt = lookup.unknown ?? lookup.branches.first { $0.doubt != nil }?.doubt
    if let doubt {
      fork(state.with(readable), doubt, .unknown, &run, &register) { walk, hit, run, register in
        walk.perform(rest, on: hit, &run, &running, &collector, &register)
      }
      return
    }
    let (hits, misses) = readable.divide(byAnyOf: lookup.branches.flatMap(\.boxes))
    for cube in hits {
      perform(rest, on: state.with(cube), &run, &running, &collector, &register)
    }
    for cube in misses {
      if lookup.catchAll != nil {
        perform(rest, on: state.with(cube), &run, &running, &collector, &register)
      } else {
        run.next.append(state.with(cube))
      }
    }
  }

  private mutating func found(
    _ data: ElementData?, _ rest: ArraySlice<CompiledRule.Action>, _ state: PacketState,
    _ run: inout RuleRun, _ running: inout Running, _ collector: inout FateCollector,
    _ register: inout DimensionRegister
  ) {
    guard case .verdict(let verdict) = data else {
      anything("an element that is no verdict", rest, state, &run, &running, &collector, &register)
      return
    }
    decide(verdict, rest, state, &run, &running, &collector, &register)
  }

  private mutating func pass(
    _ gate: Gate, _ rest: ArraySlice<CompiledRule.Action>, _ state: PacketState,
    _ run: inout RuleRun, _ running: inout Running, _ collector: inout FateCollector,
    _ register: inout DimensionRegister
  ) {
    guard let passes = gate.passesWhenNotExceeded, gates != .unknown else {
      fork(state, gate.text, .unknown, &run, &register) { walk, passed, run, register in
        walk.perform(rest, on: passed, &run, &running, &collector, &register)
      }
      return
    }
    if let name = shared?.gate(at: run.location, for: state),
      let standing = shared?.reach(name, state, &register)
    {
      let (usual, unusual) = state.divided(by: standing)
      if let other = passes ? unusual : usual { run.next.append(other) }
      if let passing = passes ? usual : unusual {
        perform(rest, on: passing, &run, &running, &collector, &register)
      }
      run.mayMerge = true
      return
    }
    pass(
      "\(gate.text) not exceeded", passesUsually: passes, rest, state, &run, &running, &collector,
      &register)
  }

  /// Goes on where state that packets do not carry is as usual, or where it is not.
  ///
  /// What becomes of the others counts as either way, or tells what rests on the assumption.
  private mutating func pass(
    _ name: String, passesUsually: Bool, _ rest: ArraySlice<CompiledRule.Action>,
    _ state: PacketState, _ run: inout RuleRun, _ running: inout Running,
    _ collector: inout FateCollector, _ register: inout DimensionRegister
  ) {
    let kind: DimensionRegister.Kind =
      switch gates {
      case .notExceeded: .assumption
      case .either: .gate
      case .unknown: .unknown
      }
    let variable = register.variable(name, valueCount: 2, kind: kind)
    var usual = state
    usual.cube.assign(IntervalSet(1), to: variable)
    var unusual = state
    unusual.cube.assign(IntervalSet(0), to: variable)
    run.next.append(passesUsually ? unusual : usual)
    perform(rest, on: passesUsually ? usual : unusual, &run, &running, &collector, &register)
    run.mayMerge = true
  }

  /// Every way that a statement nobody knows can go.
  private mutating func anything(
    _ text: String, _ rest: ArraySlice<CompiledRule.Action>, _ state: PacketState,
    _ run: inout RuleRun, _ running: inout Running, _ collector: inout FateCollector,
    _ register: inout DimensionRegister
  ) {
    let way = register.variable(text, valueCount: 5, kind: .unknown)
    var changed = state
    forgetEverything(&changed, run.context, &register)
    func along(_ value: UInt128, _ state: PacketState) -> PacketState {
      var state = state
      state.cube.assign(IntervalSet(value), to: way)
      return state
    }
    run.next.append(along(0, changed))
    perform(rest, on: along(1, changed), &run, &running, &collector, &register)
    var passed = along(2, changed)
    note(.notKnown, &passed, run)
    accept(passed, run.location, &running, &collector, register)
    var lost = along(3, state)
    note(.notKnown, &lost, run)
    finish(lost, .dropped, run.location, &collector, register)
    run.ended.append(along(4, changed))
    run.mayMerge = true
  }

  /// Forgets all that a statement can change: the packet's bytes, its marks, what is tracked.
  private func forgetEverything(
    _ state: inout PacketState, _ context: HookContext, _ register: inout DimensionRegister
  ) {
    var dimensions: [Dimension] = [
      .sourceAddress, .destinationAddress, .transportProtocol, .transportWord0, .transportWord1,
      .tcpFlags, .mark, register.connectionMark, register.packetType,
    ]
    for entry in state.cube.furtherEntries
    where register[entry.dimension].kind == .packet
      && !register[entry.dimension].name.hasPrefix("ether ")
      && !dimensions.contains(entry.dimension)
    {
      dimensions.append(entry.dimension)
    }
    for dimension in dimensions {
      state.forget(dimension, domain: register.domain(of: dimension, in: context.family))
    }
    if state.cube[.connectionState]?.contains(ConnectionBits.invalid) == true {
      // It may have become untracked, or be looked up in another zone.
      state.forget(
        .connectionState, domain: register.domain(of: .connectionState, in: context.family))
    }
    state.hasOwnZone = true
    state.isRerouted = true
  }
}
