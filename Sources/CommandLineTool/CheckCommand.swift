internal import Diagnostics
internal import LinuxKernel
internal import Outcomes
internal import Replay
internal import Rulesets
internal import Scenarios

/// `check`: proves every line of scenario files against the firewalls they name.
///
/// Scenario files are read, then firewalls, then lines are proved, then reports are written. What
/// stops an earlier step stops the run, but never the reports.
struct CheckCommand {
  static let row = CommandRow(
    name: "check", summary: "prove every line of scenario files", operands: [.scenarios],
    options: [
      .firewall, .ruleset, .live, .only, .replay, .replayPackets, .bundle, .failOn, .inconclusive,
      .report, .junitProfile, .verbose, .noProgress,
    ], formats: [.terminal, .json, .junit],
    examples: [
      ("portproof check cluster.scn", "against the firewalls that the scenario names"),
      ("portproof check node.scn --ruleset fw.json", "against the output of `nft -j list ruleset`"),
      ("portproof check node.scn --live --report junit=report.xml", "against this machine, in CI"),
      ("portproof check cluster.scn --replay", "and see whether the kernel agrees"),
    ])

  /// What a proof needs to know.
  struct Question {
    var plan: ScenarioPlan
    /// By the names of the plan's firewalls.
    var rulesets: [String: Ruleset]
    /// What the rulesets were read from, by the same names.
    var originals: [String: [UInt8]] = [:]
    /// What of them was read from machine configurations of Talos, by the same names.
    var talosFirewalls: [String: TalosFirewall] = [:]
    var sources: SourceMap
  }

  /// Answers the lines of a question in order, until done or asked to stop.
  typealias Answering = (_ question: Question, _ isStopped: () -> Bool) -> [ClaimOutcome]

  let arguments: ParsedArguments
  let console: Console

  /// Runs the command.
  ///
  /// - Parameters:
  ///   - prove: Answers the lines.
  ///   - replay: Puts packets of the answers to the kernel, where that is asked.
  /// - Returns: The exit status; reports are written.
  func run(proving prove: Answering, replaying replay: Replay = Replay()) -> RunStatus {
    ReportedRun(arguments: arguments, console: console).run { run, sources throws(Stop) in
      let loading = QuestionLoading(arguments: arguments, console: console)
      let question = try loading.question(&sources, properties: &run.properties)
      for finding in TalosLinting.findings(for: question) {
        console.say(finding, sources: sources)
      }
      run.claims = prove(question) { Interruption.isRequested }
      try ReportedRun.stopIfInterrupted()
      RemedyStep(question).run(&run.claims) { Interruption.isRequested }
      guard arguments.has(.replay) else { return }
      let step = ReplayStep(arguments: arguments, console: console, replay: replay)
      run.replay = step.run(question, &run.claims)
      try ReportedRun.stopIfInterrupted()
    }
  }
}
