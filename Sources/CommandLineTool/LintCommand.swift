internal import Diagnostics
internal import Scenarios

/// `lint`: reads scenario files and says what is wrong with them.
struct LintCommand {
  static let row = CommandRow(
    name: "lint", summary: "say what is wrong with scenario files", operands: [.scenarios],
    options: [], formats: [.terminal],
    examples: [("portproof lint cluster.scn", "errors and warnings, all at once")])

  private let arguments: ParsedArguments
  private let console: Console

  init(_ arguments: ParsedArguments, _ console: Console) {
    self.arguments = arguments
    self.console = console
  }

  func run() -> RunStatus {
    var sources = SourceMap()
    do throws(Stop) {
      let (plan, warnings) = try ScenarioLoading(console: console)
        .plan(arguments.operands, sources: &sources)
      if !console.isQuiet {
        let lines = plan.flows.count == 1 ? "1 line" : "\(plan.flows.count) lines"
        let remarks = warnings == 1 ? "1 warning" : "\(warnings) warnings"
        try written("\(lines), \(remarks)\n")
      }
      return .holds
    } catch {
      return error.status
    }
  }

  private func written(_ text: String) throws(Stop) {
    do throws(Diagnostic) {
      try console.write(text)
    } catch {
      console.say(error)
      throw Stop(status: .notKnown, reason: error.message)
    }
  }
}
