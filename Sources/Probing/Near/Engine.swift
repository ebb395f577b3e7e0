internal import Capture
internal import LinuxKernel

/// Sends, reads and waits until every probe of a question has ended.
///
/// The schedule counts the probes of the question; everything else the run's.
struct Engine {
  /// The sockets.
  struct Transports {
    var raw: Held<RawTransport>?
    var datagrams: Held<DatagramTransport>?
    var pings: Held<DatagramTransport>?
    var connections: Held<ConnectTransport>?
    var tap: Held<Tap>?
    var reading: Held<PacketReading>
    /// By probe, all whose packets look the same; only where there are several.
    var twins: [Int: [Int]]
    var notes: Held<CaptureNotes?>
  }

  private struct Result {
    var answer: Observation.Answer?
    var port: UInt16?
    var roundTrip: Int64?
  }

  /// As they are to be sent now.
  private let probes: [Probe]
  /// Their numbers in the run.
  private let numbers: [Int]
  /// By number in the run, where they are in the question; -1 for others.
  private var places: [Int32]
  private let rate: Rate
  private let transports: Transports
  private let memory: RunMemory
  private var schedule: Schedule
  private var results: [Result]
  private var findings: [Finding] = []
  /// Probes whose half-opened connection is to be reset.
  private var resets = Queue<Int>()
  private let start: Moment
  /// Nothing is sent before, as a socket had no room.
  private var held: Moment = 0
  /// When it was last seen that answers were lost.
  private var lastLoss: Moment = .min

  private static let progressInterval: Int64 = 100_000_000
  /// How long resets are still sent when every probe has ended.
  private static let afterwork: Int64 = 2_000_000_000

  /// - Parameters:
  ///   - questions: The probes as they are to be sent now, by their numbers in the run.
  ///   - rate: How fast.
  ///   - transports: The run's sockets.
  ///   - memory: What the run's earlier questions left behind.
  init(
    _ questions: [(index: Int, probe: Probe)], rate: Rate, _ transports: Transports,
    _ memory: RunMemory
  ) {
    probes = questions.map(\.probe)
    numbers = questions.map(\.index)
    places = [Int32](repeating: -1, count: memory.isAnswered.count)
    for (place, number) in numbers.enumerated() { places[number] = Int32(place) }
    self.rate = rate
    self.transports = transports
    self.memory = memory
    start = Clocks.moment
    schedule = Schedule(probes, rate: rate, lastSent: memory.lastSent, now: start)
    results = [Result](repeating: Result(), count: probes.count)
  }

  /// A probe will not be sent.
  mutating func refuse(_ place: Int, _ error: Errno) {
    guard !schedule.hasEnded(place) else { return }
    end(place, .notSent(error), isAnswered: false)
  }

  private mutating func end(_ place: Int, _ answer: Observation.Answer, isAnswered: Bool) {
    results[place].answer = answer
    schedule.end(place, isAnswered: isAnswered)
    transports.connections?.value.end(numbers[place])
  }

  mutating func run(
    progress: (RunProgress) -> Void, isStopped: () -> Bool
  ) throws(ProbeRunError) {
    var due: [Int] = []
    var nextProgress = start + Self.progressInterval
    while !schedule.isDone, !isStopped() {
      let now = Clocks.moment
      due.removeAll(keepingCapacity: true)
      if now >= held { schedule.due(now, limit: memory.batch, into: &due) }
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
    if let probe = resets.first, admitsReset(probe, now) { next = now }
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
    let deadline = Clocks.moment + Self.afterwork
    while !resets.isEmpty, Clocks.moment < deadline {
      let before = resets.count
      sendResets(Clocks.moment)
      if resets.count == before { Clocks.sleep(.microseconds(200)) }
    }
    // The capture has what was sent last.
    if transports.notes.value != nil { _ = try receive() }
    for place in results.indices where results[place].answer == nil {
      end(place, .failed(.interrupted), isAnswered: false)
    }
    for place in probes.indices where schedule.transmissions(of: place) > 0 {
      let address = probes[place].destination
      memory.lastSent[address] = max(memory.lastSent[address] ?? .min, schedule.lastSent(place))
    }
    memory.statistics.sent += schedule.transmissions
    memory.statistics.duration += .nanoseconds(Clocks.moment - start)
    memory.statistics.lost = try lost()
  }

  /// What came back, in the order of the questions.
  func observations(ports: [UInt16?]) -> [Observation] {
    results.indices.map { place in
      let result = results[place]
      let number = numbers[place]
      let repetitions = transports.connections?.value.takeRepetitions(of: number) ?? 0
      return Observation(
        result.answer ?? .failed(.interrupted),
        transmissions: schedule.transmissions(of: place) + repetitions,
        sourcePort: result.port ?? ports[number],
        roundTrip: result.roundTrip.map { .nanoseconds($0) })
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
    for place in due where !schedule.hasEnded(place) {
      let number = numbers[place]
      switch probes[place].kind {
      case .udp: datagrams.append(number)
      case .tcp where transports.raw == nil: connect(place, now)
      case .icmp where transports.raw == nil: pings.append(number)
      case .tcp, .icmp: raws.append(number)
      }
    }
    var outcomes: [(Int, Sending)] = []
    do throws(Errno) {
      if let raw = transports.raw { raw.value.send(raws) { outcomes.append(($0, $1)) } }
      try transports.datagrams?.value.send(datagrams, &findings) { outcomes.append(($0, $1)) }
      try transports.pings?.value.send(pings, &findings) { outcomes.append(($0, $1)) }
    } catch {
      throw .socketFailed(error)
    }
    let after = Clocks.moment
    for (number, outcome) in outcomes { note(Int(places[number]), outcome, after) }
  }

  private mutating func connect(_ place: Int, _ now: Moment) {
    guard let connections = transports.connections else { return }
    let number = numbers[place]
    let (outcome, port) = connections.value.send(number)
    if let port {
      results[place].port = port
      if transports.tap != nil { transports.reading.value.insert(number, .tcp, port: port) }
    }
    note(place, outcome, now)
  }

  private mutating func note(_ place: Int, _ outcome: Sending, _ now: Moment) {
    switch outcome {
    case .sent: schedule.sent(place, now)
    case .refused(let error): refuse(place, error)
    case .later:
      schedule.unsent(place)
      held = now + 1_000_000
    }
  }

  /// Whether the reset of a probe's connection may go now; those of earlier questions go at once.
  private func admitsReset(_ number: Int, _ now: Moment) -> Bool {
    places[number] < 0 || schedule.admitsExtra(to: Int(places[number]), now)
  }

  private mutating func sendResets(_ now: Moment) {
    guard let raw = transports.raw else { return }
    var left = min(resets.count, memory.batch)
    while left > 0, let number = resets.first, admitsReset(number, now) {
      guard raw.value.reset(number) else { return }
      if places[number] >= 0 { schedule.chargeExtra(to: Int(places[number]), now) }
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
    if finding.answer == .synAcknowledgement, transports.raw != nil {
      resets.append(finding.probe)
    }
    // What answers one of several packets that look the same answers all that were sent.
    guard let twins = transports.twins[finding.probe] else {
      return apply(finding, to: finding.probe, now)
    }
    let asked = twins.filter {
      places[$0] >= 0 && schedule.transmissions(of: Int(places[$0])) > 0
    }
    for number in asked.isEmpty ? [finding.probe] : asked { apply(finding, to: number, now) }
  }

  private mutating func apply(_ finding: Finding, to number: Int, _ now: Moment) {
    let place = Int(places[number])
    guard place >= 0 else {
      if !memory.isAnswered[number] { memory.lateAnswers[number] = finding.answer }
      return
    }
    guard !schedule.hasEnded(place) else {
      if !memory.isAnswered[number], results[place].answer == .silence {
        memory.lateAnswers[number] = finding.answer
      }
      return
    }
    memory.isAnswered[number] = true
    memory.lateAnswers[number] = nil
    if let port = finding.port { results[place].port = port }
    results[place].roundTrip = now - schedule.lastSent(place)
    end(place, finding.answer, isAnswered: true)
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
      for place in again where probes[place].isPaced { connections.value.end(numbers[place]) }
    }
    guard !silent.isEmpty else { return }
    let lost = try lost()
    if lost > memory.statistics.lost {
      memory.statistics.lost = lost
      lastLoss = now
      // Answers come no faster than probes go.
      memory.batch = max(16, memory.batch / 2)
      held = now + 20_000_000
    }
    for place in silent {
      guard schedule.lastSent(place) <= lastLoss else {
        end(place, .silence, isAnswered: false)
        continue
      }
      if schedule.repair(place) { continue }
      memory.statistics.unclear += 1
      end(place, .failed(.noBufferSpace), isAnswered: false)
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
