internal import Addresses

/// What nft prints wrongly of rulesets that programs loaded with google/nftables.
///
/// Version 0.3.0 of that library marks every anonymous set as big-endian. nft then turns the bytes of
/// values that are in the host's order: names of interfaces print as empty, bits of `ct state` as
/// `0x2000000`. What the kernel compares is right.
///
/// Programs that write bytecode also make rules that nft lists like others: whether a rule that reads
/// ICMP tests for IPv4 first is not shown.
package struct ListingArtefacts: Sendable {
  /// The ruleset as the kernel has it, as far as that can be told.
  package private(set) var ruleset: Ruleset
  /// What was put right, each in one sentence.
  package private(set) var notes: [String] = []
  /// What the listing does not show and was taken to be as on the other side, each in one sentence.
  ///
  /// Whether it is so is not known, unless the other side says how the system that loaded the rules
  /// writes each of them: then no other rule of its own would look the same. Names that somebody else
  /// put there with the same library, as many as there were, would still go unnoticed.
  package private(set) var untold: [String] = []

  /// Puts right what a listing prints wrongly.
  ///
  /// - Parameters:
  ///   - ruleset: What was listed.
  ///   - other: The ruleset that it is held against, from which is taken what the listing has lost,
  ///     names and tests for a family: those of a rule that is otherwise the same, in the chain of
  ///     the same name.
  package init(_ ruleset: Ruleset, like other: Ruleset) {
    self.ruleset = ruleset
    var turned = 0
    var named = 0
    var tested: [IPFamily: Int] = [:]
    for table in ruleset.tables.indices {
      for chain in ruleset.tables[table].chains.indices {
        let candidates = Self.rules(like: ruleset.tables[table], chain: chain, in: other)
        for rule in ruleset.tables[table].chains[chain].rules.indices {
          let old = ruleset.tables[table].chains[chain].rules[rule].statements
          let statements = old.map { $0.withTurnedStates }
          if statements != old { turned += 1 }
          self.ruleset.tables[table].chains[chain].rules[rule].statements = statements
          if let family = statements.lazy.compactMap(\.hiddenTest).first {
            for isThere in [true, false] {
              let shown = statements.map { $0.showingHiddenTest(isThere) }
              let form = RuleForm(Rule(statements: shown), in: ruleset.tables[table])
              guard candidates.contains(where: { RuleForm($0, in: $1) == form }) else { continue }
              self.ruleset.tables[table].chains[chain].rules[rule].statements = shown
              tested[family, default: 0] += 1
              break
            }
            continue
          }
          guard statements.contains(where: \.hasLostNames) else { continue }
          let bare = RuleForm(
            Rule(statements: statements.map(\.withoutNames)), in: ruleset.tables[table])
          for (candidate, home) in candidates {
            let twin = RuleForm(
              Rule(statements: candidate.statements.map(\.withoutNames)), in: home)
            guard twin == bare else { continue }
            self.ruleset.tables[table].chains[chain].rules[rule].statements =
              statements.takingNames(from: candidate.statements)
            named += 1
            break
          }
        }
      }
    }
    if turned > 0 {
      notes.append(
        "the listing shows states of connections with their bytes turned (google/nftables), in "
          + (turned == 1 ? "1 rule" : "\(turned) rules"))
    }
    if named > 0 {
      untold.append(
        "the listing shows empty names of interfaces (google/nftables), in "
          + (named == 1 ? "1 rule" : "\(named) rules")
          + "; they are taken to be those of the other side")
    }
    for (family, count) in tested.sorted(by: { $0.key < $1.key }) {
      untold.append(
        "the listing does not show whether " + (count == 1 ? "1 rule tests" : "\(count) rules test")
          + " for \(family == .ipv4 ? "IPv4" : "IPv6"); it is taken to be as on the other side")
    }
  }

  private static func rules(
    like table: Table, chain: Int, in other: Ruleset
  ) -> [(Rule, Table)] {
    guard
      let twin = other.tables.first(where: { $0.family == table.family && $0.name == table.name }),
      let same = twin.chains.first(where: { $0.name == table.chains[chain].name })
    else { return [] }
    return same.rules.map { ($0, twin) }
  }
}

extension Statement {
  /// The statement with states whose bytes are turned put right.
  fileprivate var withTurnedStates: Statement {
    guard case .match(let match) = self, case .selector(let selector) = match.left,
      case .connection(let key) = selector.field, key.key == .state,
      case .set(.anonymous(var contents)) = match.right, contents.isPlain,
      contents.elements.allSatisfy({ element in
        let bits = element.key[0].lower
        return element.key[0].upper == bits && bits >> 24 != 0 && bits & 0xFF_FFFF == 0
          && bits >> 32 == 0
      })
    else { return self }
    for index in contents.elements.indices {
      contents.elements[index].key = [Interval(contents.elements[index].key[0].lower >> 24)]
    }
    return .match(Match(match.left, match.operator, .set(.anonymous(contents))))
  }

  /// The names that the statement compares interfaces with, where a set holds them.
  private var names: (match: Match, contents: SetContents)? {
    guard case .match(let match) = self, case .selector(let selector) = match.left,
      selector.field == .meta(.inputName) || selector.field == .meta(.outputName),
      case .set(.anonymous(let contents)) = match.right, contents.isPlain
    else { return nil }
    return (match, contents)
  }

  fileprivate var hasLostNames: Bool {
    guard let contents = names?.contents else { return false }
    return contents.elements.allSatisfy { $0.key[0] == Interval(0) }
  }

  /// The statement with how many names it compares with in the place of these.
  fileprivate var withoutNames: Statement {
    guard let (match, contents) = names else { return self }
    return .match(
      Match(match.left, match.operator, .value(UInt128(contents.elements.count))))
  }

  fileprivate var namesOperand: Match.Operand? { names?.match.right }
}

extension Statement {
  /// The family that the listing leaves open whether it is tested for.
  fileprivate var hiddenTest: IPFamily? {
    guard case .match(let match) = self else { return nil }
    return match.left.guards.lazy.compactMap(\.hiddenFamily).first
  }

  /// The statement with the test that is not shown, or without it.
  fileprivate func showingHiddenTest(_ isThere: Bool) -> Statement {
    guard case .match(let match) = self else { return self }
    return .match(
      Match(match.left.showingHiddenTest(isThere), match.operator, match.right))
  }
}

extension Guard {
  fileprivate var hiddenFamily: IPFamily? {
    if case .possibly(let family, _) = self { family } else { nil }
  }
}

extension Expression {
  fileprivate func showingHiddenTest(_ isThere: Bool) -> Expression {
    switch self {
    case .constant, .unmodelled, .lookup, .concatenation: return self
    case .selector(var selector):
      selector.requiring = selector.requiring.compactMap { condition in
        guard let family = condition.hiddenFamily else { return condition }
        return isThere ? (family == .ipv4 ? .ipv4 : .ipv6) : nil
      }
      return .selector(selector)
    case .masked(let operand, let mask, let flip):
      return .masked(operand.showingHiddenTest(isThere), mask: mask, flip: flip)
    case .shifted(let operand, let left, let count):
      return .shifted(operand.showingHiddenTest(isThere), left: left, by: count)
    }
  }
}

extension [Statement] {
  fileprivate func takingNames(from others: [Statement]) -> [Statement] {
    var left = others.compactMap { $0.namesOperand }
    return map { statement in
      guard statement.hasLostNames, case .match(let match) = statement, !left.isEmpty else {
        return statement
      }
      return .match(Match(match.left, match.operator, left.removeFirst()))
    }
  }
}
