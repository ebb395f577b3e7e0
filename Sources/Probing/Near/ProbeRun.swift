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

  package private(set) var statistics = Statistics()
  /// The port from which each probe is sent, as far as that is known before.
  package let sourcePorts: [UInt16?]

  private let probes: [Probe]
  private let rate: Rate
  private let transports: Engine.Transports
  /// Why this machine will not send a probe.
  private let refusals: [(probe: Int, error: Errno)]

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
    var refusals: [(probe: Int, error: Errno)] = []
    var opening = Opening(probes, key: key, means: means)
    for index in probes.indices {
      do throws(Errno) {
        sourcePorts[index] = try opening.prepare(index)
      } catch {
        refusals.append((index, error))
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
    self.probes = probes
    self.rate = rate
    self.sourcePorts = sourcePorts
    self.refusals = refusals
    transports = Engine.Transports(
      raw: opened.raw, datagrams: opened.datagrams, pings: opened.pings,
      connections: opened.connections, tap: tap,
      reading: Held(PacketReading(probes, key: key, isRaw: means == .raw, flows: opened.flows)),
      notes: notes)
  }

  /// Sends every probe until it is answered or has been sent often enough.
  ///
  /// - Parameters:
  ///   - progress: Is told how far the run is, ten times a second.
  ///   - isStopped: Whether the run shall end now. What is not known then becomes
  ///     ``Observation/Answer/failed(_:)`` with `EINTR`, and is no silence.
  /// - Returns: What came back, in the order of the probes.
  /// - Throws: ``ProbeRunError`` where a socket or the capture broke.
  package mutating func run(
    progress: (RunProgress) -> Void = { _ in }, isStopped: () -> Bool = { false }
  ) throws(ProbeRunError) -> [Observation] {
    var engine = Engine(probes, rate: rate, transports)
    for refusal in refusals { engine.refuse(refusal.probe, refusal.error) }
    try engine.run(progress: progress, isStopped: isStopped)
    statistics = engine.statistics
    if let writer = transports.notes.value.take() {
      let packets = writer.packets
      do throws(CaptureError) { try writer.finish() } catch { throw .capture(error) }
      return engine.observations(ports: sourcePorts, packets: packets)
    }
    return engine.observations(ports: sourcePorts, packets: [:])
  }
}
