internal import Addresses
package import Rulesets

/// Makes the kernel's rules of chains, as a version of Talos loads them.
///
/// The tests of a rule stand in Talos' order whatever the order of its fields, and a rule becomes
/// none, one or two: where an address is matched, one for IPv4 and one for IPv6.
///
/// Source: internal/app/machined/pkg/adapters/network/nftables_rule.go and ipset.go of Talos.
package struct ChainLowering: Sendable {
  let features: FirewallFeatures

  package init(_ version: TalosVersion) { features = FirewallFeatures(version) }

  /// A rule that the kernel does not take, so that it takes none.
  package struct Refusal: Hashable, Sendable {
    /// An index into the chains.
    package var chain: Int
    /// An index into the chain's rules.
    package var rule: Int
    /// The range that the kernel does not take, as text: `50000-65535`.
    package var range: String
  }

  /// The table `talos` as the kernel holds it.
  ///
  /// Where the kernel refuses a rule, Talos loads nothing at all: what was loaded before stays until
  /// the next start, and from then on there is no firewall. So any packet may be dropped, or not.
  package func ruleset(of chains: [ChainSpecification]) -> Ruleset {
    if let refusal = refusals(of: chains).first {
      return Ruleset(tables: [refusedTable(chains, refusal)])
    }
    return Ruleset(tables: [table(of: chains)])
  }

  private func table(of chains: [ChainSpecification]) -> Table {
    Table(
      family: .inet, name: ChainSpecification.tableName,
      chains: chains.map { chain in
        Chain(
          name: chain.name, base: base(of: chain), rules: chain.rules.flatMap { rules(of: $0) })
      })
  }

  private func base(of chain: ChainSpecification) -> BaseChain {
    BaseChain(
      kind: chain.kind, hook: chain.hook, priority: chain.priority, policy: chain.policy)
  }

  // MARK: - Rules

  /// The kernel's rules for one of Talos', in order.
  package func rules(of specification: ChainRuleSpecification) -> [Rule] {
    let before = testsBeforeAddresses(specification)
    let families: [[Statement]]
    switch parts(of: specification) {
    case .nothing: return []
    case .either: families = [[]]
    case .each(let ipv4, let ipv6): families = [ipv4, ipv6].compactMap(\.self)
    }
    let hasDoubtfulPorts = specification.layer4.map { self.hasDoubtfulPorts($0) } ?? false
    return families.flatMap { family in
      var rules = [
        Rule(
          statements: before + family + statementsAfterAddresses(specification, ports: .certain),
          certainty: specification.certainty, provenance: specification.provenance)
      ]
      if hasDoubtfulPorts {
        rules.append(
          Rule(
            statements: before + family + statementsAfterAddresses(specification, ports: .doubtful),
            certainty: .possible(reason: Self.adjacencyReason),
            provenance: specification.provenance))
      }
      return rules
    }
  }

  private func testsBeforeAddresses(_ specification: ChainRuleSpecification) -> [Statement] {
    var tests: [Statement] = []
    if let match = specification.inputNames { tests.append(names(.inputName, match)) }
    if let match = specification.outputNames { tests.append(names(.outputName, match)) }
    if let match = specification.mark {
      let mark = Expression.masked(
        .selector(Selector(.meta(.mark))), mask: UInt128(match.mask), flip: UInt128(match.xor))
      tests.append(.match(Match(mark, .equal, .value(UInt128(match.value)))))
    }
    if let states = specification.connectionStates, !states.isEmpty {
      let state = Expression.selector(
        Selector(.connection(ConnectionKey(key: .state, type: .connectionState))))
      if states.count == 1 {
        tests.append(.match(Match(state, .anyBit, .value(UInt128(states[0].bit)))))
      } else {
        // A packet has one state, so that looking it up is as good as testing for each.
        let bits = states.map { Interval(UInt128($0.bit)) }
        tests.append(lookup(state, .equal, .connectionState, bits))
      }
    }
    if let match = specification.layer4, !PortFields(match.transport).impliesTransport(of: match) {
      tests.append(
        .match(
          Match(
            .selector(Selector(.meta(.l4proto))), .equal, .value(UInt128(match.transport.rawValue)))
        ))
    }
    return tests
  }

  private func names(
    _ key: MetaKey, _ match: ChainRuleSpecification.InterfaceMatch
  ) -> Statement {
    let name = Expression.selector(Selector(.meta(key)))
    let symbol: Match.Operator = match.operator == .equal ? .equal : .notEqual
    let values = match.names.compactMap { InterfaceName($0)?.rawValue }
    guard values.count == match.names.count else {
      let text = match.names.joined(separator: ", ")
      return .unmodelled(
        Unmodelled(
          text: "\(key.rawValue) \(match.operator.rawValue) \(text)",
          reason: "the name of an interface has at most \(InterfaceName.longest) bytes"))
    }
    if values.count == 1 { return .match(Match(name, symbol, .value(values[0]))) }
    return lookup(name, symbol, .interfaceName, values.map { Interval($0) })
  }

  func lookup(
    _ key: Expression, _ symbol: Match.Operator, _ type: DataType, _ intervals: [Interval]
  ) -> Statement {
    let elements = intervals.map { SetElement(key: [$0]) }
    return .match(
      Match(key, symbol, .set(.anonymous(SetContents(keyTypes: [type], elements: elements)))))
  }

  // MARK: - What comes after addresses

  /// Which ports a rule tests for, where the kernel finds some and perhaps others.
  private enum PortChoice {
    case certain
    case doubtful
    /// Both, where source and destination are tested and either may be in doubt.
    case all
  }

  private func statementsAfterAddresses(
    _ specification: ChainRuleSpecification, ports choice: PortChoice
  ) -> [Statement] {
    var statements: [Statement] = []
    if let match = specification.layer4 {
      let fields = PortFields(match.transport)
      let isPair = match.sourcePorts != nil && match.destinationPorts != nil
      let choice = choice == .doubtful && isPair ? .all : choice
      if let ports = match.sourcePorts {
        statements.append(portTest(fields.source, ports, choice))
      }
      if let ports = match.destinationPorts {
        statements.append(portTest(fields.destination, ports, choice))
      }
      if let types = match.icmpTypes {
        // Not for IPv4 alone: Talos does not test the family.
        let type = PayloadField(
          base: .transport, bitOffset: 0, bitLength: 8, type: .icmpType, name: "icmp type")
        statements.append(
          lookup(
            .selector(Selector(.payload(type))), .equal, .icmpType,
            types.map { Interval(UInt128($0)) }))
      }
    }
    if let rate = specification.packetsPerSecond {
      statements.append(
        .gate(
          .limit(
            text: "limit rate \(rate)/second burst \(rate) packets",
            rate: Gate.Rate(amount: rate, isBytes: false, seconds: 1, burst: rate), over: false)))
    }
    if let change = specification.markChange {
      let mark = Selector(.meta(.mark))
      statements.append(
        .mangle(
          mark,
          value: .masked(
            .selector(mark), mask: UInt128(change.mask), flip: UInt128(change.xor))))
    }
    if specification.hasCounter { statements.append(.inert("counter")) }
    switch specification.decision {
    case .accept: statements.append(.verdict(.accept))
    case .drop: statements.append(.verdict(.drop))
    case nil: break
    }
    return statements
  }

  private func portTest(
    _ selector: Selector, _ ranges: [PortRange], _ choice: PortChoice
  ) -> Statement {
    if let range = ranges.first(where: { $0.lower > $0.upper }) {
      return .unmodelled(
        Unmodelled(
          text: RulePrinter(Table(family: .inet, name: "")).text(of: selector.field)
            + " { \(range) }",
          reason: "the range ends before it begins"))
    }
    let loaded = LoadedPorts(ranges, areJoined: features.joinsPortRanges)
    let intervals =
      switch choice {
      case .certain: loaded.certain
      case .doubtful: loaded.doubtful
      case .all: IntervalSet(loaded.certain + loaded.doubtful).intervals
      }
    return lookup(.selector(selector), .equal, selector.field.type, intervals)
  }

  /// Whether it is not known of some port whether the kernel finds it.
  private func hasDoubtfulPorts(_ match: ChainRuleSpecification.Layer4Match) -> Bool {
    [match.sourcePorts, match.destinationPorts].compactMap(\.self).contains { ranges in
      !LoadedPorts(ranges, areJoined: features.joinsPortRanges).doubtful.isEmpty
    }
  }

  static let adjacencyReason =
    "before Talos 1.7.6 the kernel need not find a port that begins a range where another ends"
}

/// The fields that Talos takes for ports: the first two 16-bit words of any transport header.
struct PortFields {
  let source: Selector
  let destination: Selector
  private let hasPorts: Bool

  init(_ transport: TransportProtocol) {
    let guards: [Guard]
    let names: (String?, String?)
    let type: DataType
    switch transport {
    case .tcp: (guards, names, type) = ([.transport(6)], ("tcp sport", "tcp dport"), .port)
    case .udp: (guards, names, type) = ([.transport(17)], ("udp sport", "udp dport"), .port)
    // The second word of ICMP is its checksum.
    case .icmp: (guards, names, type) = ([], (nil, "icmp checksum"), .integer(bits: 16))
    case .icmpv6: (guards, names, type) = ([], (nil, "icmpv6 checksum"), .integer(bits: 16))
    default: (guards, names, type) = ([], (nil, nil), .integer(bits: 16))
    }
    func selector(_ bitOffset: Int, _ name: String?) -> Selector {
      Selector(
        .payload(
          PayloadField(
            base: .transport, bitOffset: bitOffset, bitLength: 16, type: type, name: name)),
        requiring: guards)
    }
    source = selector(0, names.0)
    destination = selector(16, names.1)
    hasPorts = !guards.isEmpty
  }

  /// Whether the fields that `match` tests say by themselves which protocol they are of.
  func impliesTransport(of match: ChainRuleSpecification.Layer4Match) -> Bool {
    hasPorts && (match.sourcePorts != nil || match.destinationPorts != nil)
  }
}
