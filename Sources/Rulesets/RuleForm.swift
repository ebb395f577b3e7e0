internal import Addresses

/// A rule in a form in which what can be written in several ways is written in one.
///
/// Rules of one form treat every packet alike: counters, comments and handles are gone, sets are
/// sorted and joined, a set of one element is that element, and named sets that no packet changes
/// stand where they are used.
package struct RuleForm: Hashable, Sendable {
  package var statements: [Statement]

  /// The form of a rule of `table`.
  package init(_ rule: Rule, in table: Table) {
    let rewriting = StatementRewriting(set: { reference in
      guard case .named(let index) = reference, table.sets.indices.contains(index) else {
        return reference
      }
      let set = table.sets[index]
      return set.isDynamic || set.hasTimeout ? reference : .anonymous(set.contents)
    })
    statements = rule.statements.compactMap { statement in
      switch rewriting.rewritten(statement) {
      case .inert, .duplicate, .verdict(.continue): nil
      case .match(let match): .match(match.simplified)
      case let other: other
      }
    }
    // What is counted or logged on the way decides nothing, and neither does a rule without more.
    statements = statements.dropLastWithoutEffect()
  }
}

extension [Statement] {
  /// The statements up to the last one that does something.
  fileprivate func dropLastWithoutEffect() -> [Statement] {
    let last = lastIndex { statement in
      switch statement {
      case .match, .inert, .duplicate: false
      case .verdict, .verdictMap, .reject, .gate, .object, .mangle, .notrack, .translate,
        .setUpdate, .diverts, .unmodelled:
        true
      }
    }
    return last.map { Array(self[...$0]) } ?? []
  }
}

extension Match {
  /// The same test with its sets sorted and joined, and sets of one element unfolded.
  package var simplified: Match {
    guard case .set(.anonymous(let contents)) = right, contents.isPlain,
      self.operator == .equal || self.operator == .notEqual
    else { return flagsUnfolded }
    if contents.keyTypes.count == 1 {
      let intervals = IntervalSet(contents.elements.map { $0.key[0] }).intervals
      if intervals.count == 1 {
        return Match(left, self.operator, Operand(intervals[0]))
      }
      let elements = intervals.map { SetElement(key: [$0]) }
      return Match(
        left, self.operator,
        .set(.anonymous(SetContents(keyTypes: contents.keyTypes, elements: elements))))
    }
    let elements = contents.elements.map { SetElement(key: $0.key) }.sorted {
      $0.key.lexicographicallyPrecedes($1.key) {
        $0.lower != $1.lower ? $0.lower < $1.lower : $0.upper < $1.upper
      }
    }
    return Match(
      left, self.operator,
      .set(.anonymous(SetContents(keyTypes: contents.keyTypes, elements: elements))))
  }

  /// A test of a connection's state, which is one bit, as membership in a set.
  private var flagsUnfolded: Match {
    if case .range(let interval) = right, interval.lower == interval.upper,
      self.operator == .equal || self.operator == .notEqual
    {
      return Match(left, self.operator, .value(interval.lower))
    }
    guard case .selector(let selector) = left, case .connection(let key) = selector.field,
      key.key == .state, case .value(let bits) = right
    else { return self }
    let operation: Operator
    switch self.operator {
    case .anyBit: operation = .equal
    case .noBit: operation = .notEqual
    case .equal, .notEqual, .less, .greater, .lessOrEqual, .greaterOrEqual: return self
    }
    let states = (0..<UInt128(32)).map { 1 << $0 }.filter { bits & $0 != 0 }
    guard !states.isEmpty else { return self }
    let contents = SetContents(
      keyTypes: [.connectionState], elements: states.map { SetElement(key: [Interval($0)]) })
    return Match(left, operation, .set(.anonymous(contents))).simplified
  }
}

extension Match.Operand {
  /// One interval: a value where it holds no more.
  fileprivate init(_ interval: Interval) {
    self = interval.lower == interval.upper ? .value(interval.lower) : .range(interval)
  }
}

extension SetContents {
  /// Whether the set holds keys alone: nothing is looked up, expires, is limited or found besides.
  package var isPlain: Bool {
    dataKind == nil && !hasCatchAll && !elements.isEmpty
      && elements.allSatisfy {
        $0.data == nil && $0.gates.isEmpty && !$0.hasTimeout && $0.key.count == keyTypes.count
      }
  }
}
