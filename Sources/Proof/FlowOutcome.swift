internal import Addresses
package import Diagnostics
package import Outcomes
internal import PacketSets
package import Rulesets
package import Scenarios

/// Turns proofs into outcomes: the packet, the rule, the place in the user's file, the next step.
extension Prover {
  /// Proves a flow and says what was found in the terms of the user's files.
  package mutating func outcome(of flow: Flow, sources: SourceMap) -> ClaimOutcome {
    var outcome = flow.outcome(in: sources)
    if let reason = flow.skip {
      return outcome.skipped(reason)
    }
    if flow.mode == .live {
      return outcome.skipped("only probed, because the line says `live`")
    }
    let proof = prove(flow)
    guard proof.asked > 0 else {
      outcome.code = "unknown.nothing-asked"
      outcome.message = "the line covers no packet: no address family has both ends and the service"
      outcome.reasons = [outcome.message]
      return outcome
    }
    outcome.assumptions = proof.assumptions
    outcome.observed = proof.observed
    switch proof.status {
    case .holds: tellHolds(proof, &outcome, sources)
    case .fails: tellFails(proof, flow, &outcome, sources)
    case .unknown: tellUnknown(proof, &outcome, sources)
    }
    if let reason = flow.expectedFailure { outcome.turn(forExpectedFailure: reason) }
    return outcome
  }

  private func tellHolds(
    _ proof: FlowProof, _ outcome: inout ClaimOutcome, _ sources: SourceMap
  ) {
    outcome.status = .passed
    outcome.code = "verdict.\(proof.observed.rawValue)"
    outcome.message = "proved for every packet of the line"
    guard let finding = proof.finding, case .holds(let leaf?) = finding.judgement else { return }
    outcome.decidedBy = leaf.location.map { citation(of: $0, at: leaf.firewall, sources) }
    outcome.trace = trace(of: leaf, sources)
  }

  private func tellFails(
    _ proof: FlowProof, _ flow: Flow, _ outcome: inout ClaimOutcome, _ sources: SourceMap
  ) {
    outcome.status = .failed
    guard let finding = proof.finding, case .fails(let leaf) = finding.judgement else { return }
    let word = leaf.fate.word
    outcome.decidedBy = leaf.location.map { citation(of: $0, at: leaf.firewall, sources) }
    outcome.trace = trace(of: leaf, sources)
    outcome.counterexample = packet(leaf, finding)
    outcome.assumptions += finding.names.compactMap(\.assumption)
    let by = outcome.decidedBy.map { " by \($0.phrase)" } ?? ""
    switch finding.phase {
    case .first:
      outcome.code = "verdict.\(leaf.fate.code)"
      outcome.message = "\(word)\(by)"
    case .answer:
      outcome.observed = leaf.fate.observed
      outcome.code = "verdict.answer-\(leaf.fate.code)"
      outcome.message = "the first packet passes, but its answer is \(word)\(by)"
    case .further:
      outcome.observed = leaf.fate.observed
      outcome.code = "verdict.further-\(leaf.fate.code)"
      outcome.message =
        "the connection opens, but the sender's next packet is \(word)\(by)"
    }
    outcome.hint = hint(for: flow, leaf, finding, outcome.decidedBy)
    // What becomes of the packet may differ, but no way is the expected one.
    let unknown = finding.names.filter { $0.kind == .unknown && $0.isConstrained }.map(\.name)
    if !unknown.isEmpty {
      outcome.reasons = unknown
      outcome.message +=
        ", or otherwise by \(unknown.joined(separator: ", ")), but never as expected"
    }
  }

  private func tellUnknown(
    _ proof: FlowProof, _ outcome: inout ClaimOutcome, _ sources: SourceMap
  ) {
    outcome.status = .unknown
    outcome.observed = .unknown
    outcome.reasons = proof.reasons
    outcome.code = "unknown.unmodelled"
    outcome.message = "not known: it rests on \(proof.reasons.first ?? "something not covered")"
    guard let finding = proof.finding, case .unknown(_, let leaf) = finding.judgement else {
      return
    }
    if finding.path.hops.isEmpty {
      outcome.code = "unknown.no-firewall"
      outcome.message = "not known: no firewall of the file stands on the way"
      outcome.hint =
        "name the ruleset that filters these hosts: `firewall NAME = nft \"FILE\" on HOSTS`, or --ruleset FILE"
      return
    }
    if proof.isTooComplex { outcome.code = "unknown.too-complex" }
    guard let leaf else { return }
    outcome.decidedBy = leaf.location.map { citation(of: $0, at: leaf.firewall, sources) }
    outcome.counterexample = packet(leaf, finding)
    outcome.trace = trace(of: leaf, sources)
  }

  /// What the reader can do about a failure.
  private func hint(
    for flow: Flow, _ leaf: Leaf, _ finding: FlowProof.Finding, _ rule: RuleCitation?
  ) -> String? {
    if leaf.restsOnInterface(in: finding.path, besides: ordinaryInterfaces(of: leaf.firewall)) {
      return "the answer rests on the interface the packet uses: say `iface NAME` for the host, or"
        + " `in NAME` on the line"
    }
    switch (flow.expectation, leaf.fate, finding.phase) {
    case (.allow, _, .answer), (.allow, _, .further):
      return "accept packets of known connections: `ct state established,related accept`"
    case (.allow, .dropped, .first) where rule?.isPolicy == true:
      return "no rule of the chain accepts the packet; add one before its end"
    case (.allow, _, .first):
      return rule.map { "an accepting rule must come before \($0.handleText)" }
    case (_, .accepted, _) where rule?.isPolicy == true:
      return "no rule of the chain refuses the packet, and its policy is accept"
    case (_, .accepted, _) where rule == nil:
      return "no base chain of the ruleset looks at the packet"
    case (_, .accepted, _):
      return rule.map { "narrow \($0.handleText), or refuse the packet before it" }
    case (.drop, .rejected, _):
      return "the rule answers the sender; `drop` is silent"
    case (.reject, .dropped, _):
      return "the packet vanishes without an answer; use `reject`"
    case (.reject, .rejected, _):
      return "the packet is refused with another answer than the line names"
    case (.deny, _, _), (.drop, _, _), (.reject, _, _):
      return nil
    }
  }

  /// The rule or policy at a place, as answers cite it.
  package func citation(
    of location: RuleLocation, at firewall: Int, _ sources: SourceMap
  ) -> RuleCitation {
    let table = firewalls[firewall].ruleset.tables[location.table]
    let chain = table.chains[location.chain]
    guard let index = location.rule else {
      return RuleCitation(
        firewall: firewalls[firewall].name, family: table.family.rawValue, table: table.name,
        chain: chain.name, handle: nil, text: "policy \(chain.base?.policy.rawValue ?? "none")",
        isPolicy: true)
    }
    let rule = chain.rules[index]
    return RuleCitation(
      firewall: firewalls[firewall].name, family: table.family.rawValue, table: table.name,
      chain: chain.name, handle: rule.handle, text: RulePrinter(table).text(of: rule),
      isPolicy: false, source: rule.provenance.span.map { sources.location(of: $0) },
      span: rule.provenance.span)
  }

  private func trace(of leaf: Leaf, _ sources: SourceMap) -> [TraceStep] {
    (leaf.state.path?.steps ?? []).map { step in
      let table = firewalls[step.firewall].ruleset.tables[step.location.table]
      return TraceStep(
        hook: step.hook.rawValue, rule: citation(of: step.location, at: step.firewall, sources),
        verdict: step.effect.text(in: table))
    }
  }

  /// One packet of a leaf, as reports show it.
  private func packet(_ leaf: Leaf, _ finding: FlowProof.Finding) -> PacketDescription {
    let witness = Witness(leaf, in: finding.path.family)
    var packet = PacketDescription(witness)
    packet.state = leaf.state.cube[.connectionState]?.onlyValue.flatMap(Self.stateName)
    packet.further = finding.names.filter { $0.kind == .packet && $0.isConstrained && !$0.isUsual }
      .map { PacketDescription.Field(name: $0.name, value: String($0.set.lowest ?? 0)) }
    packet.further += Self.translated(leaf, witness)
    // A mark that the sender set; without one it is 0.
    if let mark = leaf.state.arrived(.mark), !mark.contains(0), let lowest = mark.lowest {
      packet.further.append(PacketDescription.Field(name: "meta mark", value: String(lowest)))
    }
    return packet
  }

  /// What the packet carries in the place of the addresses and ports it arrived with.
  private static func translated(
    _ leaf: Leaf, _ witness: Witness
  ) -> [PacketDescription.Field] {
    let names: [(dimension: Dimension, name: String)] = [
      (.sourceAddress, "translated saddr"), (.transportWord0, "translated sport"),
      (.destinationAddress, "translated daddr"), (.transportWord1, "translated dport"),
    ]
    return names.compactMap { dimension, name in
      guard leaf.state.written.contains(dimension),
        !leaf.state.unknown.contains(where: { $0.dimension == dimension }),
        let set = leaf.state.cube[dimension], let lowest = set.lowest
      else { return nil }
      let isAddress = dimension == .sourceAddress || dimension == .destinationAddress
      guard isAddress || witness.transport.hasPorts else { return nil }
      // A port that may be changed mostly is not.
      let arrived: UInt128? =
        switch dimension {
        case .transportWord0: UInt128(witness.word0)
        case .transportWord1: UInt128(witness.word1)
        default: nil
        }
      let value = arrived.flatMap { set.contains($0) ? $0 : nil } ?? lowest
      return PacketDescription.Field(
        name: name,
        value: isAddress
          ? IPAddress(witness.family, rawValue: value).description : String(value))
    }
  }

  private static func stateName(_ bit: UInt128) -> String? {
    switch bit {
    case ConnectionBits.invalid: "invalid"
    case ConnectionBits.established: "established"
    case ConnectionBits.related: "related"
    case ConnectionBits.new: "new"
    case ConnectionBits.untracked: "untracked"
    default: nil
    }
  }
}

extension PacketDescription {
  /// The fields of a witness.
  init(_ witness: Witness) {
    let isICMP = witness.transport == .icmp || witness.transport == .icmpv6
    let hasPorts = witness.transport.hasPorts
    self.init(
      family: witness.family == .ipv4 ? "ip" : "ip6",
      sourceAddress: witness.source.description,
      destinationAddress: witness.destination.description,
      transportProtocol: witness.transport.description)
    sourcePort = hasPorts ? witness.word0 : nil
    destinationPort = hasPorts ? witness.word1 : nil
    icmpType = isICMP ? UInt8(witness.word0 >> 8) : nil
    icmpCode = isICMP ? UInt8(witness.word0 & 0xFF) : nil
    flags = witness.transport == .tcp ? Self.flagNames(witness.flags) : nil
    inputInterface = witness.inputName?.description
    outputInterface = witness.outputName?.description
  }

  private static func flagNames(_ flags: UInt8) -> [String] {
    ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"].enumerated()
      .filter { flags >> UInt8($0.offset) & 1 == 1 }.map(\.element)
  }
}

extension DescribedDimension {
  /// Whether the set is what every ordinary packet has: not worth a word.
  var isUsual: Bool {
    name == "ct status" || (name == "meta pkttype" || name == "ct mark") && set.onlyValue == 0
  }

  /// What a counterexample takes state to be; nil for other dimensions.
  fileprivate var assumption: String? {
    guard kind == .gate, let value = set.onlyValue else { return nil }
    if value == 1 { return name }
    return name.hasSuffix(" not exceeded")
      ? name.dropLast(" not exceeded".count) + " exceeded" : "no \(name)"
  }
}

extension FlowProof {
  /// What the packets that open connections meet.
  var observed: ClaimOutcome.Observed {
    switch (sawAccepted, sawDropped, sawRejected) {
    case (true, false, false): .allow
    case (false, true, false): .drop
    case (false, false, true): .reject
    case (false, false, false): .unknown
    default: .mixed
    }
  }
}

extension Leaf {
  /// Whether other packets of the line, on other interfaces, may meet another fate.
  fileprivate func restsOnInterface(
    in path: FlowPath, besides ordinary: IntervalSet
  ) -> Bool {
    guard let hop = path.hops.first(where: { $0.firewall == firewall }) else { return false }
    // An interface that the file names is not one to ask for; where the host sends translated
    // packets on, it is named for the way in alone.
    let goesOn =
      hop.kind == .inbound && state.cube[.outputName] != IntervalSet(InterfaceName.none.rawValue)
    guard hop.interface == nil || goesOn else { return false }
    let isOrdinary = { (set: IntervalSet?) in
      set == nil || set == ordinary || set == IntervalSet(InterfaceName.none.rawValue)
    }
    return (hop.interface == nil && !isOrdinary(state.cube[.inputName]))
      || !isOrdinary(state.cube[.outputName])
  }
}

extension Leaf.Fate {
  fileprivate var word: String {
    switch self {
    case .accepted: "accepted"
    case .dropped: "dropped"
    case .rejected: "rejected"
    case .unknown: "not known"
    }
  }

  fileprivate var observed: ClaimOutcome.Observed {
    switch self {
    case .accepted: .allow
    case .dropped: .drop
    case .rejected: .reject
    case .unknown: .unknown
    }
  }

  fileprivate var code: String {
    switch self {
    case .accepted: "allow"
    case .dropped: "drop"
    case .rejected(.tcpReset): "reject.tcp-reset"
    case .rejected: "reject"
    case .unknown: "unknown"
    }
  }
}

extension RuleCitation {
  /// `rule 12 of inet talos ingress`, `the policy of inet talos ingress`.
  fileprivate var phrase: String {
    let place = "\(family) \(table) \(chain)"
    if isPolicy { return "the policy of \(place)" }
    return (handle.map { "rule \($0)" } ?? "a rule") + " of \(place)"
  }

  fileprivate var handleText: String {
    isPolicy ? "the policy of \(chain)" : handle.map { "rule \($0)" } ?? "that rule"
  }
}

extension PathStep.Effect {
  /// The effect as traces show it.
  package func text(in table: Table) -> String {
    switch self {
    case .verdict(.accept): "accept"
    case .verdict(.drop): "drop"
    case .verdict(.continue), .wentOn: "continue"
    case .verdict(.return): "return"
    case .verdict(.jump(let chain)): "jump \(table.chains[chain].name)"
    case .verdict(.goto(let chain)): "goto \(table.chains[chain].name)"
    case .reject: "reject"
    case .policy(let policy): "policy \(policy.rawValue)"
    case .translated(let kind): kind.rawValue
    case .notKnown: "not known"
    }
  }
}
