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
    let started = Clocks.monotonic
    var run = RunOutcome(
      toolVersion: Tool.version, claims: [], startedAt: Clocks.wallSeconds, seconds: 0,
      hostname: Machine.hostname,
      properties: [.init(name: "kernel", value: Machine.kernelRelease)])
    var sources = SourceMap()
    var status = RunStatus.holds
    let output = RunOutput(arguments: arguments, console: console)
    do throws(Stop) {
      try watchForInterruption()
      let question = try question(&sources, properties: &run.properties)
      for finding in TalosLinting.findings(for: question) {
        console.say(finding, sources: sources)
      }
      run.claims = prove(question) { Interruption.isRequested }
      if Interruption.isRequested {
        throw Stop(status: .interrupted, reason: "interrupted")
      }
      RemedyStep(question).run(&run.claims) { Interruption.isRequested }
      if arguments.has(.replay) {
        let step = ReplayStep(arguments: arguments, console: console, replay: replay)
        run.replay = step.run(question, &run.claims)
        if Interruption.isRequested {
          throw Stop(status: .interrupted, reason: "interrupted")
        }
      }
      status = output.status(of: run)
    } catch {
      run.abortedBecause = error.reason
      status = error.status
    }
    run.seconds = (Clocks.monotonic - started).seconds
    let isWritten = output.write(run, sources: sources)
    return isWritten || status != .holds ? status : .notKnown
  }

  private func watchForInterruption() throws(Stop) {
    do throws(Errno) {
      try Interruption.watch()
    } catch {
      throw console.stop(
        Diagnostic("environment.signals", .error, "cannot wait for signals: \(error)", at: nil),
        .notKnown)
    }
  }

  /// Reads everything that the proof is about.
  private func question(
    _ sources: inout SourceMap, properties: inout [RunOutcome.Property]
  ) throws(Stop) -> Question {
    var plan = try ScenarioLoading(console: console)
      .plan(arguments.operands, sources: &sources).plan
    try keepOnlyTagged(&plan)
    var loading = FirewallLoading(console: console)
    try loading.place(arguments, in: &plan, sources: &sources)
    let rulesets = try loading.rulesets(of: plan, sources: &sources)
    for firewall in plan.firewalls {
      properties.append(
        .init(
          name: "firewall.\(firewall.name)",
          value: firewall.path.map { "\(firewall.kind) \($0)" } ?? firewall.kind))
    }
    return Question(
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
