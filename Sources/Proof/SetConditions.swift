internal import Addresses
internal import PacketSets
internal import Rulesets

/// What a lookup can find: disjoint in effect, because the first branch that holds a packet wins.
struct LookupBranch {
  var boxes: [[Constraint]]
  let data: ElementData?
  /// Set where the element may be gone, or passes only sometimes.
  let doubt: String?
}

/// How a key finds its element in a set or map.
struct Lookup {
  /// What must hold for the key to be readable; nil where it cannot be read at all.
  var guards: [Constraint]?
  var branches: [LookupBranch]
  /// What everything else finds, where the set has a catch-all.
  var catchAll: ElementData??
  /// Set where nothing is known about what the lookup finds.
  var unknown: String?
  /// Where the key is not known and the elements are: what it can find.
  var possible: [ElementData?]?
  /// Whether it can find nothing, which a catch-all or elements for every value rule out.
  var mayMiss = true
  /// Choices that are made anew each time.
  var choices: [Dimension] = []
  /// Whether some box asks for a member of the connection's tuples.
  var readsTuples = false
}

extension SetContents {
  /// Whether there is an element for every value that a key can have.
  fileprivate func covers(_ key: Expression) -> Bool {
    guard case .selector(let selector) = key, case .environment(let field) = selector.field,
      case .hash(let modulus, let offset) = field.source, modulus > 0,
      elements.allSatisfy({ $0.key.count == 1 && $0.gates.isEmpty && !$0.hasTimeout })
    else { return false }
    let values = Interval(UInt128(offset), UInt128(offset) + UInt128(modulus) - 1)
    return IntervalSet(values).isSubset(of: IntervalSet(elements.map { $0.key[0] }))
  }

  /// The different things that elements lead to; nil where there are too many to follow each.
  fileprivate var possible: [ElementData?]? {
    // An element's limit may end the rule.
    if elements.contains(where: { !$0.gates.isEmpty }) { return nil }
    var found: [ElementData?] = []
    for element in elements where !found.contains(element.data) {
      found.append(element.data)
      if found.count > 64 { return nil }
    }
    if hasCatchAll, !found.contains(catchAll) { found.append(catchAll) }
    return found
  }
}

extension Lookup {
  /// The lookup as it is for packets whose addresses may be exchanged.
  func resolved(for state: PacketState, _ context: HookContext, at station: Int) -> Lookup {
    guard readsTuples else { return self }
    let places = TuplePlaces(state, context, at: station)
    var lookup = self
    lookup.branches = branches.map { branch in
      LookupBranch(boxes: branch.boxes.map(places.resolved), data: branch.data, doubt: branch.doubt)
    }
    return lookup
  }
}

extension MatchConditions {
  /// The contents of a set, and why they may not be what a packet meets.
  func contents(of reference: SetReference) -> (contents: SetContents, doubt: String?)? {
    switch reference {
    case .anonymous(let contents): return (contents, nil)
    case .missing: return nil
    case .named(let index):
      let set = table.sets[index]
      return (set.contents, set.isDynamic ? "packets change the contents of @\(set.name)" : nil)
    }
  }

  /// Finds out what `key` leads to in a set.
  func lookup(
    _ key: Expression, in reference: SetReference, _ register: inout DimensionRegister
  ) -> Lookup {
    guard let (contents, doubt) = contents(of: reference) else {
      return Lookup(guards: [], branches: [], catchAll: nil, unknown: "the set is not listed")
    }
    var parts = [key]
    if case .concatenation(let several) = key { parts = several }
    var guards: [Constraint] = []
    var readings: [FieldReading] = []
    var masks: [(mask: UInt128, flip: UInt128)] = []
    for part in parts {
      var selector: Selector
      var bits: (UInt128, UInt128) = (.max, 0)
      switch part {
      case .selector(let plain): selector = plain
      case .masked(.selector(let plain), let mask, let flip):
        selector = plain
        bits = (mask, flip)
      case .constant(let value, let type):
        readings.append(.constant(value, width: type.bitWidth))
        masks.append(bits)
        continue
      case .masked, .shifted, .concatenation, .lookup, .unmodelled:
        return Lookup(
          guards: guards, branches: [], catchAll: nil, unknown: "a computed key")
      }
      let (required, reading) = register.reading(of: selector, in: context)
      guard let required else {
        return Lookup(guards: nil, branches: [], catchAll: nil, unknown: nil)
      }
      guards += required
      readings.append(reading)
      masks.append(bits)
    }
    if readings.contains(where: { if case .absent = $0 { true } else { false } }) {
      return Lookup(guards: nil, branches: [], catchAll: nil, unknown: nil)
    }
    if let doubt {
      return Lookup(guards: guards, branches: [], catchAll: nil, unknown: doubt)
    }
    func anyElement(_ reason: String) -> Lookup {
      Lookup(
        guards: guards, branches: [],
        catchAll: contents.hasCatchAll ? .some(contents.catchAll) : nil,
        unknown: reason, possible: contents.possible,
        mayMiss: !contents.hasCatchAll && !contents.covers(key))
    }
    var branches: [LookupBranch] = []
    if parts.count == 1, contents.dataKind == nil,
      contents.elements.allSatisfy({ $0.gates.isEmpty && !$0.hasTimeout && $0.key.count == 1 })
    {
      // A plain set of single values is one set of numbers.
      let values = IntervalSet(contents.elements.map { $0.key[0] })
      guard let boxes = keyBoxes(readings[0], masks[0], values, in: register) else {
        return anyElement("a key that is not known")
      }
      branches = [LookupBranch(boxes: boxes, data: nil, doubt: nil)]
    } else {
      branches.reserveCapacity(contents.elements.count)
      for element in contents.elements {
        guard element.key.count == parts.count else {
          return Lookup(
            guards: guards, branches: [], catchAll: nil, unknown: "an element of another shape")
        }
        var boxes: [[Constraint]] = [[]]
        for (index, interval) in element.key.enumerated() {
          guard
            let next = keyBoxes(readings[index], masks[index], IntervalSet(interval), in: register)
          else {
            return anyElement("a key that is not known")
          }
          boxes = boxes.flatMap { box in next.map { box + $0 } }
          if boxes.count > 4_096 {
            return anyElement("a key of many parts")
          }
        }
        let doubt: String? =
          if let gate = element.gates.first { gate.text } else if element.hasTimeout {
            "the element may have run out of time"
          } else { nil }
        branches.append(LookupBranch(boxes: boxes, data: element.data, doubt: doubt))
      }
    }
    var lookup = Lookup(
      guards: guards, branches: branches,
      catchAll: contents.hasCatchAll ? .some(contents.catchAll) : nil, unknown: nil)
    for case .bits(let slices) in readings {
      for slice in slices {
        guard case .dimension(let dimension) = slice.source else { continue }
        if register.isChoice(dimension) { lookup.choices.append(dimension) }
        if TupleMember(dimension) != nil { lookup.readsTuples = true }
      }
    }
    return lookup
  }

  /// The boxes in which one part of a key lies in `values`; nil where that is not known.
  private func keyBoxes(
    _ reading: FieldReading, _ bits: (mask: UInt128, flip: UInt128), _ values: IntervalSet,
    in register: DimensionRegister
  ) -> [[Constraint]]? {
    switch reading {
    case .constant(let value, _):
      return values.contains(value & bits.mask ^ bits.flip) ? [[]] : []
    case .bits(let slices):
      return boxes(slices, mask: bits.mask, flip: bits.flip, values, in: register)
    case .partly, .status, .addressType, .nextHeader, .option, .unknown, .absent:
      return nil
    }
  }

  /// `key @set`, `key != { … }`.
  func membership(
    of match: Match, in reference: SetReference, _ register: inout DimensionRegister
  ) -> Condition {
    if case .selector(let selector) = match.left, let (contents, doubt) = contents(of: reference),
      doubt == nil, !contents.hasCatchAll, contents.dataKind == nil,
      contents.elements.allSatisfy({ $0.key.count == 1 && $0.gates.isEmpty && !$0.hasTimeout }),
      [.equal, .notEqual].contains(match.operator)
    {
      let (guards, reading) = register.reading(of: selector, in: context)
      if case .addressType(let dimension) = reading {
        return addressType(
          dimension, guards, IntervalSet(contents.elements.map { $0.key[0] }),
          isNegated: match.operator == .notEqual, match)
      }
    }
    let found = lookup(match.left, in: reference, &register)
    guard let guards = found.guards else { return .never }
    func unknown() -> Condition {
      Condition(guards: guards, test: .unknown(RulePrinter(table).text(of: match)))
    }
    guard found.unknown == nil, !found.branches.contains(where: { $0.doubt != nil }) else {
      return unknown()
    }
    let isNegated: Bool
    switch match.operator {
    case .equal, .anyBit: isNegated = false
    case .notEqual: isNegated = true
    case .noBit, .less, .greater, .lessOrEqual, .greaterOrEqual: return unknown()
    }
    if found.catchAll != nil {
      return Condition(guards: guards, test: isNegated ? .never : .always)
    }
    let boxes = found.branches.flatMap(\.boxes)
    return Condition(guards: guards, boxes: boxes, isNegated: isNegated)
      .reading(found.choices, tuples: found.readsTuples)
  }

  /// A concatenation held against lists of values.
  func concatenation(
    _ parts: [Expression], keys: [[Interval]], isNegated: Bool,
    _ register: inout DimensionRegister
  ) -> Condition {
    let contents = SetContents(
      keyTypes: [], elements: keys.map { SetElement(key: $0) })
    let match = Match(
      .concatenation(parts), isNegated ? .notEqual : .equal, .set(.anonymous(contents)))
    return membership(of: match, in: .anonymous(contents), &register)
  }

  /// That the value a map holds for `key` lies in `values`; a miss BREAKs.
  func lookedUp(
    _ key: Expression, _ map: SetReference, _ values: IntervalSet, isNegated: Bool,
    _ match: Match, _ register: inout DimensionRegister
  ) -> Condition {
    let found = lookup(key, in: map, &register)
    guard let guards = found.guards else { return .never }
    var boxes: [[Constraint]] = []
    var isKnown = found.unknown == nil && found.catchAll == nil
    for branch in found.branches {
      guard branch.doubt == nil, case .values(let data) = branch.data, data.count == 1 else {
        isKnown = false
        continue
      }
      if values.contains(data[0]) != isNegated { boxes += branch.boxes }
    }
    // Elements of a map with one key do not overlap; with several keys the earliest would win.
    if case .concatenation = key { isKnown = false }
    guard isKnown else {
      return Condition(
        guards: guards, test: .unknown(RulePrinter(table).text(of: match)))
    }
    return Condition(guards: guards, test: .anyOf(boxes))
      .reading(found.choices, tuples: found.readsTuples)
  }
}
