internal import Addresses
internal import Diagnostics
internal import Documents

/// Makes typed documents of trees, as Talos' decoder and validation do.
///
/// Talos stops at the first mistake; here all are told.
struct ConfigurationDecoder {
  private(set) var configuration = MachineConfiguration()
  private(set) var diagnostics: [Diagnostic] = []
  private let features: FirewallFeatures

  init(features: FirewallFeatures) { self.features = features }

  mutating func report(
    _ problem: TalosProblem, at span: SourceSpan, besides other: SourceSpan? = nil
  ) {
    diagnostics.append(problem.diagnostic(at: span, besides: other))
  }

  mutating func decode(_ documents: [ConfigurationDocument]) {
    for document in documents { decode(document) }
    if let network = configuration.legacy?.network, let other = configuration.kubeNetwork {
      report(.conflictingSubnets, at: network.span, besides: other.span)
    }
  }

  private mutating func decode(_ document: ConfigurationDocument) {
    let root = document.root
    let legacyKeys = ["machine", "cluster", "debug", "persist"]
    let isLegacy = root.mapping?.contains { legacyKeys.contains($0.name) } ?? false
    if document.kind.isEmpty {
      guard isLegacy else {
        report(.kindMissing, at: head(of: root))
        return
      }
      decodeLegacy(root)
      return
    }
    let kindSpan = root["kind"]?.span ?? root.span
    guard !document.apiVersion.isEmpty || isLegacy else {
      report(.versionMissing, at: head(of: root))
      return
    }
    guard DocumentKinds.isKnown(document.kind) else {
      report(
        .kindUnknown(
          document.kind,
          suggestion: DocumentKinds.nearest(to: document.kind),
          mayFilter: DocumentKinds.mayFilter(document.kind)), at: kindSpan)
      configuration.others.append(other(document))
      return
    }
    guard document.apiVersion == "v1alpha1" || !DocumentKinds.read.contains(document.kind) else {
      report(
        .versionOfDocument(kind: document.kind, document.apiVersion),
        at: root["apiVersion"]?.span ?? root.span)
      return
    }
    switch document.kind {
    case "NetworkDefaultActionConfig": decodeDefaultAction(root)
    case "NetworkRuleConfig": decodeRule(root)
    case "KubeNetworkConfig": decodeKubeNetwork(root, kindSpan)
    case "ResolverConfig": decodeResolver(root)
    case "KubeSpanConfig":
      configuration.kubeSpan = .init(isEnabled: boolean(root["enabled"]), span: root.span)
    case "KubeFlannelCNIConfig": decodeFlannel(root)
    default: configuration.others.append(other(document))
    }
  }

  private func other(_ document: ConfigurationDocument) -> MachineConfiguration.OtherDocument {
    .init(
      kind: document.kind, name: document.name.isEmpty ? nil : document.name,
      span: document.root.span)
  }

  /// The first key of a document, which stands for it where the whole would be too much.
  func head(of root: ConfigurationNode) -> SourceSpan {
    root.mapping?.first?.nameSpan ?? root.span
  }

  // MARK: - Documents

  private mutating func decodeDefaultAction(_ root: ConfigurationNode) {
    checkKeys(of: root, ["apiVersion", "kind", "ingress"], in: .defaultAction)
    guard configuration.defaultAction == nil else {
      // Two that have the same name, or none, were told of where the stream was read.
      if root["name"] != nil { report(.duplicateDefaultAction, at: head(of: root)) }
      return
    }
    var action: Located<MachineConfiguration.DefaultAction>?
    if let node = root["ingress"] {
      if let text = node.text {
        if let known = MachineConfiguration.DefaultAction(rawValue: text.lowercased()) {
          action = Located(known, at: node.span)
        } else {
          report(.defaultAction(text), at: node.span)
        }
      } else {
        report(
          .wrongShape(
            "the default action", should: "`accept` or `block`",
            help: "rules are documents of their own: `kind: NetworkRuleConfig`"), at: node.span)
      }
    }
    configuration.defaultAction = .init(ingress: action, span: root.span)
  }

  private mutating func decodeRule(_ root: ConfigurationNode) {
    if let rule = rule(root) { configuration.rules.append(rule) }
  }

  private mutating func decodeKubeNetwork(_ root: ConfigurationNode, _ kindSpan: SourceSpan) {
    guard features.readsSubnetDocuments else {
      report(.kindTooNew("KubeNetworkConfig", since: "1.14"), at: kindSpan)
      return
    }
    checkKeys(
      of: root, ["apiVersion", "kind", "dnsDomain", "podSubnets", "serviceSubnets"],
      in: .kubeNetwork)
    let pods = prefixes(root["podSubnets"], named: "`podSubnets`")
    let services = prefixes(root["serviceSubnets"], named: "`serviceSubnets`")
    for (words, subnets, name) in [
      ("pod", pods, "podSubnets"), ("service", services, "serviceSubnets"),
    ] {
      let span = root[name]?.span ?? head(of: root)
      if let problem = Self.problem(of: subnets.map(\.value)) {
        report(.subnetsInvalid("\(words) subnets: \(problem)"), at: span)
      }
    }
    if pods.count != services.count {
      report(
        .subnetsInvalid("the number of pod subnets must match the number of service subnets"),
        at: head(of: root))
    }
    configuration.kubeNetwork = .init(
      podSubnets: pods, serviceSubnets: services, span: root.span)
  }

  private static func problem(of subnets: [ConfiguredPrefix]) -> String? {
    if subnets.isEmpty { return "at least one subnets must be specified" }
    if subnets.count > 2 {
      return "at most two subnets can be specified for dual-stack clusters"
    }
    if let subnet = subnets.first(where: \.hasHostBits) {
      return "invalid subnet: \(subnet) is not a valid CIDR"
    }
    if subnets.count == 2, subnets[0].family == subnets[1].family {
      return "at most one IPv4 and one IPv6 subnet can be specified for dual-stack clusters"
    }
    return nil
  }

  private mutating func decodeResolver(_ root: ConfigurationNode) {
    let hostDNS = root["hostDNS"]
    configuration.resolver = .init(
      hasHostDNS: hostDNS != nil, isHostDNSEnabled: boolean(hostDNS?["enabled"]),
      forwardsKubeDNS: boolean(hostDNS?["forwardKubeDNSToHost"]), span: root.span)
  }

  private mutating func decodeFlannel(_ root: ConfigurationNode) {
    var port: Located<UInt16>?
    if let node = root["backendPort"] {
      if let number = node.scalar?.integer, let value = UInt16(exactly: number) {
        port = Located(value, at: node.span)
      } else {
        report(
          .wrongShape("`backendPort`", should: "a number up to 65535", help: nil), at: node.span)
      }
    }
    configuration.flannel = .init(backendPort: port, span: root.span)
  }

  private mutating func decodeLegacy(_ root: ConfigurationNode) {
    checkKeys(of: root, ["version", "debug", "persist", "machine", "cluster"], in: .legacy)
    var legacy = MachineConfiguration.LegacyDocument(span: head(of: root))
    if let type = root.at("machine", "type") {
      // `join` and `controlplane` of old are the same as these.
      let known = MachineConfiguration.MachineType(
        rawValue: type.text == "join" ? "worker" : type.text ?? "")
      if let known {
        legacy.machineType = Located(known, at: type.span)
      } else {
        report(.machineType(type.text ?? ""), at: type.span)
      }
    }
    legacy.isKubeSpanEnabled = boolean(root.at("machine", "network", "kubespan", "enabled"))
    legacy.forwardsKubeDNS = boolean(
      root.at("machine", "features", "hostDNS", "forwardKubeDNSToHost"))
    legacy.isKubeProxyDisabled = boolean(root.at("cluster", "proxy", "disabled"))
    for interface in root.at("machine", "network", "interfaces")?.sequence ?? []
    where legacy.usesDHCPv6 == nil {
      let option = boolean(interface.at("dhcpOptions", "ipv6"))
      legacy.usesDHCPv6 = option?.value == true ? option : nil
    }
    if let network = root.at("cluster", "network") {
      if let name = network.at("cni", "name"), let text = name.text {
        legacy.cniName = Located(text, at: name.span)
      }
      let span =
        root["cluster"]?.mapping?.first { $0.name == "network" }?.nameSpan ?? network.span
      legacy.network = .init(
        podSubnets: prefixes(network["podSubnets"], named: "`podSubnets`"),
        serviceSubnets: prefixes(network["serviceSubnets"], named: "`serviceSubnets`"), span: span)
    }
    configuration.legacy = legacy
  }

  // MARK: - Values

  /// A truth value; nil where it is not said, or not one.
  mutating func boolean(_ node: ConfigurationNode?) -> Located<Bool>? {
    guard let node else { return nil }
    guard let value = node.scalar?.boolean else {
      report(.booleanInvalid(node.text ?? "this"), at: node.span)
      return nil
    }
    return Located(value, at: node.span)
  }

  /// A prefix; nil, and told of, where the text is none.
  mutating func prefix(_ node: ConfigurationNode) -> Located<ConfiguredPrefix>? {
    guard let text = node.text else {
      report(
        .wrongShape("a subnet", should: "text like 10.0.0.0/8", help: nil), at: node.span)
      return nil
    }
    guard let prefix = ConfiguredPrefix(text) else {
      report(.prefixInvalid(text), at: node.span)
      return nil
    }
    return Located(prefix, at: node.span)
  }

  private mutating func prefixes(
    _ node: ConfigurationNode?, named name: String
  ) -> [Located<ConfiguredPrefix>] {
    guard let node else { return [] }
    guard let entries = node.sequence else {
      report(.wrongShape(name, should: "a list", help: "write `- 10.244.0.0/16`"), at: node.span)
      return []
    }
    return entries.compactMap { prefix($0) }
  }
}
