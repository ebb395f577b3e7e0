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
    statements = statements.dropLastWithoutEffect().withRequirementsFirst()
  }
}

extension [Statement] {
  /// The statements with what their matches require of protocol and family in tests of its own.
  ///
  /// nft lists `meta l4proto tcp tcp dport 22` without the first test, which the second implies.
  /// Matches that follow each other all have to hold, in whatever order.
  fileprivate func withRequirementsFirst() -> [Statement] {
    var result: [Statement] = []
    var run: [Match] = []
    func flush() {
      var families: Set<IPFamily> = []
      var transports: Set<UInt8> = []
      var others: [Match] = []
      for match in run {
        switch match.testedGuard {
        case .ipv4: families.insert(.ipv4)
        case .ipv6: families.insert(.ipv6)
        case .transport(let number): transports.insert(number)
        case .icmpType, .icmpv6Type, .ethernetInput, .etherType, .possibly, .possiblyOfProtocol,
          nil:
          for condition in match.left.guards {
            switch condition {
            case .ipv4: families.insert(.ipv4)
            case .ipv6: families.insert(.ipv6)
            case .transport(let number): transports.insert(number)
            case .icmpType, .icmpv6Type, .ethernetInput, .etherType, .possibly, .possiblyOfProtocol:
              continue
            }
          }
          others.append(Match(match.left.withoutPlainGuards, match.operator, match.right))
        }
      }
      func test(_ key: MetaKey, _ value: UInt128) -> Statement {
        .match(Match(.selector(Selector(.meta(key))), .equal, .value(value)))
      }
      result += families.sorted().map { test(.nfproto, $0 == .ipv4 ? 2 : 10) }
      result += transports.sorted().map { test(.l4proto, UInt128($0)) }
      result += others.map { .match($0) }
      run = []
    }
    for statement in self {
      if case .match(let match) = statement {
        run.append(match)
      } else {
        flush()
        result.append(statement)
      }
    }
    flush()
    return result
  }

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

extension Expression {
  /// The expression without guards on the family or the protocol alone.
  fileprivate var withoutPlainGuards: Expression {
    switch self {
    case .constant, .unmodelled: return self
    case .selector(var selector):
      selector.requiring.removeAll { condition in
        switch condition {
        case .ipv4, .ipv6, .transport: true
        case .icmpType, .icmpv6Type, .ethernetInput, .etherType, .possibly, .possiblyOfProtocol:
          false
        }
      }
      return .selector(selector)
    case .masked(let operand, let mask, let flip):
      return .masked(operand.withoutPlainGuards, mask: mask, flip: flip)
    case .shifted(let operand, let left, let count):
      return .shifted(operand.withoutPlainGuards, left: left, by: count)
    case .concatenation(let parts): return .concatenation(parts.map(\.withoutPlainGuards))
    // What a map is asked with keeps its guards where they are.
    case .lookup: return self
    }
  }
}

extension Match {
  /// The guard that the match amounts to, where it is no more than one.
  fileprivate var testedGuard: Guard? {
    guard self.operator == .equal, case .value(let value) = right,
      case .selector(let selector) = left, selector.requiring.isEmpty
    else { return nil }
    switch selector.field {
    case .meta(.l4proto): return UInt8(exactly: value).map { .transport($0) }
    // `NFPROTO_IPV4` and `NFPROTO_IPV6` (include/uapi/linux/netfilter.h).
    case .meta(.nfproto): return value == 2 ? .ipv4 : value == 10 ? .ipv6 : nil
    case .meta, .payload, .connection, .extensionHeader, .option, .environment: return nil
    }
  }

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
