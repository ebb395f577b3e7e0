internal import Capture
internal import Diagnostics
internal import Simulation

// The packets of a capture file.
extension SimulateCommand {
  /// Answers every packet; what is answered before a wrong one is written.
  ///
  /// - Throws: A diagnostic with the file, and the number of the packet that is wrong.
  func answer(_ questions: CaptureQuestions, with run: inout SimulateRun) throws(Diagnostic) {
    var frames = try CaptureFrames(questions.path)
    if questions.host == nil {
      console.say(
        Diagnostic(
          "simulate.no-host", .warning,
          "the way of a packet is known only on a host that is described", at: nil,
          help: "--host FILE tells its interfaces, addresses and routes"))
    }
    var lines = AnswerLines(console: console, isWrittenAtOnce: arguments[.output] != nil)
    var wrong: Diagnostic?
    do throws(Diagnostic) {
      while let frame = try frames.next() {
        switch try questions.asked(frame) {
        case .packet(let question):
          try lines.append(run.answer(question, number: frame.number))
        case .nothing(let why): try lines.append(run.leaveOut(frame.number, because: why))
        }
      }
    } catch {
      wrong = error
    }
    try lines.finish()
    if frames.duration > SimulateRun.duration {
      console.say(
        Diagnostic(
          "simulate.long-capture", .warning,
          "\(questions.path): packets that came within \(frames.duration / 1_000_000_000) s are "
            + "answered as if they had come within a minute", at: nil,
          help: "limits, timeouts and connections depend on it; `editcap -i 60` cuts a capture"))
    }
    if let wrong { throw wrong }
  }
}

/// The frames of a capture file, and how far they are apart.
private struct CaptureFrames: ~Copyable {
  private var reader: CaptureFileReader
  private var moments: ClosedRange<UInt64>?

  init(_ path: String) throws(Diagnostic) {
    do throws(CaptureError) { reader = try CaptureFileReader(path) } catch {
      throw Self.diagnostic(error)
    }
  }

  /// From the first packet to the last, in nanoseconds.
  var duration: UInt64 { moments.map { $0.upperBound - $0.lowerBound } ?? 0 }

  mutating func next() throws(Diagnostic) -> CaptureFileReader.Frame? {
    let frame: CaptureFileReader.Frame?
    do throws(CaptureError) { frame = try reader.nextFrame() } catch {
      throw Self.diagnostic(error)
    }
    // Packets without a time have the time 0.
    if case .packet(let packet)? = frame, packet.facts.timestamp > 0 {
      let moment = packet.facts.timestamp
      moments =
        moments.map { min($0.lowerBound, moment)...max($0.upperBound, moment) } ?? moment...moment
    }
    return frame
  }

  private static func diagnostic(_ error: CaptureError) -> Diagnostic {
    Diagnostic("simulate.wrong-capture", .error, error.description, at: nil, help: error.help)
  }
}
