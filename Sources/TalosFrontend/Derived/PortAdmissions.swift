internal import Addresses

/// Who may send to which ports by the rules of a configuration, as one version of Talos loads them.
///
/// In block mode a rule lets its sources in, so of several rules with a port each is enough. In
/// accept mode a rule keeps out all but its sources, so only who is in all of them is let in.
struct PortAdmissions {
  /// All ports of one protocol that the same rules name.
  struct Part: Hashable {
    let transport: TransportProtocol
    let ports: IntervalSet
    /// The rules, as places in the list of the configuration; none for what no rule names.
    let rules: [Int]
    /// Who is let in.
    let sources: AddressSet
  }

  /// In the order of the rules, what no rule names last; TCP before UDP.
  let parts: [Part]
  /// By rule: the ports that the kernel finds in the rule's set.
  let certain: [IntervalSet]
  /// By rule: the ports that the kernel finds or not; they are in no part.
  let doubtful: [IntervalSet]

  init(of configuration: MachineConfiguration, _ features: FirewallFeatures) {
    let loaded = configuration.rules.map { rule in
      var ports = rule.ports.map(\.value)
      if features.joinsPortRanges { ports.sort { $0.lower < $1.lower } }
      return LoadedPorts(ports, areJoined: features.joinsPortRanges)
    }
    let certain = loaded.map { IntervalSet($0.certain) }
    let doubtful = loaded.map { IntervalSet($0.doubtful) }
    var parts: [Part] = []
    for transport in [TransportProtocol.tcp, .udp] {
      var pieces: [(rules: [Int], ports: IntervalSet)] = [([], IntervalSet(bitWidth: 16))]
      for (index, rule) in configuration.rules.enumerated()
      where rule.transport?.value == transport {
        pieces = pieces.flatMap { piece in
          [
            (piece.rules + [index], piece.ports.intersection(certain[index])),
            (
              piece.rules,
              piece.ports.subtracting(certain[index]).subtracting(doubtful[index])
            ),
          ]
        }.filter { !$0.ports.isEmpty }
      }
      parts += pieces.map { rules, ports in
        Part(
          transport: transport, ports: ports, rules: rules,
          sources: Self.sources(of: rules.map { configuration.rules[$0] }, configuration.action))
      }
    }
    self.certain = certain
    self.doubtful = doubtful
    self.parts = parts.sorted { left, right in
      guard left.rules == right.rules else {
        return right.rules.isEmpty
          || !left.rules.isEmpty && left.rules.lexicographicallyPrecedes(right.rules)
      }
      return left.transport < right.transport
    }
  }

  private static func sources(
    of rules: [NetworkRule], _ action: MachineConfiguration.DefaultAction
  ) -> AddressSet {
    switch action {
    case .block: rules.reduce(.empty) { $0.union($1.sources) }
    case .accept: rules.reduce(.any) { $0.intersection($1.sources) }
    }
  }
}
