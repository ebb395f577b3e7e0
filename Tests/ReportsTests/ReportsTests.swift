import Diagnostics
import Foundation
import Outcomes
import Testing

@testable import Reports

@Suite("Terminal report")
struct TerminalReportTests {
  private let run = ExampleRun()

  private func render(_ style: TextStyle, _ detail: TerminalReport.Detail) -> String {
    TerminalReport(sources: run.sources, style: style, detail: detail).render(run.outcome)
  }

  @Test func `looks as it should`() throws {
    try expectGolden("terminal.txt", render(.plain, .suites))
    try expectGolden("terminal-every-claim.txt", render(.plain, .everyClaim))
    try expectGolden("terminal-trouble-only.txt", render(.plain, .troubleOnly))
  }

  @Test func `colour changes nothing but colour`() {
    let coloured = render(.ansi, .suites)
    #expect(coloured.contains("\u{1B}[1;31mFAIL\u{1B}[0m"))
    #expect(coloured.replacing(/\u{1B}\[[0-9;]*m/, with: "") == render(.plain, .suites))
  }

  @Test func `the rule that decided is shown where it is text, and cited where it is a listing`() {
    func render(_ name: String, _ text: String, _ rule: String) -> String {
      var run = run
      let file = run.sources.add(SourceFile(name: name, bytes: Array(text.utf8)))
      let start = text.utf8.count - rule.utf8.count - 2
      let span = SourceSpan(file: file, lower: start, upper: start + rule.utf8.count)
      run.outcome.claims = [run.outcome.claims[1]]
      run.outcome.claims[0].decidedBy?.span = span
      run.outcome.claims[0].decidedBy?.source = run.sources.location(of: span)
      return TerminalReport(sources: run.sources, style: .plain, detail: .troubleOnly)
        .render(run.outcome)
    }
    let text = render("fw.nft", "table t {\n\ttcp dport { 22, 50000 } accept\n}", "accept")
    let lines = [
      "  ::: fw.nft:2:26", "   |", " 2 | \ttcp dport { 22, 50000 } accept",
      "   | \t                        ^^^^^^ this rule decides",
    ]
    #expect(text.contains(lines.joined(separator: "\n")), "\(text)")
    #expect(!text.contains("(fw.nft"))
    let listing = render("fw.json", " {\"nftables\": [{\"rule\": 1}]}", "1}")
    #expect(!listing.contains(":::"))
    #expect(listing.contains("(fw.json:1:"))
  }

  @Test func `where everything holds, trouble only says nothing`() {
    var outcome = run.outcome
    outcome.claims = outcome.claims.filter { $0.status == .passed }
    let report = TerminalReport(sources: run.sources, style: .plain, detail: .troubleOnly)
    #expect(report.render(outcome) == "")
  }

  @Test func `a run that stopped early says so, whatever it found`() {
    var outcome = run.outcome
    outcome.claims = []
    outcome.abortedBecause = "interrupted"
    let report = TerminalReport(sources: run.sources, style: .plain, detail: .troubleOnly)
    #expect(report.render(outcome) == "stopped early: interrupted\nnothing was checked  (1.52 s)\n")
  }

  @Test(arguments: [
    (0.0, "0.0 ms"), (0.00123, "1.2 ms"), (0.0126, "13 ms"), (1, "1.00 s"), (61.257, "61.26 s"),
  ])
  func `durations read well`(seconds: Double, text: String) {
    #expect(spokenSeconds(seconds) == text)
  }
}

@Suite("JSON report")
struct JSONReportTests {
  @Test func `looks as it should`() throws {
    try expectGolden("report.json", JSONReport.render(ExampleRun().outcome))
  }

  @Test func `is JSON, and every member of the schema is always there`() throws {
    let text = JSONReport.render(ExampleRun().outcome)
    let root = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(root["schema"] as? String == "portproof.report/1")
    let summary = try #require(root["summary"] as? [String: Int])
    #expect(summary == ["total": 7, "passed": 3, "failed": 2, "unknown": 1, "skipped": 1])
    let results = try #require(root["results"] as? [[String: Any]])
    #expect(results.count == 7)
    for result in results {
      for name in [
        "id", "suite", "scenario", "file", "line", "column", "severity", "status", "expected",
        "observed", "code", "counterexample", "decided_by", "assumptions", "evidence",
      ] {
        #expect(result[name] != nil, "\(name)")
      }
    }
  }
}

@Suite("Time stamps")
struct TimestampTests {
  @Test(arguments: [
    (0, "1970-01-01T00:00:00"), (-1, "1969-12-31T23:59:59"),
    (951_782_400, "2000-02-29T00:00:00"), (951_868_799, "2000-02-29T23:59:59"),
    (1_709_210_096, "2024-02-29T12:34:56"), (4_107_542_400, "2100-03-01T00:00:00"),
  ])
  func `are UTC in the Gregorian calendar`(seconds: Int, text: String) {
    #expect(Timestamp.text(seconds) == text)
  }

  @Test func `agree with Foundation for every day of four centuries`() {
    let format = ISO8601DateFormatter()
    format.formatOptions = [.withFullDate, .withTime, .withColonSeparatorInTime]
    let wrong = (-36_524..<109_573).first { day in
      let seconds = day * 86_400 + (day &* 7919) % 43_200 + 43_200
      return Timestamp.text(seconds)
        != format.string(from: Date(timeIntervalSince1970: Double(seconds)))
    }
    #expect(wrong == nil)
  }
}
