internal import Diagnostics

/// Lines of output that are written many at a time.
struct AnswerLines {
  let console: Console
  /// Whether all are written with one step at the end, as a file is.
  let isWrittenAtOnce: Bool
  private var bytes: [UInt8] = []

  init(console: Console, isWrittenAtOnce: Bool) {
    self.console = console
    self.isWrittenAtOnce = isWrittenAtOnce
  }

  mutating func append(_ line: [UInt8]) throws(Diagnostic) {
    bytes += line
    bytes.append(UInt8(ascii: "\n"))
    guard bytes.count > Self.chunk, !isWrittenAtOnce else { return }
    try console.write(bytes)
    bytes.removeAll(keepingCapacity: true)
  }

  mutating func finish() throws(Diagnostic) {
    if !bytes.isEmpty || isWrittenAtOnce { try console.write(bytes) }
    bytes.removeAll()
  }

  private static let chunk = 1 << 18
}
