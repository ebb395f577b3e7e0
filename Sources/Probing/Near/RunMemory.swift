internal import Addresses

/// What one question leaves behind for the next of the same run.
final class RunMemory {
  /// When something was sent to an address last.
  var lastSent: [IPAddress: Moment] = [:]
  /// Whether something ever came back to a probe.
  var isAnswered: [Bool]
  /// What came back to a probe that was not asked any more.
  var lateAnswers: [Int: Observation.Answer] = [:]
  /// How many probes are sent between two looks at what came back.
  var batch = RunMemory.largestBatch
  var statistics = ProbeRun.Statistics()

  /// A few milliseconds' worth of sending, of which the capture has room for far more.
  static let largestBatch = 256

  init(count: Int) { isAnswered = [Bool](repeating: false, count: count) }
}
