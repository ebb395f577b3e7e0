internal import Diagnostics

/// `completions`: prints completions for a shell.
struct CompletionsCommand {
  static let row = CommandRow(
    name: "completions", summary: "print completions for a shell",
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

  let arguments: ParsedArguments
  let console: Console

  func run() throws(Diagnostic) -> RunStatus {
    guard let shell = arguments.operands.first.flatMap(Shell.init) else {
      preconditionFailure("the table allows exactly the names of shells")
    }
    try console.write(shell.completions)
    return .holds
  }
}
