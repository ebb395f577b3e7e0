import Addresses
import Rulesets

/// The numbers that a ruleset compares packets with: where its verdicts change.
struct RulesetConstants {
  private(set) var ipv4: [UInt128] = []
  private(set) var ipv6: [UInt128] = []
  private(set) var ports: [UInt128] = []
  private(set) var protocols: [UInt128] = []
  private(set) var names: [UInt128] = []
  private(set) var icmpTypes: [UInt128] = []
  private(set) var octets: [UInt128] = []
  private(set) var hooks: [Hook] = []

  init(_ ruleset: Ruleset) {
    for table in ruleset.tables {
      for set in table.sets { add(set.contents) }
      for chain in table.chains {
        if let base = chain.base, !hooks.contains(base.hook) { hooks.append(base.hook) }
        for rule in chain.rules {
          for statement in rule.statements { add(statement) }
        }
      }
    }
    hooks.removeAll { $0 == .ingress || $0 == .egress }
  }

  private mutating func add(_ statement: Statement) {
    switch statement {
    case .match(let match):
      let types = match.left.types
      switch match.right {
      case .value(let value): add(Interval(value), types.first)
      case .range(let interval): add(interval, types.first)
      case .values(let values):
        for (value, type) in zip(values, types) { add(Interval(value), type) }
      case .set(.anonymous(let contents)): add(contents)
      case .set, .expression: break
      }
    case .verdictMap(_, .anonymous(let contents)): add(contents)
    default: break
    }
  }

  private mutating func add(_ contents: SetContents) {
    for element in contents.elements.prefix(200) {
      for (interval, type) in zip(element.key, contents.keyTypes) { add(interval, type) }
    }
  }

  private mutating func add(_ interval: Interval, _ type: DataType?) {
    guard let type else { return }
    let values = [interval.lower, interval.upper]
    switch type {
    case .ipv4Address: ipv4 += values
    case .ipv6Address: ipv6 += values
    case .port: ports += values
    case .transportProtocol: protocols += values
    case .interfaceName: names.append(interval.lower)
    case .icmpType, .icmpv6Type, .icmpCode, .icmpv6Code: icmpTypes += values
    default: if type.bitWidth <= 8 { octets += values }
    }
  }
}

extension Expression {
  /// The types of the values that the expression has, one per part.
  fileprivate var types: [DataType] {
    switch self {
    case .selector(let selector): [selector.field.type]
    case .masked(let inner, _, _), .shifted(let inner, _, _): inner.types
    case .concatenation(let parts): parts.flatMap(\.types)
    case .constant(_, let type): [type]
    case .lookup, .unmodelled: []
    }
  }
}
