package import Addresses
internal import LinuxKernel
internal import Scenarios

/// What the evidence about one probe comes to.
///
/// Every case is argued in Judgement.md. Where two causes look the same, the answer is not known
/// unless something else tells them apart.
extension Evidence {
  package var experience: Experience {
    switch observation.answer {
    case .synAcknowledgement, .reply: .allow(.answer)
    case .reset: reset
    case .icmpError(let type, let code, let sender): icmpError(type, code, from: sender)
    case .notSent(let errno):
      .unknown(
        errno == .notPermitted
          ? .init(
            "probe.own-firewall", "this machine did not send it: a rule of its own dropped it",
            hint: "look at the output chains here: `portproof explain self TARGET SERVICE --live`")
          : .init("probe.not-sent", "this machine could not send it: \(errno)"))
    case .failed(.interrupted):
      .unknown(.init("run.stopped", "the run was ended before an answer could come"))
    case .failed(.noBufferSpace):
      .unknown(
        .init(
          "probe.overrun",
          "packets came faster than this machine could read them, and some are lost",
          hint: "send more slowly: --rate N"))
    case .failed(let errno):
      .unknown(
        .init(
          "probe.unexplained",
          "connecting failed, and nothing says which packet caused it: \(errno)",
          hint: "as root, or with CAP_NET_RAW, the packet itself is seen"))
    case .silence: silence
    }
  }

  // MARK: - Answers

  /// A closed port and `reject with tcp reset` write the same packet.
  private var reset: Experience {
    switch far?.listener {
    case .responder, .service: return .reject(.named(.tcpReset), .listener)
    case .nobody, .unknown, nil: break
    }
    switch rules {
    case .writesIt: return .reject(.named(.tcpReset), .ruleset)
    case .doesNotWriteIt: return .allow(.closedPort)
    case nil: break
    }
    return .unknown(
      .init(
        "probe.reset-ambiguous",
        "RST came back: the port is closed, or a rule rejects with tcp reset",
        hint: "let something listen there: `portproof respond` on the target; `verify` also looks"
          + " at the rulesets"))
  }

  private func icmpError(_ type: UInt8, _ code: UInt8, from sender: IPAddress) -> Experience {
    guard let refusal = Experience.Refusal(type: type, code: code, probe.destination.family)
    else {
      return .unknown(
        .init(
          "probe.icmp", "\(sender) answered with ICMP type \(type) code \(code)",
          hint: "that is about the way, not about a rule"))
    }
    guard sender == probe.destination else {
      // Hosts that are down and networks without a route are reported in the same words.
      guard refusal.isWrittenByRules else {
        return .unknown(
          .init(
            "path.icmp-from-hop", "\(sender) on the way says \(refusal.text)",
            hint: "is the target up, and is there a route to it?"))
      }
      return .reject(refusal, .hop(sender.description))
    }
    guard refusal == .named(.portUnreachable) else { return .reject(refusal, .answer) }
    switch probe.kind {
    // A kernel answers a closed TCP port with RST, and echo requests have no port.
    case .tcp, .icmp: return .reject(refusal, .answer)
    case .udp: break
    }
    switch far?.listener {
    case .responder, .service: return .reject(refusal, .listener)
    case .nobody, .unknown, nil: break
    }
    switch rules {
    case .writesIt: return .reject(refusal, .ruleset)
    case .doesNotWriteIt: return .allow(.closedPort)
    case nil: break
    }
    return .unknown(
      .init(
        "probe.port-unreachable-ambiguous",
        "port unreachable came back: the port is closed, or a rule rejects",
        hint: "let something listen there: `portproof respond` on the target; `verify` also looks"
          + " at the rulesets"))
  }

  // MARK: - Silence

  private var silence: Experience {
    if let far {
      if far.isAccepted { return isOneWay ? .allow(.receipt) : .answerLost }
      switch far.hasArrived {
      case true?: return arrivedInSilence(far)
      case false?: return neverArrived
      case nil: break
      }
    }
    switch probe.kind {
    case .udp:
      return .unknown(
        .init(
          "probe.udp-silence",
          "no answer: the datagram was dropped, or a service took it and is"
            + " silent", hint: "let `portproof respond` listen on the target"))
    case .icmp(let type, _) where !isEchoRequest(type):
      return .unknown(
        .init("probe.no-answer-defined", "nothing answers ICMP messages of type \(type)"))
    case .tcp, .icmp:
      return life.isCertain ? refused(.canary) : withoutCanary
    }
  }

  private func arrivedInSilence(_ far: FarView) -> Experience {
    switch (probe.kind, far.listener) {
    // The listener is ours and took nothing, or the SYN would be among the half-open connections.
    case (.tcp, .responder), (.udp, .responder): return refused(.arrival)
    case (.udp, .service):
      return .unknown(
        .init(
          "probe.silent-service", "it arrived, and a program listens there that may be silent",
          hint: "stop that program while `portproof respond` listens in its place"))
    case (.udp, .nobody), (.udp, .unknown):
      // A closed port would be reported, if the limit on ICMP errors lets it.
      guard life.isCertain, canBeHeardOf else {
        return life.isCertain ? .unknown(limited) : withoutCanary
      }
      return .drop(.arrival)
    case (.tcp, .service), (.tcp, .nobody), (.tcp, .unknown):
      // A listener would send SYN and ACK, a closed port RST.
      return life.isCertain ? refused(.arrival) : withoutCanary
    case (.icmp(let type, _), _):
      guard isEchoRequest(type) else {
        return .unknown(
          .init(
            "probe.no-answer-defined",
            "it arrived, and nothing answers ICMP messages of type \(type)"))
      }
      return life.isCertain ? refused(.arrival) : withoutCanary
    }
  }

  private var neverArrived: Experience {
    // A firewall between the two ends may be what the line is about.
    if crossesFirewall, life.isCertain { return refused(.canary) }
    return .unknown(
      .init(
        "probe.no-arrival", "it never reached the target's interface: something on the way lost it",
        hint: crossesFirewall
          ? "no flow that is allowed was answered before and after"
          : "is there a firewall on the way that the file does not name?"))
  }

  /// Nothing was answered: a drop, or a rejection that a limit kept back.
  private func refused(_ ground: Experience.Ground) -> Experience {
    canBeHeardOf ? .drop(ground) : .refusedSilently(ground)
  }

  /// Whether an ICMP error about the probe would have been sent.
  private var canBeHeardOf: Bool { probe.isPaced || far?.limitsICMPErrors == false }

  private var limited: Experience.Doubt {
    .init(
      "probe.icmp-limit", "no answer, and the target may have kept an ICMP error back",
      hint: "kernels send one a second (net.ipv4.icmp_ratelimit)")
  }

  private var withoutCanary: Experience {
    .unknown(
      .init(
        life.before ? "probe.target-lost" : "probe.no-canary",
        life.before
          ? "no answer, and the target no longer answers what it answered before"
          : "no answer, and nothing shows that the target is alive and the way works",
        hint: life.before
          ? nil
          : "add a line that the target allows, or say one with --canary: `--canary 22/tcp`"))
  }

  private func isEchoRequest(_ type: UInt8) -> Bool {
    type == (probe.destination.family == .ipv4 ? 8 : 128)
  }
}

extension Experience.Refusal {
  /// What an error says; nil for one that refuses nothing (fragmentation needed, time exceeded).
  ///
  /// Source: RFC 792, RFC 1122 §3.2.2.1 and RFC 1812 §5.2.7.1 for ICMP, RFC 4443 §3.1 for ICMPv6.
  package init?(type: UInt8, code: UInt8, _ family: IPFamily) {
    switch (family, type, code) {
    case (.ipv4, 3, 4): return nil
    case (.ipv4, 3, 0), (.ipv6, 1, 0): self = .named(.noRoute)
    case (.ipv4, 3, 1), (.ipv6, 1, 3): self = .named(.hostUnreachable)
    case (.ipv4, 3, 3), (.ipv6, 1, 4): self = .named(.portUnreachable)
    case (.ipv4, 3, 13), (.ipv6, 1, 1): self = .named(.adminProhibited)
    case (.ipv4, 3, _), (.ipv6, 1, _): self = .icmp(type: type, code: code)
    case (.ipv4, _, _), (.ipv6, _, _): return nil
    }
  }

  /// Whether only a filter writes it when it comes from a machine on the way.
  fileprivate var isWrittenByRules: Bool {
    switch self {
    case .named(.adminProhibited), .named(.portUnreachable), .named(.tcpReset): true
    case .named(.noRoute), .named(.hostUnreachable): false
    // Communication with the network or the host prohibited; source address failed policy and
    // reject route to the destination.
    case .icmp(3, 9), .icmp(3, 10), .icmp(1, 5), .icmp(1, 6): true
    case .icmp: false
    }
  }

  package var text: String {
    switch self {
    case .named(let reason): reason.rawValue
    case .icmp(let type, let code): "ICMP type \(type) code \(code)"
    }
  }
}
