internal import Addresses
internal import PacketSets
internal import Rulesets

/// Statements that change a packet or its metadata (`meta mark set`, `ip dscp set`, …).
extension RulesetWalk {
  /// What a written value can be.
  private enum Written {
    case value(UInt128)
    /// Some value that is not known.
    case unknown
  }

  /// Writes a field and goes on with the rule.
  mutating func write(
    _ selector: Selector, _ value: Expression, _ rest: ArraySlice<CompiledRule.Action>,
    _ state: PacketState, _ run: inout RuleRun, _ running: inout Running,
    _ collector: inout FateCollector, _ register: inout DimensionRegister
  ) {
    let conditions = MatchConditions(table: ruleset.tables[running.table], context: run.context)
    let (readable, target) = register.reading(of: selector, in: run.context)
    let guards = constraints(onWriting: selector, readable, run.context, &register)
    guard let here = run.restrict(state, to: guards) else { return }

    if case .lookup(let key, let map) = value {
      let lookup = conditions.lookup(key, in: map, &register)
      writeLookedUp(
        lookup, selector, target, rest, here, &run, &running, &collector, &register)
      return
    }
    let (written, required) = evaluate(value, on: here, run.context, &register)
    guard var changed = run.restrict(here, to: required) else { return }
    store(written, selector.field, target, &changed, run.context, &register)
    perform(rest, on: changed, &run, &running, &collector, &register)
  }

  /// What must hold of a packet for a field to be written, which is not all that reading it takes.
  ///
  /// Source: net/netfilter/nft_ct.c `nft_ct_set_eval`, which does nothing where there is no entry;
  /// net/netfilter/nft_exthdr.c `nft_exthdr_tcp_set_eval`, nothing where there is no such option.
  private func constraints(
    onWriting selector: Selector, _ readable: [Constraint]?, _ context: HookContext,
    _ register: inout DimensionRegister
  ) -> [Constraint]? {
    var guards = selector.requiring
    switch selector.field {
    case .connection: break
    case .option(let header) where header.holder == .tcpOption: guards.append(.transport(6))
    case .payload, .meta, .extensionHeader, .option, .environment: return readable
    }
    var constraints: [Constraint] = []
    for one in guards {
      guard let required = register.constraints(of: one, in: context) else { return nil }
      constraints += required
    }
    return constraints
  }

  private mutating func writeLookedUp(
    _ lookup: Lookup, _ selector: Selector, _ target: FieldReading,
    _ rest: ArraySlice<CompiledRule.Action>, _ state: PacketState, _ run: inout RuleRun,
    _ running: inout Running, _ collector: inout FateCollector,
    _ register: inout DimensionRegister
  ) {
    var arriving = state
    for choice in lookup.choices { arriving.cube.release(choice) }
    let lookup = lookup.resolved(for: arriving, run.context, at: station)
    guard let state = run.restrict(arriving, to: lookup.guards) else { return }
    let readable = state.cube
    guard lookup.unknown == nil, !lookup.branches.contains(where: { $0.doubt != nil }) else {
      // Found or missed, and which value: neither is known.
      let found = register.variable("what the map holds", valueCount: 2, kind: .unknown)
      var missed = state.with(readable)
      missed.cube.assign(IntervalSet(0), to: found)
      run.next.append(missed)
      var hit = state.with(readable)
      hit.cube.assign(IntervalSet(1), to: found)
      store(.unknown, selector.field, target, &hit, run.context, &register)
      perform(rest, on: hit, &run, &running, &collector, &register)
      return
    }
    var left = [readable]
    for branch in lookup.branches {
      var missed: [Cube] = []
      for cube in left {
        let (hits, misses) = cube.divide(byAnyOf: branch.boxes)
        missed += misses
        for hit in hits {
          var changed = state.with(hit)
          store(
            written(branch.data), selector.field, target, &changed, run.context, &register)
          perform(rest, on: changed, &run, &running, &collector, &register)
        }
      }
      left = missed
    }
    for cube in left {
      guard let data = lookup.catchAll else {
        run.next.append(state.with(cube))
        continue
      }
      var changed = state.with(cube)
      store(written(data), selector.field, target, &changed, run.context, &register)
      perform(rest, on: changed, &run, &running, &collector, &register)
    }
  }

  private func written(_ data: ElementData?) -> Written {
    if case .values(let values) = data, values.count == 1 { return .value(values[0]) }
    return .unknown
  }

  /// The value of an expression for packets that agree on what it reads.
  ///
  /// - Returns: nil constraints where the value cannot be read at all.
  private func evaluate(
    _ expression: Expression, on state: PacketState, _ context: HookContext,
    _ register: inout DimensionRegister
  ) -> (Written, [Constraint]?) {
    switch expression {
    case .constant(let value, _):
      return (.value(value), [])
    case .selector(let selector):
      let (guards, reading) = register.reading(of: selector, in: context)
      guard let guards else { return (.unknown, nil) }
      switch reading {
      case .absent: return (.unknown, nil)
      case .constant(let value, _): return (.value(value), guards)
      case .bits(let slices):
        guard slices.count == 1, case .dimension(let dimension) = slices[0].source,
          !state.unknown.contains(where: { $0.dimension == dimension }),
          let current = state.cube[dimension]?.onlyValue
        else { return (.unknown, guards) }
        return (.value(current >> UInt128(slices[0].shift) & mask(slices[0].width)), guards)
      case .partly, .status, .addressType, .nextHeader, .option, .unknown: return (.unknown, guards)
      }
    case .masked(let inner, let bits, let flip):
      let (value, guards) = evaluate(inner, on: state, context, &register)
      if bits == 0 { return (.value(flip), guards) }
      guard case .value(let number) = value else { return (.unknown, guards) }
      return (.value(number & bits ^ flip), guards)
    case .shifted(let inner, let left, let count):
      let (value, guards) = evaluate(inner, on: state, context, &register)
      guard case .value(let number) = value else { return (.unknown, guards) }
      return (.value(left ? number << UInt128(count) : number >> UInt128(count)), guards)
    case .concatenation, .lookup, .unmodelled:
      return (.unknown, [])
    }
  }

  /// Puts a value into the dimensions that a field reads.
  private func store(
    _ value: Written, _ field: Field, _ target: FieldReading, _ state: inout PacketState,
    _ context: HookContext, _ register: inout DimensionRegister
  ) {
    if case .connection(let key) = field, key.key == .zone { state.hasOwnZone = true }
    guard case .bits(let slices) = target else { return }
    for (index, slice) in slices.enumerated() {
      guard case .dimension(let dimension) = slice.source else { continue }
      let domain = register.domain(of: dimension, in: context.family)
      let below = slices[(index + 1)...].reduce(0) { $0 + $1.width }
      if dimension == .destinationAddress || dimension == .sourceAddress {
        state.isRerouted = true
      }
      guard case .value(let number) = value else {
        state.forget(dimension, domain: domain)
        continue
      }
      let bits = number >> UInt128(below) & mask(slice.width)
      // The kernel leaves the type as it is for a number that is none (`nft_meta_set_eval`).
      if dimension == register.packetType, bits > 3 { continue }
      if slice.width == slice.dimensionWidth {
        state.write(
          IntervalSet(bits & mask(slice.width)), to: dimension, domain: domain)
      } else if let current = state.cube[dimension]?.onlyValue {
        let field = mask(slice.width) << UInt128(slice.shift)
        state.write(
          IntervalSet(current & ~field | bits << UInt128(slice.shift)), to: dimension,
          domain: domain)
      } else {
        state.forget(dimension, domain: domain)
      }
    }
  }
}
