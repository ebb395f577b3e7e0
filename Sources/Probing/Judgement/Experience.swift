package import Scenarios

/// What a packet met, as far as the evidence goes.
package enum Experience: Hashable, Sendable {
  /// It got through, and an answer came back; for a one-way service, it got through.
  case allow(Ground)
  /// It vanished.
  case drop(Ground)
  /// It vanished, or the limit on ICMP errors kept its rejection back: refused in any case.
  case refusedSilently(Ground)
  case reject(Refusal, Ground)
  /// It got through, and its answer never came back: neither allowed nor refused.
  case answerLost
  /// The evidence does not say.
  case unknown(Doubt)

  /// How a packet was refused.
  package enum Refusal: Hashable, Sendable {
    /// In one of the ways that scenarios name.
    case named(Flow.RejectReason)
    /// An ICMP or ICMPv6 error of another kind.
    case icmp(type: UInt8, code: UInt8)
  }

  /// What an answer rests on.
  package enum Ground: Hashable, Sendable {
    /// The packet's own answer.
    case answer
    /// RST, or port unreachable, from a port that nobody listens on: nothing refused the packet.
    case closedPort
    /// RST, or port unreachable, from a port that somebody listens on: a rule wrote it.
    case listener
    /// The same where no listener is known, and the rules on the way say that they write it.
    case ruleset
    /// The far end saw it come in, and did not get it.
    case arrival
    /// The far end got it.
    case receipt
    /// Silence, while a flow that is allowed was answered before and after.
    case canary
    /// An error that a machine on the way wrote.
    case hop(String)
  }

  /// Why the evidence does not say.
  package struct Doubt: Hashable, Sendable {
    /// Stable and dotted: `probe.no-canary`.
    package var code: String
    package var reason: String
    package var hint: String?

    package init(_ code: String, _ reason: String, hint: String? = nil) {
      self.code = code
      self.reason = reason
      self.hint = hint
    }
  }
}

extension Flow.Expectation {
  /// Whether a packet's experience is what is expected; nil where that is not known.
  package func isMet(by experience: Experience) -> Bool? {
    switch (self, experience) {
    case (_, .unknown): nil
    case (.allow, .allow): true
    case (.allow, _): false
    case (.deny, .drop), (.deny, .refusedSilently), (.deny, .reject): true
    case (.deny, _): false
    case (.drop, .drop): true
    case (.drop, .refusedSilently): nil
    case (.drop, _): false
    case (.reject(nil), .reject): true
    case (.reject(let wanted?), .reject(let refusal, _)): refusal == .named(wanted)
    case (.reject(.tcpReset), .refusedSilently): false
    case (.reject, .refusedSilently): nil
    case (.reject, _): false
    }
  }
}
