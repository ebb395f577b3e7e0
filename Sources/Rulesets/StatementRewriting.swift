/// Exchanges what statements refer to: sets, and chains that verdicts lead to.
struct StatementRewriting {
  var set: (SetReference) -> SetReference = { $0 }
  var chain: (Int) -> Int = { $0 }

  func rewritten(_ statement: Statement) -> Statement {
    switch statement {
    case .match(let match):
      let right: Match.Operand =
        switch match.right {
        case .set(let reference): .set(rewritten(reference))
        case .expression(let expression): .expression(rewritten(expression))
        case .value, .range, .values: match.right
        }
      return .match(Match(rewritten(match.left), match.operator, right))
    case .verdict(let verdict): return .verdict(rewritten(verdict))
    case .verdictMap(let key, let map):
      return .verdictMap(key: rewritten(key), map: rewritten(map))
    case .object(let kind, .mapped(let key, let map)):
      return .object(kind, .mapped(key: rewritten(key), map: rewritten(map)))
    case .mangle(let selector, let value): return .mangle(selector, value: rewritten(value))
    case .translate(var translation):
      translation.address = translation.address.map(rewritten)
      translation.addressUpper = translation.addressUpper.map(rewritten)
      translation.port = translation.port.map(rewritten)
      translation.portUpper = translation.portUpper.map(rewritten)
      return .translate(translation)
    case .setUpdate(var update):
      update.set = rewritten(update.set)
      update.key = rewritten(update.key)
      update.data = update.data.map(rewritten)
      return .setUpdate(update)
    case .reject, .gate, .object(_, .named), .notrack, .inert, .duplicate, .diverts, .unmodelled:
      return statement
    }
  }

  private func rewritten(_ verdict: Verdict) -> Verdict {
    switch verdict {
    case .jump(let index): .jump(chain: chain(index))
    case .goto(let index): .goto(chain: chain(index))
    case .accept, .drop, .continue, .return: verdict
    }
  }

  private func rewritten(_ expression: Expression) -> Expression {
    switch expression {
    case .constant, .selector, .unmodelled: expression
    case .masked(let operand, let mask, let flip):
      .masked(rewritten(operand), mask: mask, flip: flip)
    case .shifted(let operand, let left, let count):
      .shifted(rewritten(operand), left: left, by: count)
    case .concatenation(let parts): .concatenation(parts.map(rewritten))
    case .lookup(let key, let map): .lookup(key: rewritten(key), map: rewritten(map))
    }
  }

  private func rewritten(_ reference: SetReference) -> SetReference {
    guard case .anonymous(var contents) = set(reference) else { return set(reference) }
    contents.catchAll = contents.catchAll.map(rewritten)
    for index in contents.elements.indices {
      contents.elements[index].data = contents.elements[index].data.map(rewritten)
    }
    return .anonymous(contents)
  }

  private func rewritten(_ data: ElementData) -> ElementData {
    guard case .verdict(let verdict) = data else { return data }
    return .verdict(rewritten(verdict))
  }
}
