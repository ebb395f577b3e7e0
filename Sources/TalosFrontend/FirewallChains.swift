package import Addresses
internal import Diagnostics
internal import Rulesets

/// The node's own addresses, of which the chain `prerouting` is made.
///
/// Talos takes them from the resource `routed-no-k8s` of `NodeAddresses.net.talos.dev`, or `routed`:
/// what its links have, without link-local, loopback and Kubernetes' own addresses.
package enum NodeAddresses: Hashable, Sendable {
  /// Nobody said. The rule that passes what is not for the node may then pass anything.
  case notKnown
  /// These, and no others; none is what a node without addresses has.
  case known([IPAddress])
  /// The resource is not there, and so no chain `prerouting`.
  case absent
}

/// Makes Talos' chains of a machine configuration.
///
/// Source: internal/app/machined/pkg/controllers/network/nftables_chain_config.go of Talos.
package struct FirewallChains: Sendable {
  private let features: FirewallFeatures
  private let nodeAddresses: NodeAddresses

  package init(version: TalosVersion, nodeAddresses: NodeAddresses) {
    features = FirewallFeatures(version)
    self.nodeAddresses = nodeAddresses
  }

  /// The chains, in the order in which Talos makes them; none where there is no firewall.
  package func chains(of configuration: MachineConfiguration) -> [ChainSpecification] {
    if configuration.action == .accept, configuration.rules.isEmpty { return [] }
    var chains = [ingress(configuration)]
    if features.hasPrerouting, let chain = prerouting(configuration) { chains.append(chain) }
    return chains
  }

  // MARK: - What is for the node

  private func ingress(_ configuration: MachineConfiguration) -> ChainSpecification {
    let blocks = configuration.action == .block
    var chain = ChainSpecification(
      name: "ingress", hook: .input, priority: features.ingressPriority,
      policy: blocks ? .drop : .accept)
    chain.rules = [trustedInterfaces(configuration)]
    if blocks || features.tracksInAcceptMode {
      chain.rules += [
        fixed(configuration, "known connections", .accept) {
          $0.connectionStates = [.established, .related]
        },
        fixed(configuration, "invalid packets", .drop) { $0.connectionStates = [.invalid] },
      ]
    }
    if blocks {
      chain.rules += icmp(configuration)
      chain.rules += kubernetes(configuration)
    }
    chain.rules += configuration.rules.map { userRule($0, blocks: blocks, states: nil) }
    return chain
  }

  private func icmp(_ configuration: MachineConfiguration) -> [ChainRuleSpecification] {
    var rules: [ChainRuleSpecification] = []
    if features.dropsTimestamps {
      rules.append(
        fixed(configuration, "ICMP timestamp and address mask messages", .drop) {
          $0.layer4 = .init(.icmp, icmpTypes: [13, 14, 17, 18])
        })
    }
    for (transport, words) in [(TransportProtocol.icmp, "ICMP"), (.icmpv6, "ICMPv6")] {
      rules.append(
        fixed(configuration, "\(words), 5 packets a second from all senders together", .accept) {
          $0.layer4 = .init(transport)
          $0.packetsPerSecond = 5
        })
    }
    return rules
  }

  private func kubernetes(_ configuration: MachineConfiguration) -> [ChainRuleSpecification] {
    guard let subnets = kubernetesSubnets(of: configuration) else { return [] }
    let all = ChainRuleSpecification.AddressMatch(subnets.pods + subnets.services)
    var rules: [ChainRuleSpecification] = []
    if let forwarding = hostDNSForwarding(of: configuration), forwarding.value {
      var resolver = [ConfiguredPrefix(Self.hostDNS)]
      if features.hasIPv6HostDNS, subnets.pods.contains(where: { $0.family == .ipv6 }) {
        resolver.append(ConfiguredPrefix(Self.hostDNSv6))
      }
      for (transport, words) in [(TransportProtocol.udp, "UDP"), (.tcp, "TCP")] {
        var rule = fixed(configuration, "pods to the host's resolver over \(words)", .accept) {
          $0.source = all
          $0.destination = .init(resolver)
          $0.layer4 = .init(transport, destinationPorts: [PortRange(53)])
        }
        rule.provenance.span = forwarding.span
        rules.append(rule)
      }
    }
    var rule = fixed(configuration, "among Kubernetes' pods and services", .accept) {
      $0.source = all
      $0.destination = all
    }
    rule.provenance.span = subnets.span
    return rules + [rule]
  }

  // MARK: - Node ports

  private func prerouting(_ configuration: MachineConfiguration) -> ChainSpecification? {
    let blocks = configuration.action == .block
    var chain = ChainSpecification(name: "prerouting", hook: .prerouting, priority: -110)
    chain.rules = [trustedInterfaces(configuration)]
    var elsewhere = fixed(configuration, "what is not for the node's own addresses", .accept) {
      _ in
    }
    switch nodeAddresses {
    case .absent: return nil
    case .known(let addresses):
      elsewhere.destination = .init(addresses.map { ConfiguredPrefix($0) }, isInverted: true)
    case .notKnown: elsewhere.certainty = .possible(reason: Self.addressesReason)
    }
    chain.rules.append(elsewhere)
    chain.rules += configuration.rules.map { userRule($0, blocks: blocks, states: [.new]) }
    if blocks {
      for (transport, words) in [(TransportProtocol.tcp, "TCP"), (.udp, "UDP")] {
        chain.rules.append(
          fixed(configuration, "any other new connection over \(words)", .drop) {
            $0.connectionStates = [.new]
            $0.layer4 = .init(transport)
          })
      }
    }
    return chain
  }

  static let addressesReason = "the node's own addresses are not known"

  // MARK: - Rules

  private func trustedInterfaces(_ configuration: MachineConfiguration) -> ChainRuleSpecification {
    fixed(configuration, "trusted interfaces", .accept) {
      $0.inputNames = .init(["lo", "siderolink", "kubespan"])
    }
  }

  /// A rule that Talos adds by itself; it points at the default action, if a document says that.
  private func fixed(
    _ configuration: MachineConfiguration, _ words: String,
    _ decision: ChainRuleSpecification.Decision,
    _ matching: (inout ChainRuleSpecification) -> Void
  ) -> ChainRuleSpecification {
    var rule = ChainRuleSpecification(
      hasCounter: true, decision: decision,
      provenance: Provenance(
        span: configuration.defaultAction?.ingress?.span,
        vendorText: "Talos' own rule: \(words)"))
    matching(&rule)
    return rule
  }

  private func userRule(
    _ rule: NetworkRule, blocks: Bool, states: [ChainRuleSpecification.ConnectionState]?
  ) -> ChainRuleSpecification {
    var ports = rule.ports.map(\.value)
    if features.joinsPortRanges { ports.sort { $0.lower < $1.lower } }
    return ChainRuleSpecification(
      connectionStates: states, source: rule.addressMatch(isInverted: !blocks),
      // Without a protocol Talos compares with 0.
      layer4: .init(
        rule.transport?.value ?? TransportProtocol(rawValue: 0), destinationPorts: ports),
      hasCounter: true, decision: blocks ? .accept : .drop,
      provenance: Provenance(
        span: rule.name.span, vendorText: "NetworkRuleConfig \(rule.name.value)"))
  }

  // MARK: - Where rules come from

  typealias KubernetesSubnets = (
    pods: [ConfiguredPrefix], services: [ConfiguredPrefix], span: SourceSpan?
  )

  /// The subnets of pods and services; nil where Talos knows of none.
  func kubernetesSubnets(of configuration: MachineConfiguration) -> KubernetesSubnets? {
    if features.readsSubnetDocuments, let document = configuration.kubeNetwork {
      return (
        document.podSubnets.map(\.value), document.serviceSubnets.map(\.value), document.span
      )
    }
    guard let legacy = configuration.legacy else { return nil }
    guard let network = legacy.network else {
      return features.readsSubnetDocuments
        ? nil : ([Self.standardPods], [Self.standardServices], legacy.span)
    }
    let pods = network.podSubnets.map(\.value)
    let services = network.serviceSubnets.map(\.value)
    return (
      pods.isEmpty ? [Self.standardPods] : pods,
      services.isEmpty ? [Self.standardServices] : services, network.span
    )
  }

  /// Whether the host's resolver answers for pods, and where that is said.
  func hostDNSForwarding(of configuration: MachineConfiguration) -> Located<Bool>? {
    guard features.opensHostDNS else { return nil }
    if features.readsSubnetDocuments, let resolver = configuration.resolver, resolver.hasHostDNS,
      resolver.isHostDNSEnabled?.value == true
    {
      return resolver.forwardsKubeDNS
    }
    return configuration.legacy?.forwardsKubeDNS
  }

  private static let standardPods = ipv4(10 << 24 | 244 << 16, length: 16)
  private static let standardServices = ipv4(10 << 24 | 96 << 16, length: 12)
  /// 169.254.116.108 and fd54:616c:6f73::204f:5320:444e:531.
  static let hostDNS = IPAddress.ipv4(IPv4Address(rawValue: 0xA9FE_746C))
  static let hostDNSv6 = IPAddress.ipv6(
    IPv6Address(rawValue: 0xFD54_616C_6F73_0000_204F_5320_444E_0531))

  private static func ipv4(_ number: UInt32, length: Int) -> ConfiguredPrefix {
    ConfiguredPrefix(.ipv4(IPv4Address(rawValue: number)), length: length)
  }
}
