import Addresses
import Diagnostics
import Outcomes
import Proof
import Scenarios
import TalosFrontend
import Testing

/// A scenario file that was derived from a configuration, and what its lines come to.
struct DerivedCheck {
  let derived: DerivedScenario
  let plan: ScenarioPlan
  let outcomes: [ClaimOutcome]

  /// Derives a file, reads it, and proves its lines on the configuration's own ruleset, or another.
  ///
  /// - Parameters:
  ///   - text: The configuration.
  ///   - version: The version of Talos.
  ///   - node: The node's addresses; nil where nobody says.
  ///   - patches: Files that change the configuration.
  ///   - other: Another configuration to prove the lines on.
  /// - Throws: Where a configuration or the derived file is none.
  init(
    _ text: String, _ version: String, node: [String]?, patches: [String] = [],
    provedOn other: String? = nil
  ) throws {
    let known = try #require(TalosVersion(version))
    let given = try node.map { try $0.map { try #require(IPAddress($0)) } }
    let addresses = given ?? DerivedScenario.placeholder
    let own = addresses.filter { !$0.description.hasPrefix("fe80:") }
    var sources = SourceMap()
    func reading(_ text: String) -> TalosReader.Reading {
      TalosReader.read(
        ([text] + patches).map { ("node.yaml", Array($0.utf8)) },
        options: TalosReader.Options(version: known, nodeAddresses: .known(own)), sources: &sources)
    }
    let first = reading(text)
    derived = DerivedScenario(
      of: try #require(first.configuration, "\(first.diagnostics)\n\(text)"),
      from: DerivedScenario.Origin(
        path: "node.yaml", patches: [], version: known,
        node: given.map { $0.reduce(.empty) { $0.union(AddressSet($1)) } }, ownAddresses: own))
    let ruleset = try #require(other.map { reading($0).ruleset } ?? first.ruleset)

    let (plan, diagnostics) = ScenarioReader.read(
      path: "derived.scn", bytes: Array(derived.text.utf8), sources: &sources,
      loading: { _ in .success([]) })
    #expect(diagnostics == [], "\(derived.text)")
    self.plan = try #require(plan, "\(derived.text)")
    let firewall = try #require(self.plan.firewalls.first)
    #expect(firewall.kind == "talos" && firewall.path == "node.yaml")
    var prover = Prover(
      firewalls: [
        Firewall(
          name: firewall.name, ruleset: ruleset, placement: firewall.placement,
          trustedInterfaces: FirewallKind.talos.trustedInterfaces)
      ], interfaces: self.plan.interfaces, hosts: self.plan.hosts.map(\.addresses))
    outcomes = self.plan.flows.map { prover.outcome(of: $0, sources: sources) }
  }

  /// The addresses whose packets to a port of the node some line is about, in families of the node.
  func spokenFor(_ transport: TransportProtocol, _ port: UInt128) -> AddressSet {
    plan.flows.reduce(AddressSet.empty) { set, flow in
      let isAbout = flow.services.contains { service in
        if case .ports(transport, let ports) = service.kind { ports.contains(port) } else { false }
      }
      return isAbout ? set.union(flow.sources) : set
    }
  }

  /// What everybody is who can ask the node anything: nobody is left out.
  var everybody: AddressSet {
    let node = plan.hosts.first?.addresses ?? .empty
    return AddressSet(
      ipv4: node.ipv4.isEmpty ? .empty : AddressSet.any.ipv4.subtracting(node.ipv4),
      ipv6: node.ipv6.isEmpty ? .empty : AddressSet.any.ipv6.subtracting(node.ipv6))
  }

  /// Every port whose lines may differ from those of the port before it.
  func borders(_ transport: TransportProtocol) -> Set<UInt128> {
    var borders: Set<UInt128> = [0, 53, 65535]
    for flow in plan.flows {
      for service in flow.services {
        guard case .ports(transport, let ports) = service.kind else { continue }
        for interval in ports.intervals {
          borders.insert(interval.lower)
          borders.insert(interval.upper)
          if interval.upper < 65535 { borders.insert(interval.upper + 1) }
        }
      }
    }
    return borders
  }
}

extension DerivedCheck {
  /// Requires that every line holds, or is not known where the file says why, and that together they
  /// are about every packet over TCP and UDP.
  func expectTruth(_ comment: String, sourceLocation: SourceLocation = #_sourceLocation) {
    for (flow, outcome) in zip(plan.flows, outcomes) where outcome.status != .passed {
      let isExplained =
        outcome.status == .unknown && derived.gaps.contains { $0.contains("the kernel refuses") }
      #expect(
        isExplained, "\(comment): \(flow.text): \(outcome.status) \(outcome.code)\n\(derived.text)",
        sourceLocation: sourceLocation)
    }
    #expect(!plan.flows.isEmpty, sourceLocation: sourceLocation)
    // Whom Talos lets in by itself on some versions; the file tells.
    let exempt = plan.names.first { $0.name == "pods-and-services" }?.addresses ?? .empty
    for transport in [TransportProtocol.tcp, .udp] {
      for port in borders(transport) {
        let missing = everybody.subtracting(spokenFor(transport, port))
          .subtracting(exempt)
        let isExplained = derived.gaps.contains {
          $0.contains("may not find port") && $0.contains("\(port)")
        }
        #expect(
          missing.isEmpty || isExplained,
          "\(comment): port \(port) \(transport), \(missing.prefixes.prefix(3))\n\(derived.text)",
          sourceLocation: sourceLocation)
      }
    }
  }
}
