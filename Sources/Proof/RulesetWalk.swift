internal import Addresses
internal import PacketSets
package import Rulesets

/// Takes sets of packets through the hooks of one host's ruleset.
///
/// The walk is breadth first along a chain: the packets that reach a rule are a list of disjoint
/// cubes, the rule divides each, and what it does not decide reaches the next rule.
package struct RulesetWalk: Sendable {
  /// How gates (`limit`, `quota`) count.
  package enum GatePolicy: Hashable, Sendable {
    /// Nothing is exceeded; what rests on that is an assumption.
    case notExceeded
    /// Either way, packet by packet.
    case either
    /// Not known.
    case unknown
  }

  package let ruleset: Ruleset
  /// Which of the prover's firewalls the ruleset is.
  package let firewall: Int
  package var gates: GatePolicy = .notExceeded
  /// Whether packets go on after the hook, where a rewritten destination takes them elsewhere.
  var followsRouting = true
  /// What is told of the host that packets stand on; nil where nothing is.
  var surroundings: Surroundings?
  /// The host's place on the packets' way, from 0.
  var station = 0
  /// Whether the packets are the first of their connections on the way that is asked about.
  var isOpening = true
  /// Whether packets come back in by the loopback, their addresses bound on the way out.
  var isReturning = false
  /// How many cubes a question may still make.
  package var budget = 0
  /// Whether parts that meet one fate by different rules stay apart.
  var keepsParts = false
  /// What is the same on two sides that are held against each other; nil where one stands alone.
  var shared: SharedState?
  /// Whether nothing runs after the base chain that is running, so that accepted packets are done.
  var acceptIsFinal = false
  var compiled: [ChainKey: CompiledChain] = [:]
  var lists: [ListKey: RuleLists] = [:]
  var schedules: [ScheduleKey: [Group]] = [:]
  let tracking: Tracking
  /// Whether some rule takes packets out of tracking, translates them or moves their zone.
  let changesConnections: Bool
  /// Whether some rule translates addresses.
  let hasTranslations: Bool

  struct ChainKey: Hashable {
    let table: Int
    let chain: Int
    let context: HookContext
  }

  package init(_ ruleset: Ruleset, firewall: Int = 0) {
    self.ruleset = ruleset
    self.firewall = firewall
    tracking = Tracking(ruleset)
    changesConnections = Self.connectionsChange(in: ruleset)
    hasTranslations = Self.translates(ruleset)
  }

  /// The base chain that is running, and the packets it let pass.
  struct Running {
    let table: Int
    let base: BaseChain
    var accepted: [PacketState] = []
  }

  /// How deep jumps may nest: more than `NFT_JUMP_STACK_SIZE` (16), which the kernel enforces.
  private static let deepest = 64

  /// Takes packets through a chain.
  ///
  /// - Returns: the packets that came to its end or returned.
  mutating func walk(
    _ chain: Int, _ states: [PacketState], _ context: HookContext, _ running: inout Running,
    _ collector: inout FateCollector, _ register: inout DimensionRegister, depth: Int = 0
  ) -> [PacketState] {
    let key = ChainKey(table: running.table, chain: chain, context: context)
    let segments: [CompiledChain.Segment]
    if let known = compiled[key] {
      segments = known.segments
    } else {
      let made = compile(key, &register)
      compiled[key] = made
      segments = made.segments
    }
    var ended: [PacketState] = []
    var here = states
    for segment in segments {
      if here.isEmpty || collector.overflow != nil { break }
      if acceptIsFinal, collector.isSettled { return [] }
      switch segment {
      case .list(let list):
        var next: [PacketState] = []
        for state in here {
          pass(state, through: list, chain, context, &running, &collector, register, &next)
        }
        here = next
      case .rules(let rules):
        for position in rules.indices {
          if here.isEmpty || collector.overflow != nil { break }
          // Most rules concern none of the packets: they are passed over without a copy.
          guard rules[position].concerns(here) else { continue }
          let rule = rules[position]
          let location = RuleLocation(table: running.table, chain: chain, rule: rule.index)
          var run = RuleRun(
            location: location, context: context, depth: depth, next: [], ended: [])
          let several = here.count
          for state in here {
            apply(rule, to: state, &run, &running, &collector, &register)
          }
          here = run.next
          ended += run.ended
          spend(here.count, &collector)
          if run.mayMerge || here.count > several + 8 { merge(&here) }
        }
      }
    }
    ended += here
    if depth > 0, ended.count > 1 { merge(&ended) }
    return ended
  }

  /// Runs a called chain.
  mutating func call(
    _ chain: Int, _ state: PacketState, _ run: RuleRun, _ running: inout Running,
    _ collector: inout FateCollector, _ register: inout DimensionRegister
  ) -> [PacketState] {
    guard run.depth < Self.deepest else {
      finish(state, .unknown("chains that jump in a circle"), run.location, &collector, register)
      return []
    }
    return walk(
      chain, [state], run.context, &running, &collector, &register, depth: run.depth + 1)
  }

  /// Counts cubes against the budget.
  mutating func spend(_ count: Int, _ collector: inout FateCollector) {
    budget -= count
    if budget < 0, collector.overflow == nil {
      collector.overflow = "the question falls into too many pieces"
    }
  }

  /// Hands packets whose fate is decided to the collector.
  ///
  /// Those whose addresses a rule wrote may pass, but to whom they go is not followed.
  func finish(
    _ state: PacketState, _ fate: Leaf.Fate, _ location: RuleLocation?,
    _ collector: inout FateCollector, _ register: DimensionRegister
  ) {
    var fate = fate
    if followsRouting, state.isRerouted, case .accepted = fate {
      fate = .unknown("the packet's addresses are rewritten on the way")
    }
    collector.take(
      Leaf(state: state, fate: fate, firewall: firewall, location: location),
      isDefinite: !register.restsOnUnknown(state),
      against: register.brokenAssumptions(of: state))
  }

  /// Takes packets past the end of a base chain's verdict.
  func accept(
    _ state: PacketState, _ location: RuleLocation, _ running: inout Running,
    _ collector: inout FateCollector, _ register: DimensionRegister
  ) {
    if acceptIsFinal {
      finish(state, .accepted, location, &collector, register)
    } else {
      running.accepted.append(state)
    }
  }

  /// Joins cubes that differ in one dimension only, as the two ways around a jump do.
  func merge(_ states: inout [PacketState]) {
    guard !keepsParts, states.count > 1, states.count <= 256 else { return }
    var index = 0
    while index < states.count {
      var other = index + 1
      while other < states.count {
        if states[index].hasSameHistory(as: states[other]),
          let union = states[index].cube.union(differingInOneDimensionFrom: states[other].cube)
        {
          states[index].cube = union
          states.remove(at: other)
          other = index + 1
        } else {
          other += 1
        }
      }
      index += 1
    }
  }
}

extension PacketState {
  /// Whether two states differ in their cubes alone, as far as verdicts go.
  fileprivate func hasSameHistory(as other: PacketState) -> Bool {
    unknown == other.unknown && original == other.original
      && bindings == other.bindings && visits == other.visits
      && isRedirected == other.isRedirected && isRerouted == other.isRerouted
      && mayTakeAnotherRoute == other.mayTakeAnotherRoute
      && hasOwnZone == other.hasOwnZone && isBoundAtHook == other.isBoundAtHook
      && beginsConnection == other.beginsConnection
  }
}

extension DimensionRegister {
  /// Whether what is said of these packets rests on something that is not known.
  func restsOnUnknown(_ state: PacketState) -> Bool {
    for entry in state.cube.furtherEntries {
      let meaning = self[entry.dimension]
      if meaning.kind == .unknown, entry.set != meaning.domain { return true }
    }
    return state.unknown.contains { entry in
      guard let set = state.cube[entry.dimension] else { return false }
      return set != entry.set
    }
  }
}
