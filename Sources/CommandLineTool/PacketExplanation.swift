internal import Diagnostics
internal import Outcomes
internal import Replay
internal import Rulesets
internal import Simulation

/// `explain --packet`: what becomes of one exact packet, rule by rule.
enum PacketExplanation {
  /// The one ruleset that the packet meets.
  ///
  /// - Throws: ``Stop`` where none or several are named, or it cannot be read; which was told.
  static func ruleset(
    _ arguments: ParsedArguments, _ console: Console, _ sources: inout SourceMap
  ) throws(Stop) -> FirewallLoading.Reading {
    guard arguments.has(.live) != arguments.has(.ruleset) else {
      throw console.stop(
        Diagnostic(
          "usage.missing-option", .error, "one packet meets one ruleset", at: nil,
          help: "either --ruleset FILE or --live"))
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
        hook: entry.hook.rawValue,
        rule: RuleCitation(of: entry.location, in: ruleset, firewall: "ruleset"),
        verdict: entry.step.text(in: ruleset.tables[entry.location.table]))
    }
    claim.decidedBy = report.decidedBy.map {
      RuleCitation(of: $0, in: ruleset, firewall: "ruleset")
    }
    if report.verdict == .unknown { claim.reasons = [report.because] }
    return claim
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
