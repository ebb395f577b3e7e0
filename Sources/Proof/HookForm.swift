internal import Rulesets

/// What runs at a hook, in normal form.
struct HookForm: Hashable {
  struct Entry: Hashable {
    let chain: ChainForm
    /// The first entry of the same table: of one table's chains the order is known.
    let table: Int
  }

  let entries: [Entry]

  /// The base chains of a hook in the order they run, as far as priorities tell.
  static func places(
    in ruleset: Ruleset, where isMeant: (Family, BaseChain) -> Bool
  ) -> [(table: Int, chain: Int, base: BaseChain)] {
    var places: [(table: Int, chain: Int, base: BaseChain)] = []
    for (tableIndex, table) in ruleset.tables.enumerated() where !table.isDormant {
      for (chainIndex, chain) in table.chains.enumerated() {
        guard let base = chain.base, isMeant(table.family, base) else { continue }
        places.append((tableIndex, chainIndex, base))
      }
    }
    let order = places.indices.sorted {
      (places[$0].base.priority, $0) < (places[$1].base.priority, $1)
    }
    return order.map { places[$0] }
  }

  init(_ ruleset: Ruleset, where isMeant: (Family, BaseChain) -> Bool) {
    let places = Self.places(in: ruleset, where: isMeant)
    entries = places.map { place in
      Entry(
        chain: ChainForm(place.chain, in: ruleset.tables[place.table]),
        table: places.firstIndex { $0.table == place.table } ?? 0)
    }
  }

  init(_ hook: Hook, of ruleset: Ruleset) {
    self.init(ruleset) { family, base in
      base.hook == hook && family != .bridge && family != .arp
    }
  }

  /// Whether rulesets with this form on both sides certainly do the same.
  var tellsAll: Bool { entries.allSatisfy { $0.chain.gaps.isEmpty } }
}

extension Ruleset {
  /// The ruleset with one base chain only; all other chains run where they are called.
  func isolating(table: Int, chain: Int) -> Ruleset {
    var ruleset = self
    for tableIndex in ruleset.tables.indices {
      for chainIndex in ruleset.tables[tableIndex].chains.indices
      where tableIndex != table || chainIndex != chain {
        ruleset.tables[tableIndex].chains[chainIndex].base = nil
      }
    }
    return ruleset
  }

  /// Whether what happens to packets at one hook can change what rules of another one do, besides
  /// what packets themselves carry: common limits, named objects, sets that packets change.
  var hasCommonState: Bool {
    tables.contains { table in
      var users: [Int: Int] = [:]
      for (index, chain) in table.chains.enumerated() where chain.base != nil {
        for reached in table.reached(from: index) { users[reached, default: 0] += 1 }
      }
      return table.chains.enumerated().contains { index, chain in
        chain.rules.contains { rule in
          rule.statements.contains { statement in
            switch statement {
            case .gate: return users[index, default: 0] > 1
            case .object(let kind, _):
              switch kind {
              case .quota, .limit: return true
              case .counter, .ctHelper, .ctTimeout, .ctExpectation, .synproxy, .secmark, .tunnel:
                return false
              }
            case .match, .verdict, .verdictMap, .reject, .mangle, .notrack, .translate,
              .setUpdate, .inert, .duplicate, .diverts, .unmodelled:
              var changes = false
              statement.visit(
                chain: { _ in }, set: { if table.sets[$0].keepsState { changes = true } })
              return changes
            }
          }
        }
      }
    }
  }
}

extension NamedSet {
  /// Whether packets leave something in the set that later packets find.
  fileprivate var keepsState: Bool {
    isDynamic || contents.elements.contains { !$0.gates.isEmpty }
  }
}

extension Table {
  /// The chains that a chain leads to, itself among them.
  fileprivate func reached(from start: Int) -> Set<Int> {
    var reached: Set<Int> = [start]
    var pending = [start]
    while let chain = pending.popLast() {
      for rule in chains[chain].rules {
        for statement in rule.statements {
          var next: [Int] = []
          statement.visit(chain: { next.append($0) }, set: { next += self.targets(ofMap: $0) })
          for chain in next where reached.insert(chain).inserted { pending.append(chain) }
        }
      }
    }
    return reached
  }

  private func targets(ofMap index: Int) -> [Int] {
    guard sets.indices.contains(index) else { return [] }
    let contents = sets[index].contents
    return (contents.elements.map(\.data) + [contents.catchAll]).compactMap { data in
      switch data {
      case .verdict(.jump(let chain)), .verdict(.goto(let chain)): chain
      case .verdict, .values, .ranges, .object, .unmodelled, nil: nil
      }
    }
  }
}
