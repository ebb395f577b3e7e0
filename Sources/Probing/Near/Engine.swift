internal import Capture
internal import LinuxKernel

/// Sends, reads and waits until every probe has ended.
struct Engine {
  /// The sockets.
  struct Transports {
    var raw: Held<RawTransport>?
    var datagrams: Held<DatagramTransport>?
    var pings: Held<DatagramTransport>?
    var connections: Held<ConnectTransport>?
    var tap: Held<Tap>?
    var reading: Held<PacketReading>
    var notes: Held<CaptureNotes?>
  }

  private struct Result {
    var answer: Observation.Answer?
    var port: UInt16?
    var roundTrip: Int64?
  }

  private let probes: [Probe]
  private let rate: Rate
  private let transports: Transports
  private var schedule: Schedule
  private var results: [Result]
  private var findings: [Finding] = []
  /// Probes whose half-opened connection is to be reset.
  private var resets = Queue<Int>()
  private let start: Moment
  /// Nothing is sent before, as a socket had no room.
  private var held: Moment = 0
  /// How many probes are sent between two looks at what came back.
  private var batch = Engine.mostAtOnce
  /// When it was last seen that answers were lost.
  private var lastLoss: Moment = .min
  private(set) var statistics = ProbeRun.Statistics()

  /// A few milliseconds' worth of sending, of which the capture has room for far more.
  private static let mostAtOnce = 256
  private static let progressInterval: Int64 = 100_000_000
  /// How long resets are still sent when every probe has ended.
  private static let afterwork: Int64 = 2_000_000_000

  init(_ probes: [Probe], rate: Rate, _ transports: Transports) {
    self.probes = probes
    self.rate = rate
    self.transports = transports
    start = Clocks.moment
    schedule = Schedule(probes, rate: rate, now: start)
    results = [Result](repeating: Result(), count: probes.count)
  }

  /// A probe will not be sent.
  mutating func refuse(_ probe: Int, _ error: Errno) {
    guard !schedule.hasEnded(probe) else { return }
    results[probe].answer = .notSent(error)
    schedule.end(probe, isAnswered: false)
    transports.connections?.value.end(probe)
  }

  mutating func run(
    progress: (RunProgress) -> Void, isStopped: () -> Bool
  ) throws(ProbeRunError) {
    var due: [Int] = []
    var nextProgress = start + Self.progressInterval
    while !schedule.isDone, !isStopped() {
      let now = Clocks.moment
      due.removeAll(keepingCapacity: true)
      if now >= held { schedule.due(now, limit: batch, into: &due) }
      try send(due, now)
      sendResets(now)
      let isBusy = try receive()
      try expire(Clocks.moment)
      if now >= nextProgress {
        progress(progressValue(now))
        nextProgress = now + Self.progressInterval
      }
      if due.isEmpty, !isBusy { try wait(until: nextProgress) }
    }
    try finish()
    progress(progressValue(Clocks.moment))
  }

  private func progressValue(_ now: Moment) -> RunProgress {
    let seconds = max(1e-9, Double(now - start) / 1e9)
    return RunProgress(
      sent: schedule.transmissions, answered: schedule.answered,
      outstanding: schedule.outstanding, rate: Double(schedule.transmissions) / seconds,
      remaining: .nanoseconds(schedule.remaining(interval: rate.interval)))
  }

  private func wait(until nextProgress: Moment) throws(ProbeRunError) {
    let now = Clocks.moment
    var next = min(nextProgress, max(held, schedule.nextMoment(now)))
    if let probe = resets.first, schedule.admitsExtra(to: probe, now) { next = now }
    // A reset that waits for its turn does so for a millisecond at most.
    if !resets.isEmpty { next = min(next, now + 1_000_000) }
    guard next > now else { return }
    var descriptors: [CInt] = []
    if let tap = transports.tap { descriptors.append(tap.value.selectableDescriptor) }
    if let connections = transports.connections {
      descriptors.append(connections.value.selectableDescriptor)
    }
    for each in [transports.datagrams, transports.pings] {
      if let each { descriptors += each.value.selectableDescriptors }
    }
    // With very many sockets none of them wakes us, and we look for ourselves.
    let isMany = descriptors.count > 64
    do throws(Errno) {
      try Waiting.forAny(
        of: isMany ? [] : descriptors,
        nanoseconds: isMany ? min(next - now, 1_000_000) : next - now)
    } catch {
      throw .socketFailed(error)
    }
  }

  /// What is left to do when every probe has ended, or the run was stopped.
  private mutating func finish() throws(ProbeRunError) {
    let end = Clocks.moment + Self.afterwork
    while !resets.isEmpty, Clocks.moment < end {
      let before = resets.count
      sendResets(Clocks.moment)
      if resets.count == before { Clocks.sleep(.microseconds(200)) }
    }
    // The capture has what was sent last.
    if transports.notes.value != nil { _ = try receive() }
    for index in results.indices where results[index].answer == nil {
      results[index].answer = .failed(.interrupted)
      transports.connections?.value.end(index)
    }
    statistics.sent = schedule.transmissions
    statistics.duration = .nanoseconds(Clocks.moment - start)
    statistics.lost = try lost()
  }

  func observations(ports: [UInt16?], packets: [Int: [Int]]) -> [Observation] {
    results.indices.map { index in
      let result = results[index]
      let repetitions = transports.connections?.value.repetitions(of: index) ?? 0
      return Observation(
        result.answer ?? .failed(.interrupted),
        transmissions: schedule.transmissions(of: index) + repetitions,
        sourcePort: result.port ?? ports[index],
        roundTrip: result.roundTrip.map { .nanoseconds($0) },
        packets: packets[index] ?? [])
    }
  }
}

// MARK: - Sending

extension Engine {
  private mutating func send(_ due: [Int], _ now: Moment) throws(ProbeRunError) {
    if due.isEmpty { return }
    var raws: [Int] = []
    var datagrams: [Int] = []
    var pings: [Int] = []
    for index in due where !schedule.hasEnded(index) {
      switch probes[index].kind {
      case .udp: datagrams.append(index)
      case .tcp where transports.raw == nil: connect(index, now)
      case .icmp where transports.raw == nil: pings.append(index)
      case .tcp, .icmp: raws.append(index)
      }
    }
    var outcomes: [(Int, Sending)] = []
    do throws(Errno) {
      if let raw = transports.raw { raw.value.send(raws, schedule) { outcomes.append(($0, $1)) } }
      try transports.datagrams?.value.send(datagrams, schedule, &findings) {
        outcomes.append(($0, $1))
      }
      try transports.pings?.value.send(pings, schedule, &findings) { outcomes.append(($0, $1)) }
    } catch {
      throw .socketFailed(error)
    }
    let after = Clocks.moment
    for (index, outcome) in outcomes { note(index, outcome, after) }
  }

  private mutating func connect(_ index: Int, _ now: Moment) {
    guard let connections = transports.connections else { return }
    let (outcome, port) = connections.value.send(index)
    if let port {
      results[index].port = port
      if transports.tap != nil { transports.reading.value.insert(index, .tcp, port: port) }
    }
    note(index, outcome, now)
  }

  private mutating func note(_ index: Int, _ outcome: Sending, _ now: Moment) {
    switch outcome {
    case .sent: schedule.sent(index, now)
    case .refused(let error): refuse(index, error)
    case .later:
      schedule.unsent(index)
      held = now + 1_000_000
    }
  }

  private mutating func sendResets(_ now: Moment) {
    guard let raw = transports.raw else { return }
    var left = min(resets.count, batch)
    while left > 0, let probe = resets.first, schedule.admitsExtra(to: probe, now) {
      guard raw.value.reset(probe) else { return }
      schedule.chargeExtra(to: probe, now)
      _ = resets.popFirst()
      left -= 1
    }
  }
}

// MARK: - Receiving

extension Engine {
  /// - Returns: Whether something came in.
  private mutating func receive() throws(ProbeRunError) -> Bool {
    do throws(Errno) {
      try transports.datagrams?.value.receive(&findings)
      try transports.pings?.value.receive(&findings)
      try transports.connections?.value.receive(&findings)
    } catch {
      throw .socketFailed(error)
    }
    let captured = try drain()
    if findings.isEmpty { return captured > 0 }
    let now = Clocks.moment
    for finding in findings { apply(finding, now) }
    findings.removeAll(keepingCapacity: true)
    return true
  }

  private mutating func drain() throws(ProbeRunError) -> Int {
    guard let tap = transports.tap else { return 0 }
    let reading = transports.reading
    let notes = transports.notes
    let isNoted = notes.value != nil
    var found: [Finding] = []
    let count: Int
    do throws(CaptureError) {
      count = try tap.value.drain { packet, bytes in
        guard let (probe, role) = reading.value.read(bytes) else { return }
        if isNoted { notes.value?.write(packet, bytes, probe, role) }
        if case .answer(let answer) = role {
          found.append(Finding(probe: probe, answer: answer, port: nil))
        }
      }
    } catch {
      throw .capture(error)
    }
    findings += found
    return count
  }

  private mutating func apply(_ finding: Finding, _ now: Moment) {
    let probe = finding.probe
    if finding.answer == .synAcknowledgement, transports.raw != nil { resets.append(probe) }
    guard !schedule.hasEnded(probe) else { return }
    results[probe].answer = finding.answer
    if let port = finding.port { results[probe].port = port }
    results[probe].roundTrip = now - schedule.lastSent(probe)
    schedule.end(probe, isAnswered: true)
    transports.connections?.value.end(probe)
  }
}

// MARK: - Silence

extension Engine {
  private mutating func expire(_ now: Moment) throws(ProbeRunError) {
    var silent: [Int] = []
    var again: [Int] = []
    schedule.expire(now, into: &silent, again: &again)
    // The kernel would go on with its own repetitions, and use up what its peer may answer.
    if let connections = transports.connections {
      for probe in again where probes[probe].isPaced { connections.value.end(probe) }
    }
    guard !silent.isEmpty else { return }
    if try lost() > statistics.lost {
      statistics.lost = try lost()
      lastLoss = now
      // Answers come no faster than probes go.
      batch = max(16, batch / 2)
      held = now + 20_000_000
    }
    for probe in silent {
      if schedule.lastSent(probe) <= lastLoss {
        if schedule.repair(probe) { continue }
        statistics.unclear += 1
        results[probe].answer = .failed(.noBufferSpace)
      } else {
        results[probe].answer = .silence
      }
      schedule.end(probe, isAnswered: false)
      transports.connections?.value.end(probe)
    }
  }

  private func lost() throws(ProbeRunError) -> Int {
    var lost = (transports.datagrams?.value.lost ?? 0) + (transports.pings?.value.lost ?? 0)
    do throws(CaptureError) {
      if let tap = transports.tap { lost += try tap.value.lost() }
    } catch {
      throw .capture(error)
    }
    return lost
  }
}
