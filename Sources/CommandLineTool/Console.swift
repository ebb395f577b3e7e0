internal import Diagnostics
internal import LinuxKernel

/// Where a command writes: results to standard output or a file, the rest to standard error.
struct Console {
  /// The colours of the output and of messages, which may go to different places.
  let outputStyle: TextStyle
  let messageStyle: TextStyle
  let isQuiet: Bool
  /// The file that `--output` names.
  private let file: String?

  init(_ arguments: ParsedArguments) {
    isQuiet = arguments.has(.quiet)
    file = arguments[.output]
    let color = arguments[.color] ?? "auto"
    outputStyle = file == nil ? Self.style(color, of: .output) : .plain
    messageStyle = Self.style(color, of: .error)
  }

  /// A console for what goes wrong before there are options.
  init() {
    isQuiet = false
    file = nil
    outputStyle = Self.style("auto", of: .output)
    messageStyle = Self.style("auto", of: .error)
  }

  /// Source: no-color.org; `TERM=dumb` is a terminal without colours.
  private static func style(_ color: String, of stream: StandardStream) -> TextStyle {
    switch color {
    case "always": return .ansi
    case "never": return .plain
    default:
      let isRefused =
        Machine.environment("NO_COLOR")?.isEmpty == false
        || Machine.environment("TERM") == "dumb"
      return stream.isTerminal && !isRefused ? .ansi : .plain
    }
  }

  /// Writes a command's result.
  ///
  /// - Throws: A diagnostic where the file cannot be written. That nobody reads standard output
  ///   any more is no error.
  func write(_ text: String) throws(Diagnostic) { try write(Array(text.utf8)) }

  /// Writes a command's result, or the next part of it where there is no `--output`.
  ///
  /// - Throws: A diagnostic, as for text.
  func write(_ bytes: [UInt8]) throws(Diagnostic) {
    guard let file else {
      do throws(Errno) {
        try StandardStream.output.write(bytes)
      } catch {
        guard error == .brokenPipe else { throw unwritable("<standard output>", error) }
      }
      return
    }
    try Self.replace(file, with: bytes)
  }

  /// Puts a report into a file, whole or not at all.
  ///
  /// - Throws: A diagnostic where the file cannot be written.
  static func replace(_ file: String, with bytes: [UInt8]) throws(Diagnostic) {
    do throws(Errno) {
      try Files.replace(file, with: bytes)
    } catch {
      throw unwritable(file, error)
    }
  }

  /// Tells the user something beside the result.
  func say(_ diagnostic: Diagnostic, sources: SourceMap = SourceMap()) {
    if isQuiet, diagnostic.severity != .error { return }
    let text = DiagnosticRenderer(sources: sources, style: messageStyle).render(diagnostic)
    // Where standard error is closed there is nobody to tell that it is.
    try? StandardStream.error.write(text)
  }

  /// Tells the user why a command ends.
  ///
  /// - Returns: What to throw.
  func stop(
    _ diagnostic: Diagnostic, _ status: RunStatus = .unusable, sources: SourceMap = SourceMap()
  ) -> Stop {
    say(diagnostic, sources: sources)
    return Stop(status: status, reason: diagnostic.message)
  }
}

private func unwritable(_ file: String, _ error: Errno) -> Diagnostic {
  Diagnostic("output.unwritable", .error, "cannot write '\(file)': \(error)", at: nil)
}
