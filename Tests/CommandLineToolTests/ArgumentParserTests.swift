import Diagnostics
import Testing

@testable import CommandLineTool

@Suite("Command lines")
struct ArgumentParserTests {
  private func parsed(_ words: String...) throws -> ParsedArguments {
    guard case .run(_, let parsed) = try ArgumentParser.parse(words) else {
      Issue.record("no command to run")
      return ParsedArguments()
    }
    return parsed
  }

  @Test func `values are attached or follow`() throws {
    #expect(try parsed("doctor", "--format", "json")[.format] == "json")
    #expect(try parsed("doctor", "--format=json")[.format] == "json")
    #expect(try parsed("doctor", "--output", "--x")[.output] == "--x")
    #expect(try parsed("doctor", "--output=a=b")[.output] == "a=b")
    #expect(try !parsed("doctor").has(.format))
  }

  @Test func `after two dashes nothing is an option`() throws {
    #expect(try parsed("lint", "--quiet", "--", "--help").operands == ["--help"])
    #expect(try parsed("lint", "a", "-").operands == ["a", "-"])
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let line: String
    let code: Diagnostic.Code
    let help: String?
    var testDescription: String { line }
  }

  static let cases = [
    Case(line: "", code: "usage.missing-command", help: nil),
    Case(line: "--quiet", code: "usage.missing-command", help: "portproof COMMAND --quiet"),
    Case(line: "dcotor", code: "usage.unknown-command", help: "did you mean 'doctor'?"),
    Case(line: "help lnit", code: "usage.unknown-command", help: "did you mean 'lint'?"),
    Case(line: "lint", code: "usage.missing-operand", help: "portproof lint FILE…"),
    Case(line: "doctor x", code: "usage.superfluous-operand", help: "portproof doctor"),
    Case(
      line: "doctor --fromat json", code: "usage.unknown-option", help: "did you mean '--format'?"),
    Case(line: "doctor --live", code: "usage.unknown-option", help: nil),
    Case(line: "doctor -q", code: "usage.unknown-option", help: nil),
    Case(line: "doctor --format", code: "usage.missing-value", help: "--format terminal|json"),
    Case(line: "doctor --format jsn", code: "usage.wrong-value", help: "did you mean 'json'?"),
    Case(line: "doctor --format junit", code: "usage.wrong-value", help: nil),
    Case(line: "doctor --quiet=yes", code: "usage.superfluous-value", help: "--quiet"),
    Case(line: "doctor --quiet --quiet", code: "usage.repeated-option", help: "give it once"),
    Case(line: "completions csh", code: "usage.wrong-value", help: nil),
  ]

  @Test(arguments: cases) func `what is wrong is named, with what was meant`(case: Case) throws {
    let words = `case`.line.split(separator: " ").map(String.init)
    let error = #expect(throws: Diagnostic.self) { try ArgumentParser.parse(words) }
    #expect(error?.code == `case`.code)
    #expect(error?.help != nil)
    if let help = `case`.help { #expect(error?.help == help) }
  }

  @Test func `help is given even where something else is wrong`() throws {
    guard case .help(let row) = try ArgumentParser.parse(["lint", "--wrong", "--help"]) else {
      Issue.record("no help")
      return
    }
    #expect(row.name == "lint")
  }

  @Test func `every option of every command has help, and a value that can be completed`() {
    for command in CommandName.allCases {
      #expect(Set(command.row.allOptions).count == command.row.allOptions.count)
      for option in command.row.allOptions {
        #expect(option.row.name == option)
        #expect(!option.row.help.isEmpty)
        #expect(option.row.value.words(in: command.row)?.isEmpty != true)
      }
    }
  }
}
