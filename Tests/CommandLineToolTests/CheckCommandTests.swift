import Addresses
import Diagnostics
import Outcomes
import Rulesets
import Scenarios
import Testing

@testable import CommandLineTool

@Suite("Checking: what surrounds the proof")
struct CheckCommandTests {
  private let empty = #"{"nftables": [{"metainfo": {"version": "1.0.6"}}]}"#

  /// Runs `check` with reports into `folder` and the given answers.
  private func check(
    _ words: [String], in folder: Folder, proving prove: CheckCommand.Answering
  ) throws -> RunStatus {
    let reports = [
      "--quiet", "--output", folder.path + "/out", "--report", "json=\(folder.path)/r.json",
      "--report", "junit=\(folder.path)/r.xml",
    ]
    let parsed = try #require(
      try ArgumentParser.parse((words + reports)[...], of: CheckCommand.row))
    return CheckCommand(arguments: parsed, console: Console(parsed)).run(proving: prove)
  }

  private func claim(
    _ flow: Flow, _ status: ClaimOutcome.Status, in sources: SourceMap
  ) -> ClaimOutcome {
    let position = sources.position(of: flow.span)
    return ClaimOutcome(
      id: flow.id, suite: flow.suite, scenario: flow.text, file: sources[flow.span.file].name,
      line: position.line, column: position.column, expectationSpan: flow.expectationSpan,
      severity: flow.severity, tags: flow.tags, status: status, expected: "allow",
      observed: status == .passed ? .allow : .drop, code: "x", message: "x")
  }

  private let scenario = """
    firewall fw = nft "fw.json" on 10.0.0.2
    suite "s" {
      10.0.0.1 -> 10.0.0.2 22 tcp expect allow severity low tag ssh
      10.0.0.1 -> 10.0.0.2 80 tcp expect allow severity critical tag web
    }

    """

  struct Case: Sendable {
    let first: ClaimOutcome.Status
    let second: ClaimOutcome.Status
    let options: [String]
    let status: RunStatus
  }

  static let cases = [
    Case(first: .passed, second: .passed, options: [], status: .holds),
    Case(first: .passed, second: .skipped, options: [], status: .holds),
    Case(first: .failed, second: .unknown, options: [], status: .broken),
    Case(first: .passed, second: .unknown, options: [], status: .notKnown),
    Case(first: .passed, second: .unknown, options: ["--inconclusive", "fail"], status: .broken),
    Case(first: .passed, second: .unknown, options: ["--inconclusive", "pass"], status: .holds),
    Case(first: .failed, second: .unknown, options: ["--inconclusive", "pass"], status: .broken),
    Case(first: .failed, second: .passed, options: ["--fail-on", "medium"], status: .holds),
    Case(first: .passed, second: .failed, options: ["--fail-on", "medium"], status: .broken),
    Case(first: .passed, second: .unknown, options: ["--fail-on", "critical"], status: .notKnown),
  ]

  @Test(arguments: cases) func `answers make the exit status`(case: Case) throws {
    let folder = try Folder()
    _ = try folder.write("fw.json", empty)
    let file = try folder.write("a.scn", scenario)
    let status = try check([file] + `case`.options, in: folder) { question, _ in
      #expect(question.rulesets.keys.sorted() == ["fw"])
      return zip(question.plan.flows, [`case`.first, `case`.second])
        .map { claim($0, $1, in: question.sources) }
    }
    #expect(status == `case`.status)
    #expect(try folder.read("r.json").contains(#""total": 2"#))
    #expect(try folder.read("r.xml").contains(#"<testsuites name="portproof" tests="2""#))
  }

  @Test func `only lines with the tag are asked`() throws {
    let folder = try Folder()
    _ = try folder.write("fw.json", empty)
    let file = try folder.write("a.scn", scenario)
    let status = try check([file, "--only", "WEB"], in: folder) { question, _ in
      #expect(question.plan.flows.map(\.id) == ["s/2"])
      return []
    }
    #expect(status == .holds)
  }

  @Test func `nothing to check is an error, and the reports say so`() throws {
    let folder = try Folder()
    _ = try folder.write("fw.json", empty)
    let file = try folder.write("a.scn", scenario)
    let status = try check([file, "--only", "shs"], in: folder) { _, _ in
      Issue.record("asked")
      return []
    }
    #expect(status == .unusable)
    #expect(try folder.read("r.xml").contains(#"errors="1""#))
    #expect(try folder.read("r.xml").contains("no line carries the tag 'shs'"))
    #expect(try folder.read("r.json").contains("no line carries the tag 'shs'"))
    #expect(try folder.read("out").contains("stopped early: no line carries the tag 'shs'"))
  }

  @Test(arguments: [
    "10.0.0.1 -> nobody 22 tcp expect allow",
    "firewall fw = nft \"missing.json\" on 10.0.0.2\n10.0.0.1 -> 10.0.0.2 22 tcp expect allow",
    "firewall fw = nft \"broken.json\" on 10.0.0.2\n10.0.0.1 -> 10.0.0.2 22 tcp expect allow",
  ])
  func `what cannot be read stops the run before the proof`(text: String) throws {
    let folder = try Folder()
    _ = try folder.write("broken.json", "{\"nftables\": [")
    let file = try folder.write("a.scn", text + "\n")
    let status = try check([file], in: folder) { _, _ in
      Issue.record("asked")
      return []
    }
    #expect(status == .unusable)
    #expect(try folder.read("r.json").contains(#""total": 0"#))
    #expect(try !folder.read("r.json").contains(#""stopped_because": null"#))
  }

  @Test func `a firewall is read from elsewhere`() throws {
    let folder = try Folder()
    let other = try folder.write("other.json", empty)
    let file = try folder.write("a.scn", scenario)
    let status = try check([file, "--firewall", "FW=nft:\(other)"], in: folder) { question, _ in
      #expect(question.rulesets.keys.sorted() == ["fw"])
      return []
    }
    #expect(status == .holds)
    #expect(
      try check([file, "--firewall", "fx=nft:\(other)"], in: folder) { _, _ in [] } == .unusable)
    #expect(try check([file, "--firewall", "fw"], in: folder) { _, _ in [] } == .unusable)
    #expect(try check([file, "--firewall", "fw=magic:x"], in: folder) { _, _ in [] } == .unusable)
  }

  @Test func `a ruleset guards every destination of a scenario without firewalls`() throws {
    let folder = try Folder()
    let ruleset = try folder.write("fw.json", empty)
    let file = try folder.write("a.scn", "10.0.0.1 -> 10.0.0.2 22 tcp expect allow\n")
    let status = try check([file, "--ruleset", ruleset], in: folder) { question, _ in
      #expect(question.plan.firewalls.map(\.placement) == [.on(.any)])
      #expect(question.rulesets["fw.json"] != nil)
      return []
    }
    #expect(status == .holds)
    #expect(
      try check([file, "--ruleset", ruleset, "--live"], in: folder) { _, _ in [] } == .unusable)
  }

  @Test func `a scenario that names its firewalls takes no other ruleset`() throws {
    let folder = try Folder()
    let ruleset = try folder.write("fw.json", empty)
    let file = try folder.write("a.scn", scenario)
    #expect(try check([file, "--ruleset", ruleset], in: folder) { _, _ in [] } == .unusable)
  }

  @Test func `a report that cannot be written is told of, and the others are written`() throws {
    let folder = try Folder()
    _ = try folder.write("fw.json", empty)
    let file = try folder.write("a.scn", scenario)
    let words = [file, "--report", "json=\(folder.path)/missing/r.json"]
    #expect(try check(words, in: folder) { _, _ in [] } == .notKnown)
    #expect(try folder.read("r.xml").contains("testsuites"))
  }
}
