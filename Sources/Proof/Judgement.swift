internal import Addresses
internal import PacketSets
internal import Rulesets
internal import Scenarios

/// Whether what becomes of packets is what was expected of them.
package enum Judgement: Sendable {
  case holds(Leaf?)
  /// Some packet meets another fate, whatever the unknowns are.
  case fails(Leaf)
  /// Not known, for these reasons.
  case unknown(reasons: [String], Leaf?)
}

extension FateCollector {
  /// Holds the fates against what is wanted.
  ///
  /// A leaf that rests on unknowns is a counterexample only for those of its packets that no other
  /// leaf treats as wanted, or as not known, under other values of the same unknowns.
  func judgement(
    wanting wanted: (Leaf.Fate) -> Bool, _ register: DimensionRegister, in family: IPFamily
  ) -> Judgement {
    let definite = [dropped].compactMap { $0 } + rejected + [accepted].compactMap { $0 }
    if let bad = definite.first(where: { !wanted($0.fate) }) { return .fails(bad) }
    if let overflow { return .unknown(reasons: [overflow], nil) }
    let suspects = doubtful.filter { !$0.fate.isUnknown && !wanted($0.fate) }
    let unknown = doubtful.filter(\.fate.isUnknown)
    guard !suspects.isEmpty || !unknown.isEmpty else {
      return .holds(definite.first ?? doubtful.first)
    }
    let domain = { register.domain(of: $0, in: family) }
    let others = doubtful.filter { $0.fate.isUnknown || wanted($0.fate) }
      .map { register.knownPart(of: $0.state) }
    // More leaves than this are not held against each other; the answer is then not known.
    if suspects.count <= 512, others.count <= 2_048 {
      for suspect in suspects {
        let part = register.knownPart(of: suspect.state)
        guard let left = part.subtracting(others, domain: domain, budget: 4_096) else { continue }
        guard let witness = left.first(where: { !$0.isOneHostAlone }) else { continue }
        // The unknowns stay with the leaf: its fate is only one of those that are not wanted.
        var leaf = suspect
        leaf.state.narrow(toArrived: witness)
        return .fails(leaf)
      }
    }
    var reasons: [String] = []
    for leaf in suspects + unknown {
      for reason in register.unknowns(of: leaf) where !reasons.contains(reason) {
        reasons.append(reason)
      }
    }
    return .unknown(reasons: reasons, suspects.first ?? unknown.first)
  }
}

extension Leaf.Fate {
  var isUnknown: Bool {
    switch self {
    case .unknown: true
    case .accepted, .dropped, .rejected: false
    }
  }
}

extension Cube {
  /// Whether both ends are one and the same address.
  var isOneHostAlone: Bool {
    guard let source = self[.sourceAddress]?.onlyValue else { return false }
    return source == self[.destinationAddress]?.onlyValue
  }
}

extension DimensionRegister {
  /// The packets of a state without what is said of its unknowns.
  func knownPart(of state: PacketState) -> Cube {
    var cube = state.cube
    for entry in state.cube.furtherEntries
    where self[entry.dimension].kind == .unknown
      || state.unknown.contains(where: { $0.dimension == entry.dimension })
    {
      cube.release(entry.dimension)
    }
    for entry in state.unknown where entry.dimension.rawValue < Dimension.coreCount {
      cube.assign(entry.set, to: entry.dimension)
    }
    // What packets were when they arrived tells them apart, not what was made of them.
    for dimension in state.written {
      if let set = state.knownAtArrival(dimension) { cube.assign(set, to: dimension) }
    }
    for entry in state.cube.furtherEntries
    where [.assumption, .choice, .kept].contains(self[entry.dimension].kind) {
      cube.release(entry.dimension)
    }
    // What the connection table said is the host's, and may itself rest on something unknown.
    cube.assign(ConnectionBits.every, to: .connectionState)
    return cube
  }

  /// The assumptions that packets go against.
  func brokenAssumptions(of state: PacketState) -> [String] {
    state.cube.furtherEntries.compactMap { entry in
      let meaning = self[entry.dimension]
      return meaning.kind == .assumption && !entry.set.contains(1) ? meaning.name : nil
    }
  }

  /// Why what is said of a leaf is not known.
  func unknowns(of leaf: Leaf, variablesOnly: Bool = false) -> [String] {
    var names: [String] = []
    if case .unknown(let reason) = leaf.fate { names.append(reason) }
    for entry in leaf.state.cube.furtherEntries {
      if variablesOnly, !isVariable(entry.dimension) { continue }
      let meaning = self[entry.dimension]
      if meaning.kind == .unknown, entry.set != meaning.domain { names.append(meaning.name) }
    }
    for entry in leaf.state.unknown {
      switch entry.dimension {
      case .mark: names.append("the packet's mark")
      case .connectionState: names.append("the connection's state")
      case .sourceAddress, .transportWord0: names.append("the translated source")
      case .destinationAddress, .transportWord1: names.append("the translated destination")
      case .outputName: names.append("the route after the mark or address changed")
      default: names.append(name(of: entry.dimension))
      }
    }
    return names
  }

  /// What a dimension is called in answers, in nft's words.
  func name(of dimension: Dimension) -> String {
    switch dimension {
    case .sourceAddress: "saddr"
    case .destinationAddress: "daddr"
    case .transportProtocol: "meta l4proto"
    case .transportWord0: "th sport"
    case .transportWord1: "th dport"
    case .inputName: "iifname"
    case .outputName: "oifname"
    case .connectionState: "ct state"
    case .mark: "meta mark"
    case .tcpFlags: "tcp flags"
    default: self[dimension].name
    }
  }
}

extension Flow.Expectation {
  /// Whether a fate is what was expected.
  package func accepts(_ fate: Leaf.Fate) -> Bool {
    switch (self, fate) {
    case (.allow, .accepted): true
    case (.deny, .dropped), (.deny, .rejected), (.drop, .dropped): true
    case (.reject(nil), .rejected): true
    case (.reject(let reason?), .rejected(let rejection)): reason.matches(rejection)
    case (.allow, _), (.deny, _), (.drop, _), (.reject, _): false
    }
  }
}

extension Flow.RejectReason {
  /// Whether an answer is the one that is meant.
  ///
  /// Source: RFC 792, RFC 1812 §5.2.7.1, RFC 4443 §3.1 for the codes; nft(8) for `icmpx`.
  func matches(_ rejection: Rejection) -> Bool {
    switch (self, rejection) {
    case (.tcpReset, .tcpReset): true
    case (.portUnreachable, .icmp(3)), (.portUnreachable, .icmpv6(4)),
      (.portUnreachable, .icmpx(1)):
      true
    case (.hostUnreachable, .icmp(1)), (.hostUnreachable, .icmpv6(3)),
      (.hostUnreachable, .icmpx(2)):
      true
    case (.noRoute, .icmp(0)), (.noRoute, .icmpv6(0)), (.noRoute, .icmpx(0)): true
    case (.adminProhibited, .icmp(13)), (.adminProhibited, .icmpv6(1)),
      (.adminProhibited, .icmpx(3)):
      true
    case (.tcpReset, _), (.portUnreachable, _), (.hostUnreachable, _), (.noRoute, _),
      (.adminProhibited, _):
      false
    }
  }
}
