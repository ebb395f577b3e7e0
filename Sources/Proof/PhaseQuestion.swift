internal import Scenarios

/// What is asked about a connection, packet after packet.
extension Prover.PhaseQuestion {
  /// The question about the packets that open connections.
  static func opening(
    _ path: FlowPath, _ transport: PhasePackets.Transport, of flow: Flow
  ) -> Self {
    let mustWork = flow.expectation == .allow
    return Self(
      path: path, transport: transport, phase: .first, coversUnusualPackets: !mustWork,
      connection: flow.state == .new
        ? .opening(mayBeTranslated: false)
        : .any(isEstablished: flow.state == .established),
      gates: mustWork ? .notExceeded : .either)
  }

  /// The question about what comes back.
  var answer: Self {
    var question = self
    question.connection = .following(isReply: true)
    question.phase = .answer
    question.path = path.reversed
    question.transport = PhasePackets.answer(to: transport)
    return question
  }

  /// The question about what the opener sends next; nil where that is nothing of its own.
  var further: Self? {
    guard let packets = PhasePackets.further(after: transport) else { return nil }
    var question = self
    question.connection = .following(isReply: false)
    question.phase = .further
    question.transport = packets
    return question
  }
}
