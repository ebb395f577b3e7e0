/// How the tool tells its caller what it found.
enum RunStatus: CInt, Sendable {
  /// Every expectation holds.
  case holds = 0
  /// An expectation does not hold.
  case broken = 1
  /// Usage, scenario or input error; nothing was checked.
  case unusable = 2
  /// Something is not known, or the environment failed.
  case notKnown = 3
  /// A bug in portproof.
  case bug = 4
  /// Interrupted; reports are written.
  case interrupted = 130
}
