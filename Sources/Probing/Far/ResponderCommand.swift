internal import Documents

/// What whoever drives a responder tells it after the assignment, one line of JSON each.
package enum ResponderCommand: Hashable, Sendable {
  /// Tell all that has come so far, then say so.
  case sync(Int)
  case stop

  /// The line, without its end.
  package var json: [UInt8] {
    var writer = JSONWriter()
    writer.object {
      switch self {
      case .sync(let number):
        $0.member("command", "sync")
        $0.member("id", number)
      case .stop: $0.member("command", "stop")
      }
    }
    return writer.utf8
  }

  /// - Returns: nil where the line is no command.
  package init?(reading line: [UInt8]) {
    guard let value = try? JSONDocument(reading: line).value else { return nil }
    switch value["command"]?.string {
    case "sync":
      guard let number = value["id"]?.integer else { return nil }
      self = .sync(number)
    case "stop": self = .stop
    case .some, nil: return nil
    }
  }
}

/// Lines out of bytes as they come.
struct LineBuffer {
  private var bytes: [UInt8] = []
  /// Where the line that is not taken yet begins.
  private var start = 0
  /// How far it is known to hold no end of a line.
  private var searched = 0

  /// How many bytes wait for the end of their line, or to be taken.
  var count: Int { bytes.count - start }

  /// Takes what came.
  mutating func append(_ more: ArraySlice<UInt8>) {
    bytes.removeFirst(start)
    searched -= start
    start = 0
    bytes += more
  }

  /// The next whole line, without its end.
  mutating func next() -> [UInt8]? {
    guard let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) else {
      searched = bytes.count
      return nil
    }
    defer {
      start = end + 1
      searched = start
    }
    return Array(bytes[start..<end])
  }

  /// What comes after the last end of a line.
  mutating func rest() -> [UInt8] {
    defer { start = bytes.count; searched = start }
    return Array(bytes[start...])
  }
}
