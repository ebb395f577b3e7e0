import Addresses
import Diagnostics
import TalosFrontend
import Testing

@Suite("Patches and resources")
struct PatchTests {
  private static let base = """
    apiVersion: v1alpha1
    kind: NetworkDefaultActionConfig
    ingress: block
    ---
    apiVersion: v1alpha1
    kind: NetworkRuleConfig
    name: api
    portSelector:
      ports: [6443]
      protocol: tcp
    ingress:
      - subnet: 10.0.0.0/8
    ---
    apiVersion: v1alpha1
    kind: NetworkRuleConfig
    name: web
    portSelector:
      ports: [80]
      protocol: tcp
    """

  private var sources = SourceMap()

  private mutating func read(
    _ patches: String..., version: TalosVersion = .standard
  ) throws -> MachineConfiguration {
    let files =
      [("base.yaml", Array(Self.base.utf8))] + patches.map { ("patch.yaml", Array($0.utf8)) }
    let reading = TalosReader.read(files, options: .init(version: version), sources: &sources)
    #expect(reading.diagnostics == [])
    return try #require(reading.configuration)
  }

  private func summary(_ rule: NetworkRule) -> String {
    let ports = rule.ports.map(\.value.description).joined(separator: ",")
    let sources = rule.ingress.map(\.subnet.value.description).joined(separator: ",")
    return "\(rule.name.value) \(rule.transport?.value.description ?? "-") \(ports) \(sources)"
  }

  @Test
  mutating func `a patch replaces the lists of the rule with its name`() throws {
    let configuration = try read(
      """
      apiVersion: v1alpha1
      kind: NetworkRuleConfig
      name: api
      portSelector:
        ports: [6444]
      ingress:
        - subnet: 192.168.0.0/16
      """)
    #expect(
      configuration.rules.map { summary($0) } == [
        "api tcp 6444-6444 192.168.0.0/16", "web tcp 80-80 ",
      ])
    #expect(configuration.action == .block)
    let span = configuration.rules[0].ports[0].span
    #expect(sources.location(of: span) == "patch.yaml:5:11")
    #expect(sources.location(of: configuration.rules[0].name.span) == "base.yaml:7:7")
  }

  @Test
  mutating func `sources were joined before 1_7`() throws {
    let patch = """
      apiVersion: v1alpha1
      kind: NetworkRuleConfig
      name: api
      ingress:
        - subnet: 192.168.0.0/16
      """
    #expect(
      summary(try read(patch, version: TalosVersion(1, 6)).rules[0])
        == "api tcp 6443-6443 10.0.0.0/8,192.168.0.0/16")
    #expect(
      summary(try read(patch, version: TalosVersion(1, 7, 0)).rules[0])
        == "api tcp 6443-6443 192.168.0.0/16")
  }

  @Test
  mutating func `a document that is new comes last`() throws {
    let configuration = try read(
      """
      apiVersion: v1alpha1
      kind: NetworkRuleConfig
      name: dns
      portSelector: {ports: [53], protocol: UDP}
      ---
      machine:
        type: worker
      """)
    #expect(configuration.rules.map(\.name.value) == ["api", "web", "dns"])
    #expect(configuration.legacy?.machineType?.value == .worker)
  }

  @Test
  mutating func `documents and members are deleted`() throws {
    let configuration = try read(
      """
      apiVersion: v1alpha1
      kind: NetworkRuleConfig
      name: web
      $patch: delete
      ---
      apiVersion: v1alpha1
      kind: NetworkDefaultActionConfig
      $patch: delete
      ---
      apiVersion: v1alpha1
      kind: NetworkRuleConfig
      name: api
      ingress:
        $patch: delete
      """)
    #expect(configuration.rules.map { summary($0) } == ["api tcp 6443-6443 "])
    #expect(configuration.action == .accept)
  }

  @Test
  mutating func `a later patch has the last word`() throws {
    let patch = { (port: Int) in
      """
      apiVersion: v1alpha1
      kind: NetworkRuleConfig
      name: web
      portSelector: {ports: [\(port)]}
      """
    }
    let configuration = try read(patch(81), patch(82))
    #expect(summary(configuration.rules[1]) == "web tcp 82-82 ")
  }

  @Test
  mutating func `what says nothing changes nothing`() throws {
    let configuration = try read(
      """
      apiVersion: v1alpha1
      kind: NetworkRuleConfig
      name: api
      portSelector: {ports: null, protocol: ""}
      ingress:
      """)
    #expect(summary(configuration.rules[0]) == "api tcp 6443-6443 10.0.0.0/8")
  }

  @Test
  mutating func `a truth value that is false counts`() throws {
    let node = "machine: {type: worker, features: {hostDNS: {forwardKubeDNSToHost: true}}}"
    let patch = "machine: {features: {hostDNS: {forwardKubeDNSToHost: false}}}"
    let legacy = try #require(try read(node, patch).legacy)
    #expect(legacy.forwardsKubeDNS?.value == false)
  }

  @Test
  mutating func `what talosctl prints is read, with places in it`() throws {
    let lines = Self.base.split(separator: "\n", omittingEmptySubsequences: false)
      .map { "    \($0)" }.joined(separator: "\n")
    let text = """
      node: 10.5.0.2
      metadata:
          namespace: config
          type: MachineConfigs.config.talos.dev
          id: persistent
      spec: |
          machine: {type: controlplane}
      ---
      node: 10.5.0.2
      metadata:
          namespace: config
          type: MachineConfigs.config.talos.dev
          id: v1alpha1
      spec: |
      \(lines)

      """
    let reading = TalosReader.read(
      [("resource.yaml", Array(text.utf8))], options: .init(), sources: &sources)
    #expect(reading.diagnostics == [])
    let configuration = try #require(reading.configuration)
    #expect(configuration.rules.map(\.name.value) == ["api", "web"])
    #expect(configuration.legacy == nil)
    for rule in configuration.rules {
      #expect(sources.text(of: rule.name.span) == rule.name.value)
      for port in rule.ports { #expect(["6443", "80"].contains(sources.text(of: port.span))) }
    }
  }

  @Test
  mutating func `a resource whose text is quoted is read too`() throws {
    let text = """
      metadata: {type: MachineConfigs.config.talos.dev, id: v1alpha1}
      spec: "apiVersion: v1alpha1\\nkind: NetworkDefaultActionConfig\\ningress: block\\n"
      """
    let reading = TalosReader.read(
      [("resource.yaml", Array(text.utf8))], options: .init(), sources: &sources)
    let action = try #require(reading.configuration?.defaultAction?.ingress)
    #expect(action.value == .block)
    #expect(sources.position(of: action.span).line == 2)
  }

  @Test
  mutating func `everything that feeds the firewall is read`() throws {
    let text = """
      version: v1alpha1
      machine:
        type: init
        network: {kubespan: {enabled: true}}
      cluster:
        network:
          cni: {name: none}
      ---
      apiVersion: v1alpha1
      kind: KubeSpanConfig
      enabled: false
      ---
      apiVersion: v1alpha1
      kind: KubeFlannelCNIConfig
      backendPort: 8472
      ---
      apiVersion: v1alpha1
      kind: HostnameConfig
      hostname: a
      ---
      ---
      apiVersion: v1alpha1
      kind: VLANConfig
      name: enp0s2.20
      """
    let reading = TalosReader.read(
      [("node.yaml", Array(text.utf8))], options: .init(version: TalosVersion(1, 14)),
      sources: &sources)
    #expect(reading.diagnostics == [])
    let configuration = try #require(reading.configuration)
    #expect(configuration.legacy?.machineType?.value == .initial)
    #expect(configuration.legacy?.cniName?.value == "none")
    #expect(configuration.legacy?.network?.podSubnets == [])
    #expect(configuration.isKubeSpanEnabled?.value == false)
    #expect(configuration.flannel?.backendPort?.value == 8472)
    #expect(configuration.others.map(\.kind) == ["HostnameConfig", "VLANConfig"])
    #expect(configuration.others.map(\.name) == [nil, "enp0s2.20"])
  }

  @Test(arguments: [
    ("80", 80, 80), ("0x50", 80, 80), ("8_0", 80, 80), ("0-65535", 0, 65535),
    ("\"0080-0090\"", 80, 90), ("80.0", 80, 80), ("~", 0, 0), ("0", 0, 0),
  ])
  mutating func `ports are read as Go reads them`(text: String, lower: UInt16, upper: UInt16) throws
  {
    let configuration = try read(
      """
      apiVersion: v1alpha1
      kind: NetworkRuleConfig
      name: new
      portSelector: {ports: [\(text)], protocol: TCP}
      """)
    #expect(configuration.rules[2].ports.map(\.value) == [PortRange(lower, upper)])
  }

  @Test
  mutating func `upper case is read, and a protocol may be missing`() throws {
    let text = """
      apiVersion: v1alpha1
      kind: NetworkDefaultActionConfig
      ingress: Block
      ---
      apiVersion: v1alpha1
      kind: NetworkRuleConfig
      name: test
      portSelector: {ports: [80, 6443-6444]}
      ingress:
        - subnet: 192.168.0.0/16
          except: 192.168.3.0/24
        - subnet: FC00::/7
          except: ""
      """
    let reading = TalosReader.read(
      [("a.yaml", Array(text.utf8))], options: .init(), sources: &sources)
    #expect(reading.diagnostics == [])
    #expect(reading.configuration?.action == .block)
    let layer4 = try #require(reading.chains[0].rules.last?.layer4)
    #expect(layer4.transport.rawValue == 0)
  }
}
