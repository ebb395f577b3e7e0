internal import Diagnostics
internal import LinuxKernel
internal import Outcomes

/// A run whose reports are written however it ends.
struct ReportedRun {
  let arguments: ParsedArguments
  let console: Console

  /// Runs `body` and writes what it leaves in the outcome.
  ///
  /// - Returns: The exit status.
  func run(
    _ body: (inout RunOutcome, inout SourceMap) throws(Stop) -> Void
  ) -> RunStatus {
    let started = Clocks.monotonic
    var run = RunOutcome(
      toolVersion: Tool.version, claims: [], startedAt: Clocks.wallSeconds, seconds: 0,
      hostname: Machine.hostname,
      properties: [.init(name: "kernel", value: Machine.kernelRelease)])
    var sources = SourceMap()
    var status = RunStatus.holds
    let output = RunOutput(arguments: arguments, console: console)
    do throws(Stop) {
      try watchForInterruption()
      try body(&run, &sources)
      status = output.status(of: run)
    } catch {
      run.abortedBecause = error.reason
      status = error.status
    }
    run.seconds = (Clocks.monotonic - started).seconds
    let isWritten = output.write(run, sources: sources)
    return isWritten || status != .holds ? status : .notKnown
  }

  /// Ends the run where someone has asked for it.
  static func stopIfInterrupted() throws(Stop) {
    guard Interruption.isRequested else { return }
    throw Stop(status: .interrupted, reason: "interrupted")
  }

  private func watchForInterruption() throws(Stop) {
    do throws(Errno) {
      try Interruption.watch()
    } catch {
      throw console.stop(
        Diagnostic("environment.signals", .error, "cannot wait for signals: \(error)", at: nil),
        .notKnown)
    }
  }
}
