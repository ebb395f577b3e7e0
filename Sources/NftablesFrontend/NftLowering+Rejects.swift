internal import Addresses
internal import Rulesets

// The test that `reject` needs, where the kernel makes it.
//
// nft puts the test of a packet's family or protocol before all statements of the rule, unless one
// of them tests it already, and lists neither the test nor its place. Where nothing before `reject`
// has effects, the place does not matter, and the test stays with `reject`. Bytecode has the place.
//
// Source: nft 1.0.6, src/evaluate.c, `stmt_evaluate_reject`, and the bytecode of
// `nft --debug=netlink`.
extension NftLowering {
  /// The statements with what `reject` tests first of all, where that matters.
  func withRejectTestFirst(_ statements: [Statement]) -> [Statement] {
    guard ruleTests == nil,
      let index = statements.firstIndex(where: { if case .reject = $0 { true } else { false } }),
      case .reject(_, let guards) = statements[index], !guards.isEmpty
    else { return statements }
    let before = statements[..<index]
    guard before.contains(where: hasEffects) else { return statements }
    let tests = guards.filter { required in !before.contains { isTested(required, by: $0) } }
    return tests.compactMap(test) + statements
  }

  /// A test that BREAKs for the packets that a guard does not let pass.
  private func test(_ required: Guard) -> Statement? {
    let (key, value): (MetaKey, UInt128)
    switch required {
    case .ipv4 where family == .inet: (key, value) = (.nfproto, 2)
    case .ipv6 where family == .inet: (key, value) = (.nfproto, 10)
    case .ipv4: (key, value) = (.etherProtocol, 0x0800)
    case .ipv6: (key, value) = (.etherProtocol, 0x86DD)
    case .transport(let number): (key, value) = (.l4proto, UInt128(number))
    case .icmpType, .icmpv6Type, .ethernetInput, .etherType, .possibly, .possiblyOfProtocol:
      return nil
    }
    return .match(Match(.selector(Selector(.meta(key))), .equal, .value(value)))
  }

  /// Whether a statement leaves something behind, or passes by what others left.
  func hasEffects(_ statement: Statement) -> Bool {
    switch statement {
    case .inert, .verdict, .object(.counter, _): false
    case .match(let match):
      if case .set(let set) = match.right, hasGates(set) {
        true
      } else {
        hasEffects(match.left)
      }
    case .verdictMap(let key, let map): hasGates(map) || hasEffects(key)
    case .reject, .gate, .object, .mangle, .notrack, .translate, .setUpdate, .duplicate,
      .diverts, .unmodelled:
      true
    }
  }

  private func hasEffects(_ expression: Expression) -> Bool {
    switch expression {
    case .selector(let selector):
      guard case .environment(let field) = selector.field,
        case .numberGenerator(let isRandom, _, _) = field.source
      else { return false }
      return !isRandom
    case .masked(let operand, _, _), .shifted(let operand, _, _): return hasEffects(operand)
    case .concatenation(let parts): return parts.contains { hasEffects($0) }
    case .lookup(let key, let map): return hasGates(map) || hasEffects(key)
    case .constant: return false
    case .unmodelled: return true
    }
  }

  func hasGates(_ set: SetReference) -> Bool {
    switch set {
    case .named(let index):
      ruleset.tables[table].sets[index].contents.elements.contains { !$0.gates.isEmpty }
    case .anonymous(let contents): contents.elements.contains { !$0.gates.isEmpty }
    case .missing: true
    }
  }

  /// Whether a statement tests what a guard asks for, by itself or by a guard of its own.
  private func isTested(_ required: Guard, by statement: Statement) -> Bool {
    if case .match(let match) = statement, case .selector(let selector) = match.left,
      match.operator == .equal
    {
      switch (selector.field, required) {
      case (.meta(.nfproto), .ipv4), (.meta(.nfproto), .ipv6), (.meta(.etherProtocol), .ipv4),
        (.meta(.etherProtocol), .ipv6), (.meta(.l4proto), .transport):
        return true
      default: break
      }
    }
    return readings(of: statement).contains { selector in
      selector.requiring.contains { own in
        if case .possibly = own { return required == .ipv4 || required == .ipv6 }
        return own == required
      }
    }
  }

  /// The fields that a statement reads or writes.
  func readings(of statement: Statement) -> [Selector] {
    switch statement {
    case .match(let match):
      if case .expression(let right) = match.right {
        readings(of: match.left) + readings(of: right)
      } else {
        readings(of: match.left)
      }
    case .verdictMap(let key, _), .object(_, .mapped(let key, _)): readings(of: key)
    case .mangle(let selector, let value): [selector] + readings(of: value)
    case .setUpdate(let update):
      readings(of: update.key) + (update.data.map { readings(of: $0) } ?? [])
    case .verdict, .reject, .gate, .object(_, .named), .notrack, .translate, .inert, .duplicate,
      .diverts, .unmodelled:
      []
    }
  }

  private func readings(of expression: Expression) -> [Selector] {
    switch expression {
    case .selector(let selector): [selector]
    case .masked(let operand, _, _), .shifted(let operand, _, _): readings(of: operand)
    case .concatenation(let parts): parts.flatMap { readings(of: $0) }
    case .lookup(let key, _): readings(of: key)
    case .constant, .unmodelled: []
    }
  }
}
