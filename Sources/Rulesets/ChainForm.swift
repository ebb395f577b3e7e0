/// A chain with every chain that it leads to, in normal form.
///
/// Chains of one form treat every packet alike, unless ``gaps`` says what a listing keeps to itself.
package struct ChainForm: Hashable, Sendable {
  package private(set) var family: Family
  package private(set) var base: BaseChain?
  /// The rules of the chain, then those of the chains it leads to, in the order they are met.
  package private(set) var chains: [[RuleForm]]
  /// The sets that packets change, in the order they are met.
  package private(set) var sets: [NamedSet]
  /// Limits and quotas with a name, in the order they are met.
  package private(set) var objects: [StatefulObject]
  /// Why chains of one form may still differ.
  package private(set) var gaps: [String]

  package init(_ chain: Int, in table: Table) {
    var builder = Builder(table: table)
    builder.meet(chain)
    var position = 0
    var chains: [[RuleForm]] = []
    while position < builder.order.count {
      let rules = table.chains[builder.order[position]].rules
      chains.append(
        rules.map { builder.form(of: $0) }.filter { !$0.statements.isEmpty })
      position += 1
    }
    family = table.family
    base = table.chains[chain].base
    self.chains = chains
    sets = builder.sets.map {
      var set = table.sets[$0]
      set.handle = nil
      set.name = ""
      return set
    }
    objects = builder.objects
    gaps = builder.gaps
  }

  private struct Builder {
    let table: Table
    var order: [Int] = []
    var sets: [Int] = []
    var objects: [StatefulObject] = []
    var gaps: [String] = []

    mutating func meet(_ chain: Int) {
      if !order.contains(chain) { order.append(chain) }
    }

    mutating func form(of rule: Rule) -> RuleForm {
      note(rule)
      var form = RuleForm(rule, in: table)
      var reached: [Int] = []
      var changing: [Int] = []
      for statement in form.statements {
        statement.visit(chain: { reached.append($0) }, set: { changing.append($0) })
      }
      for chain in reached { meet(chain) }
      for set in changing where !sets.contains(set) {
        sets.append(set)
        if table.sets[set].contents.dataKind == .verdict {
          gaps.append("packets change which chains @\(table.sets[set].name) leads to")
        }
      }
      let chainNumbers = order
      let setNumbers = sets
      let numbering = StatementRewriting(
        set: { reference in
          guard case .named(let index) = reference else { return reference }
          return .named(setNumbers.firstIndex(of: index) ?? index)
        },
        chain: { chainNumbers.firstIndex(of: $0) ?? $0 })
      form.statements = form.statements.map { statement in
        if case .object(let kind, .named(let name)) = statement,
          let object = table.objects.first(where: { $0.kind == kind && $0.name == name })
        {
          if !objects.contains(object) { objects.append(object) }
          return .object(kind, .named("\(objects.firstIndex(of: object) ?? 0)"))
        }
        return numbering.rewritten(statement)
      }
      return form
    }

    private mutating func note(_ rule: Rule) {
      if case .possible(let reason) = rule.certainty { gaps.append(reason) }
      for statement in rule.statements {
        switch statement {
        case .diverts(let unmodelled) where unmodelled.text.hasPrefix("flow"):
          gaps.append("the model keeps only the name of a flowtable")
        case .diverts: break
        case .object(let kind, _):
          switch kind {
          case .counter, .quota, .limit: break
          case .ctHelper, .ctTimeout, .ctExpectation, .synproxy, .secmark, .tunnel:
            gaps.append("the model keeps only the name of a \(kind.rawValue)")
          }
        case .match, .verdict, .verdictMap, .reject, .gate, .mangle, .notrack, .translate,
          .setUpdate, .inert, .duplicate, .unmodelled:
          break
        }
        if statement.hasUnsureGuard {
          gaps.append("a listing does not tell which family is tested")
        }
      }
      var diverted: [Unmodelled] = []
      for case .diverts(let unmodelled) in rule.statements { diverted.append(unmodelled) }
      for unmodelled in rule.unmodelled where !diverted.contains(unmodelled) {
        gaps.append(unmodelled.reason)
      }
    }
  }
}

extension Statement {
  /// Calls back for every chain that a verdict leads to, and every named set.
  package func visit(chain: @escaping (Int) -> Void, set: @escaping (Int) -> Void) {
    // The rewriting meets every reference; what it makes is not needed.
    _ = StatementRewriting(
      set: { reference in
        if case .named(let index) = reference { set(index) }
        return reference
      },
      chain: { index in
        chain(index)
        return index
      }
    ).rewritten(self)
  }

  /// Whether a guard may stand in the rule or not.
  fileprivate var hasUnsureGuard: Bool {
    let guards: [Guard]
    switch self {
    case .match(let match): guards = match.left.guards
    case .verdictMap(let key, _): guards = key.guards
    case .mangle(let selector, let value): guards = selector.requiring + value.guards
    case .reject(_, let requiring): guards = requiring
    case .translate(let translation):
      guards =
        translation.requiring + (translation.address?.guards ?? [])
        + (translation.port?.guards ?? [])
    case .setUpdate(let update): guards = update.key.guards
    case .object(_, .mapped(let key, _)): guards = key.guards
    case .verdict, .gate, .object(_, .named), .notrack, .inert, .duplicate, .diverts, .unmodelled:
      guards = []
    }
    return guards.contains(where: \.isUnsure)
  }
}

extension Guard {
  /// Whether the guard may be there or not.
  package var isUnsure: Bool {
    switch self {
    case .possibly, .possiblyOfProtocol: true
    case .ipv4, .ipv6, .transport, .icmpType, .icmpv6Type, .ethernetInput, .etherType: false
    }
  }
}

extension Expression {
  /// The guards of every field that the expression reads.
  package var guards: [Guard] {
    switch self {
    case .constant, .unmodelled: []
    case .selector(let selector): selector.requiring
    case .masked(let operand, _, _), .shifted(let operand, _, _): operand.guards
    case .concatenation(let parts): parts.flatMap(\.guards)
    case .lookup(let key, _): key.guards
    }
  }
}
