internal import Diagnostics
internal import Outcomes
internal import Scenarios

/// Reads what a run is about: the lines, and the firewalls on their way.
struct QuestionLoading {
  let arguments: ParsedArguments
  let console: Console

  /// Reads the scenario files, with the lines that `--only` asks for.
  func plan(_ sources: inout SourceMap) throws(Stop) -> ScenarioPlan {
    var plan = try ScenarioLoading(console: console)
      .plan(arguments.operands, sources: &sources).plan
    try keepOnlyTagged(&plan)
    return plan
  }

  /// Reads everything that the proof is about.
  func question(
    _ sources: inout SourceMap, properties: inout [RunOutcome.Property]
  ) throws(Stop) -> CheckCommand.Question {
    var plan = try plan(&sources)
    var loading = FirewallLoading(console: console)
    try loading.place(arguments, in: &plan, sources: &sources)
    let rulesets = try loading.rulesets(of: plan, sources: &sources)
    for firewall in plan.firewalls {
      properties.append(
        .init(
          name: "firewall.\(firewall.name)",
          value: firewall.path.map { "\(firewall.kind) \($0)" } ?? firewall.kind))
    }
    return CheckCommand.Question(
      plan: plan, rulesets: rulesets, originals: loading.originals,
      talosFirewalls: loading.talosFirewalls, sources: sources)
  }

  /// Keeps the lines that `--only` asks for; nothing to check is an error, not a success.
  private func keepOnlyTagged(_ plan: inout ScenarioPlan) throws(Stop) {
    let wanted = arguments.all(.only).map { $0.lowercased() }
    let known = Set(plan.flows.flatMap { $0.tags.map { $0.lowercased() } })
    if !wanted.isEmpty {
      plan.flows.removeAll { flow in
        !flow.tags.contains { wanted.contains($0.lowercased()) }
      }
    }
    guard plan.flows.isEmpty else { return }
    let strange = wanted.first { !known.contains($0) }
    throw console.stop(
      Diagnostic(
        "check.nothing-to-check", .error,
        strange.map { "no line carries the tag '\($0)'" } ?? "the scenario has no line to check",
        at: nil,
        help: strange.flatMap { Suggestion.nearest(to: $0, among: known.sorted()) }
          .map { "did you mean '\($0)'?" }))
  }
}
