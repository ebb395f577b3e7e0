internal import Addresses
internal import PacketSets
internal import Rulesets

/// What runs at a hook, and in which order.
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

  /// What runs at a hook, as it was found out the first time.
  mutating func schedule(at context: HookContext) -> [Group] {
    let key = ScheduleKey(
      hook: context.hook, family: context.family, mayBeBound: context.connection.hasEntry)
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
    let mayBeBound = hasTranslations && context.connection.hasEntry
    if let priority = Self.translationPriority(at: context.hook),
      !translations.isEmpty || mayBeBound
    {
      groups[priority, default: []].append(.translation(translations))
    }
    return groups.keys.sorted().map { Group(priority: $0, entries: groups[$0] ?? []) }
  }

  /// Whether what an entry does can change what another decides.
  func changesPackets(_ entry: Entry) -> Bool {
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
  func permutations(_ left: [Entry]) -> [[Entry]] {
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
