package import Addresses
package import Diagnostics

/// A value and the text it was read from.
package struct Located<Value: Hashable & Sendable>: Hashable, Sendable {
  package var value: Value
  package var span: SourceSpan

  package init(_ value: Value, at span: SourceSpan) {
    self.value = value
    self.span = span
  }
}

/// What a machine configuration says about its firewall, document by document.
///
/// Patches are merged into it; every value remembers the file and the line that has the last word.
package struct MachineConfiguration: Hashable, Sendable {
  /// `NetworkDefaultActionConfig`.
  package var defaultAction: DefaultActionDocument?
  /// `NetworkRuleConfig`, in the order of the documents, which is the order of the rules.
  package var rules: [NetworkRule]
  /// The document without a kind: `machine` and `cluster`.
  package var legacy: LegacyDocument?
  /// `KubeNetworkConfig` (since 1.14).
  package var kubeNetwork: SubnetsDocument?
  /// `ResolverConfig` (its `hostDNS` since 1.14).
  package var resolver: ResolverDocument?
  /// `KubeSpanConfig`.
  package var kubeSpan: KubeSpanDocument?
  /// `KubeFlannelCNIConfig`.
  package var flannel: FlannelDocument?
  /// Documents of other kinds.
  package var others: [OtherDocument]

  package init() {
    rules = []
    others = []
  }

  /// What the firewall does with what no rule names.
  package enum DefaultAction: String, Hashable, Sendable, CaseIterable {
    case accept
    case block

    /// The document that says so, as Talos itself writes it.
    ///
    /// Source: pkg/machinery/config/types/network/testdata/defaultactionconfig.yaml.
    package var yaml: String {
      "apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: \(rawValue)"
    }
  }

  package struct DefaultActionDocument: Hashable, Sendable {
    /// Nil where the document does not say: that is `accept`.
    package var ingress: Located<DefaultAction>?
    package var span: SourceSpan

    package init(ingress: Located<DefaultAction>?, span: SourceSpan) {
      self.ingress = ingress
      self.span = span
    }
  }

  /// What the firewall does with what no rule names: `accept` where no document says.
  package var action: DefaultAction { defaultAction?.ingress?.value ?? .accept }

  /// A node's part in the cluster.
  package enum MachineType: String, Hashable, Sendable, CaseIterable {
    case controlPlane = "controlplane"
    case worker
    /// The first control plane node, in configurations of old.
    case initial = "init"
  }

  /// The document of kind-less configurations, as far as it feeds the firewall.
  package struct LegacyDocument: Hashable, Sendable {
    package var machineType: Located<MachineType>?
    /// Whether `cluster.network` is there.
    package var network: SubnetsDocument?
    /// `cluster.network.cni.name`.
    package var cniName: Located<String>?
    /// `machine.features.hostDNS.forwardKubeDNSToHost`.
    package var forwardsKubeDNS: Located<Bool>?
    /// `machine.network.kubespan.enabled`.
    package var isKubeSpanEnabled: Located<Bool>?
    /// The first `machine.network.interfaces[].dhcpOptions.ipv6` that is true.
    package var usesDHCPv6: Located<Bool>?
    /// `cluster.proxy.disabled`.
    package var isKubeProxyDisabled: Located<Bool>?
    package var span: SourceSpan

    package init(span: SourceSpan) { self.span = span }
  }

  /// Lists of pod and service subnets.
  package struct SubnetsDocument: Hashable, Sendable {
    package var podSubnets: [Located<ConfiguredPrefix>]
    package var serviceSubnets: [Located<ConfiguredPrefix>]
    package var span: SourceSpan

    package init(
      podSubnets: [Located<ConfiguredPrefix>], serviceSubnets: [Located<ConfiguredPrefix>],
      span: SourceSpan
    ) {
      self.podSubnets = podSubnets
      self.serviceSubnets = serviceSubnets
      self.span = span
    }
  }

  package struct ResolverDocument: Hashable, Sendable {
    /// Whether `hostDNS` is there.
    package var hasHostDNS: Bool
    package var isHostDNSEnabled: Located<Bool>?
    package var forwardsKubeDNS: Located<Bool>?
    package var span: SourceSpan

    package init(
      hasHostDNS: Bool, isHostDNSEnabled: Located<Bool>?, forwardsKubeDNS: Located<Bool>?,
      span: SourceSpan
    ) {
      self.hasHostDNS = hasHostDNS
      self.isHostDNSEnabled = isHostDNSEnabled
      self.forwardsKubeDNS = forwardsKubeDNS
      self.span = span
    }
  }

  package struct KubeSpanDocument: Hashable, Sendable {
    package var isEnabled: Located<Bool>?
    package var span: SourceSpan

    package init(isEnabled: Located<Bool>?, span: SourceSpan) {
      self.isEnabled = isEnabled
      self.span = span
    }
  }

  package struct FlannelDocument: Hashable, Sendable {
    /// The UDP port of the overlay; 4789 where the document does not say.
    package var backendPort: Located<UInt16>?
    package var span: SourceSpan

    package init(backendPort: Located<UInt16>?, span: SourceSpan) {
      self.backendPort = backendPort
      self.span = span
    }
  }

  /// A document that the firewall does not rest on, as far as this front-end knows.
  package struct OtherDocument: Hashable, Sendable {
    package var kind: String
    package var name: String?
    package var span: SourceSpan

    package init(kind: String, name: String?, span: SourceSpan) {
      self.kind = kind
      self.name = name
      self.span = span
    }
  }

  /// Whether KubeSpan is on, and where that is said.
  package var isKubeSpanEnabled: Located<Bool>? { kubeSpan?.isEnabled ?? legacy?.isKubeSpanEnabled }
}

/// A document of kind `NetworkRuleConfig`.
package struct NetworkRule: Hashable, Sendable {
  /// The document's name; the kernel's rules do not have it.
  package var name: Located<String>
  /// `portSelector.ports`, in the order of the document.
  package var ports: [Located<PortRange>]
  /// `portSelector.protocol`; Talos takes 0 where the document has none.
  package var transport: Located<TransportProtocol>?
  /// `ingress`, in the order of the document.
  package var ingress: [Entry]
  /// Where `ingress` is, if it is there.
  package var ingressSpan: SourceSpan?
  /// The whole document.
  package var span: SourceSpan

  package init(
    name: Located<String>, ports: [Located<PortRange>],
    transport: Located<TransportProtocol>?, ingress: [Entry], ingressSpan: SourceSpan?,
    span: SourceSpan
  ) {
    self.name = name
    self.ports = ports
    self.transport = transport
    self.ingress = ingress
    self.ingressSpan = ingressSpan
    self.span = span
  }

  /// A source that the rule names.
  ///
  /// What is excepted is excepted from the whole rule: all subnets are joined before.
  package struct Entry: Hashable, Sendable {
    package var subnet: Located<ConfiguredPrefix>
    package var except: Located<ConfiguredPrefix>?
    package var span: SourceSpan

    package init(
      subnet: Located<ConfiguredPrefix>, except: Located<ConfiguredPrefix>?, span: SourceSpan
    ) {
      self.subnet = subnet
      self.except = except
      self.span = span
    }
  }

  /// Every subnet of the rule, less everything that is excepted.
  package var sources: AddressSet { addressMatch(isInverted: false).addresses }

  package func addressMatch(isInverted: Bool) -> ChainRuleSpecification.AddressMatch {
    ChainRuleSpecification.AddressMatch(
      ingress.map(\.subnet.value), excluding: ingress.compactMap(\.except?.value),
      isInverted: isInverted)
  }
}
