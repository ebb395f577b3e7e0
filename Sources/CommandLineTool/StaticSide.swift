internal import Addresses
internal import Diagnostics
internal import Outcomes
internal import Probing
internal import Proof
internal import Scenarios

/// What the rulesets say of single probes, beside what the wire says.
struct StaticSide {
  private var prover: Prover
  private let sources: SourceMap

  init(_ question: CheckCommand.Question) {
    prover = Prover(question)
    sources = question.sources
  }

  /// Whether the rules write what a closed port would write too.
  ///
  /// - Returns: nil where they do not say, or where no such answer came.
  mutating func word(on evidence: Evidence, of flow: Flow) -> RulesWord? {
    let wanted: Flow.RejectReason
    switch (evidence.observation.answer, evidence.probe.kind) {
    case (.reset, .tcp): wanted = .tcpReset
    case (.icmpError(_, _, let sender), .udp) where sender == evidence.probe.destination:
      wanted = .portUnreachable
    default: return nil
    }
    var asked = flow.narrowed(to: [evidence.probe], port: evidence.observation.sourcePort)
    if holds(.reject(wanted), &asked) { return .writesIt }
    // Only the first packet is asked about: what follows is not a rule's answer to it.
    asked.services = asked.services.map { service in
      var service = service
      service.isOneWay = true
      return service
    }
    return holds(.allow, &asked) || holds(.drop, &asked) ? .doesNotWriteIt : nil
  }

  private mutating func holds(_ expectation: Flow.Expectation, _ flow: inout Flow) -> Bool {
    flow.expectation = expectation
    return prover.prove(flow).status == .holds
  }

  /// The first probes of a line of which the rulesets say something else than the wire.
  ///
  /// - Returns: The proof that contradicts, and the indices of the probes that were asked about
  ///   together with the one that is shown; nil where nothing is contradicted.
  mutating func contradiction(
    of judgement: LineJudgement
  ) -> (proof: ClaimOutcome, evidence: [Int])? {
    var groups: [Group: [Int]] = [:]
    var order: [Group] = []
    for (index, experience) in judgement.experiences.enumerated() {
      guard let expectation = experience.expectation else { continue }
      let evidence = judgement.evidence[index]
      let group = Group(evidence, expectation)
      if groups[group] == nil { order.append(group) }
      groups[group, default: []].append(index)
    }
    for group in order {
      let members = groups[group] ?? []
      var asked = judgement.flow.narrowed(
        to: members.map { judgement.evidence[$0].probe }, port: group.sourcePort)
      asked.expectation = group.expectation
      asked.expectedFailure = nil
      asked.skip = nil
      asked.mode = .both
      let proof = prover.outcome(of: asked, sources: sources)
      let isContradicted =
        group.isNegated
        ? proof.status == .passed
          // What the connection's further packets meet is not what was probed.
        : proof.status == .failed && !proof.code.hasPrefix("verdict.further-")
      if isContradicted {
        let port = proof.counterexample?.destinationPort
        let shown = members.filter { port == nil || judgement.evidence[$0].probe.port == port }
        return (proof, shown.isEmpty ? members : shown)
      }
    }
    return nil
  }

  /// Probes that one proof can be asked about.
  private struct Group: Hashable {
    var source: IPAddress
    var destination: IPAddress
    var transport: Int
    var sourcePort: UInt16?
    var expectation: Flow.Expectation
    /// Whether the wire says that the expectation does not hold.
    var isNegated: Bool

    init(_ evidence: Evidence, _ expectation: (Flow.Expectation, isNegated: Bool)) {
      source = evidence.probe.source
      destination = evidence.probe.destination
      sourcePort = evidence.observation.sourcePort
      transport =
        switch evidence.probe.kind {
        case .tcp: 0
        case .udp: 1
        case .icmp(let type, let code): 2 + Int(type) << 8 + Int(code)
        }
      (self.expectation, isNegated) = (expectation.0, expectation.isNegated)
    }
  }
}

extension Experience {
  /// What the rulesets would have to say for the wire to be right; nil where it says nothing.
  fileprivate var expectation: (Flow.Expectation, isNegated: Bool)? {
    switch self {
    case .allow: (.allow, false)
    case .drop: (.drop, false)
    case .refusedSilently: (.deny, false)
    case .reject(.named(let reason), _): (.reject(reason), false)
    case .reject(.icmp, _): (.reject(nil), false)
    case .answerLost: (.allow, true)
    case .unknown: nil
    }
  }
}

extension Flow {
  /// The same line for nothing but these probes, which share both addresses and a protocol.
  fileprivate func narrowed(to probes: [Probe], port: UInt16?) -> Flow {
    var flow = self
    guard let first = probes.first else { return flow }
    let family = first.source.family
    flow.sources = AddressSet(first.source)
    flow.destinations = AddressSet(first.destination)
    flow.families = [family]
    flow.sourcePorts = port.map { IntervalSet(UInt128($0)) } ?? flow.sourcePorts
    let ports = IntervalSet(probes.compactMap(\.port).map { Interval(UInt128($0)) })
    let isOneWay = services.allSatisfy(\.isOneWay)
    let kind: Service.Kind =
      switch first.kind {
      case .tcp: .ports(.tcp, ports)
      case .udp: .ports(.udp, ports)
      case .icmp(let type, let code) where family == .ipv4: .icmp(type: type, code: code)
      case .icmp(let type, let code): .icmpv6(type: type, code: code)
      }
    flow.services = [Service(kind, isOneWay: isOneWay, name: first.kind.text)]
    return flow
  }
}

extension Probe {
  /// The destination port; nil for ICMP.
  fileprivate var port: UInt16? {
    switch kind {
    case .tcp(let port), .udp(let port): port
    case .icmp: nil
    }
  }
}
