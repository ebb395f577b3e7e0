import Diagnostics
import Testing

@Suite("The renderer")
struct DiagnosticRendererTests {
  private func rendered(_ text: String, _ lower: Int, _ upper: Int) -> String {
    var sources = SourceMap()
    let file = sources.add(SourceFile(name: "prod.scn", bytes: Array(text.utf8)))
    let diagnostic = Diagnostic(
      "scenario.unknown-name", .error, "no host, group or service is called `wroker`",
      at: .init(SourceSpan(file: file, lower: lower, upper: upper), "did you mean `worker`?"),
      help: "names are case-insensitive")
    return DiagnosticRenderer(sources: sources, style: .plain).render(diagnostic)
  }

  @Test func `puts carets under the span`() {
    #expect(
      rendered("# x\nwroker → cp 50001 tcp expect allow\n", 4, 10) == """
        error[scenario.unknown-name]: no host, group or service is called `wroker`
          --> prod.scn:2:1
           |
         2 | wroker → cp 50001 tcp expect allow
           | ^^^^^^ did you mean `worker`?
           = help: names are case-insensitive

        """)
  }

  @Test func `counts characters, keeps tabs and hides control characters`() {
    #expect(
      rendered("→\ta\u{1B}b\n", 4, 5) == """
        error[scenario.unknown-name]: no host, group or service is called `wroker`
          --> prod.scn:1:3
           |
         1 | →\ta\u{FFFD}b
           |  \t^ did you mean `worker`?
           = help: names are case-insensitive

        """)
  }

  @Test func `shows of a very long line what stands around the span`() {
    let line = String(repeating: "é", count: 500) + "wroker" + String(repeating: "ü", count: 500)
    let start = String(repeating: "é", count: 500).utf8.count
    #expect(
      rendered(line, start, start + 6) == """
        error[scenario.unknown-name]: no host, group or service is called `wroker`
          --> prod.scn:1:501
           |
         1 | …\(String(repeating: "é", count: 30))wroker\(String(repeating: "ü", count: 47))…
           |  \(String(repeating: " ", count: 30))^^^^^^ did you mean `worker`?
           = help: names are case-insensitive

        """)
    let end = rendered(line, line.utf8.count, line.utf8.count)
    #expect(end.contains("ü\n"))
    #expect(end.split(separator: "\n").allSatisfy { $0.count < 200 })
    #expect(rendered(line, 0, line.utf8.count).split(separator: "\n").allSatisfy { $0.count < 200 })
  }

  @Test(arguments: [(0, 0), (3, 3), (99, 120), (-5, 2)])
  func `survives spans at and past the ends`(lower: Int, upper: Int) {
    #expect(rendered("ab\n", lower, upper).contains("prod.scn:"))
  }
}

@Suite("A suggestion")
struct SuggestionTests {
  @Test func `is the nearest name, if it is near`() {
    #expect(Suggestion.nearest(to: "wroker", among: ["cp", "worker", "workers"]) == "worker")
    #expect(Suggestion.nearest(to: "cq", among: ["cp", "worker"]) == "cp")
    #expect(Suggestion.nearest(to: "zebra", among: ["cp", "worker"]) == nil)
    #expect(Suggestion.nearest(to: "", among: []) == nil)
  }
}
