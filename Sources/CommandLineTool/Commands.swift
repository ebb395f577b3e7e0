/// Every command of the tool, under the name the user writes.
enum CommandName: String, Hashable, Sendable, CaseIterable {
  case check
  case probe
  case verify
  case respond
  case explain
  case simulate
  case diff
  case convert
  case derive
  case fmt
  case lint
  case doctor
  case completions
}

/// One row of the table of commands, from which parsing, help and completions are made.
struct CommandRow: Sendable {
  let name: String
  /// What it does, in one phrase.
  let summary: String
  let operands: [Operand]
  /// In the order of the help; those that every command has are not listed.
  let options: [OptionName]
  let formats: [Format]
  /// The option that asks the question in place of the operands.
  var optionInPlaceOfOperands: OptionName?
  /// Options that take something else here than in other commands.
  var ownForms: [OptionRow] = []
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

  /// What an option takes in this command.
  func form(of option: OptionName) -> OptionRow {
    ownForms.first { $0.name == option } ?? option.row
  }

  /// How the command is written: `check FILE… [options]`.
  var usage: String {
    var words = [name]
    for operand in operands {
      let name = operand.name + (operand.isRepeatable ? "…" : "")
      words.append(operand.isRequired ? name : "[\(name)]")
    }
    return words.joined(separator: " ")
  }
}

extension CommandRow.Operand {
  /// Scenario files, at least one.
  static var scenarios: Self {
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
    case .check: CheckCommand.row
    case .probe: ProbeCommand.row
    case .verify: VerifyCommand.row
    case .explain: ExplainCommand.row
    case .simulate: SimulateCommand.row
    case .diff: DiffCommand.row
    case .convert: ConvertCommand.row
    case .derive: DeriveCommand.row
    case .respond: RespondCommand.row
    case .fmt: FmtCommand.row
    case .lint: LintCommand.row
    case .doctor: DoctorCommand.row
    case .completions: CompletionsCommand.row
    }
  }
}
