internal import Diagnostics
internal import LinuxKernel
internal import Netfilter
internal import Sandbox

/// The tool: arguments in, exit status out.
package enum Tool {
  package static let version = "0.1.0"

  /// Runs one command line.
  ///
  /// - Parameter arguments: The words after the program's name.
  /// - Returns: The exit status.
  package static func run(_ arguments: [String]) -> CInt {
    if arguments.first == NetfilterChild.argument {
      return NetfilterChild.run(Array(arguments.dropFirst()))
    }
    if arguments == [SandboxChild.argument] { return SandboxChild.run() }
    Machine.ignoreBrokenPipes()
    do throws(Diagnostic) {
      switch try ArgumentParser.parse(arguments) {
      case .overview: try Console().write(HelpText.overview)
      case .help(let row): try Console().write(HelpText.command(row))
      case .version: try Console().write("portproof \(version)\n")
      case .run(let command, let arguments): return try run(command, arguments).rawValue
      }
      return RunStatus.holds.rawValue
    } catch {
      Console().say(error)
      return RunStatus.unusable.rawValue
    }
  }

  private static func run(
    _ command: CommandName, _ arguments: ParsedArguments
  ) throws(Diagnostic) -> RunStatus {
    let console = Console(arguments)
    switch command {
    case .check:
      return CheckCommand(arguments: arguments, console: console).run(proving: CheckCommand.prove)
    case .probe: return ProbeCommand(arguments: arguments, console: console).run()
    case .verify: return VerifyCommand(arguments: arguments, console: console).run()
    case .explain: return try ExplainCommand(arguments: arguments, console: console).run()
    case .simulate: return try SimulateCommand(arguments: arguments, console: console).run()
    case .diff: return try DiffCommand(arguments: arguments, console: console).run()
    case .convert: return try ConvertCommand(arguments: arguments, console: console).run()
    case .derive: return try DeriveCommand(arguments: arguments, console: console).run()
    case .respond: return try RespondCommand(arguments: arguments, console: console).run()
    case .fmt: return try FmtCommand(arguments: arguments, console: console).run()
    case .lint: return LintCommand(arguments: arguments, console: console).run()
    case .doctor: return try DoctorCommand(arguments: arguments, console: console).run()
    case .completions: return try CompletionsCommand(arguments: arguments, console: console).run()
    }
  }
}
