/// Every command of the tool, under the name the user writes.
enum CommandName: String, Hashable, Sendable, CaseIterable {
  case lint
  case doctor
  case completions
}

/// One row of the table of commands, from which parsing, help and completions are made.
struct CommandRow: Sendable {
  let name: CommandName
  /// What it does, in one phrase.
  let summary: String
  let operands: [Operand]
  /// In the order of the help; those that every command has are not listed.
  let options: [OptionName]
  let formats: [Format]
  /// Whole command lines with what they are for.
  let examples: [(command: String, purpose: String)]

  /// What stands on the command line without a name.
  struct Operand: Sendable {
    let name: String
    let value: ValueKind
    let isRequired: Bool
    let isRepeatable: Bool
    let help: String
  }

  /// The options of the command, with those that every command has.
  var allOptions: [OptionName] { options + [.format, .output, .quiet, .color, .help] }

  /// How the command is written: `check FILE… [options]`.
  var usage: String {
    var words = [name.rawValue]
    for operand in operands {
      let name = operand.name + (operand.isRepeatable ? "…" : "")
      words.append(operand.isRequired ? name : "[\(name)]")
    }
    return words.joined(separator: " ")
  }
}

extension CommandRow.Operand {
  /// Scenario files, at least one.
  fileprivate static var scenarios: Self {
    Self(
      name: "FILE", value: .file, isRequired: true, isRepeatable: true,
      help: "scenario files (*.scn)")
  }
}

/// How output is written.
enum Format: String, Hashable, Sendable, CaseIterable {
  case terminal
  case json
  case junit
}

extension CommandName {
  var row: CommandRow {
    switch self {
    case .lint:
      CommandRow(
        name: self, summary: "say what is wrong with scenario files", operands: [.scenarios],
        options: [], formats: [.terminal],
        examples: [("portproof lint cluster.scn", "errors and warnings, all at once")])
    case .doctor:
      CommandRow(
        name: self, summary: "say what this machine can do, and what to change where it cannot",
        operands: [], options: [], formats: [.terminal, .json],
        examples: [("portproof doctor", "libraries, capabilities and namespaces")])
    case .completions:
      CommandRow(
        name: self, summary: "print completions for a shell",
        operands: [
          .init(
            name: "SHELL", value: .oneOf(Shell.allCases.map(\.rawValue)), isRequired: true,
            isRepeatable: false, help: "the shell they are for")
        ], options: [], formats: [.terminal],
        examples: [
          ("source <(portproof completions bash)", "in this shell"),
          (
            "portproof completions fish --output ~/.config/fish/completions/portproof.fish",
            "in every fish"
          ),
        ])
    }
  }
}
