extension ClaimOutcome {
  /// The outcome of a line that is not asked about, and why.
  package func skipped(_ reason: String) -> ClaimOutcome {
    var outcome = self
    outcome.status = .skipped
    outcome.code = "skipped"
    outcome.message = reason
    return outcome
  }

  /// Does what `xfail` says: a known failure counts as a pass, an unexpected pass as a failure.
  package mutating func turn(forExpectedFailure reason: String) {
    switch status {
    case .failed:
      status = .passed
      message = "fails as expected (\(reason)): \(message)"
      code = "xfail"
    case .passed:
      status = .failed
      message = "holds, though the line expects it to fail (\(reason))"
      code = "xfail.passed"
      hint = "remove `xfail` from the line"
    case .unknown, .skipped:
      break
    }
  }
}
