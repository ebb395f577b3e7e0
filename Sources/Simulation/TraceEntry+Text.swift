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
