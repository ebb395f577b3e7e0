internal import Addresses
internal import Rulesets
internal import TalosFrontend

/// What the table `talos` of a node tells of the node.
enum TalosNode {
  /// The addresses that the node takes for its own: all others pass `prerouting` by one rule for each
  /// family.
  ///
  /// - Returns: nil where no rule names any.
  static func ownAddresses(in ruleset: Ruleset) -> AddressSet? {
    guard let table = ruleset.tables.first(where: \.isOfTalos),
      let chain = table.chains.first(where: { $0.name == "prerouting" })
    else { return nil }
    var addresses: AddressSet?
    for rule in chain.rules where rule.certainty == .certain {
      guard let own = RuleForm(rule, in: table).exceptedDestinations else { continue }
      addresses = (addresses ?? .empty).union(own)
    }
    return addresses
  }

  /// Takes out KubeSpan's chains, where nothing in them stops a packet.
  ///
  /// - Returns: The names of the chains that are gone.
  static func removeKubeSpan(from ruleset: inout Ruleset) -> [String] {
    guard let index = ruleset.tables.firstIndex(where: \.isOfTalos) else { return [] }
    // Where no chain can be jumped to, no rule knows the number of a chain.
    guard ruleset.tables[index].chains.allSatisfy({ $0.base != nil }) else { return [] }
    let names = ruleset.tables[index].chains.filter(\.isOfKubeSpan).map(\.name)
    ruleset.tables[index].chains.removeAll(where: \.isOfKubeSpan)
    return names
  }
}

extension Table {
  fileprivate var isOfTalos: Bool {
    family == .inet && name == ChainSpecification.tableName && !isDormant
  }
}

extension Chain {
  /// Source: internal/app/machined/pkg/controllers/kubespan/manager.go of Talos.
  fileprivate var isOfKubeSpan: Bool {
    ["kubespan_prerouting", "kubespan_outgoing"].contains(name) && base?.policy == .accept
      && rules.allSatisfy { rule in
        rule.statements.allSatisfy { statement in
          switch statement {
          case .match, .mangle, .inert, .verdict(.accept), .verdict(.continue): true
          case .verdict, .verdictMap, .reject, .gate, .object, .notrack, .translate, .setUpdate,
            .duplicate, .diverts, .unmodelled:
            false
          }
        }
      }
  }
}

extension RuleForm {
  /// The addresses whose packets the rule leaves alone, where it accepts all others of their family.
  fileprivate var exceptedDestinations: AddressSet? {
    var excepted: AddressSet?
    for (index, statement) in statements.enumerated() {
      switch statement {
      case .match(let match):
        if match.left == .selector(Selector(.meta(.nfproto))), match.operator == .equal { continue }
        guard excepted == nil, match.operator == .notEqual,
          case .selector(let selector) = match.left, case .payload(let field) = selector.field,
          let family = field.destinationFamily, let numbers = match.right.numbers
        else { return nil }
        excepted = AddressSet(family, numbers)
      case .verdict(.accept):
        guard index == statements.count - 1 else { return nil }
      case .verdict, .verdictMap, .reject, .gate, .object, .mangle, .notrack, .translate,
        .setUpdate, .inert, .duplicate, .diverts, .unmodelled:
        return nil
      }
    }
    return excepted
  }
}

extension PayloadField {
  /// The family whose header holds its destination address here.
  fileprivate var destinationFamily: IPFamily? {
    guard base == .network else { return nil }
    return switch (bitOffset, bitLength) {
    case (128, 32): .ipv4
    case (192, 128): .ipv6
    default: nil
    }
  }
}

extension Match.Operand {
  /// The numbers of which one is looked for.
  fileprivate var numbers: IntervalSet? {
    switch self {
    case .value(let value): return IntervalSet(value)
    case .range(let interval): return IntervalSet([interval])
    case .set(.anonymous(let contents)):
      guard !contents.hasCatchAll,
        contents.elements.allSatisfy({ $0.key.count == 1 && $0.gates.isEmpty && !$0.hasTimeout })
      else { return nil }
      return IntervalSet(contents.elements.map { $0.key[0] })
    case .values, .set, .expression: return nil
    }
  }
}
