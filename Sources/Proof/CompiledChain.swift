internal import Addresses
internal import PacketSets
internal import Rulesets

/// A chain made ready for one hook.
struct CompiledChain {
  enum Segment {
    /// Rules that are applied one after the other.
    case rules([CompiledRule])
    /// A run of plain first-match rules that is searched through an index.
    case list(RuleList)
  }

  var segments: [Segment]
}

/// A run of rules that only compare the five fields of a ``Box`` and then decide.
struct RuleList {
  let list: FirstMatchList
  /// The index of the first rule after the run.
  let end: Int
}

/// The runs of plain rules in one chain, by the index of each run's first rule.
///
/// They depend on the family alone, so that the hooks and directions of a question share them.
struct RuleLists {
  var runs: [Int: RuleList]
}

extension RulesetWalk {
  struct ListKey: Hashable {
    let table: Int
    let chain: Int
    let family: IPFamily
  }

  /// A shorter run is not worth an index.
  private static let shortestList = 24

  /// Makes a chain ready.
  mutating func compile(_ key: ChainKey, _ register: inout DimensionRegister) -> CompiledChain {
    let table = ruleset.tables[key.table]
    let rules = table.chains[key.chain].rules
    let lists = ruleLists(
      ListKey(table: key.table, chain: key.chain, family: key.context.family))
    let conditions = MatchConditions(table: table, context: key.context)
    var segments: [CompiledChain.Segment] = []
    var plain: [CompiledRule] = []
    func flush() {
      if !plain.isEmpty { segments.append(.rules(plain)) }
      plain = []
    }
    var index = 0
    while index < rules.count {
      if let list = lists.runs[index] {
        flush()
        segments.append(.list(list))
        index = list.end
        continue
      }
      if let rule = conditions.compiled(rules[index], at: index, &register) {
        plain.append(shared == nil ? rule : rule.portsFirst)
      }
      index += 1
    }
    flush()
    return CompiledChain(segments: segments)
  }

  private mutating func ruleLists(_ key: ListKey) -> RuleLists {
    if let known = lists[key] { return known }
    let rules = ruleset.tables[key.table].chains[key.chain].rules
    var runs: [Int: RuleList] = [:]
    var boxes: [(box: Box, label: Int32)] = []
    var start = 0
    func close(at end: Int) {
      if end - start >= Self.shortestList {
        runs[start] = RuleList(list: FirstMatchList(boxes), end: end)
      }
      boxes.removeAll(keepingCapacity: true)
    }
    // A question about all packets meets every rule: an index has nothing to leave out.
    if rules.count >= Self.shortestList, shared == nil {
      for (index, rule) in rules.enumerated()
      where !rule.appendBoxes(for: key.family, label: Int32(index), to: &boxes) {
        close(at: index)
        start = index + 1
      }
      close(at: rules.count)
    }
    let made = RuleLists(runs: runs)
    lists[key] = made
    return made
  }

  /// Takes packets through a run of plain rules.
  func pass(
    _ state: PacketState, through run: RuleList, _ chain: Int, _ context: HookContext,
    _ running: inout Running, _ collector: inout FateCollector, _ register: DimensionRegister,
    _ next: inout [PacketState]
  ) {
    let rules = ruleset.tables[running.table].chains[chain].rules
    // Where packets that were accepted or dropped need no further look, pieces are only counted.
    let isDefinite =
      !state.isRerouted && !register.restsOnUnknown(state)
      && register.brokenAssumptions(of: state).isEmpty
    var left = max(1, budget)
    for question in state.boxes(in: context.family) {
      let complete = run.list.divide(question, budget: &left) { piece, label in
        guard let label else {
          next.append(state.narrowed(to: piece))
          return .goOn
        }
        let location = RuleLocation(
          table: running.table, chain: chain, rule: Int(label))
        let decision = rules[Int(label)].decision
        if isDefinite, collector.isKnown(decision, isFinal: acceptIsFinal) { return .goOn }
        var decided = state.narrowed(to: piece)
        switch decision {
        case .accept:
          decided.passed(
            PathStep(
              firewall: firewall, hook: context.hook, location: location, effect: .verdict(.accept))
          )
          accept(decided, location, &running, &collector, register)
        case .drop:
          decided.passed(
            PathStep(
              firewall: firewall, hook: context.hook, location: location, effect: .verdict(.drop)))
          finish(decided, .dropped, location, &collector, register)
        }
        return acceptIsFinal && collector.isSettled ? .stop : .goOn
      }
      if !complete {
        collector.overflow = "the question falls into too many pieces"
        return
      }
      if acceptIsFinal, collector.isSettled { return }
    }
  }
}

/// What a plain rule decides.
enum PlainDecision {
  case accept
  case drop
}

extension FateCollector {
  /// Whether a further definite leaf of this kind would add nothing.
  fileprivate func isKnown(_ decision: PlainDecision, isFinal: Bool) -> Bool {
    switch decision {
    case .accept: isFinal && accepted != nil
    case .drop: dropped != nil
    }
  }
}

extension Rule {
  /// What the rule's last statement decides.
  ///
  /// - Precondition: the rule stands in a ``RuleList``.
  fileprivate var decision: PlainDecision {
    for statement in statements.reversed() {
      switch statement {
      case .verdict(.accept): return .accept
      case .verdict(.drop): return .drop
      default: continue
      }
    }
    preconditionFailure("a rule without a verdict is in no rule list")
  }

  /// Appends the boxes of a rule that only compares the five fields and then accepts or drops.
  ///
  /// - Returns: false where the rule is of another kind; then nothing was appended.
  fileprivate func appendBoxes(
    for family: IPFamily, label: Int32, to boxes: inout [(box: Box, label: Int32)]
  ) -> Bool {
    guard case .certain = certainty else { return false }
    var box = Box(highestAddress: family.highestAddress)
    /// The one set that is held as several boxes: its dimension and intervals.
    var several: (Dimension, [Interval])?
    var isEmpty = false
    var isDecided = false
    for statement in statements {
      switch statement {
      case .inert:
        continue
      case .match(let match):
        guard !isDecided else { return false }
        switch match.plainConstraint(for: family) {
        case .none: return false
        case .never: isEmpty = true
        case .always: continue
        case .transport(let number):
          guard let narrow = box.narrowed(.transportProtocol, to: number) else {
            isEmpty = true
            continue
          }
          box = narrow
        case .interval(let dimension, let interval, let transport):
          if let transport {
            guard let narrow = box.narrowed(.transportProtocol, to: transport) else {
              isEmpty = true
              continue
            }
            box = narrow
          }
          guard let narrow = box.narrowed(dimension, to: interval) else {
            isEmpty = true
            continue
          }
          box = narrow
        case .intervals(let dimension, let intervals, let transport):
          guard several == nil else { return false }
          if let transport {
            guard let narrow = box.narrowed(.transportProtocol, to: transport) else {
              isEmpty = true
              continue
            }
            box = narrow
          }
          several = (dimension, intervals)
        }
      case .verdict(.accept), .verdict(.drop):
        guard !isDecided else { return false }
        isDecided = true
      default:
        return false
      }
    }
    guard isDecided else { return false }
    if isEmpty { return true }
    guard let (dimension, intervals) = several else {
      boxes.append((box, label))
      return true
    }
    for interval in intervals {
      if let narrow = box.narrowed(dimension, to: interval) { boxes.append((narrow, label)) }
    }
    return true
  }
}

extension PacketState {
  /// The boxes whose union is what the cube says of the five fields.
  fileprivate func boxes(in family: IPFamily) -> [Box] {
    var boxes = [Box(highestAddress: family.highestAddress)]
    for dimension in Box.dimensions {
      let intervals = cube[dimension]?.intervals ?? []
      boxes = boxes.flatMap { box in intervals.compactMap { box.narrowed(dimension, to: $0) } }
    }
    return boxes
  }

  /// The packets of one piece of one of the cube's boxes.
  fileprivate func narrowed(to piece: Box) -> PacketState {
    var state = self
    for dimension in Box.dimensions {
      state.cube.assign(IntervalSet(piece[dimension]), to: dimension)
    }
    return state
  }
}

extension CompiledRule {
  /// The same rule, cutting packets by protocol and port before addresses.
  ///
  /// Rules of one ruleset mostly have ports of their own and addresses in common, so this makes
  /// fewer pieces of all packets.
  fileprivate var portsFirst: CompiledRule {
    var rule = self
    rule.entrance.sort { $0.dimension.cuttingOrder < $1.dimension.cuttingOrder }
    rule.actions = actions.map { action in
      guard case .require(var condition) = action, case .always = condition.test else {
        return action
      }
      condition.guards.sort { $0.dimension.cuttingOrder < $1.dimension.cuttingOrder }
      return .require(condition)
    }
    return rule
  }
}

extension Dimension {
  fileprivate var cuttingOrder: Int {
    switch self {
    case .transportProtocol: 0
    case .transportWord1: 1
    case .transportWord0: 2
    default: 3 + rawValue
    }
  }
}
