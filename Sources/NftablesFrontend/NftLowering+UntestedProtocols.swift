internal import Rulesets

// Guards of fields that a rule does not have.
//
// Source: nft 1.0.6, src/ct.c, `ct_expr_pctx_update`; `nft --debug=netlink list ruleset`.
extension NftLowering {
  /// The statements without the guards that nft takes `ct protocol` for, and does not test.
  ///
  /// In tables of one family `ct protocol tcp tcp dport 22` is listed as `tcp dport 22`; it also
  /// reads the ports of ICMP errors about connections of TCP.
  func withoutUntestedProtocol(
    _ statements: [Statement], _ tests: NftBytecode.Tests
  ) -> [Statement] {
    guard !tests.readsTransport else { return statements }
    let untested = tests.protocols.compactMap { placed -> Guard? in
      guard case .connection(let key, let number) = placed.test, key.key == .transportProtocol
      else { return nil }
      return .transport(number)
    }
    guard !untested.isEmpty else { return statements }
    return statements.map { statement in
      switch statement {
      case .match(var match):
        match.left = without(untested, match.left)
        if case .expression(let right) = match.right {
          match.right = .expression(without(untested, right))
        }
        return .match(match)
      case .verdictMap(let key, let map): return .verdictMap(key: without(untested, key), map: map)
      case .mangle(var selector, let value):
        selector.requiring.removeAll { untested.contains($0) }
        return .mangle(selector, value: without(untested, value))
      case .setUpdate(var update):
        update.key = without(untested, update.key)
        update.data = update.data.map { without(untested, $0) }
        return .setUpdate(update)
      case .reject(let answer, var guards):
        guards.removeAll { untested.contains($0) }
        return .reject(answer, requiring: guards)
      case .object(let kind, .mapped(let key, let map)):
        return .object(kind, .mapped(key: without(untested, key), map: map))
      case .object(_, .named), .verdict, .gate, .notrack, .translate, .inert, .duplicate, .diverts,
        .unmodelled:
        return statement
      }
    }
  }

  private func without(_ guards: [Guard], _ expression: Expression) -> Expression {
    switch expression {
    case .selector(var selector):
      selector.requiring.removeAll { guards.contains($0) }
      return .selector(selector)
    case .masked(let operand, let mask, let flip):
      return .masked(without(guards, operand), mask: mask, flip: flip)
    case .shifted(let operand, let left, let count):
      return .shifted(without(guards, operand), left: left, by: count)
    case .concatenation(let parts): return .concatenation(parts.map { without(guards, $0) })
    case .lookup(let key, let map): return .lookup(key: without(guards, key), map: map)
    case .constant, .unmodelled: return expression
    }
  }
}
