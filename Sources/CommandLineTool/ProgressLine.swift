internal import LinuxKernel
internal import Probing

/// One line at the foot of a terminal that says how far a run is, and is gone when it ends.
struct ProgressLine {
  private let isShown: Bool
  private let columns: Int

  /// - Parameter isWanted: Whether it may be drawn; it never is where standard error is no terminal.
  init(isWanted: Bool) {
    let isDumb = Machine.environment("TERM") == "dumb"
    isShown = isWanted && !isDumb && StandardStream.error.isTerminal
    columns = StandardStream.error.columns ?? 80
  }

  /// Draws the line anew.
  func show(_ progress: RunProgress) {
    guard isShown else { return }
    try? StandardStream.error.write("\r\u{1B}[K" + text(of: progress))
  }

  /// Takes the line away.
  func clear() {
    guard isShown else { return }
    try? StandardStream.error.write("\r\u{1B}[K")
  }

  /// `[########        ]  1200 sent  300 answered  700 outstanding  950/s  1.2 s left`.
  func text(of progress: RunProgress) -> String {
    let total = progress.answered + progress.outstanding
    let words =
      "\(progress.sent) sent  \(progress.answered) answered  \(progress.outstanding) outstanding"
      + "  \(Int(progress.rate))/s  \(Self.seconds(progress.remaining)) left"
    let room = min(30, columns - words.count - 5)
    guard room >= 4, total > 0 else { return String(words.prefix(columns - 1)) }
    let filled = room * progress.answered / total
    return "[" + String(repeating: "#", count: filled)
      + String(repeating: " ", count: room - filled) + "]  " + words
  }

  private static func seconds(_ duration: Duration) -> String {
    let tenths = max(0, Int(duration / .milliseconds(100)))
    return tenths >= 600 ? "\(tenths / 600) min" : "\(tenths / 10).\(tenths % 10) s"
  }
}
