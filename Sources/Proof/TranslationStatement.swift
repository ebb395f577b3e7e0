internal import Addresses
internal import PacketSets
internal import Rulesets

/// `dnat`, `snat`, `masquerade` and `redirect` at work on the packets that open connections.
extension RulesetWalk {
  /// What a packet gets in the place of its address or its port.
  enum Target {
    /// One of these values; any of them may be chosen.
    case values(IntervalSet)
    /// One of these, and which one nobody tells.
    case unknown(IntervalSet)

    var set: IntervalSet {
      switch self {
      case .values(let set), .unknown(let set): set
      }
    }

    var isKnown: Bool {
      switch self {
      case .values: true
      case .unknown: false
      }
    }
  }

  /// Packets with what they are to get.
  fileprivate struct Aimed {
    var state: PacketState
    var address: Target?
    var port: Target?
  }

  /// Translates packets and ends the base chain with accept; where a map holds nothing for them they
  /// go on with the next rule.
  mutating func translate(
    _ translation: Translation, _ addresses: Lookup?, _ ports: Lookup?, _ state: PacketState,
    _ run: inout RuleRun, _ running: inout Running, _ collector: inout FateCollector,
    _ register: inout DimensionRegister
  ) {
    let end = translation.kind.end
    let opens =
      if case .opening = run.context.connection { true } else { state.beginsConnection == true }
    guard opens, isOpening, run.context.hook.translatedEnd == end,
      state.bindings[station]?.carried.contains(end) != true
    else {
      finish(
        state, .unknown("the translation of an answer that begins a connection of its own"),
        run.location, &collector, register)
      return
    }
    var aimed = [Aimed(state: state)]
    if end == .destination {
      let (refused, others) = dividedByVersion(state, in: run.context.family, register)
      for state in refused {
        finish(
          state, .unknown("a version of GRE that is dropped where its destination changes"),
          run.location, &collector, register)
      }
      aimed = others.map { Aimed(state: $0) }
    }
    if translation.kind == .redirect, run.context.hook != .output, run.context.family == .ipv6 {
      aimed = aimed.flatMap { packets in
        let (near, others) = dividedByReach(packets.state, register)
        for state in near {
          finish(
            state, .unknown("a redirection to an address of the same reach, if there is one"),
            run.location, &collector, register)
        }
        return others.map { Aimed(state: $0) }
      }
    }
    aimed = aimed.flatMap { aim($0, translation, addresses, isPort: false, &run, &register) }
    aimed = aimed.flatMap { aim($0, translation, ports, isPort: true, &run, &register) }
    for packets in aimed {
      for packets in dividedByPorts(packets, end, in: run.context.family) {
        for var state in bound(packets, translation, run.context, &register) {
          state.isBoundAtHook = true
          note(.translated(translation.kind), &state, run)
          accept(state, run.location, &running, &collector, register)
        }
      }
    }
  }

  // MARK: - What the packets get

  private mutating func aim(
    _ packets: Aimed, _ translation: Translation, _ lookup: Lookup?, isPort: Bool,
    _ run: inout RuleRun, _ register: inout DimensionRegister
  ) -> [Aimed] {
    guard let compiled = lookup else {
      var packets = packets
      if isPort {
        let lower = translation.port
        packets.port =
          lower.map { target($0, translation.portUpper, width: 16) } ?? packets.port
      } else {
        packets.address = plainAddress(translation, packets.state, run.context)
      }
      return [packets]
    }
    var state = packets.state
    for choice in compiled.choices { state.cube.release(choice) }
    let lookup = compiled.resolved(for: state, run.context, at: station)
    guard let here = run.restrict(state, to: lookup.guards) else { return [] }
    let width = isPort ? 16 : run.context.family.bitWidth
    if let unknown = lookup.unknown, let possible = lookup.possible {
      // One of the elements, or none.
      let which = register.variable(unknown, valueCount: possible.count + 1, kind: .unknown)
      if lookup.mayMiss {
        var missed = here
        missed.cube.assign(IntervalSet(UInt128(possible.count)), to: which)
        run.next.append(missed)
      }
      return possible.enumerated().map { index, data in
        var hit = here
        hit.cube.assign(IntervalSet(UInt128(index)), to: which)
        return packets.at(hit, data, isPort: isPort, width: width)
      }
    }
    if let doubt = lookup.unknown ?? lookup.branches.first(where: { $0.doubt != nil })?.doubt {
      let isThere = register.variable(doubt, valueCount: 2, kind: .unknown)
      var missed = here
      missed.cube.assign(IntervalSet(0), to: isThere)
      run.next.append(missed)
      var hit = packets
      hit.state = here
      hit.state.cube.assign(IntervalSet(1), to: isThere)
      let anything = Target.unknown(IntervalSet(bitWidth: width))
      if isPort { hit.port = anything } else { hit.address = anything }
      return [hit]
    }
    var aimed: [Aimed] = []
    var left = [here.cube]
    for branch in lookup.branches {
      var missed: [Cube] = []
      for cube in left {
        let (hits, misses) = cube.divide(byAnyOf: branch.boxes)
        missed += misses
        aimed += hits.map { packets.at(here.with($0), branch.data, isPort: isPort, width: width) }
      }
      left = missed
    }
    for cube in left {
      if let data = lookup.catchAll {
        aimed.append(packets.at(here.with(cube), data, isPort: isPort, width: width))
      } else {
        run.next.append(here.with(cube))
      }
    }
    return aimed
  }

  private func target(_ lower: Expression, _ upper: Expression?, width: Int) -> Target {
    let whole = IntervalSet(bitWidth: width)
    guard case .constant(let first, _) = lower else { return .unknown(whole) }
    guard let upper else { return .values(IntervalSet(first)) }
    guard case .constant(let last, _) = upper, first <= last else { return .unknown(whole) }
    return .values(IntervalSet(Interval(first, last)))
  }

  /// The address that a statement without a map gives; nil where it changes none.
  private func plainAddress(
    _ translation: Translation, _ state: PacketState, _ context: HookContext
  ) -> Target? {
    let family = context.family
    // One of the host's own, and nothing here tells which.
    let own = IntervalSet(bitWidth: family.bitWidth)
      .subtracting(surroundings?.foreign[family] ?? .empty)
    switch translation.kind {
    case .masquerade:
      // The first address of the outgoing device (nf_nat_masquerade.c).
      return .unknown(own)
    case .redirect:
      // To this host: by the loopback where it sends itself, else by the first address of the
      // incoming device (nf_nat_redirect.c).
      guard context.hook == .output else { return .unknown(own) }
      return .values(IntervalSet(family == .ipv4 ? 0x7F00_0001 : 1))
    case .destination, .source:
      guard let lower = translation.address else { return nil }
      let plain = target(lower, translation.addressUpper, width: family.bitWidth)
      guard translation.flags.contains("prefix"), case .values(let set) = plain,
        let range = set.only
      else { return plain }
      // A network onto a network: the host bits stay (nf_nat_core.c, `nft_nat_setup_netmap`).
      let host = range.lower ^ range.upper
      let part = Binding.Part(end: translation.kind.end, isPort: false)
      guard let old = state.cube[part.dimension(isReply: false)]?.onlyValue else {
        return .unknown(set)
      }
      return .values(IntervalSet(range.lower & ~host | old & host))
    }
  }

  // MARK: - Ports

  /// The protocols whose ports translation changes (nf_nat_core.c, `nf_nat_l4proto_unique_tuple`).
  private static let portProtocols = IntervalSet(
    [TransportProtocol.tcp, .udp, .udplite, .dccp, .sctp].map { Interval(UInt128($0.rawValue)) })

  private static let icmp = IntervalSet(
    [TransportProtocol.icmp, .icmpv6].map { Interval(UInt128($0.rawValue)) })

  /// Divides packets by what becomes of their ports.
  ///
  /// A source port that another connection uses is exchanged for one of its class: below 512, from
  /// 600 to 1,023, or above (nf_nat_core.c, `nf_nat_l4proto_unique_tuple`).
  private func dividedByPorts(
    _ packets: Aimed, _ end: Binding.End, in family: IPFamily
  ) -> [Aimed] {
    let byte = IntervalSet(bitWidth: 8)
    let (withPorts, others) = packets.state.cube.split(by: [
      Constraint(.transportProtocol, Self.portProtocols, domain: byte)
    ])
    var divided: [Aimed] = others.map { cube in
      var other = packets
      other.state.cube = cube
      if other.port != nil, cube[.transportProtocol]?.overlaps(Self.icmp) == true {
        // The identifier takes the port's place, and what rests on it is not known.
        other.address = other.address.map { .unknown($0.set) }
      }
      other.port = nil
      return other
    }
    guard let withPorts else { return divided }
    var having = packets
    having.state.cube = withPorts
    guard end == .source, having.port == nil else { return divided + [having] }
    let word = IntervalSet(bitWidth: 16)
    let classes: [(from: Interval, to: Interval, isExact: Bool)] = [
      (Interval(0, 511), Interval(1, 511), true), (Interval(512, 599), Interval(512, 1_023), false),
      (Interval(600, 1_023), Interval(600, 1_023), true),
      (Interval(1_024, 65_535), Interval(1_024, 65_535), true),
    ]
    for (from, to, isExact) in classes {
      let (inside, _) = withPorts.split(by: [
        Constraint(.transportWord0, IntervalSet(from), domain: word)
      ])
      guard let inside, let old = inside[.transportWord0] else { continue }
      var part = having
      part.state.cube = inside
      let ports = old.union(IntervalSet(to))
      part.port = isExact ? .values(ports) : .unknown(ports)
      divided.append(part)
    }
    return divided
  }

  /// The packets of GRE in a version that translation cannot give another destination, and the
  /// others.
  ///
  /// Source: net/netfilter/nf_nat_proto.c, `gre_manip_pkt`.
  private func dividedByVersion(
    _ state: PacketState, in family: IPFamily, _ register: DimensionRegister
  ) -> (refused: [PacketState], others: [PacketState]) {
    guard let versions = IntervalSet([Interval(2, 7)]).preimage(underMask: 7, width: 16) else {
      return ([], [state])
    }
    let (inside, others) = state.cube.split(by: [
      Constraint(
        .transportProtocol, IntervalSet(UInt128(TransportProtocol.gre.rawValue)),
        domain: register.domain(of: .transportProtocol, in: family)),
      Constraint(
        .transportWord0, versions, domain: register.domain(of: .transportWord0, in: family)),
    ])
    return (inside.map { [state.with($0)] } ?? [], others.map { state.with($0) })
  }

  /// The IPv6 packets to an address that is not of global reach, and the others.
  ///
  /// They are redirected to an address of the same reach that the device has, and dropped where it
  /// has none. Source: net/netfilter/nf_nat_redirect.c, `nf_nat_redirect_ipv6`.
  private func dividedByReach(
    _ state: PacketState, _ register: DimensionRegister
  ) -> (near: [PacketState], others: [PacketState]) {
    // ::1, fe80::/10 and fec0::/10, and groups, of which those of wide reach are not told apart.
    let near = IntervalSet([
      Interval(1), Interval(0xFE80 << 112, 0xFEFF << 112 | (1 << 112) - 1),
      Interval(0xFF << 120, .max),
    ])
    let (inside, others) = state.cube.split(by: [
      Constraint(
        .destinationAddress, near, domain: register.domain(of: .destinationAddress, in: .ipv6))
    ])
    return (inside.map { [state.with($0)] } ?? [], others.map { state.with($0) })
  }

  // MARK: - Binding

  /// Gives packets their new address and port.
  private func bound(
    _ packets: Aimed, _ translation: Translation, _ context: HookContext,
    _ register: inout DimensionRegister
  ) -> [PacketState] {
    let end = translation.kind.end
    let aims = [(false, packets.address), (true, packets.port)]
    let parts = aims.compactMap { isPort, target in
      target.map { (Binding.Part(end: end, isPort: isPort), $0) }
    }
    // A packet that gets what it has is not called translated.
    let constraints = parts.map { part, target in
      let dimension = part.dimension(isReply: false)
      return Constraint(
        dimension, target.set, domain: register.domain(of: dimension, in: context.family))
    }
    let isExact = parts.allSatisfy { $1.isKnown && $1.set.onlyValue != nil }
    var states: [PacketState] = []
    func translated(_ cube: Cube, isChanged: Bool) {
      var state = packets.state.with(cube)
      for (part, target) in parts {
        let kept = register.field(
          part.keptName(at: station),
          domain: register.domain(of: part.dimension(isReply: false), in: context.family),
          kind: .kept)
        state.translate(
          part, to: target.set, isKnown: target.isKnown, keptIn: kept, at: station)
      }
      state.bindings[station, default: Binding()].carried.insert(end)
      if isChanged { state.bindings[station, default: Binding()].changed.insert(end) }
      if translation.kind == .redirect { state.isRedirected = true }
      if end == .source, let identifier = register.knownField("icmp id") {
        // Exchanged like a port where another connection has the same.
        state.forget(identifier, domain: register[identifier].domain)
      }
      note(status: &state, isKnown: isExact || !isChanged || constraintsMiss(cube), &register)
      states.append(state)
    }
    func constraintsMiss(_ cube: Cube) -> Bool { !cube.meets(constraints) }
    guard isExact, !constraints.isEmpty else {
      translated(packets.state.cube, isChanged: true)
      return states
    }
    let (same, others) = packets.state.cube.split(by: constraints)
    if let same { translated(same, isChanged: false) }
    for cube in others { translated(cube, isChanged: true) }
    return states
  }

  /// Writes what `ct status` says of translation.
  ///
  /// - Parameters:
  ///   - state: The packets.
  ///   - isKnown: false where the new address may be the old one, so that the last translation may
  ///     not count.
  ///   - register: The dimensions of the question.
  func note(status state: inout PacketState, isKnown: Bool, _ register: inout DimensionRegister) {
    var word: UInt128 = 0
    for end in state.bindings[station]?.changed ?? [] {
      word |=
        end == .source ? ConnectionBits.sourceTranslated : ConnectionBits.destinationTranslated
    }
    let status = register.connectionStatus
    guard isKnown else {
      let either = IntervalSet([Interval(0), Interval(word)])
      state.cube.assign(either, to: status)
      state.unknown.append(Cube.Entry(dimension: status, set: either))
      return
    }
    state.unknown.removeAll { $0.dimension == status }
    state.cube.assign(IntervalSet(word), to: status)
  }
}

extension RulesetWalk.Aimed {
  /// The packets of a branch, with what its element says.
  fileprivate func at(_ state: PacketState, _ data: ElementData?, isPort: Bool, width: Int) -> Self
  {
    var aimed = self
    aimed.state = state
    let sets: [IntervalSet]
    switch data {
    case .values(let values): sets = values.map { IntervalSet($0) }
    case .ranges(let ranges): sets = ranges.map { IntervalSet($0) }
    case .verdict, .object, .unmodelled, nil: sets = []
    }
    func target(_ index: Int, _ width: Int) -> RulesetWalk.Target {
      sets.indices.contains(index)
        ? .values(sets[index].intersection(IntervalSet(bitWidth: width)))
        : .unknown(IntervalSet(bitWidth: width))
    }
    if isPort {
      aimed.port = target(0, 16)
    } else {
      aimed.address = target(0, width)
      if sets.count > 1 { aimed.port = target(1, 16) }
    }
    return aimed
  }
}
