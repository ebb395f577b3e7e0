package import Diagnostics
package import Outcomes

/// Two rulesets side by side, for a reader.
package struct DriftReport: Sendable {
  private let texts: ClaimText

  package init(sources: SourceMap, style: TextStyle) {
    texts = ClaimText(sources: sources, style: style)
  }

  /// The whole answer, ending in a line break.
  package func render(_ outcome: DriftOutcome) -> String {
    var text = ""
    for entry in outcome.entries { text += block(entry) }
    if !outcome.entries.isEmpty { text += "\n" }
    text += headline(outcome) + "\n"
    for reason in outcome.untold where outcome.status == .unknown { text += fact("reason", reason) }
    for note in outcome.notes { text += fact("note", note) }
    return text + equivalence(outcome)
  }

  private func headline(_ outcome: DriftOutcome) -> String {
    let sides = "\(outcome.old) and \(outcome.new)"
    switch outcome.status {
    case .inSync: return styled("in sync", .success) + ": \(sides) hold the same rules"
    case .unknown:
      return styled("not known", .warning)
        + ": \(sides) hold the same rules as far as they are told"
    case .drift:
      let counts = ["missing", "extra", "changed", "moved"].compactMap { change -> String? in
        let count = outcome.entries.count { $0.change == change }
        return count == 0 ? nil : "\(count) \(change)"
      }
      return styled("drift", .error)
        + ": from \(outcome.old) to \(outcome.new), \(counts.joined(separator: ", "))"
    }
  }

  private func block(_ entry: DriftOutcome.Entry) -> String {
    let emphasis: Emphasis =
      switch entry.change {
      case "missing": .error
      case "extra": .success
      default: .warning
      }
    let place = (entry.old ?? entry.new).map { "\($0.family) \($0.table) \($0.chain)" } ?? ""
    var text = styled(entry.change, emphasis) + " \(entry.subject)  " + styled(place, .strong)
    text += "\n"
    if let old = entry.old { text += side("-", .error, old) }
    if let new = entry.new { text += side("+", .success, new) }
    return text
  }

  private func side(_ sign: String, _ emphasis: Emphasis, _ rule: RuleCitation) -> String {
    let place = [rule.handle.map { "handle \($0)" }, rule.source].compactMap { $0 }
    let words = texts.visible(rule.text)
    return "  " + styled("\(sign) \(words)", emphasis) + "\n"
      + (place.isEmpty ? "" : "      \(place.joined(separator: ", "))\n")
  }

  private func equivalence(_ outcome: DriftOutcome) -> String {
    switch outcome.equivalence {
    case .notAsked: return ""
    case .equivalent:
      return styled("equivalent", .success) + ": every packet meets the same fate at every hook\n"
    case .notKnown(let reasons):
      return styled("not known", .warning) + ": whether every packet meets the same fate\n"
        + reasons.map { fact("reason", $0) }.joined()
    case .different(let witness):
      var text =
        styled("not equivalent", .error) + ": a packet meets two fates at \(witness.hook)\n"
      text += fact("packet", ClaimText.text(witness.packet))
      for condition in witness.conditions { text += fact("while", condition) }
      text += fact(outcome.old, verdict(witness.oldVerdict, witness.oldRule))
      return text + fact(outcome.new, verdict(witness.newVerdict, witness.newRule))
    }
  }

  private func verdict(_ verdict: String, _ rule: RuleCitation?) -> String {
    guard let rule else { return "\(verdict), as nothing stands there" }
    return "\(verdict), by \(ClaimText.place(rule)): \(rule.text)"
      + (rule.source.map { " (\($0))" } ?? "")
  }

  private func fact(_ name: String, _ value: String) -> String {
    "   " + styled("= ", .frame) + name + String(repeating: " ", count: max(1, 11 - name.count))
      + texts.visible(value) + "\n"
  }

  private func styled(_ text: String, _ emphasis: Emphasis) -> String {
    texts.style.styled(text, emphasis)
  }
}
