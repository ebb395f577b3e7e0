internal import Capture
internal import LinuxKernel

/// The sending half of a run: asks every probe's question and tells what came back.
///
/// All sockets are opened when it is made; it needs no privilege afterwards.
///
/// What comes back is read from the interfaces where packets are raw, before any rule of this
/// machine, and from sockets where they are not. A rule of this machine that translates the
/// addresses of what it sends is not seen through.
package struct ProbeRun: ~Copyable {
  /// By which means packets are sent and answers read.
  package enum Means: Hashable, Sendable {
    /// Raw SYNs and ICMP messages; answers are captured. Needs CAP_NET_RAW.
    case raw
    /// `connect(2)` and ping sockets. Needs no privilege, and tells less: ``ConnectTransport``.
    case connect

    /// The best that this thread may use.
    package static var best: Means { Privileges.maySendRaw ? .raw : .connect }
  }

  /// What became of the run besides its observations.
  package struct Statistics: Hashable, Sendable {
    /// Packets, or begun connections.
    package var sent = 0
    /// Captured packets and datagrams that came in and found no room.
    ///
    /// Probes that stayed silent meanwhile were sent again.
    package var lost = 0
    /// Probes that stayed silent even then; their answer is ``Observation/Answer/failed(_:)`` with
    /// `ENOBUFS`.
    package var unclear = 0
    package var duration = Duration.zero

    package init() {}
  }

  package var statistics: Statistics { memory.statistics }
  /// By probe, what came back when it was not asked any more and nothing had come before: the
  /// network is slower than the timeout.
  package var lateAnswers: [Int: Observation.Answer] { memory.lateAnswers }
  /// The port from which each probe is sent, as far as that is known before.
  package let sourcePorts: [UInt16?]

  private let probes: [Probe]
  private let rate: Rate
  private let transports: Engine.Transports
  /// Why this machine will not send a probe.
  private let refusals: [Int: Errno]
  private let memory: RunMemory

  /// Opens what the probes need.
  ///
  /// - Parameters:
  ///   - probes: The questions.
  ///   - key: The run's key, which the far end has too.
  ///   - rate: How fast to send.
  ///   - means: By which means.
  ///   - capture: Where every packet of the run is written, as pcapng; nil for nowhere. Needs
  ///     CAP_NET_RAW.
  /// - Throws: ``ProbeRunError`` with what the user can do. What this machine has against a single
  ///   probe is that probe's observation: ``Observation/Answer/notSent(_:)``.
  package init(
    _ probes: [Probe], key: RunKey, rate: Rate = .default, means: Means = .best,
    capture: String? = nil
  ) throws(ProbeRunError) {
    var sourcePorts = [UInt16?](repeating: nil, count: probes.count)
    var refusals: [Int: Errno] = [:]
    var opening = Opening(probes, key: key, means: means)
    for index in probes.indices {
      do throws(Errno) {
        sourcePorts[index] = try opening.prepare(index)
      } catch {
        refusals[index] = error
      }
    }
    if let failure = opening.failure { throw failure }
    if capture != nil, !Privileges.maySendRaw { throw .captureNeedsRaw }
    let opened = opening.finish()
    var tap: Held<Tap>?
    let notes = Held<CaptureNotes?>(nil)
    if means == .raw || capture != nil {
      do throws(CaptureError) {
        let held = Held(
          try Tap(
            opened.filter(probes, ports: sourcePorts, means: means), types: opened.replyTypes,
            isBothWays: capture != nil))
        if let capture {
          notes.value = try CaptureNotes(capture, probes, filter: held.value.filter)
        }
        tap = held
      } catch {
        throw .capture(error)
      }
    }
    var twins: [Int: [Int]] = [:]
    for (twin, first) in opened.twins {
      // A connection of the kernel's is its probe's alone.
      if means == .connect, case .tcp = probes[twin].kind { continue }
      twins[first, default: [first]].append(twin)
    }
    self.probes = probes
    self.rate = rate
    self.sourcePorts = sourcePorts
    memory = RunMemory(count: probes.count)
    self.refusals = refusals
    transports = Engine.Transports(
      raw: opened.raw, datagrams: opened.datagrams, pings: opened.pings,
      connections: opened.connections, tap: tap,
      reading: Held(PacketReading(probes, key: key, isRaw: means == .raw, flows: opened.flows)),
      twins: twins, notes: notes)
  }

  /// Sends some of the run's probes until they are answered or have been sent often enough.
  ///
  /// A probe can be asked again, from the same port; in between nothing is read.
  ///
  /// - Parameters:
  ///   - questions: The probes by their numbers in the run, each once. How often, how slowly and
  ///     for how long they are sent is as given here; everything else as when the run was made.
  ///   - progress: Is told how far the question is, ten times a second.
  ///   - isStopped: Whether the run shall end now. What is not known then becomes
  ///     ``Observation/Answer/failed(_:)`` with `EINTR`, and is no silence.
  /// - Returns: What came back, in the order of the questions; ``finish()`` tells the packets.
  /// - Throws: ``ProbeRunError`` where a socket or the capture broke.
  package mutating func ask(
    _ questions: [(index: Int, probe: Probe)], progress: (RunProgress) -> Void = { _ in },
    isStopped: () -> Bool = { false }
  ) throws(ProbeRunError) -> [Observation] {
    var engine = Engine(questions, rate: rate, transports, memory)
    for (place, question) in questions.enumerated() {
      if let error = refusals[question.index] { engine.refuse(place, error) }
    }
    try engine.run(progress: progress, isStopped: isStopped)
    return engine.observations(ports: sourcePorts)
  }

  /// Ends the capture, and gives its file the name.
  ///
  /// - Returns: By probe, the numbers of its packets in the file, from 1 on, in order.
  /// - Throws: ``ProbeRunError`` where the file cannot be written.
  package mutating func finish() throws(ProbeRunError) -> [Int: [Int]] {
    guard transports.notes.value != nil else { return [:] }
    var engine = Engine([], rate: rate, transports, memory)
    try engine.run(progress: { _ in }, isStopped: { false })
    guard let writer = transports.notes.value.take() else { return [:] }
    let packets = writer.packets
    do throws(CaptureError) { try writer.finish() } catch { throw .capture(error) }
    return packets
  }

  /// Asks all probes once, and ends the capture.
  ///
  /// - Parameters:
  ///   - progress: As in ``ask(_:progress:isStopped:)``.
  ///   - isStopped: As there.
  /// - Returns: What came back, with its packets, in the order of the probes.
  /// - Throws: ``ProbeRunError`` where a socket or the capture broke.
  package mutating func run(
    progress: (RunProgress) -> Void = { _ in }, isStopped: () -> Bool = { false }
  ) throws(ProbeRunError) -> [Observation] {
    let questions = probes.enumerated().map { (index: $0.offset, probe: $0.element) }
    var observations = try ask(questions, progress: progress, isStopped: isStopped)
    for (index, packets) in try finish() { observations[index].packets = packets }
    return observations
  }
}
