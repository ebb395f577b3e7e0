/// What was changed between two rulesets, rule by rule, whatever way each is written in.
///
/// Tables and chains are found again by their names, rules by their normal form (``RuleForm``) and
/// their order.
package struct RulesetDrift: Hashable, Sendable {
  package enum Change: String, Hashable, Sendable {
    /// The first ruleset has it, the second has not.
    case missing
    /// The second ruleset has it, the first has not.
    case extra
    case changed
    /// The same rule stands at another place among the others.
    case moved
  }

  package enum Subject: Hashable, Sendable {
    case table
    /// A whole chain, or what makes it a base chain.
    case chain
    case rule
    /// A set that packets change, a named limit or quota, or a flowtable.
    case object(String)
  }

  /// One difference.
  package struct Entry: Hashable, Sendable {
    package var change: Change
    package var subject: Subject
    /// Where it is in the first ruleset; nil for what only the second has.
    ///
    /// For a table the chain is of no meaning, for a chain there is no rule.
    package var old: RuleLocation?
    /// Likewise in the second ruleset.
    package var new: RuleLocation?

    package init(
      _ change: Change, _ subject: Subject, old: RuleLocation? = nil, new: RuleLocation? = nil
    ) {
      self.change = change
      self.subject = subject
      self.old = old
      self.new = new
    }
  }

  /// In the order of the first ruleset, with what only the second has where it stands there.
  package private(set) var entries: [Entry] = []
  /// Why rulesets that are told alike may still differ: what listings keep to themselves.
  package private(set) var untold: [String] = []

  package init(from old: Ruleset, to new: Ruleset) {
    var matched: Set<Int> = []
    for (index, table) in old.tables.enumerated() {
      let twin = new.tables.indices.first {
        new.tables[$0].family == table.family && new.tables[$0].name == table.name
      }
      guard let twin else {
        entries.append(
          Entry(.missing, .table, old: RuleLocation(table: index, chain: 0, rule: nil)))
        continue
      }
      matched.insert(twin)
      compare(table, index, new.tables[twin], twin)
    }
    for index in new.tables.indices where !matched.contains(index) {
      entries.append(Entry(.extra, .table, new: RuleLocation(table: index, chain: 0, rule: nil)))
    }
    for ruleset in [old, new] {
      for table in ruleset.tables {
        for chain in table.chains.indices {
          for gap in ChainForm(chain, in: table).gaps where !untold.contains(gap) {
            untold.append(gap)
          }
        }
      }
    }
  }

  package var isInSync: Bool { entries.isEmpty }

  private mutating func compare(_ old: Table, _ oldIndex: Int, _ new: Table, _ newIndex: Int) {
    func place(_ table: Int, _ chain: Int = 0) -> RuleLocation {
      RuleLocation(table: table, chain: chain, rule: nil)
    }
    if old.isDormant != new.isDormant {
      entries.append(Entry(.changed, .table, old: place(oldIndex), new: place(newIndex)))
    }
    let names = Names(old, new)
    var matched: Set<Int> = []
    for (index, chain) in old.chains.enumerated() {
      guard let twin = new.chains.indices.first(where: { new.chains[$0].name == chain.name })
      else {
        entries.append(Entry(.missing, .chain, old: place(oldIndex, index)))
        continue
      }
      matched.insert(twin)
      let places = (place(oldIndex, index), place(newIndex, twin))
      if chain.base != new.chains[twin].base {
        entries.append(Entry(.changed, .chain, old: places.0, new: places.1))
      }
      compareRules(
        names.keys(chain.rules, in: old), names.keys(new.chains[twin].rules, in: new), places.0,
        places.1)
    }
    for index in new.chains.indices where !matched.contains(index) {
      entries.append(Entry(.extra, .chain, new: place(newIndex, index)))
    }
    compareObjects(
      names.objects(of: old), names.objects(of: new), place(oldIndex), place(newIndex))
  }

  private mutating func compareObjects(
    _ old: [(name: String, key: Object)], _ new: [(name: String, key: Object)],
    _ oldPlace: RuleLocation, _ newPlace: RuleLocation
  ) {
    for object in old {
      let subject = Subject.object(object.name)
      guard let twin = new.first(where: { $0.name == object.name }) else {
        entries.append(Entry(.missing, subject, old: oldPlace))
        continue
      }
      if twin.key != object.key {
        entries.append(Entry(.changed, subject, old: oldPlace, new: newPlace))
      }
    }
    for object in new where !old.contains(where: { $0.name == object.name }) {
      entries.append(Entry(.extra, .object(object.name), new: newPlace))
    }
  }

  /// A rule's place in its chain, and what is compared of it.
  fileprivate struct Key: Hashable {
    let index: Int
    let form: RuleForm
    let certainty: Certainty
  }

  private mutating func compareRules(
    _ old: [Key], _ new: [Key], _ oldChain: RuleLocation, _ newChain: RuleLocation
  ) {
    // Equal rules have equal numbers, which are quick to compare.
    var numbers: [Key: Int] = [:]
    func numbered(_ keys: [Key]) -> [Int] {
      keys.map { key in
        let number = numbers[key.comparable] ?? numbers.count
        numbers[key.comparable] = number
        return number
      }
    }
    let from = numbered(old)
    let difference = numbered(new).difference(from: from).inferringMoves()
    var removed: [(offset: Int, movedTo: Int?)] = []
    var inserted: [(offset: Int, movedFrom: Int?)] = []
    for change in difference {
      switch change {
      case .remove(let offset, _, let other): removed.append((offset, other))
      case .insert(let offset, _, let other): inserted.append((offset, other))
      }
    }
    func location(_ chain: RuleLocation, _ key: Key) -> RuleLocation {
      RuleLocation(table: chain.table, chain: chain.chain, rule: key.index)
    }
    // What was taken out and what was put in between the same two rules that stayed.
    let gone = Set(removed.map(\.offset))
    let come = Set(inserted.map(\.offset))
    func gaps(_ count: Int, without: Set<Int>) -> [Int] {
      var gap = 0
      return (0..<count).map { index in
        defer { if !without.contains(index) { gap += 1 } }
        return gap
      }
    }
    let oldGaps = gaps(old.count, without: gone)
    let newGaps = gaps(new.count, without: come)
    var free = inserted.filter { $0.movedFrom == nil }.map(\.offset).sorted()
    var found: [(gap: Int, entry: Entry)] = []
    for (offset, movedTo) in removed.sorted(by: { $0.offset < $1.offset }) {
      let place = location(oldChain, old[offset])
      if let movedTo {
        found.append(
          (oldGaps[offset], Entry(.moved, .rule, old: place, new: location(newChain, new[movedTo])))
        )
      } else if let twin = free.firstIndex(where: { newGaps[$0] == oldGaps[offset] }) {
        let other = free.remove(at: twin)
        found.append(
          (oldGaps[offset], Entry(.changed, .rule, old: place, new: location(newChain, new[other])))
        )
      } else {
        found.append((oldGaps[offset], Entry(.missing, .rule, old: place)))
      }
    }
    for offset in free {
      found.append(
        (newGaps[offset], Entry(.extra, .rule, new: location(newChain, new[offset]))))
    }
    let order = found.indices.sorted { (found[$0].gap, $0) < (found[$1].gap, $1) }
    entries += order.map { found[$0].entry }
  }

  /// A set that packets change, or a named object, without what does not matter.
  fileprivate enum Object: Hashable {
    case set(NamedSet)
    case object(StatefulObject)
    case flowtable
  }

  /// Numbers that stand for the names of chains and sets in both tables.
  private struct Names {
    private var chains: [String: Int] = [:]
    private var sets: [String: Int] = [:]

    init(_ old: Table, _ new: Table) {
      for table in [old, new] {
        for chain in table.chains where chains[chain.name] == nil {
          chains[chain.name] = chains.count
        }
        for set in table.sets where sets[set.name] == nil { sets[set.name] = sets.count }
      }
    }

    /// The rules that do something, in normal form.
    func keys(_ rules: [Rule], in table: Table) -> [Key] {
      let numbering = StatementRewriting(
        set: { reference in
          guard case .named(let index) = reference, table.sets.indices.contains(index),
            let number = sets[table.sets[index].name]
          else { return reference }
          return .named(number)
        },
        chain: { index in
          table.chains.indices.contains(index) ? chains[table.chains[index].name] ?? index : index
        })
      return rules.enumerated().compactMap { index, rule in
        var form = RuleForm(rule, in: table)
        if form.statements.isEmpty { return nil }
        form.statements = form.statements.map(numbering.rewritten)
        return Key(index: index, form: form, certainty: rule.certainty)
      }
    }

    func objects(of table: Table) -> [(name: String, key: Object)] {
      var objects: [(name: String, key: Object)] = []
      for set in table.sets where set.isDynamic || set.hasTimeout {
        var plain = set
        plain.handle = nil
        // What packets put in is no part of the ruleset.
        if set.isDynamic { plain.contents.elements = [] }
        objects.append(("set \(set.name)", .set(plain)))
      }
      for object in table.objects where object.kind != .counter {
        objects.append(("\(object.kind.rawValue) \(object.name)", .object(object)))
      }
      for flowtable in table.flowtables { objects.append(("flowtable \(flowtable)", .flowtable)) }
      return objects
    }
  }
}

extension RulesetDrift.Key {
  /// The key without its place.
  fileprivate var comparable: RulesetDrift.Key {
    RulesetDrift.Key(index: 0, form: form, certainty: certainty)
  }
}
