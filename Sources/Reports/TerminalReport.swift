package import Diagnostics
package import Outcomes

/// What a person at a terminal reads: what holds in a line, what does not in full, counts last.
package struct TerminalReport: Sendable {
  /// How much is said about lines that hold.
  package enum Detail: Hashable, Sendable {
    /// Nothing: only what does not hold, or is not known, is told.
    case troubleOnly
    /// One line per suite.
    case suites
    /// One line per claim.
    case everyClaim
  }

  private let texts: ClaimText
  private let detail: Detail

  /// - Parameters:
  ///   - sources: The files that spans of the claims point into.
  ///   - style: Whether colour is drawn.
  ///   - detail: How much is said about lines that hold.
  package init(sources: SourceMap, style: TextStyle, detail: Detail = .suites) {
    texts = ClaimText(sources: sources, style: style)
    self.detail = detail
  }

  /// The whole report, ending in a line break; empty where there is nothing to tell.
  package func render(_ run: RunOutcome) -> String {
    var text = ""
    switch detail {
    case .troubleOnly: break
    case .suites: text += suites(run)
    case .everyClaim:
      for claim in run.claims where claim.status == .passed { text += texts.title(claim) + "\n" }
    }
    if detail != .troubleOnly {
      for claim in run.claims where claim.status == .skipped {
        text += "\(texts.title(claim)): \(texts.visible(claim.message))\n"
      }
    }
    // The end of the output is what is still on the screen: the worst comes last.
    for status in [ClaimOutcome.Status.unknown, .failed] {
      for claim in run.claims where claim.status == status {
        if !text.isEmpty { text += "\n" }
        text += texts.block(claim)
      }
    }
    if detail != .troubleOnly, let replay = run.replay, replay.obstacle == nil,
      !replay.omissions.isEmpty
    {
      if !text.isEmpty { text += "\n" }
      for note in replay.notes { text += "\(texts.visible(note))\n" }
    }
    let isTroubled =
      run.count(.failed) + run.count(.unknown) > 0 || run.abortedBecause != nil
      || run.replay?.obstacle != nil
    guard detail != .troubleOnly || isTroubled else { return "" }
    if !text.isEmpty { text += "\n" }
    return text + summary(run)
  }

  private func suites(_ run: RunOutcome) -> String {
    var text = ""
    for suite in Suite.all(of: run) {
      let asked = suite.claims.count { $0.status != .skipped }
      let holding = suite.claims.count { $0.status == .passed }
      guard asked > 0 else { continue }
      let isWhole = holding == asked
      let word = texts.style.styled(isWhole ? "ok  " : "    ", .success)
      let noun = asked == 1 ? "line holds" : "lines hold"
      text += "\(word)  \(texts.visible(suite.name)): "
      text += isWhole ? "\(asked) \(noun)\n" : "\(holding) of \(asked) \(noun)\n"
    }
    return text
  }

  private func summary(_ run: RunOutcome) -> String {
    var text = ""
    if let reason = run.abortedBecause {
      text += texts.style.styled("stopped early: \(reason)", .warning) + "\n"
    }
    let total = run.claims.count
    if total == 0, run.abortedBecause != nil {
      return text + "nothing was checked  (\(spokenSeconds(run.seconds)))\n"
    }
    var parts = ["\(run.count(.passed)) hold\(run.count(.passed) == 1 ? "s" : "")"]
    if run.count(.failed) > 0 {
      parts.append(
        texts.style.styled(
          "\(run.count(.failed)) do\(run.count(.failed) == 1 ? "es" : "") not hold", .error))
    }
    if run.count(.unknown) > 0 {
      parts.append(texts.style.styled("\(run.count(.unknown)) not known", .warning))
    }
    if run.count(.skipped) > 0 { parts.append("\(run.count(.skipped)) skipped") }
    if let replay = run.replay {
      parts.append(
        replay.disagreementCount > 0 || replay.obstacle != nil
          ? texts.style.styled(replay.phrase, .error) : replay.phrase)
    }
    text += "\(total) line\(total == 1 ? "" : "s"): " + parts.joined(separator: ", ")
    return text + "  (\(spokenSeconds(run.seconds)))\n"
  }
}

/// The claims of one suite.
struct Suite {
  var name: String
  var claims: [ClaimOutcome]

  /// The suites of a run, in the order in which they first occur.
  static func all(of run: RunOutcome) -> [Suite] {
    var suites: [Suite] = []
    var numbers: [String: Int] = [:]
    for claim in run.claims {
      if let number = numbers[claim.suite] {
        suites[number].claims.append(claim)
      } else {
        numbers[claim.suite] = suites.count
        suites.append(Suite(name: claim.suite, claims: [claim]))
      }
    }
    return suites
  }
}
