internal import LinuxKernel

/// The far end of a run as the prober has it: an agent that is started with the value and ended
/// with it.
///
/// What the agent tells is taken by a thread of its own, at any time, so that the agent never waits
/// for the prober. When the prober dies the agent's standard input ends, and it with it.
package struct FarEnd: ~Copyable, Sendable {
  private let host: String
  private let child: KeptChild
  private let mailbox: FarEndMailbox
  private var lastSync = 0

  /// What it has and lacks.
  package let readiness: ResponderEvent.Readiness

  /// Starts an agent, gives it its assignment and waits until it answers.
  ///
  /// - Parameters:
  ///   - host: What the far end is called.
  ///   - words: The program and what follows its name, to which `respond --assignment -` is added;
  ///     no shell sees them.
  ///   - assignment: What it is to do.
  ///   - folder: Where the agent, on its own machine, puts a capture of the run; nil for none.
  ///   - patience: How long it may take to be ready.
  /// - Throws: ``FarEndError``; the agent has ended then.
  package init(
    _ host: String, starting words: [String], _ assignment: Assignment,
    capturingInto folder: String? = nil, within patience: Duration
  ) throws(FarEndError) {
    let capture = folder.map { ["--capture", $0] } ?? []
    guard let name = words.first, let program = Self.path(of: name) else {
      throw FarEndError(host: host, problem: .noSuchProgram(words.first ?? ""), errors: "")
    }
    let deadline = Clocks.monotonic + patience
    let mailbox = FarEndMailbox()
    let child = try Self.start(
      program, Array(words.dropFirst()) + ["respond", "--assignment", "-"] + capture, of: host,
      mailbox)
    // An agent that has ended says why better than the pipe does.
    try? child.send(assignment.json + [UInt8(ascii: "\n")], until: deadline)
    let readiness = try Self.await(
      .readiness, of: host, from: mailbox, child, until: deadline, patience
    ) { $0.readiness }
    self.readiness = readiness
    self.host = host
    self.mailbox = mailbox
    self.child = child
  }

  private static func start(
    _ program: String, _ words: [String], of host: String, _ mailbox: FarEndMailbox
  ) throws(FarEndError) -> KeptChild {
    do throws(Errno) {
      let child = try KeptChild(program, words)
      let reader = Shared(try child.reader())
      try Threads.start { mailbox.fill(from: reader.value) }
      return child
    } catch {
      throw FarEndError(
        host: host, problem: .notStarted(reason: error.description), errors: "")
    }
  }

  /// A value that is not copied, for a thread to take along.
  private final class Shared: Sendable {
    let value: KeptChild.Reader
    init(_ value: consuming KeptChild.Reader) { self.value = value }
  }

  /// Where the system finds a program; nil where it does not.
  private static func path(of name: String) -> String? {
    if name.contains("/") { return Files.isExecutable(name) ? name : nil }
    let folders = Machine.environment("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
    for folder in folders.split(separator: ":") {
      let path = "\(folder)/\(name)"
      if Files.isExecutable(path) { return path }
    }
    return nil
  }

  /// The number of the agent's process on this machine.
  package var processID: Int32 { child.processID }

  /// Waits until the far end has told of all that has come to it.
  ///
  /// - Throws: ``FarEndError`` where it does not say so in time.
  package mutating func sync(within patience: Duration) throws(FarEndError) {
    lastSync += 1
    let number = lastSync
    let deadline = Clocks.monotonic + patience
    try? child.send(ResponderCommand.sync(number).json + [UInt8(ascii: "\n")], until: deadline)
    _ = try Self.await(.sync, of: host, from: mailbox, child, until: deadline, patience) {
      $0.synced.contains(number) ? true : nil
    }
  }

  /// What the far end has told so far.
  package var report: FarEndReport {
    mailbox.withContent { Self.report(of: host, readiness, $0) }
  }

  /// Has the far end come to its end.
  ///
  /// - Returns: All that it has told.
  /// - Throws: ``FarEndError`` where it does not say that it ends.
  package consuming func stop(within patience: Duration) throws(FarEndError) -> FarEndReport {
    let deadline = Clocks.monotonic + patience
    try? child.send(ResponderCommand.stop.json + [UInt8(ascii: "\n")], until: deadline)
    let ending = try Self.await(
      .end, of: host, from: mailbox, child, until: deadline, patience
    ) { $0.ending }
    guard ending.reason == .stopped else {
      throw FarEndError(
        host: host, problem: .endedEarly(because: ending.reason), errors: Self.errors(of: child))
    }
    return report
  }

  private static func report(
    of host: String, _ readiness: ResponderEvent.Readiness, _ content: FarEndMailbox.Content
  ) -> FarEndReport {
    var report = FarEndReport(host: host)
    report.boundTCP = readiness.boundTCP
    report.boundUDP = readiness.boundUDP
    report.takenTCP = readiness.takenTCP
    report.takenUDP = readiness.takenUDP
    report.refusals = readiness.refusals
    report.blindBecause = readiness.blindBecause ?? content.ending?.blindBecause
    report.arrivals = content.arrivals
    report.acceptances = content.acceptances
    report.icmpRateLimit = readiness.icmpRateLimit
    report.icmpv6RateLimit = readiness.icmpv6RateLimit
    report.lostCaptures = content.ending?.lostCaptures ?? 0
    report.untold = content.untold + (content.ending?.untold ?? 0)
    if content.ending?.captureTrouble == nil { report.capture = readiness.capture }
    return report
  }

  /// Waits until something is said.
  private static func await<Value: Sendable>(
    _ awaited: FarEndError.Awaited, of host: String, from mailbox: FarEndMailbox,
    _ child: borrowing KeptChild, until deadline: Duration, _ patience: Duration,
    _ look: (FarEndMailbox.Content) -> Value?
  ) throws(FarEndError) -> Value {
    while true {
      let (value, problem, isOver) = mailbox.withContent { (look($0), $0.problem, $0.isOver) }
      if let problem {
        throw FarEndError(host: host, problem: problem, errors: errors(of: child))
      }
      if let value { return value }
      if isOver {
        throw FarEndError(host: host, problem: .ended(awaited), errors: errors(of: child))
      }
      guard Clocks.monotonic < deadline else {
        throw FarEndError(
          host: host, problem: .silent(awaited, seconds: Int(patience.seconds.rounded(.up))),
          errors: errors(of: child))
      }
      Clocks.sleep(.milliseconds(1))
    }
  }

  /// The last that it wrote to standard error, as one line.
  private static func errors(of child: borrowing KeptChild) -> String {
    let text = String(decoding: child.recentErrors(4096), as: UTF8.self)
    let lines = text.split(whereSeparator: \.isNewline).suffix(8)
    return lines.joined(separator: " / ").unicodeScalars.reduce(into: "") {
      $0.unicodeScalars.append($1.value < 0x20 || 0x7F...0x9F ~= $1.value ? "?" : $1)
    }
  }
}
