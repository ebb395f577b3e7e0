package import Outcomes
package import Rulesets

extension TraceEntry.Step {
  /// The step as traces write it: `accept`, `jump NAME`, `policy drop`.
  package func text(in table: Table) -> String {
    switch self {
    case .accept: "accept"
    case .drop: "drop"
    case .reject: "reject"
    case .return: "return"
    case .jump(let chain): "jump \(table.chains[chain].name)"
    case .goto(let chain): "goto \(table.chains[chain].name)"
    case .policyAccept: "policy accept"
    case .policyDrop: "policy drop"
    case .translate: "accept"
    }
  }
}

extension TraceEntry {
  /// The step as reports show it.
  ///
  /// - Parameters:
  ///   - ruleset: The ruleset that was simulated.
  ///   - firewall: The firewall's name in the scenario file.
  ///   - ruleText: How a rule is written.
  /// - Returns: The step with the rule's citation.
  package func traceStep(
    in ruleset: Ruleset, firewall: String, ruleText: (RuleLocation) -> String
  ) -> TraceStep {
    let table = ruleset.tables[location.table]
    let chain = table.chains[location.chain]
    let verdict = step.text(in: table)
    let citation = RuleCitation(
      firewall: firewall, family: table.family.rawValue, table: table.name, chain: chain.name,
      handle: location.rule.flatMap { chain.rules[$0].handle },
      text: location.rule == nil ? verdict : ruleText(location), isPolicy: location.rule == nil,
      span: location.rule.flatMap { chain.rules[$0].provenance.span })
    return TraceStep(hook: hook.rawValue, rule: citation, verdict: verdict)
  }
}
