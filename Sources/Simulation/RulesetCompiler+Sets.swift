import Addresses
import Rulesets

extension RulesetCompiler {
  /// The number of a compiled set.
  mutating func compile(_ reference: SetReference) -> Int32? {
    switch reference {
    case .named(let index):
      guard ruleset.tables[table].sets.indices.contains(index) else {
        return compileMissing("a set")
      }
      if namedSets[table][index] >= 0 { return namedSets[table][index] }
      let number = compile(
        ruleset.tables[table].sets[index].contents,
        hasTimeout: ruleset.tables[table].sets[index].hasTimeout)
      program.sets[Int(number)].isDynamic = ruleset.tables[table].sets[index].isDynamic
      namedSets[table][index] = number
      return number
    case .anonymous(let contents): return compile(contents, hasTimeout: false)
    case .missing(let name): return compileMissing("set \(name)")
    }
  }

  private mutating func compileMissing(_ name: String) -> Int32 {
    var set = CompiledSet(search: .missing, width: 1)
    set.missingReason = program.reason("\(name) is not in the listing")
    program.sets.append(set)
    return Int32(program.sets.count - 1)
  }

  private mutating func compile(_ contents: SetContents, hasTimeout: Bool) -> Int32 {
    let width = max(1, contents.keyTypes.count)
    guard width <= Self.registerLimit, dataWidth(contents) <= Self.registerLimit else {
      return compileMissing("a set with so many parts")
    }
    let elements = ordered(contents, width: width)
    let isExact = elements.allSatisfy { $0.key.allSatisfy { $0.lower == $0.upper } }
    var set = CompiledSet(
      search: width == 1 ? .intervals : isExact ? .sortedTuples : .listed, width: width)
    set.lowers.reserveCapacity(elements.count * width)
    set.uppers.reserveCapacity(elements.count * width)
    for element in elements {
      // A key of the wrong width cannot be looked up as the rest is.
      guard element.key.count == width else { return compileMissing("an element of another width") }
      for part in element.key {
        set.lowers.append(part.lower)
        set.uppers.append(part.upper)
      }
    }
    set.hasCatchAll = contents.hasCatchAll
    set.dataWidth = contents.dataKind == nil ? 0 : dataWidth(contents)
    compileDoubts(of: elements, hasTimeout: hasTimeout, into: &set)
    compileGates(of: elements, contents, into: &set)
    compileValues(of: elements, contents, into: &set)
    program.sets.append(set)
    let number = program.sets.count - 1
    if case .verdict = contents.dataKind {
      var reordered = contents
      reordered.elements = elements
      resolveLater(number, reordered)
    }
    return Int32(number)
  }

  /// The elements in the order in which lookups want them.
  private func ordered(_ contents: SetContents, width: Int) -> [SetElement] {
    let elements = contents.elements
    guard elements.allSatisfy({ $0.key.count == width }) else { return elements }
    if width == 1 { return elements.sorted { $0.key[0].lower < $1.key[0].lower } }
    guard elements.allSatisfy({ $0.key.allSatisfy { $0.lower == $0.upper } }) else {
      return elements
    }
    return elements.sorted {
      $0.key.lexicographicallyPrecedes($1.key) { $0.lower < $1.lower }
    }
  }

  private func dataWidth(_ contents: SetContents) -> Int {
    switch contents.dataKind {
    case .values(let types): max(1, types.count)
    case .verdict, .object, nil: 0
    }
  }

  private mutating func compileDoubts(
    of elements: [SetElement], hasTimeout: Bool, into set: inout CompiledSet
  ) {
    guard hasTimeout || elements.contains(where: \.hasTimeout) else { return }
    set.doubts = Array(repeating: -1, count: elements.count)
    for (index, element) in elements.enumerated() where element.hasTimeout {
      set.doubts[index] = program.reason("an element of the set may have run out of time")
    }
  }

  /// The gates that a hit passes through: an element's own, or the object that a map holds for it.
  private mutating func compileGates(
    of elements: [SetElement], _ contents: SetContents, into set: inout CompiledSet
  ) {
    func number(_ data: ElementData?, _ kind: StatefulObject.Kind) -> Int32 {
      guard case .object(let name) = data else { return -1 }
      return gate(of: kind, named: name)
    }
    if case .object(let kind) = contents.dataKind {
      set.gates = elements.map { number($0.data, kind) }
      if contents.hasCatchAll { set.catchAllGate = number(contents.catchAll, kind) }
      return
    }
    guard elements.contains(where: { !$0.gates.isEmpty }) else { return }
    set.gates = elements.map { element in
      guard let first = element.gates.first else { return -1 }
      guard element.gates.count > 1 else { return plan(first) }
      return plan(
        .other(Unmodelled(text: first.text, reason: "several gates of one element")))
    }
  }

  private mutating func compileValues(
    of elements: [SetElement], _ contents: SetContents, into set: inout CompiledSet
  ) {
    guard set.dataWidth > 0 else { return }
    var doubts = set.doubts.isEmpty ? Array(repeating: -1, count: elements.count) : set.doubts
    for (index, element) in elements.enumerated() {
      if case .values(let values) = element.data, values.count == set.dataWidth {
        set.values += values
      } else {
        set.values += Array(repeating: 0, count: set.dataWidth)
        if doubts[index] < 0 { doubts[index] = program.reason("the map's value is a range") }
      }
    }
    if doubts.contains(where: { $0 >= 0 }) { set.doubts = doubts }
    if contents.hasCatchAll {
      if case .values(let values) = contents.catchAll, values.count == set.dataWidth {
        set.catchAllValues = values
      } else {
        set.catchAllValues = Array(repeating: 0, count: set.dataWidth)
        set.catchAllDoubt = program.reason("the map's value is a range")
      }
    }
  }

  /// Fills in the verdicts of a map once every chain has its place.
  mutating func resolveVerdicts(_ number: Int, _ table: Int, _ contents: SetContents) {
    var verdicts: [CompiledVerdict] = []
    verdicts.reserveCapacity(contents.elements.count)
    for element in contents.elements { verdicts.append(resolved(element.data, table)) }
    program.sets[number].verdicts = verdicts
    if contents.hasCatchAll {
      program.sets[number].catchAllVerdict = resolved(contents.catchAll, table)
    }
    var seen: Set<CompiledVerdict> = []
    let all = verdicts + (program.sets[number].catchAllVerdict.map { [$0] } ?? [])
    program.sets[number].possibleVerdicts = all.filter { seen.insert($0).inserted }
  }

  private mutating func resolved(_ data: ElementData?, _ table: Int) -> CompiledVerdict {
    switch data {
    case .verdict(let verdict):
      compiled(verdict, table: table)
        ?? .unmodelled(reason: program.reason("the chain it jumps to is not listed"))
    case .unmodelled(let unmodelled): .unmodelled(reason: reason(unmodelled))
    case .values, .ranges, .object, nil:
      .unmodelled(reason: program.reason("the map's element holds no verdict"))
    }
  }
}
