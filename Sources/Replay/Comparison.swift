internal import Addresses
package import Outcomes
package import Proof
package import Rulesets
internal import Scenarios
package import Simulation
internal import Wire

/// Two that say different things about one packet, with all that is needed to see it again.
package struct Difference: Hashable, Sendable {
  package var mismatch: ReplayMismatch
  /// The packet, the ruleset and the host.
  package var packet: WitnessPacket
  package var firewall: Int
  package var host: Host
}

/// One packet, as the proof, the model and the kernel see it.
struct Comparison {
  let packet: WitnessPacket
  let prediction: Prediction
  let kernel: KernelSession.Verdicts
  let firewall: ReplayedFirewall
  let host: Host
  /// The rules that matched in the kernel, as far as it was asked for them.
  var kernelTrace: [TraceStep] = []

  init(
    packet: WitnessPacket, prediction: Prediction, kernel: KernelSession.Verdicts,
    firewall: ReplayedFirewall, host: Host
  ) {
    self.packet = packet
    self.prediction = prediction
    self.kernel = kernel
    self.firewall = firewall
    self.host = host
  }

  /// Where they differ; nil where all say the same.
  var difference: Difference? {
    let hooks = comparisons
    let between: ReplayMismatch.Between
    let summary: String
    if let first = hooks.first(where: { !$0.isEqual }) {
      between = .modelAndKernel
      summary =
        "\(first.hook): the model \(Self.words(first.model)), the kernel \(Self.words(first.kernel))"
    } else if !prediction.fulfils(packet.proved) {
      between = .proofAndModel
      summary =
        "it is proved to be \(packet.proved.words), but the model and the kernel say"
        + " \(prediction.verdict.name)"
    } else {
      return nil
    }
    return Difference(
      mismatch: ReplayMismatch(
        between: between, firewall: firewall.name,
        packet: PacketDescription(packet), summary: summary, hooks: hooks),
      packet: packet, firewall: packet.firewall, host: host)
  }

  /// What each says of every hook that the packet reaches by either.
  private var comparisons: [HookComparison] {
    Hook.allCases.compactMap { hook in
      let model = prediction.hooks.first { $0.hook == hook }?.verdict.name
      let kernel = kernel[hook]
      guard model != nil || kernel != nil else { return nil }
      // The kernel tells of the hooks of devices only where a chain is at the device.
      if hook == .ingress || hook == .egress, model == nil || kernel == nil { return nil }
      return HookComparison(
        hook: hook.rawValue, model: model, kernel: kernel,
        modelTrace: prediction.trace.filter { $0.hook == hook }.map { entry in
          TraceStep(
            hook: hook.rawValue,
            rule: RuleCitation(
              of: entry.location, in: firewall.ruleset, firewall: firewall.name),
            verdict: entry.step.text(in: firewall.ruleset.tables[entry.location.table]))
        }, kernelTrace: kernelTrace.filter { $0.hook == hook.rawValue })
    }
  }

  private static func words(_ verdict: String?) -> String {
    verdict.map { "says \($0)" } ?? "does not get there"
  }
}

extension WitnessPacket.Proved {
  fileprivate var words: String {
    switch self {
    case .fate(let fate): fate.word
    case .expected(let expectation): "as expected, which is \(expectation.text)"
    case .unexpected(let expectation): "other than expected, which is \(expectation.text)"
    case .nothing: "anything"
    }
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
}

extension RuleCitation {
  /// The rule or policy at a place of a ruleset.
  package init(of location: RuleLocation, in ruleset: Ruleset, firewall: String) {
    let table = ruleset.tables[location.table]
    let chain = table.chains[location.chain]
    let rule = location.rule.map { chain.rules[$0] }
    self.init(
      firewall: firewall, family: table.family.rawValue, table: table.name, chain: chain.name,
      handle: rule?.handle,
      text: rule.map { RulePrinter(table).text(of: $0) }
        ?? "policy \(chain.base?.policy.rawValue ?? "none")",
      isPolicy: rule == nil, span: rule?.provenance.span)
  }
}

extension PacketDescription {
  /// A packet as reports show it.
  init(_ packet: WitnessPacket) {
    let (source, destination) = packet.ends
    let start = packet.family == .ipv4 ? 20 : 40
    let transport = TransportProtocol(rawValue: packet.bytes[packet.family == .ipv4 ? 9 : 6])
    self.init(
      family: packet.family == .ipv4 ? "ip" : "ip6", sourceAddress: source.description,
      destinationAddress: destination.description, transportProtocol: transport.description)
    let bytes = packet.bytes
    if transport.hasPorts, bytes.count >= start + 4 {
      sourcePort = UInt16(bytes[start]) << 8 | UInt16(bytes[start + 1])
      destinationPort = UInt16(bytes[start + 2]) << 8 | UInt16(bytes[start + 3])
    }
    if transport == .icmp || transport == .icmpv6, bytes.count >= start + 2 {
      icmpType = bytes[start]
      icmpCode = bytes[start + 1]
    }
    if transport == .tcp, bytes.count >= start + 14 {
      let set = TCPHeader.Flags(rawValue: bytes[start + 13])
      flags = TCPHeader.Flags.names.filter { set.contains($0.flag) }.map(\.name)
    }
    switch packet.connection {
    case .none: break
    case .established: state = "established"
    case .claimed(let claimed): state = claimed
    }
    inputInterface = packet.input?.description
    outputInterface = packet.output?.description
  }
}
