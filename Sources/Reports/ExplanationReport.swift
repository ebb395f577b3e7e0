package import Diagnostics
package import Outcomes

/// The answer to a question about packets: what becomes of them, and which rules say so.
package struct ExplanationReport: Sendable {
  private let texts: ClaimText

  package init(sources: SourceMap, style: TextStyle) {
    texts = ClaimText(sources: sources, style: style)
  }

  /// One block per question, ending in a line break.
  package func render(_ run: RunOutcome) -> String {
    run.claims.map(block).joined(separator: "\n")
  }

  private func block(_ claim: ClaimOutcome) -> String {
    let emphasis: Emphasis =
      switch claim.observed {
      case .allow: .success
      case .drop, .reject: .error
      case .mixed, .unknown: .warning
      }
    let word = claim.observed == .unknown ? "not known" : claim.observed.rawValue
    let question = texts.visible(claim.scenario)
    var text =
      texts.style.styled(question, .strong) + ": " + texts.style.styled(word, emphasis) + "\n"
    text += "   \(texts.visible(claim.message))\n"
    return text + texts.factLines(claim, indent: 3)
  }
}
