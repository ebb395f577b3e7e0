package import Diagnostics
package import Outcomes

extension Flow {
  /// What is known of the line before anything is asked: its place and what it expects.
  package func outcome(in sources: SourceMap) -> ClaimOutcome {
    let position = sources.position(of: span)
    return ClaimOutcome(
      id: id, suite: suite, scenario: text, file: sources[span.file].name, line: position.line,
      column: position.column, expectationSpan: expectationSpan, severity: severity, tags: tags,
      because: because, status: .unknown, expected: expectation.text, observed: .unknown, code: "",
      message: "")
  }
}

extension Flow.Expectation {
  /// The words after `expect`.
  package var text: String {
    switch self {
    case .allow: "allow"
    case .deny: "deny"
    case .drop: "drop"
    case .reject(nil): "reject"
    case .reject(let reason?): "reject with \(reason.rawValue)"
    }
  }
}
