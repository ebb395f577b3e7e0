internal import Proof
package import Rulesets
package import Simulation

/// What the model says of a packet on its way across a host.
package struct Prediction: Hashable, Sendable {
  /// The hooks that it enters, in order, with what becomes of it there.
  package var hooks: [Hop]
  /// The rules that match on the way.
  package var trace: [TraceEntry]
  package var verdict: PacketVerdict
  /// Whether it holds only where limits, quotas and sets are as the ruleset says, and no packet
  /// came before.
  package var needsFreshState = false

  package struct Hop: Hashable, Sendable {
    package var hook: Hook
    package var verdict: PacketVerdict

    package init(_ hook: Hook, _ verdict: PacketVerdict) {
      self.hook = hook
      self.verdict = verdict
    }
  }

  /// What the model says, or why that is nothing to hold a kernel against.
  enum Answer {
    case known(Prediction)
    case open(String)
  }

  /// Asks the simulator.
  ///
  /// Each packet is asked of a simulator that has seen no other: what packets leave behind must not
  /// be what an answer rests on.
  static func answer(
    for packet: WitnessPacket, _ program: borrowing Program, _ host: Host
  ) -> Answer {
    var simulator = Simulator(copy program, host: host)
    simulator.isTracing = true
    simulator.keepsConnections = false
    let question: Packet
    do {
      question = try Packet(
        bytes: packet.bytes, input: packet.input.map { host.device($0) } ?? .absent,
        frame: packet.input == nil ? nil : Packet.Frame(source: packet.frameSource),
        state: packet.connection == .none ? nil : .established)
    } catch {
      return .open("the packet is malformed: \(error)")
    }
    let report = simulator.report(on: question)
    if report.verdict == .unknown { return .open(report.because) }
    // What follows a packet's end is the host's answer to it.
    let hooks = report.hooks.prefix { packet.input == nil || $0.hook != .output }
    let isStopped = hooks.last.map { $0.verdict != .accept } ?? false
    if report.verdict != .accept, !isStopped {
      return .open("the host itself discards it: \(report.because)")
    }
    var prediction = Prediction(
      hooks: hooks.map { Hop($0.hook, $0.verdict) }, trace: simulator.trace, verdict: report.verdict
    )
    var doubter = Simulator(copy program, host: host)
    doubter.keepsConnections = false
    doubter.doubtState()
    prediction.needsFreshState = doubter.report(on: question).verdict != report.verdict
    return .known(prediction)
  }

  /// Whether this is what was proved of the packet.
  func fulfils(_ proved: WitnessPacket.Proved) -> Bool {
    let fate: Leaf.Fate =
      switch verdict {
      case .accept: .accepted
      case .drop: .dropped
      case .reject(let rejection): .rejected(rejection)
      case .unknown: .unknown("")
      }
    return switch proved {
    case .fate(let proved): proved == fate
    case .expected(let expectation): expectation.accepts(fate)
    case .unexpected(let expectation): !expectation.accepts(fate)
    case .nothing: true
    }
  }
}
