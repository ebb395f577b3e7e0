internal import Diagnostics
internal import Outcomes
internal import Rulesets
internal import Simulation

/// `explain --packet`: what becomes of one exact packet, rule by rule.
enum PacketExplanation {
  /// The one ruleset that the packet meets.
  ///
  /// - Throws: ``Stop`` where none or several are named, or it cannot be read; which was told.
  static func ruleset(
    _ arguments: ParsedArguments, _ console: Console, _ sources: inout SourceMap
  ) throws(Stop) -> Ruleset {
    guard arguments.has(.live) != arguments.has(.ruleset) else {
      let diagnostic = Diagnostic(
        "usage.missing-option", .error, "one packet meets one ruleset", at: nil,
        help: "either --ruleset FILE or --live")
      console.say(diagnostic)
      throw Stop(status: .unusable, reason: diagnostic.message)
    }
    var loading = FirewallLoading(console: console)
    guard let path = arguments[.ruleset] else {
      return try loading.live(at: nil, sources: &sources)
    }
    return try loading.nft(path, at: nil, sources: &sources)
  }

  /// What the simulator says of a packet, in the terms of reports.
  ///
  /// - Throws: A diagnostic where the text is no packet.
  static func claim(
    _ packet: String, _ ruleset: Ruleset, host: Host?
  ) throws(Diagnostic) -> ClaimOutcome {
    var run = SimulateRun(ruleset, host: host)
    let answer: (question: PacketQuestion, report: PacketReport, trace: [TraceEntry])
    do throws(SimulationInputError) {
      answer = try run.report(on: Array(packet.utf8))
    } catch {
      throw Diagnostic(
        "simulate.wrong-packet", .error, "--packet: \(error)", at: nil,
        help: "the packet is one JSON object, as `simulate` reads them")
    }
    let report = answer.report
    let way = answer.report.hooks.map { "\($0.hook.rawValue) \($0.verdict.name)" }
    var claim = ClaimOutcome(
      id: "packet", suite: "", scenario: packet, file: "", line: 0, column: 0,
      status: report.verdict == .unknown ? .unknown : .passed, expected: "",
      observed: report.verdict.observed, code: "verdict.\(report.verdict.name)",
      message: report.because.isEmpty
        ? way.isEmpty ? "the verdict of one hook" : way.joined(separator: ", ") : report.because)
    claim.trace = answer.trace.map { entry in
      TraceStep(
        hook: entry.hook.rawValue, rule: citation(of: entry.location, ruleset),
        verdict: entry.step.text(in: ruleset.tables[entry.location.table]))
    }
    claim.decidedBy = report.decidedBy.map { citation(of: $0, ruleset) }
    if report.verdict == .unknown { claim.reasons = [report.because] }
    return claim
  }

  private static func citation(of location: RuleLocation, _ ruleset: Ruleset) -> RuleCitation {
    let table = ruleset.tables[location.table]
    let chain = table.chains[location.chain]
    let rule = location.rule.map { chain.rules[$0] }
    return RuleCitation(
      firewall: "ruleset", family: table.family.rawValue, table: table.name, chain: chain.name,
      handle: rule?.handle,
      text: rule.map { RulePrinter(table).text(of: $0) }
        ?? "policy \(chain.base?.policy.rawValue ?? "none")",
      isPolicy: rule == nil, span: rule?.provenance.span)
  }
}

extension PacketVerdict {
  /// The verdict as reports call it.
  fileprivate var observed: ClaimOutcome.Observed {
    switch self {
    case .accept: .allow
    case .drop: .drop
    case .reject: .reject
    case .unknown: .unknown
    }
  }
}
