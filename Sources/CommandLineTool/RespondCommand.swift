internal import Diagnostics
internal import LinuxKernel
internal import Probing

/// `respond`: the far end of a probe, which listens where it is told and answers one run alone.
struct RespondCommand {
  static let row = CommandRow(
    name: "respond", summary: "listen for the probes of one run, answer nobody else, then end",
    operands: [], options: [.assignment], formats: [.json],
    optionInPlaceOfOperands: .assignment,
    examples: [
      (
        "portproof respond --assignment -",
        "as the prober starts it: the assignment and commands come by standard input"
      )
    ])

  let arguments: ParsedArguments
  let console: Console

  /// Runs the command.
  ///
  /// - Returns: The exit status: 2 where it is told what makes no sense.
  /// - Throws: A diagnostic where the command line is wrong.
  func run() throws(Diagnostic) -> RunStatus {
    guard let word = arguments[.assignment] else {
      throw Diagnostic(
        "usage.missing-option", .error, "'respond' needs to know what to answer", at: nil,
        help: "--assignment FILE, or --assignment - for standard input")
    }
    do throws(Errno) {
      var input = DrivingInput(
        try word == "-" ? StandardStream.input.duplicate() : Descriptor(reading: word))
      let assignment: Assignment
      do throws(Assignment.Problem) {
        assignment = try Assignment(reading: try Self.line(of: &input))
      } catch {
        try write(.error(error.description))
        return .unusable
      }
      guard word == "-" else { return try serve(assignment, driven: nil) }
      return try serve(assignment, driven: input)
    } catch {
      throw Diagnostic("respond.failed", .error, "cannot respond: \(error)", at: nil)
    }
  }

  private static func line(of input: inout DrivingInput) throws(Assignment.Problem) -> [UInt8] {
    let line: [UInt8]?
    do throws(Errno) {
      line = try input.line()
    } catch {
      throw Assignment.Problem("cannot read the assignment: \(error)")
    }
    guard let line else { throw Assignment.Problem("there is no assignment: the input has ended") }
    return line
  }

  private func serve(
    _ assignment: Assignment, driven input: consuming DrivingInput?
  ) throws(Errno) -> RunStatus {
    try Interruption.watch()
    var responder = try Responder(
      assignment, output: try StandardStream.output.duplicate(), input: input)
    switch responder.serve().reason {
    case .elapsed, .stopped, .inputEnded: return .holds
    case .interrupted: return .interrupted
    case .misled: return .unusable
    case .failed: return .notKnown
    }
  }

  private func write(_ event: ResponderEvent) throws(Errno) {
    try StandardStream.output.write(event.json + [UInt8(ascii: "\n")])
  }
}
