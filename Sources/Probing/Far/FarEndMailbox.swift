internal import LinuxKernel
internal import Synchronization

/// What a far end has said so far: one thread fills it while others ask.
final class FarEndMailbox: Sendable {
  struct Content {
    var readiness: ResponderEvent.Readiness?
    var arrivals: [FarEndReport.Sighting] = []
    var acceptances: [FarEndReport.Sighting] = []
    /// Sightings for which there was no room.
    var untold = 0
    /// The numbers of the questions that are answered.
    var synced: Set<Int> = []
    var ending: ResponderEvent.Ending?
    /// What was wrong first.
    var problem: FarEndError.Problem?
    /// Whether nothing more will come.
    var isOver = false
  }

  private let content = Mutex(Content())

  /// The most sightings that are kept; a few hundred megabytes.
  private static let sightingLimit = 2_000_000

  /// Looks at what has come, or takes from it.
  func withContent<Result: Sendable>(_ body: (inout Content) -> sending Result) -> Result {
    content.withLock { body(&$0) }
  }

  /// Reads what an agent writes until it ends or makes no sense.
  func fill(from socket: borrowing KeptChild.Reader) {
    var lines = LineBuffer()
    while true {
      let bytes = (try? socket.read(1 << 16)) ?? []
      if bytes.isEmpty { break }
      lines.append(bytes[...])
      var events: [ResponderEvent] = []
      var problem: FarEndError.Problem?
      while problem == nil, let line = lines.next() {
        do throws(ResponderEvent.Problem) {
          events.append(try ResponderEvent(reading: line))
        } catch {
          problem = .nonsense(line: Self.shown(line), problem: error.description)
        }
      }
      if problem == nil, lines.count > Self.lineLimit {
        problem = .nonsense(line: Self.shown(lines.rest()), problem: "a line does not end")
      }
      withContent { content in
        for event in events { Self.add(event, to: &content) }
        content.problem = content.problem ?? problem
      }
      if problem != nil { break }
    }
    withContent { $0.isOver = true }
  }

  private static let lineLimit = 1 << 24

  private static func add(
    _ sighting: FarEndReport.Sighting, to list: WritableKeyPath<Content, [FarEndReport.Sighting]>,
    of content: inout Content
  ) {
    if content.arrivals.count + content.acceptances.count < sightingLimit {
      content[keyPath: list].append(sighting)
    } else {
      content.untold += 1
    }
  }

  private static func add(_ event: ResponderEvent, to content: inout Content) {
    switch event {
    case .ready(let readiness): content.readiness = readiness
    case .arrival(let sighting): add(sighting, to: \.arrivals, of: &content)
    case .acceptance(let sighting): add(sighting, to: \.acceptances, of: &content)
    case .synced(let number): content.synced.insert(number)
    case .error(let message): content.problem = content.problem ?? .refused(message: message)
    case .end(let ending): content.ending = ending
    }
  }

  /// The beginning of a line, without what a terminal would obey.
  private static func shown(_ line: [UInt8]) -> String {
    String(
      String.UnicodeScalarView(
        String(decoding: line.prefix(120), as: UTF8.self).unicodeScalars.map {
          $0.value < 0x20 || 0x7F...0x9F ~= $0.value ? "?" : $0
        }))
  }
}
