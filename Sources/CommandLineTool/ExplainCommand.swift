internal import Diagnostics
internal import LinuxKernel
internal import Outcomes
internal import Proof
internal import Replay
internal import Reports
internal import Scenarios

/// `explain`: what becomes of a flow, on its way through hooks, chains and rules.
///
/// The question is a line of a scenario like any other, so it may use every name of the files.
struct ExplainCommand {
  static let row = CommandRow(
    name: "explain", summary: "show the way of a flow through hooks, chains and rules",
    operands: [
      .init(
        name: "SRC", value: .text("SRC"), isRequired: true, isRepeatable: false,
        help: "where it comes from: an address, a prefix, or a name of the files"),
      .init(
        name: "DST", value: .text("DST"), isRequired: true, isRepeatable: false,
        help: "where it goes to"),
      .init(
        name: "SERVICE", value: .text("SERVICE"), isRequired: true, isRepeatable: false,
        help: "50001/tcp, 'icmp type echo-request', or a name of the files"),
      .init(
        name: "FILE", value: .file, isRequired: false, isRepeatable: true,
        help: "scenario files that say what names and firewalls are"),
    ],
    options: [
      .firewall, .ruleset, .live, .packet, .host, .replay, .replayPackets, .bundle,
    ], formats: [.terminal, .json],
    optionInPlaceOfOperands: .packet,
    examples: [
      ("portproof explain worker cp 50001/tcp cluster.scn", "by the firewalls of the scenario"),
      ("portproof explain 10.0.0.5 10.0.0.1 22/tcp --ruleset fw.json", "by one ruleset"),
      (
        #"portproof explain --ruleset fw.json --packet '{"hook": "input", …}'"#,
        "one exact packet, as `simulate` takes them"
      ),
      (
        "portproof explain worker cp 22/tcp cluster.scn --replay",
        "and see whether the kernel agrees"
      ),
    ])

  let arguments: ParsedArguments
  let console: Console

  /// Runs the command.
  ///
  /// - Parameter replay: Puts packets of the answer to the kernel, where that is asked.
  /// - Returns: The exit status.
  /// - Throws: A diagnostic where the packet is none, or the output cannot be written.
  func run(replaying replay: Replay = Replay()) throws(Diagnostic) -> RunStatus {
    let started = Clocks.monotonic
    var sources = SourceMap()
    var run = RunOutcome(
      toolVersion: Tool.version, claims: [], startedAt: Clocks.wallSeconds, seconds: 0,
      hostname: Machine.hostname)
    if let packet = arguments[.packet] {
      let reading: FirewallLoading.Reading
      do throws(Stop) {
        reading = try PacketExplanation.ruleset(arguments, console, &sources)
      } catch {
        return error.status
      }
      var host = try SimulateCommand.host(arguments)
      if host == nil, arguments.has(.replay) {
        // What the kernel is asked on is what the answer is about.
        host = (try? PacketWitness.packet(reading: packet)).map { Replay.host(of: $0) }
      }
      run.claims = [try PacketExplanation.claim(packet, reading.ruleset, host: host)]
      if arguments.has(.replay) {
        let step = ReplayStep(arguments: arguments, console: console, replay: replay)
        run.replay = step.run(packet, reading, on: host, &run.claims)
      }
    } else {
      do throws(Stop) {
        let question = try question(&sources)
        run.claims = answers(to: question)
        if arguments.has(.replay) {
          let step = ReplayStep(arguments: arguments, console: console, replay: replay)
          run.replay = step.run(question, &run.claims)
        }
      } catch {
        return error.status
      }
    }
    run.seconds = (Clocks.monotonic - started).seconds
    switch arguments[.format].flatMap(Format.init) ?? .terminal {
    case .json: try console.write(JSONReport.render(run))
    case .terminal, .junit:
      try console.write(
        ExplanationReport(sources: sources, style: console.outputStyle).render(run))
    }
    if run.claims.contains(where: { $0.evidence.replay?.answer == .disagrees }) { return .broken }
    let isKnown = run.replay?.obstacle == nil && !run.claims.contains { $0.status == .unknown }
    return isKnown ? .holds : .notKnown
  }

  /// Reads everything that the answer is about.
  private func question(_ sources: inout SourceMap) throws(Stop) -> CheckCommand.Question {
    let words = arguments.operands
    let line = "\(words[0]) -> \(words[1]) \(Self.service(words[2])) expect allow"
    let root = ScenarioReader.Root(path: Self.name, bytes: Array(line.utf8))
    var plan = try ScenarioLoading(console: console, tellsWarnings: false)
      .plan(Array(words.dropFirst(3)), and: root, sources: &sources).plan
    // What else the files ask is not the question.
    plan.flows.removeAll { sources[$0.span.file].name != Self.name }
    guard plan.flows.count == 1 else {
      throw console.stop(
        Diagnostic(
          "explain.no-question", .error, "'\(line)' is not one question", at: nil,
          help: "portproof \(Self.row.usage)"))
    }
    var loading = FirewallLoading(console: console)
    try loading.place(arguments, in: &plan, sources: &sources)
    let rulesets = try loading.rulesets(of: plan, sources: &sources)
    return CheckCommand.Question(
      plan: plan, rulesets: rulesets, originals: loading.originals, sources: sources)
  }

  private func answers(to question: CheckCommand.Question) -> [ClaimOutcome] {
    let words = arguments.operands
    var prover = Prover(question)
    return question.plan.flows.map { flow in
      var claim = prover.outcome(of: flow, sources: question.sources)
      claim.scenario = "\(words[0]) -> \(words[1]) \(words[2])"
      return claim
    }
  }

  private static let name = "<command line>"

  /// `50001/tcp`, as people write it, is `50001 tcp` in a scenario.
  private static func service(_ word: String) -> String {
    let parts = word.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].first?.isNumber == true else { return word }
    return "\(parts[0]) \(parts[1])"
  }
}
