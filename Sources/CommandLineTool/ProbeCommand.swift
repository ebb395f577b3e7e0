internal import Diagnostics
internal import Outcomes
internal import Probing
internal import Scenarios

/// `probe`: sends real packets for the lines that this machine can be the source of.
struct ProbeCommand {
  static let row = CommandRow(
    name: "probe", summary: "send real probes for the lines that start here",
    operands: [.scenarios],
    options: Self.probeOptions + [
      .only, .failOn, .inconclusive, .report, .junitProfile, .verbose, .noProgress,
    ], formats: [.terminal, .json, .junit], ownForms: Self.ownForms,
    examples: [
      ("portproof probe cluster.scn --dry-run", "what would be sent, and to whom"),
      ("portproof probe cluster.scn", "from one of the hosts of the file"),
      (
        "portproof probe cluster.scn --agents agents.yaml --capture evidence",
        "with the far ends' own testimony, and every packet kept"
      ),
    ])

  /// The options of everything that sends probes.
  static let probeOptions: [OptionName] = [
    .from, .rate, .canary, .agents, .key, .capture, .dryRun,
  ]

  static let ownForms = [
    OptionRow(
      name: .from, value: .text("HOST"),
      help: "which host of the file this machine is (default: every one whose address it has)")
  ]

  let arguments: ParsedArguments
  let console: Console

  func run() -> RunStatus {
    if arguments.has(.dryRun) { return dryRun() }
    return ReportedRun(arguments: arguments, console: console).run { run, sources throws(Stop) in
      let loading = QuestionLoading(arguments: arguments, console: console)
      let scenario = try loading.plan(&sources)
      let options = try ProbeOptions(arguments, console, plan: scenario, sources: &sources)
      let step = ProbeStep(arguments: arguments, console: console)
      let plan = try step.plan(scenario, options, sources)
      let answers = try step.run(scenario, plan, options, sources)
      run.claims = zip(answers.judgements, answers.surroundings).map {
        $0.outcome(in: sources, $1)
      }
      try ReportedRun.stopIfInterrupted()
    }
  }

  /// Shows what would be sent.
  private func dryRun() -> RunStatus {
    var sources = SourceMap()
    do throws(Stop) {
      let loading = QuestionLoading(arguments: arguments, console: console)
      let scenario = try loading.plan(&sources)
      let options = try ProbeOptions(arguments, console, plan: scenario, sources: &sources)
      let plan = try ProbeStep(arguments: arguments, console: console)
        .plan(scenario, options, sources)
      try ProbeDryRun(plan: plan, flows: scenario.flows).write(arguments, console)
      return .holds
    } catch {
      return error.status
    }
  }
}
