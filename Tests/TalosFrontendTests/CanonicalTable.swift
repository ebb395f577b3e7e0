import Addresses
import Rulesets

/// A table in a form that is the same whichever way its tests are written: the guards of fields and
/// the comparisons that stand for them are one set, sets of one element are the element, and the
/// order of elements does not count.
struct CanonicalTable: Equatable {
  struct Chain: Equatable {
    let name: String
    let base: BaseChain?
    let rules: [CanonicalRule]
  }

  let family: Family
  let name: String
  let chains: [Chain]

  init(_ table: Table) {
    family = table.family
    name = table.name
    chains = table.chains.map { chain in
      Chain(
        name: chain.name, base: chain.base,
        rules: chain.rules.map { CanonicalRule($0, in: table) })
    }
  }
}

struct CanonicalRule: Equatable, CustomStringConvertible {
  /// What the packet must be: `ipv4`, `transport 6`.
  var requirements: Set<String> = []
  var statements: [Statement] = []
  let description: String

  init(_ rule: Rule, in table: Table) {
    description = RulePrinter(table).text(of: rule)
    for statement in rule.statements { add(statement) }
  }

  static func == (left: Self, right: Self) -> Bool {
    left.requirements == right.requirements && left.statements == right.statements
  }

  private mutating func add(_ statement: Statement) {
    switch statement {
    case .match(var match):
      if match.left == .selector(Selector(.meta(.l4proto))), match.operator == .equal,
        case .value(let number) = match.right
      {
        requirements.insert("transport \(number)")
        return
      }
      if match.left == .selector(Selector(.meta(.nfproto))), match.operator == .equal,
        case .value(let number) = match.right
      {
        requirements.insert(number == 2 ? "ipv4" : "ipv6")
        return
      }
      match.left = withoutGuards(match.left)
      if case .set(.anonymous(var contents)) = match.right {
        contents.elements.sort { $0.key[0].lower < $1.key[0].lower }
        match.right = .set(.anonymous(contents))
        if contents.elements.count == 1 {
          let range = contents.elements[0].key[0]
          match.right = range.lower == range.upper ? .value(range.lower) : .range(range)
        }
      }
      statements.append(.match(match))
    case .mangle(let selector, let value):
      statements.append(.mangle(Selector(selector.field), value: withoutGuards(value)))
    case .verdict, .verdictMap, .reject, .gate, .object, .notrack, .translate, .setUpdate, .inert,
      .duplicate, .diverts, .unmodelled:
      statements.append(statement)
    }
  }

  private mutating func withoutGuards(_ expression: Rulesets.Expression) -> Rulesets.Expression {
    switch expression {
    case .selector(let selector):
      for one in selector.requiring {
        switch one {
        // The listing does not tell `icmp type` from `meta l4proto icmp icmp type`, which Talos has.
        case .ipv4, .ipv6, .possibly:
          if selector.isOfICMP { continue }
          requirements.insert(one == .ipv4 ? "ipv4" : one == .ipv6 ? "ipv6" : "\(one)")
        case .transport(let number): requirements.insert("transport \(number)")
        case .icmpType, .icmpv6Type, .ethernetInput, .etherType, .possiblyOfProtocol:
          requirements.insert("\(one)")
        }
      }
      return .selector(Selector(selector.field))
    case .masked(let operand, let mask, let flip):
      return .masked(withoutGuards(operand), mask: mask, flip: flip)
    case .constant, .shifted, .concatenation, .lookup, .unmodelled: return expression
    }
  }
}

extension Selector {
  fileprivate var isOfICMP: Bool {
    if case .payload(let field) = self.field {
      field.name?.hasPrefix("icmp") ?? false
    } else {
      false
    }
  }
}
