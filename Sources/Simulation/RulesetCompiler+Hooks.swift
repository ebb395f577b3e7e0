import Addresses
import Rulesets

extension RulesetCompiler {
  /// A base chain before it is ordered.
  private struct Candidate {
    var number: Int32
    var table: Int
    var chain: Int
    var priority: Int
    /// Chains of type nat run where the kernel's translation runs, in the order of their own
    /// priorities.
    var ownPriority: Int
    var isNat: Bool
    var hasSideEffects: Bool
  }

  /// Chains that run one after the other with nothing in between.
  private struct Block {
    var entries: [HookPlan.Entry]
    var table: Int
    var chain: Int
    var hasSideEffects: Bool
    var isNat: Bool
  }

  /// The most orders of equal priorities that are tried.
  private static let orderLimit = 24

  private func isAwake(_ table: Table) -> Bool {
    #if FAULTS
    if Fault.switchedOn == .dormantRuns { return true }
    #endif
    return !table.isDormant
  }

  mutating func planHooks() {
    scanTracking()
    var candidates: [Hook: [Candidate]] = [:]
    for (tableIndex, table) in ruleset.tables.enumerated() where isAwake(table) {
      for (chainIndex, chain) in table.chains.enumerated() {
        guard let base = chain.base else { continue }
        // The kernel looks at every flow there, whatever the chain says.
        if base.kind == .nat {
          program.translatedFamilies.formUnion(IPFamily.allCases.filter(table.family.covers))
        }
        var compiled = Program.CompiledChain(
          start: starts[tableIndex][chainIndex], isPolicyDrop: base.policy == .drop,
          isNat: base.kind == .nat, table: tableIndex, chain: chainIndex,
          devices: base.devices?.compactMap { InterfaceName($0) })
        compiled.dropsBrokenHeaders = base.hook == .ingress && table.family == .inet
        var seen: Set<Int> = []
        compiled.hasSideEffects = hasSideEffects(tableIndex, chainIndex, &seen)
        program.chains.append(compiled)
        let isSource = base.hook == .input || base.hook == .postrouting
        candidates[base.hook, default: []].append(
          Candidate(
            number: Int32(program.chains.count - 1), table: tableIndex, chain: chainIndex,
            priority: base.kind == .nat ? (isSource ? 100 : -100) : base.priority,
            ownPriority: base.priority, isNat: base.kind == .nat,
            hasSideEffects: compiled.hasSideEffects))
      }
    }
    program.hasIngress = candidates[.ingress] != nil
    program.hasEgress = candidates[.egress] != nil
    let sending = (candidates[.output] ?? []) + (candidates[.postrouting] ?? [])
    let arriving = (candidates[.prerouting] ?? []) + (candidates[.input] ?? [])
    program.sendingEffects = effects(of: sending.map { program.chains[Int($0.number)].start })
    program.loopEffects = effects(
      of: (sending + arriving).map { program.chains[Int($0.number)].start })
    program.effects = effects(of: program.chains.map(\.start))
    program.plans = Array(repeating: HookPlan(), count: Hook.allCases.count * 2)
    for hook in Hook.allCases {
      for family in IPFamily.allCases {
        let seen = (candidates[hook] ?? []).filter { sees($0.table, hook, family) }
        program.plans[HookPlan.index(hook, family)] = plan(seen, hook, family)
      }
    }
  }

  private func sees(_ table: Int, _ hook: Hook, _ family: IPFamily) -> Bool {
    let tableFamily = ruleset.tables[table].family
    switch hook {
    case .ingress, .egress: return tableFamily == .netdev || tableFamily == .inet
    case .prerouting, .input, .forward, .output, .postrouting: return tableFamily.covers(family)
    }
  }

  private func plan(
    _ candidates: [Candidate], _ hook: Hook, _ family: IPFamily
  ) -> HookPlan {
    let isTranslated = program.translatedFamilies.contains(family)
    let translationPriority: Int? =
      switch hook {
      case .prerouting, .output: -100
      case .input, .postrouting: 100
      case .forward, .ingress, .egress: nil
      }
    var priorities = Set(candidates.map(\.priority))
    if isTranslated, let translationPriority { priorities.insert(translationPriority) }
    var plan = HookPlan()
    plan.hasChainsBeforeReassembly = candidates.contains { $0.priority <= -400 }
    for priority in priorities.sorted() {
      let here = candidates.filter { $0.priority == priority }
      let phase = phase(of: priority, hook)
      var blocks = here.filter { !$0.isNat }.map {
        Block(
          entries: [.chain($0.number, phase)], table: $0.table, chain: $0.chain,
          hasSideEffects: $0.hasSideEffects, isNat: false)
      }
      let nat = here.filter(\.isNat)
      var natOrders: [[HookPlan.Entry]] = [[]]
      for own in Set(nat.map(\.ownPriority)).sorted() {
        let group = nat.filter { $0.ownPriority == own }.map {
          Block(
            entries: [.chain($0.number, phase)], table: $0.table, chain: $0.chain,
            hasSideEffects: $0.hasSideEffects, isNat: true)
        }
        natOrders = combined(natOrders, orders(of: group, &plan))
      }
      let translates = isTranslated && priority == translationPriority
      if translates || !nat.isEmpty {
        var schedules: [[HookPlan.Entry]] = []
        for order in natOrders {
          let block = Block(
            entries: (translates ? [.boundFlows] : []) + order
              + (translates ? [.unboundFlows] : []), table: -1, chain: -1,
            hasSideEffects: translates || nat.contains { $0.hasSideEffects }, isNat: true)
          schedules += orders(of: blocks + [block], &plan)
        }
        plan.schedules = combined(plan.schedules, schedules)
      } else {
        plan.schedules = combined(plan.schedules, orders(of: blocks, &plan))
      }
      blocks = []
      if plan.schedules.count > Self.orderLimit {
        plan.schedules = Array(plan.schedules.prefix(Self.orderLimit))
        plan.tooManyOrders = true
      }
    }
    return plan
  }

  private func combined(
    _ left: [[HookPlan.Entry]], _ right: [[HookPlan.Entry]]
  ) -> [[HookPlan.Entry]] {
    left.flatMap { first in right.map { first + $0 } }
  }

  private func phase(of priority: Int, _ hook: Hook) -> HookPlan.Phase {
    switch hook {
    case .prerouting, .output: priority < -200 ? .before : priority == -200 ? .undecided : .after
    case .ingress: .before
    case .input, .forward, .postrouting, .egress: .after
    }
  }

  /// Every order in which chains of one priority may run.
  ///
  /// The chain registered last runs first. The listing keeps the order of registration inside a
  /// table, and says nothing across tables.
  private func orders(of blocks: [Block], _ plan: inout HookPlan) -> [[HookPlan.Entry]] {
    var newestFirst = blocks.sorted {
      $0.table != $1.table ? $0.table < $1.table : $0.chain > $1.chain
    }
    #if FAULTS
    if Fault.switchedOn == .equalPriorityReversed { newestFirst.reverse() }
    #endif
    let matters = newestFirst.count > 1 && newestFirst.contains { $0.hasSideEffects }
    guard matters, Set(newestFirst.map(\.table)).count > 1 else {
      return [newestFirst.flatMap(\.entries)]
    }
    guard newestFirst.count <= 6 else {
      plan.tooManyOrders = true
      return [newestFirst.flatMap(\.entries)]
    }
    var orders: [[HookPlan.Entry]] = []
    extend([], newestFirst, &orders)
    if orders.count > Self.orderLimit { plan.tooManyOrders = true }
    return Array(orders.prefix(Self.orderLimit))
  }

  private func extend(
    _ done: [HookPlan.Entry], _ left: [Block], _ orders: inout [[HookPlan.Entry]]
  ) {
    guard !left.isEmpty else {
      orders.append(done)
      return
    }
    for (index, block) in left.enumerated()
    // Of one table only the newest that is left may come next.
    where !left[..<index].contains(where: { $0.table == block.table }) {
      var rest = left
      rest.remove(at: index)
      extend(done + block.entries, rest, &orders)
    }
  }

  /// Whether a chain, or one that it runs, changes what other chains can read.
  private func hasSideEffects(_ table: Int, _ chain: Int, _ seen: inout Set<Int>) -> Bool {
    guard ruleset.tables[table].chains.indices.contains(chain), seen.insert(chain).inserted else {
      return false
    }
    for rule in ruleset.tables[table].chains[chain].rules {
      for statement in rule.statements {
        switch statement {
        case .mangle, .notrack, .translate, .setUpdate, .diverts, .unmodelled: return true
        case .verdict(.jump(let next)), .verdict(.goto(let next)):
          if hasSideEffects(table, next, &seen) { return true }
        case .verdictMap(_, let map):
          for next in targets(of: map, table) where hasSideEffects(table, next, &seen) {
            return true
          }
        case .match, .verdict, .reject, .gate, .object, .inert, .duplicate: break
        }
      }
    }
    return false
  }

  private func contents(of reference: SetReference, _ table: Int) -> SetContents? {
    switch reference {
    case .named(let index):
      ruleset.tables[table].sets.indices.contains(index)
        ? ruleset.tables[table].sets[index].contents : nil
    case .anonymous(let contents): contents
    case .missing: nil
    }
  }

  private func targets(of reference: SetReference, _ table: Int) -> [Int] {
    guard let contents = contents(of: reference, table) else { return [] }
    let data = contents.elements.compactMap(\.data) + (contents.catchAll.map { [$0] } ?? [])
    return data.compactMap {
      switch $0 {
      case .verdict(.jump(let chain)), .verdict(.goto(let chain)): chain
      case .verdict, .values, .ranges, .object, .unmodelled: nil
      }
    }
  }
}

// Connection tracking is switched on for a family by the first expression that uses it, wherever
// that expression stands. Source: net/netfilter/nft_ct.c, nft_nat.c, nft_masq.c, nft_redir.c,
// nft_connlimit.c: `nf_ct_netns_get`.
extension RulesetCompiler {
  private mutating func scanTracking() {
    for table in ruleset.tables {
      guard let families = trackedFamilies(of: table.family) else { continue }
      for chain in table.chains {
        for rule in chain.rules {
          for statement in rule.statements { scan(statement, families) }
        }
      }
      for set in table.sets {
        for element in set.contents.elements {
          for gate in element.gates { scan(gate, families) }
        }
      }
      for object in table.objects {
        switch object.kind {
        case .ctHelper, .ctTimeout, .ctExpectation, .synproxy: enable(families, .unknown)
        case .counter, .quota, .limit, .secmark, .tunnel: break
        }
      }
      if !table.flowtables.isEmpty { enable(families, .unknown) }
    }
  }

  private func trackedFamilies(of family: Family) -> [IPFamily]? {
    switch family {
    case .ip: [.ipv4]
    case .ip6: [.ipv6]
    case .inet: [.ipv4, .ipv6]
    case .arp, .bridge, .netdev: nil
    }
  }

  private mutating func enable(_ families: [IPFamily], _ tracking: Program.Tracking) {
    for family in families {
      let current = program.tracking(family)
      let next: Program.Tracking = tracking == .on || current == .off ? tracking : current
      if family == .ipv4 { program.trackingIPv4 = next } else { program.trackingIPv6 = next }
    }
  }

  private mutating func scan(_ statement: Statement, _ families: [IPFamily]) {
    switch statement {
    case .match(let match):
      scan(match.left, families)
      if case .expression(let right) = match.right { scan(right, families) }
    case .verdictMap(let key, _): scan(key, families)
    case .gate(let gate): scan(gate, families)
    case .object(let kind, let reference):
      switch kind {
      case .ctHelper, .ctTimeout, .ctExpectation, .synproxy: enable(families, .unknown)
      case .counter, .quota, .limit, .secmark, .tunnel: break
      }
      if case .mapped(let key, _) = reference { scan(key, families) }
    case .mangle(let selector, let value):
      scan(.selector(selector), families)
      scan(value, families)
    case .translate(let translation):
      // The statement tracks the family of its address, what its maps look up that of the table.
      var translated = families
      if translation.requiring.contains(.ipv4) { translated = [.ipv4] }
      if translation.requiring.contains(.ipv6) { translated = [.ipv6] }
      enable(translated, .on)
      for part in translation.values { scan(part, families) }
    case .setUpdate(let update):
      scan(update.key, families)
      if let data = update.data { scan(data, families) }
      for gate in update.gates { scan(gate, families) }
    case .diverts, .unmodelled: enable(families, .unknown)
    case .verdict, .reject, .notrack, .inert, .duplicate: break
    }
  }

  private mutating func scan(_ gate: Gate, _ families: [IPFamily]) {
    switch gate {
    case .connectionCount: enable(families, .on)
    case .other: enable(families, .unknown)
    case .limit, .quota: break
    }
  }

  private mutating func scan(_ expression: Expression, _ families: [IPFamily]) {
    switch expression {
    case .selector(let selector):
      if case .connection = selector.field { enable(families, .on) }
    case .masked(let operand, _, _), .shifted(let operand, _, _): scan(operand, families)
    case .concatenation(let parts): for part in parts { scan(part, families) }
    case .lookup(let key, _): scan(key, families)
    case .unmodelled: enable(families, .unknown)
    case .constant: break
    }
  }
}
