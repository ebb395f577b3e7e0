internal import Rulesets

// Tests of a protocol that nft leaves out of its listing.
//
// nft 1.0.6 takes a comparison of `meta l4proto`, `ct protocol` or `ct l3proto` with a constant for
// the one that the field of a header after it implies, and lists neither: `meta l4proto 50 th dport
// 80` and `ct protocol 6 th dport 80` are listed as `th dport 80`, which all packets may meet, and
// `ct l3proto ipv4 ip saddr 1.1.1.1` as `ip saddr 1.1.1.1`, which those without a connection may.
// The bytecode has them.
//
// Source: nft 1.0.6, src/payload.c, `payload_dependency_kill`; `nft --debug=netlink list ruleset`.
extension NftLowering {
  private static let hiddenTestReason =
    "nft may have left a test of the protocol before it out of its listing"

  /// The statements with the tests of protocols that the listing does not show; where nothing tells
  /// of them, fields of any protocol are in doubt.
  func withHiddenTests(_ statements: [Statement]) -> [Statement] {
    guard let ruleTests else { return withDoubtedProtocol(statements) }
    guard !ruleTests.protocols.isEmpty else { return statements }
    let hidden = ruleTests.protocols.filter { test in !statements.contains { shows(test, $0) } }
    guard !hidden.isEmpty,
      let last = statements.lastIndex(where: { readings(of: $0).contains(where: isPayload) })
    else { return statements }
    // They stand somewhere before a field; where in a row of comparisons does not matter.
    if statements[...last].contains(where: hasEffects) {
      return doubted(statements, through: last)
    }
    let tests = hidden.map { test -> Statement in
      switch test {
      case .transport(let number):
        .match(Match(.selector(Selector(.meta(.l4proto))), .equal, .value(UInt128(number))))
      case .connection(let key, let number):
        .match(Match(.selector(Selector(.connection(key))), .equal, .value(UInt128(number))))
      }
    }
    return tests + statements
  }

  /// The statements, of which those that read `th` without a test of the protocol may not be met.
  private func withDoubtedProtocol(_ statements: [Statement]) -> [Statement] {
    let tested = statements.firstIndex(where: testsTransport) ?? statements.endIndex
    let untested = statements[..<tested].indices.filter {
      readings(of: statements[$0]).contains(where: isOfAny)
    }
    guard let first = untested.first, let last = untested.last else { return statements }
    if statements[..<last].contains(where: hasEffects) || hasEffectsInComparison(statements[last]) {
      return doubted(statements, through: last)
    }
    var statements = statements
    switch statements[first] {
    case .match(var match):
      match.left = unsure(match.left)
      statements[first] = .match(match)
    case .verdictMap(let key, let map): statements[first] = .verdictMap(key: unsure(key), map: map)
    case .setUpdate(var update):
      update.key = unsure(update.key)
      update.data = update.data.map { unsure($0) }
      statements[first] = .setUpdate(update)
    case .verdict, .reject, .gate, .object, .mangle, .notrack, .translate, .inert, .duplicate,
      .diverts, .unmodelled:
      statements.insert(doubt, at: first)
    }
    return statements
  }

  /// Whether a statement has effects in what it compares.
  private func hasEffectsInComparison(_ statement: Statement) -> Bool {
    switch statement {
    case .match, .verdictMap: hasEffects(statement)
    case .verdict, .reject, .gate, .object, .mangle, .notrack, .translate, .setUpdate, .inert,
      .duplicate, .diverts, .unmodelled:
      false
    }
  }

  /// The expression with a guard that may be there on fields of any transport header.
  private func unsure(_ expression: Expression) -> Expression {
    switch expression {
    case .selector(var selector):
      if isOfAny(selector) {
        selector.requiring.append(.possiblyOfProtocol(rule: established.rule))
      }
      return .selector(selector)
    case .masked(let operand, let mask, let flip):
      return .masked(unsure(operand), mask: mask, flip: flip)
    case .shifted(let operand, let left, let count):
      return .shifted(unsure(operand), left: left, by: count)
    case .concatenation(let parts): return .concatenation(parts.map { unsure($0) })
    case .lookup(let key, let map): return .lookup(key: unsure(key), map: map)
    case .constant, .unmodelled: return expression
    }
  }

  /// The statements, before each of which the rule may end, up to one of them.
  private func doubted(_ statements: [Statement], through last: Int) -> [Statement] {
    statements[...last].flatMap { [doubt, $0] } + statements[(last + 1)...]
  }

  /// A comparison that may hold or not.
  private var doubt: Statement {
    let test = Unmodelled(text: "the protocol", reason: Self.hiddenTestReason)
    return .match(Match(.unmodelled(test), .equal, .value(0)))
  }

  /// Whether a statement makes the test by itself or by a guard.
  private func shows(_ test: NftBytecode.ProtocolTest, _ statement: Statement) -> Bool {
    if case .match(let match) = statement, match.operator == .equal,
      case .selector(let selector) = match.left, case .value(let value) = match.right
    {
      switch test {
      case .transport(let number):
        if selector.field == .meta(.l4proto), value == UInt128(number) { return true }
      case .connection(let key, let number):
        if selector.field == .connection(key), value == UInt128(number) { return true }
      }
    }
    guard case .transport(let number) = test else { return false }
    if case .reject(_, let guards) = statement, guards.contains(.transport(number)) { return true }
    return readings(of: statement).contains { $0.requiring.contains(.transport(number)) }
  }

  /// Whether a statement tells packets apart by their protocol.
  private func testsTransport(_ statement: Statement) -> Bool {
    readings(of: statement).contains { selector in
      switch selector.field {
      case .meta(.l4proto): return true
      case .payload(let field):
        if field.name == "ip protocol" || field.name == "ip6 nexthdr" { return true }
      case .meta, .connection, .extensionHeader, .option, .environment: break
      }
      return selector.requiring.contains { if case .transport = $0 { true } else { false } }
    }
  }

  private func isPayload(_ selector: Selector) -> Bool {
    if case .payload = selector.field { true } else { false }
  }

  /// Whether a field is one of any transport header: `th dport`.
  private func isOfAny(_ selector: Selector) -> Bool {
    guard case .payload(let field) = selector.field else { return false }
    return field.name?.hasPrefix("th ") == true
  }
}
