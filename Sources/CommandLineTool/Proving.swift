internal import LinuxKernel
internal import Outcomes
internal import Proof
internal import Scenarios

extension CheckCommand {
  /// Proves the lines of a question, in order.
  static func prove(_ question: Question, _ isStopped: () -> Bool) -> [ClaimOutcome] {
    var prover = Prover(question)
    var claims: [ClaimOutcome] = []
    claims.reserveCapacity(question.plan.flows.count)
    for flow in question.plan.flows {
      if isStopped() { break }
      let started = Clocks.monotonic
      var claim = prover.outcome(of: flow, sources: question.sources)
      claim.seconds = (Clocks.monotonic - started).seconds
      claims.append(claim)
    }
    return claims
  }
}

extension Prover {
  /// A prover over the firewalls of a question.
  init(_ question: CheckCommand.Question) {
    let firewalls = question.plan.firewalls.map { declaration in
      guard let ruleset = question.rulesets[declaration.name] else {
        preconditionFailure("a question has the ruleset of every firewall of its plan")
      }
      return Firewall(
        name: declaration.name, ruleset: ruleset, placement: declaration.placement,
        trustedInterfaces: FirewallKind(rawValue: declaration.kind)?.trustedInterfaces ?? [])
    }
    self.init(
      firewalls: firewalls, interfaces: question.plan.interfaces,
      hosts: question.plan.hosts.map(\.addresses))
  }
}
