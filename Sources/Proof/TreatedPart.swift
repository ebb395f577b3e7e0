internal import Addresses
internal import PacketSets
internal import Rulesets

/// Packets of one question that one ruleset treats alike.
struct TreatedPart {
  let leaf: Leaf
  let fate: Leaf.Fate
  /// The packets as they arrived, without what stands for something on this side alone.
  let arrival: Cube
  /// The fields in which not every packet is meant.
  let box: [Constraint]
  /// What rules wrote, where the packets go on.
  let written: [Dimension: IntervalSet]
  /// Whether rules took the packets out of tracking.
  let isUntracked: Bool
  /// Why what is said of the packets' further way is not known.
  let hidden: String?
  /// What the fate rests on that nobody knows.
  let doubts: [String]
  /// Gates of this side alone that do not stand as usual.
  let exceeded: [String]
  /// Whether the packets are treated so whatever this side's own variables are.
  let isWhole: Bool

  init(
    _ leaf: Leaf, from state: UInt128, in family: IPFamily, _ register: DimensionRegister
  ) {
    self.leaf = leaf
    fate = leaf.fate.normalized(for: family)
    let whole = { register.domain(of: $0, in: family) }
    var cube = leaf.state.cube
    var doubts: [String] = []
    var exceeded: [String] = []
    var written: [Dimension: IntervalSet] = [:]
    var hidden: String?
    var isWhole = true
    for dimension in leaf.state.written where dimension != .connectionState {
      let now = leaf.state.cube[dimension] ?? whole(dimension)
      if leaf.state.unknown.contains(where: { $0.dimension == dimension }) {
        hidden = hidden ?? "what rules write into \(register.name(of: dimension))"
      } else {
        written[dimension] = now
      }
    }
    for entry in leaf.state.unknown where entry.set != leaf.state.cube[entry.dimension] {
      doubts.append(register.name(of: entry.dimension))
    }
    for dimension in leaf.state.written {
      let arrived = leaf.state.arrived(dimension) ?? whole(dimension)
      cube.assign(arrived, to: dimension)
    }
    for entry in leaf.state.unknown where !leaf.state.written.contains(entry.dimension) {
      cube.assign(entry.set, to: entry.dimension)
    }
    if !leaf.state.bindings.isEmpty || leaf.state.isBoundAtHook {
      hidden = hidden ?? "address translation"
    }
    if leaf.state.hasOwnZone { hidden = hidden ?? "the zone of connections" }
    for entry in cube.furtherEntries {
      let meaning = register[entry.dimension]
      let isConstrained = entry.set != meaning.domain
      let isOwn = register.isVariable(entry.dimension)
      switch meaning.kind {
      case .packet: continue
      case .kept: cube.release(entry.dimension)
      case .choice:
        if isConstrained { doubts.append(meaning.name) }
        cube.release(entry.dimension)
      case .gate, .assumption:
        guard isOwn else { continue }
        if isConstrained { isWhole = false }
        if !entry.set.contains(1) { exceeded.append(meaning.name) }
        cube.release(entry.dimension)
      case .unknown:
        // Which rule it is that may test for a family is told by a number of this side's own.
        guard isOwn || meaning.name.hasPrefix("whether a rule tests for ") else { continue }
        if isConstrained { doubts.append(meaning.name) }
        cube.release(entry.dimension)
      }
    }
    // The question asks about one state at a time; what a cube says is what was made of it.
    isUntracked =
      state != ConnectionBits.untracked
      && leaf.state.cube[.connectionState] == IntervalSet(ConnectionBits.untracked)
    cube.assign(ConnectionBits.every, to: .connectionState)
    arrival = cube
    box = cube.constraints(domain: whole).filter { $0.set != $0.domain }
    self.isWhole = isWhole && doubts.isEmpty
    self.doubts = doubts
    self.exceeded = exceeded
    self.written = written
    self.hidden = hidden
  }
}

extension Leaf.Fate {
  /// The fate with answers that nft calls by one name for both families in the family's own words.
  ///
  /// Source: include/net/netfilter/nft_reject.h, `nft_reject_icmp_code`, `nft_reject_icmpv6_code`.
  fileprivate func normalized(for family: IPFamily) -> Leaf.Fate {
    guard case .rejected(.icmpx(let code)) = self else { return self }
    let codes: [UInt8: (ipv4: UInt8, ipv6: UInt8)] = [0: (0, 0), 1: (3, 4), 2: (1, 3), 3: (13, 1)]
    guard let pair = codes[code] else { return self }
    return .rejected(family == .ipv4 ? .icmp(code: pair.ipv4) : .icmpv6(code: pair.ipv6))
  }
}

/// How two sides treat packets that both treat in one way each.
enum Treatment {
  case same
  /// They meet other fates, or go on otherwise; within these fields where that is not all of them.
  case different(narrowing: [Constraint])
  case unknown(String)
}

extension TreatedPart {
  /// Holds what becomes of packets here against what becomes of them on the other side.
  ///
  /// - Precondition: some packets are in both.
  func treatment(
    against other: TreatedPart, _ register: DimensionRegister, in family: IPFamily
  ) -> Treatment {
    switch (fate, other.fate) {
    case (.unknown(let reason), _), (_, .unknown(let reason)): return .unknown(reason)
    case (.dropped, .dropped): return .same
    case (.rejected(let one), .rejected(let two)):
      return one == two ? .same : .different(narrowing: [])
    case (.accepted, .accepted): break
    case (.accepted, _), (.dropped, _), (.rejected, _): return .different(narrowing: [])
    }
    if let hidden = hidden ?? other.hidden { return .unknown(hidden) }
    if isUntracked != other.isUntracked { return .different(narrowing: []) }
    for dimension in Set(written.keys).union(other.written.keys).sorted() {
      let domain = register.domain(of: dimension, in: family)
      switch (written[dimension], other.written[dimension]) {
      case (let one?, let two?):
        guard let first = one.onlyValue, let second = two.onlyValue else {
          return .unknown("what rules write into \(register.name(of: dimension))")
        }
        if first != second { return .different(narrowing: []) }
      case (let one?, nil), (nil, let one?):
        guard let value = one.onlyValue else {
          return .unknown("what rules write into \(register.name(of: dimension))")
        }
        let arriving = (arrival[dimension] ?? domain)
          .intersection(other.arrival[dimension] ?? domain)
        let others = arriving.subtracting(IntervalSet(value))
        if others.isEmpty { continue }
        return .different(narrowing: [Constraint(dimension, others, domain: domain)])
      case (nil, nil): continue
      }
    }
    return .same
  }
}
