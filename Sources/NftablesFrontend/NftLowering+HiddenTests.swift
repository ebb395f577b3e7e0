internal import Rulesets

// Tests of a protocol that nft leaves out of its listing.
//
// nft 1.0.6 takes a comparison of `meta nfproto`, `meta protocol`, `meta l4proto`, `ip6 nexthdr`,
// `ct protocol` or `ct l3proto` with a constant for the one that the field of a header after it
// implies, and lists neither: `meta l4proto 50 th dport 80` and `ct protocol 6 th dport 80` are
// listed as `th dport 80`, which all packets may meet, and `ct l3proto ipv4 tcp dport 22` as `tcp
// dport 22`. It does the same before `reject`: `meta nfproto ipv4 reject with tcp reset` is listed
// as `meta l4proto tcp reject with tcp reset`. Statements other than comparisons keep it from that.
// The bytecode has these tests, and which statements with effects come before them.
//
// Source: nft 1.0.6, src/payload.c, `payload_dependency_kill`, and src/netlink_delinearize.c,
// `stmt_reject_postprocess`; `nft --debug=netlink list ruleset`.
extension NftLowering {
  private static let hiddenTestReason =
    "nft may have left a test of the protocol before it out of its listing"

  /// The statements with the tests of protocols that the listing does not show; where nothing tells
  /// of them, fields of any protocol are in doubt.
  func withHiddenTests(_ statements: [Statement]) -> [Statement] {
    guard let ruleTests else { return withDoubtedProtocol(statements) }
    guard !ruleTests.protocols.isEmpty else { return statements }
    var statements = withoutUntestedProtocol(statements, ruleTests)
    var effectsBefore: [Int] = []
    var effectCount = 0
    for statement in statements {
      effectsBefore.append(effectCount)
      effectCount += self.effectCount(of: statement)
    }
    let areCounted = effectCount == ruleTests.effectCount
    var added: [(index: Int, test: Statement)] = []
    for placed in ruleTests.protocols {
      guard let test = statement(placed.test, ruleTests) else { continue }
      // Between two statements with effects the order does not matter.
      let isPlaced = areCounted || placed.effectsBefore == 0
      let row = statements.indices.filter {
        !isPlaced || effectsBefore[$0] == placed.effectsBefore
      }
      if row.contains(where: { shows(placed.test, statements[$0]) }) { continue }
      guard isPlaced, !row.contains(where: { looksUpGates(statements[$0]) }) else {
        return doubted(statements, through: statements.endIndex - 1)
      }
      added.append((row.first ?? statements.endIndex, test))
    }
    for (index, test) in added.reversed() { statements.insert(test, at: index) }
    return statements
  }

  /// The comparison in the words of a listing; nil for an octet that names no protocol.
  private func statement(
    _ test: NftBytecode.ProtocolTest, _ tests: NftBytecode.Tests
  ) -> Statement? {
    let selector: Selector
    let value: UInt128
    switch test {
    case .meta(let key, let number): (selector, value) = (Selector(.meta(key)), UInt128(number))
    case .connection(let key, let number):
      (selector, value) = (Selector(.connection(key)), UInt128(number))
    case .networkHeader(let offset, let number):
      guard let field = protocolField(at: offset, tests) else { return nil }
      let guards = field.name == "ip protocol" ? ImpliedGuards.ipv4 : ImpliedGuards.ipv6
      let isImplied = family == .ip || family == .ip6
      (selector, value) = (
        Selector(.payload(field), requiring: isImplied ? [] : guards), UInt128(number)
      )
    }
    return .match(Match(.selector(selector), .equal, .value(value)))
  }

  /// The field that names the protocol of what a packet carries, where its octet is at an offset in
  /// the headers of the family that the rule tests for.
  private func protocolField(at offset: Int, _ tests: NftBytecode.Tests) -> PayloadField? {
    func isTested(_ number: UInt16, _ etherType: UInt16) -> Bool {
      tests.etherType == etherType
        || tests.protocols.contains {
          $0.test == .meta(.nfproto, number) || $0.test == .meta(.etherProtocol, etherType)
        }
    }
    return switch offset {
    case 9 where family == .ip || family != .ip6 && isTested(2, 0x0800):
      PayloadFields.field("protocol", of: "ip")
    case 6 where family == .ip6 || family != .ip && isTested(10, 0x86DD):
      PayloadFields.field("nexthdr", of: "ip6")
    default: nil
    }
  }

  /// How many instructions with effects a statement becomes.
  private func effectCount(of statement: Statement) -> Int {
    let own =
      switch statement {
      case .match: 0
      case .verdict, .verdictMap, .reject, .gate, .object, .mangle, .notrack, .translate,
        .setUpdate, .inert, .duplicate, .diverts, .unmodelled:
        1
      }
    return own
      + readings(of: statement).count { selector in
        guard case .environment(let field) = selector.field,
          case .numberGenerator(isRandom: false, _, _) = field.source
        else { return false }
        return true
      }
  }

  /// Whether a comparison passes by limits or quotas of elements.
  private func looksUpGates(_ statement: Statement) -> Bool {
    guard case .match(let match) = statement else { return false }
    return if case .set(let set) = match.right { hasGates(set) } else { false }
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
      case .meta(let key, let number):
        if selector.field == .meta(key), value == UInt128(number) { return true }
      case .connection(let key, let number):
        if selector.field == .connection(key), value == UInt128(number) { return true }
      case .networkHeader(let offset, let number):
        if case .payload(let field) = selector.field, field.base == .network,
          field.bitOffset == 8 * offset, field.bitLength == 8, value == UInt128(number)
        {
          return true
        }
      }
    }
    return guards(equivalentTo: test).contains { requires($0, statement) }
  }

  /// Whether a statement has a guard.
  func requires(_ required: Guard, _ statement: Statement) -> Bool {
    if case .reject(_, let guards) = statement, guards.contains(required) { return true }
    return readings(of: statement).contains { selector in
      // That an option is missing is true of packets of other protocols too.
      if case .option(let header) = selector.field, header.reading == .presence { return false }
      return selector.requiring.contains(required)
    }
  }

  /// The guards that let the same packets pass as a test.
  private func guards(equivalentTo test: NftBytecode.ProtocolTest) -> [Guard] {
    switch test {
    case .meta(.l4proto, let number): UInt8(exactly: number).map { [.transport($0)] } ?? []
    case .meta(.nfproto, 2) where family == .inet: [.ipv4]
    case .meta(.nfproto, 10) where family == .inet: [.ipv6]
    case .meta(.etherProtocol, 0x0800) where family == .bridge || family == .netdev: [.ipv4]
    case .meta(.etherProtocol, 0x86DD) where family == .bridge || family == .netdev: [.ipv6]
    case .meta(.etherProtocol, let number): [.etherType(number)]
    // IPv4 has no headers between; with IPv6 the first need not be the last.
    case .networkHeader(offset: 9, let number) where family != .ip6: [.transport(number)]
    case .meta, .connection, .networkHeader: []
    }
  }

  /// Whether a statement tells packets apart by their protocol.
  private func testsTransport(_ statement: Statement) -> Bool {
    readings(of: statement).contains { selector in
      switch selector.field {
      case .meta(.l4proto): return true
      case .payload(let field):
        if field.name == "ip protocol" || field.name == "ip6 nexthdr" { return true }
      // That an option is missing is true of packets of other protocols too.
      case .option(let header) where header.reading == .presence: return false
      case .meta, .connection, .extensionHeader, .option, .environment: break
      }
      return selector.requiring.contains { if case .transport = $0 { true } else { false } }
    }
  }

  /// Whether a field is one of any transport header: `th dport`.
  ///
  /// Fields of less than an octet lose their name under a mask, and keep the test of their protocol
  /// hidden: `tcp doff & 11` becomes `(@th,96,8 & 0xf0) >> 4 & 11`, and `dccp type` has octet 64.
  private func isOfAny(_ selector: Selector) -> Bool {
    guard case .payload(let field) = selector.field else { return false }
    guard let name = field.name else {
      return field.base == .transport && field.bitLength == 8
        && (field.bitOffset == 96 || field.bitOffset == 64)
    }
    return name.hasPrefix("th ")
  }
}
