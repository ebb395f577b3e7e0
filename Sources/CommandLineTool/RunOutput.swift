internal import Diagnostics
internal import Outcomes
internal import Reports

/// Writes what a run found, in every form that was asked for.
struct RunOutput {
  let arguments: ParsedArguments
  let console: Console

  /// Writes the result and all reports; one that cannot be written does not keep the others.
  ///
  /// - Returns: Whether everything is written; what is not has been told.
  func write(_ run: RunOutcome, sources: SourceMap) -> Bool {
    var isComplete = true
    func attempt(_ body: () throws(Diagnostic) -> Void) {
      do throws(Diagnostic) {
        try body()
      } catch {
        console.say(error)
        isComplete = false
      }
    }
    for report in arguments.all(.report) {
      let parts = report.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let format = Format(rawValue: String(parts[0])) else {
        preconditionFailure("the parser lets through only FORMAT=FILE with a known format")
      }
      let text = text(run, format, sources: sources, style: .plain)
      attempt { () throws(Diagnostic) in
        try Console.replace(String(parts[1]), with: Array(text.utf8))
      }
    }
    let format = arguments[.format].flatMap(Format.init) ?? .terminal
    let text = text(run, format, sources: sources, style: console.outputStyle)
    attempt { () throws(Diagnostic) in try console.write(text) }
    return isComplete
  }

  private func text(
    _ run: RunOutcome, _ format: Format, sources: SourceMap, style: TextStyle
  ) -> String {
    switch format {
    case .terminal:
      let detail: TerminalReport.Detail =
        arguments.has(.quiet) ? .troubleOnly : arguments.has(.verbose) ? .everyClaim : .suites
      return TerminalReport(sources: sources, style: style, detail: detail).render(run)
    case .json: return JSONReport.render(run)
    case .junit:
      let profile = arguments[.junitProfile].flatMap(JUnitReport.Profile.init) ?? .modern
      return JUnitReport(profile: profile, sources: sources).render(run)
    }
  }

  /// What the answers make of the exit status, by `--fail-on` and `--inconclusive`.
  func status(of run: RunOutcome) -> RunStatus {
    let threshold = arguments[.failOn].flatMap(ClaimOutcome.Severity.init) ?? .info
    let counted = run.claims.filter { $0.severity >= threshold }
    if counted.contains(where: { $0.status == .failed }) { return .broken }
    // A model that is wrong is wrong whatever the line is about.
    if run.claims.contains(where: { $0.evidence.replay?.answer == .disagrees }) { return .broken }
    guard counted.contains(where: { $0.status == .unknown }) else {
      return run.replay?.obstacle == nil ? .holds : .notKnown
    }
    switch arguments[.inconclusive] {
    case "fail": return .broken
    case "pass": return .holds
    default: return .notKnown
    }
  }
}
