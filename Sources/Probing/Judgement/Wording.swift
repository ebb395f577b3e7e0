internal import Addresses
internal import LinuxKernel
package import Outcomes
package import Scenarios

/// Probes, observations and experiences in the words of reports.

extension Probe {
  /// `tcp/50001 of 10.0.0.2`.
  package var target: String { "\(kind.text) of \(destination)" }
}

extension Probe.Kind {
  /// `tcp/50001`, `icmp type 8`.
  package var text: String {
    switch self {
    case .tcp(let port): "tcp/\(port)"
    case .udp(let port): "udp/\(port)"
    case .icmp(let type, 0): "icmp type \(type)"
    case .icmp(let type, let code): "icmp type \(type) code \(code)"
    }
  }
}

extension Evidence {
  /// The packet that was sent.
  package var packet: PacketDescription {
    PacketDescription(probe, sourcePort: observation.sourcePort)
  }
}

extension PacketDescription {
  /// A probe as a packet.
  package init(_ probe: Probe, sourcePort: UInt16?) {
    let isIPv6 = probe.destination.family == .ipv6
    self.init(
      family: isIPv6 ? "ip6" : "ip", sourceAddress: probe.source.description,
      destinationAddress: probe.destination.description, transportProtocol: "")
    switch probe.kind {
    case .tcp(let port):
      transportProtocol = "tcp"
      destinationPort = port
      flags = ["syn"]
      self.sourcePort = sourcePort
    case .udp(let port):
      transportProtocol = "udp"
      destinationPort = port
      self.sourcePort = sourcePort
    case .icmp(let type, let code):
      transportProtocol = isIPv6 ? "icmpv6" : "icmp"
      icmpType = type
      icmpCode = code
    }
  }
}

extension Observation.Answer {
  /// Whether anything came back, from whomever.
  package var isAnswer: Bool {
    switch self {
    case .synAcknowledgement, .reset, .reply, .icmpError: true
    // What this machine cut short or lost is no answer; other errors are somebody's.
    case .failed(let errno): errno != .interrupted && errno != .noBufferSpace
    case .notSent, .silence: false
    }
  }
}

extension Observation {
  /// `SYN-ACK after 0.31 ms`.
  package var text: String {
    answerText + (roundTrip.map { " after \(spokenMilliseconds($0))" } ?? "")
  }

  private var answerText: String {
    switch answer {
    case .synAcknowledgement: "SYN-ACK"
    case .reset: "RST"
    case .reply(carriesToken: true): "the run's token"
    case .reply(carriesToken: false): "a reply"
    case .icmpError(let type, let code, let sender):
      "ICMP type \(type) code \(code) from \(sender)"
    case .notSent(let errno): "nothing: it was not sent (\(errno))"
    case .failed(let errno): "an error: \(errno)"
    case .silence: "nothing"
    }
  }
}

/// `0.31 ms`, `12 ms`.
package func spokenMilliseconds(_ duration: Duration) -> String {
  let hundredths = Int(duration / .microseconds(10))
  if hundredths >= 1000 { return "\(hundredths / 100) ms" }
  let rest = hundredths % 100
  return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) ms"
}

extension Experience {
  /// What is counted under one name: `reject with port-unreachable`.
  package var word: String {
    switch self {
    case .allow: "allow"
    case .drop: "drop"
    case .refusedSilently: "drop or unsent reject"
    case .reject(let refusal, _): "reject with \(refusal.text)"
    case .answerLost: "answer lost"
    case .unknown: "not known"
    }
  }

  /// One sentence.
  package var text: String {
    switch self {
    case .allow(let ground), .drop(let ground), .refusedSilently(let ground),
      .reject(_, let ground):
      "\(word): \(ground.text)"
    case .answerLost: "it arrived and was taken, but the answer did not come back"
    case .unknown(let doubt): doubt.reason
    }
  }

  package var observed: ClaimOutcome.Observed? {
    switch self {
    case .allow: .allow
    case .drop, .refusedSilently, .answerLost: .drop
    case .reject: .reject
    case .unknown: nil
    }
  }

  /// What follows `verdict.` in codes.
  package var code: String {
    switch self {
    case .allow: "allow"
    case .drop, .refusedSilently: "drop"
    case .reject(.named(.tcpReset), _): "reject.tcp-reset"
    case .reject: "reject"
    case .answerLost: "answer-drop"
    case .unknown: "unknown"
    }
  }

  /// The code of a line that is not known for this reason.
  package var doubtCode: String {
    switch self {
    case .unknown(let doubt): doubt.code
    case .refusedSilently: "probe.icmp-limit"
    case .allow, .drop, .reject, .answerLost: "probe.unknown"
    }
  }

  /// What the reader can do where the line's expectation is not met.
  package func hint(for expectation: Flow.Expectation) -> String? {
    switch self {
    case .unknown(let doubt): doubt.hint
    case .refusedSilently:
      "a target sends one ICMP error a second: these probes were faster, so `drop` and `reject` look"
        + " the same"
    case .answerLost:
      "look at the rules for answers, on the way back: `ct state established,related accept`"
    case .allow(.closedPort): "nothing listens there, and nothing refused the packet"
    case .reject(_, .hop(let hop)): "\(hop) is on the way and refused it; it is not the target"
    case .allow, .drop, .reject: nil
    }
  }
}

extension Experience.Ground {
  package var text: String {
    switch self {
    case .answer: "the target answered"
    case .closedPort: "nothing listens there, and the rules do not write that answer"
    case .listener: "a port that is listened on does not answer so by itself"
    case .ruleset: "the rules on the way write that answer"
    case .arrival: "it arrived, and no listener there got it"
    case .receipt: "it arrived and was taken"
    case .canary: "no answer, while an allowed flow was answered before and after"
    case .hop(let address): "\(address) on the way wrote it"
    }
  }
}
