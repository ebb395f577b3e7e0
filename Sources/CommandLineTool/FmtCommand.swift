internal import Diagnostics
internal import LinuxKernel
internal import Scenarios

/// `fmt`: scenario files in their canonical form.
struct FmtCommand {
  static let row = CommandRow(
    name: "fmt", summary: "write scenario files in their canonical form, in place",
    operands: [
      .init(
        name: "FILE", value: .file, isRequired: true, isRepeatable: true,
        help: "scenario files (*.scn), or - alone: standard input, to standard output")
    ],
    options: [.check], formats: [.terminal],
    examples: [
      ("portproof fmt cluster.scn", "in place; prints the names of the files that changed"),
      ("portproof fmt --check *.scn", "in CI: status 1 where a file would change"),
      ("portproof fmt - <cluster.scn", "for editors"),
    ])

  let arguments: ParsedArguments
  let console: Console

  private static let standardInput = "-"

  /// Runs the command.
  ///
  /// - Returns: The exit status: 1 where `--check` finds a file that would change, 2 where a file is
  ///   wrong, which is then left as it is.
  /// - Throws: A diagnostic where a word of the command line is wrong, or the output cannot be written.
  func run() throws(Diagnostic) -> RunStatus {
    let paths = arguments.operands
    if paths.contains(Self.standardInput) {
      guard paths.count == 1 else {
        throw Diagnostic(
          "usage.superfluous-operand", .error, "'-' stands alone", at: nil,
          help: "format files and standard input one after the other")
      }
      return try formatStandardInput()
    }
    var status = RunStatus.holds
    var changed: [String] = []
    for path in paths {
      do throws(Stop) {
        if try format(path) { changed.append(path) }
      } catch {
        if status != .unusable { status = error.status }
      }
    }
    return try outcome(changed, status)
  }

  /// Formats a file in its place.
  ///
  /// - Returns: Whether it changes.
  private func format(_ path: String) throws(Stop) -> Bool {
    let bytes = try ScenarioLoading(console: console).bytes(of: path)
    let formatted = try formatted(bytes, name: path)
    guard formatted != bytes else { return false }
    guard !arguments.has(.check) else { return true }
    do throws(Errno) {
      try Files.rewrite(path, with: formatted)
    } catch {
      throw console.stop(
        Diagnostic("output.unwritable", .error, "cannot write '\(path)': \(error)", at: nil),
        .notKnown)
    }
    return true
  }

  private func formatStandardInput() throws(Diagnostic) -> RunStatus {
    let name = "<standard input>"
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try StandardStream.input.readAll(limit: ScenarioLoading.sizeLimit)
    } catch {
      throw Diagnostic("scenario.unreadable", .error, "cannot read \(name): \(error)", at: nil)
    }
    let text: [UInt8]
    do throws(Stop) {
      text = try formatted(bytes, name: name)
    } catch {
      return error.status
    }
    if arguments.has(.check) { return try outcome(text == bytes ? [] : [name], .holds) }
    try console.write(text)
    return .holds
  }

  private func formatted(_ bytes: [UInt8], name: String) throws(Stop) -> [UInt8] {
    var sources = SourceMap()
    let file = sources.add(SourceFile(name: name, bytes: bytes))
    let (text, diagnostics) = Formatter.format(bytes, file: file)
    for diagnostic in diagnostics { console.say(diagnostic, sources: sources) }
    guard let text else {
      throw Stop(status: .unusable, reason: "cannot make sense of '\(name)'")
    }
    return Array(text.utf8)
  }

  /// Names the files that change, and says what that means.
  private func outcome(
    _ changed: [String], _ status: RunStatus
  ) throws(Diagnostic) -> RunStatus {
    let isCheck = arguments.has(.check)
    if !changed.isEmpty, isCheck || !console.isQuiet {
      try console.write(changed.map { $0 + "\n" }.joined())
    }
    return isCheck && !changed.isEmpty && status == .holds ? .broken : status
  }
}
