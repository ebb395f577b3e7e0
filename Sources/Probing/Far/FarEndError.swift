internal import LinuxKernel

/// Why a far end tells nothing, or nothing that can be trusted.
package struct FarEndError: Error, Hashable, Sendable {
  package enum Problem: Hashable, Sendable {
    /// There is no such program.
    case noSuchProgram(String)
    case notStarted(reason: String)
    /// It did not say what was awaited in time.
    case silent(Awaited, seconds: Int)
    /// It ended before it said what was awaited.
    case ended(Awaited)
    /// It was no longer there for all of the run.
    case endedEarly(because: ResponderEvent.Ending.Reason)
    /// It wrote what a responder would not write.
    case nonsense(line: String, problem: String)
    /// It says that it cannot do what it was told.
    case refused(message: String)
  }

  package enum Awaited: String, Hashable, Sendable {
    case readiness = "that it is ready"
    case sync = "that all is told"
    case end = "that it ends"
  }

  /// What the far end is called.
  package var host: String
  package var problem: Problem
  /// What it wrote to standard error, at most the last lines of it.
  package var errors: String
}

extension FarEndError: CustomStringConvertible {
  /// What is wrong, in one phrase, and the agent's own last words.
  package var description: String {
    let own = errors.isEmpty ? "" : "; it says: \(errors)"
    return "\(phrase)\(own)"
  }

  private var phrase: String {
    switch problem {
    case .noSuchProgram(let name): "the agent of '\(host)' cannot be started: no program '\(name)'"
    case .notStarted(let reason): "the agent of '\(host)' cannot be started: \(reason)"
    case .silent(let awaited, let seconds):
      "the agent of '\(host)' did not say \(awaited.rawValue) within \(seconds) s"
    case .ended(let awaited): "the agent of '\(host)' ended before it said \(awaited.rawValue)"
    case .endedEarly(let reason):
      "the agent of '\(host)' ended by itself before it was told to (\(reason.rawValue))"
    case .nonsense(let line, let problem):
      "the agent of '\(host)' is no responder: \(problem), in '\(line)'"
    case .refused(let message): "the agent of '\(host)' refuses: \(message)"
    }
  }
}
