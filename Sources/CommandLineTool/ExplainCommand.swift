internal import Diagnostics
internal import LinuxKernel
internal import Outcomes
internal import Proof
internal import Reports
internal import Rulesets
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
    ], options: [.firewall, .ruleset, .live, .packet, .host], formats: [.terminal, .json],
    optionInPlaceOfOperands: .packet,
    examples: [
      ("portproof explain worker cp 50001/tcp cluster.scn", "by the firewalls of the scenario"),
      ("portproof explain 10.0.0.5 10.0.0.1 22/tcp --ruleset fw.json", "by one ruleset"),
      (
        #"portproof explain --ruleset fw.json --packet '{"hook": "input", …}'"#,
        "one exact packet, as `simulate` takes them"
      ),
    ])

  private let arguments: ParsedArguments
  private let console: Console

  init(_ arguments: ParsedArguments, _ console: Console) {
    self.arguments = arguments
    self.console = console
  }

  func run() throws(Diagnostic) -> RunStatus {
    let started = Clocks.monotonic
    var sources = SourceMap()
    var run = RunOutcome(
      toolVersion: Tool.version, claims: [], startedAt: Clocks.wallSeconds, seconds: 0,
      hostname: Machine.hostname)
    if let packet = arguments[.packet] {
      let ruleset: Ruleset
      do throws(Stop) {
        ruleset = try PacketExplanation.ruleset(arguments, console, &sources)
      } catch {
        return error.status
      }
      run.claims = [
        try PacketExplanation.claim(packet, ruleset, host: try SimulateCommand.host(arguments))
      ]
    } else {
      do throws(Stop) {
        run.claims = try answers(&sources)
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
    return run.claims.contains { $0.status == .unknown } ? .notKnown : .holds
  }

  private func answers(_ sources: inout SourceMap) throws(Stop) -> [ClaimOutcome] {
    let words = arguments.operands
    let line = "\(words[0]) -> \(words[1]) \(Self.service(words[2])) expect allow"
    let root = ScenarioReader.Root(path: Self.name, bytes: Array(line.utf8))
    var plan = try ScenarioLoading(console: console, tellsWarnings: false)
      .plan(Array(words.dropFirst(3)), and: root, sources: &sources).plan
    // What else the files ask is not the question.
    plan.flows.removeAll { sources[$0.span.file].name != Self.name }
    guard plan.flows.count == 1 else {
      let diagnostic = Diagnostic(
        "explain.no-question", .error, "'\(line)' is not one question", at: nil,
        help: "portproof \(Self.row.usage)")
      console.say(diagnostic)
      throw Stop(status: .unusable, reason: diagnostic.message)
    }
    var loading = FirewallLoading(console: console)
    try loading.place(arguments, in: &plan, sources: &sources)
    let rulesets = try loading.rulesets(of: plan, sources: &sources)
    var prover = Prover(
      CheckCommand.Question(plan: plan, rulesets: rulesets, sources: sources))
    return plan.flows.map { flow in
      var claim = prover.outcome(of: flow, sources: sources)
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
