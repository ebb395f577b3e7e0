import Addresses
import Diagnostics
import Rulesets
import TalosFrontend
import Testing

@Suite("What versions make of a configuration")
struct VersionTests {
  private func reading(
    _ files: [String], _ version: String, _ addresses: NodeAddresses = .known([])
  ) throws -> TalosReader.Reading {
    var sources = SourceMap()
    let text = try files.map {
      String(decoding: try Repository.fixture("\($0).yaml"), as: UTF8.self)
    }
    .joined(separator: "---\n")
    return TalosReader.read(
      [("config.yaml", Array(text.utf8))],
      options: .init(version: try #require(TalosVersion(version)), nodeAddresses: addresses),
      sources: &sources)
  }

  private func words(_ chain: ChainSpecification) -> [String] {
    chain.rules.map { rule in
      (rule.provenance.vendorText ?? "").replacing("Talos' own rule: ", with: "")
    }
  }

  @Test(arguments: [
    ("1.6.0", 0), ("1.9.3", 0), ("1.9.4", -140), ("1.10.0", -140), ("1.13", -140), ("1.15", -140),
  ])
  func `ingress moved before kube-proxy`(version: String, priority: Int) throws {
    let chains = try reading(["block"], version).chains
    #expect(chains[0].name == "ingress")
    #expect(chains[0].priority == priority)
    #expect(chains[0].policy == .drop)
  }

  @Test(arguments: [("1.9.9", false), ("1.10.0-alpha.1", false), ("1.10.0", true), ("1.14", true)])
  func `prerouting is there since 1_10`(version: String, isThere: Bool) throws {
    let chains = try reading(["block"], version).chains
    #expect(chains.map(\.name) == (isThere ? ["ingress", "prerouting"] : ["ingress"]))
    if isThere { #expect(chains[1].priority == -110 && chains[1].policy == .accept) }
  }

  private static let head = ["trusted interfaces", "known connections", "invalid packets"]
  private static let timestamps = "ICMP timestamp and address mask messages"
  private static let icmp = [
    "ICMP, 5 packets a second from all senders together",
    "ICMPv6, 5 packets a second from all senders together",
  ]
  private static let hostDNS = [
    "pods to the host's resolver over UDP", "pods to the host's resolver over TCP",
  ]
  private static let kubernetes = "among Kubernetes' pods and services"
  private static let own = "NetworkRuleConfig kubelet-ingress"

  @Test(arguments: [
    ("1.6.0", head + icmp + [kubernetes, own]),
    ("1.8.0-alpha.1", head + icmp + [kubernetes, own]),
    ("1.8.0", head + icmp + hostDNS + [kubernetes, own]),
    ("1.10.9", head + icmp + hostDNS + [kubernetes, own]),
    ("1.11.0", head + [timestamps] + icmp + hostDNS + [kubernetes, own]),
    ("1.15", head + [timestamps] + icmp + hostDNS + [kubernetes, own]),
  ])
  func `rules in block mode come with versions`(version: String, expected: [String]) throws {
    let chains = try reading(["block", "kubelet", "node"], version).chains
    #expect(words(chains[0]) == expected)
  }

  @Test(arguments: [
    ("1.14.0-rc.1", ["trusted interfaces", own]), ("1.14", ["trusted interfaces", own]),
    ("1.15", head + [own]),
  ])
  func `accept mode knows connections only since 1_15`(version: String, expected: [String]) throws {
    let chains = try reading(["kubelet", "node"], version).chains
    #expect(words(chains[0]) == expected)
    #expect(chains[0].policy == .accept)
    #expect(chains[0].rules.last?.decision == .drop)
  }

  @Test(arguments: [("1.13", true), ("1.14.0-alpha.1", true), ("1.14", false)])
  func `without cluster network there are subnets only before 1_14`(
    version: String, areThere: Bool
  ) throws {
    var sources = SourceMap()
    let text = """
      version: v1alpha1
      machine: {type: worker}
      ---
      apiVersion: v1alpha1
      kind: NetworkDefaultActionConfig
      ingress: block
      """
    let reading = TalosReader.read(
      [("a.yaml", Array(text.utf8))],
      options: .init(version: try #require(TalosVersion(version))), sources: &sources)
    #expect(words(reading.chains[0]).contains(Self.kubernetes) == areThere)
  }

  @Test
  func `documents of their own tell subnets and host DNS since 1_14`() throws {
    var sources = SourceMap()
    let text = """
      apiVersion: v1alpha1
      kind: NetworkDefaultActionConfig
      ingress: block
      ---
      apiVersion: v1alpha1
      kind: KubeNetworkConfig
      podSubnets: [10.1.0.0/16]
      serviceSubnets: [10.2.0.0/16]
      ---
      apiVersion: v1alpha1
      kind: ResolverConfig
      hostDNS:
        enabled: true
        forwardKubeDNSToHost: true
      """
    let reading = TalosReader.read(
      [("a.yaml", Array(text.utf8))], options: .init(version: TalosVersion(1, 14)),
      sources: &sources)
    #expect(reading.diagnostics == [])
    #expect(words(reading.chains[0]).suffix(3) == Self.hostDNS + [Self.kubernetes])
    #expect(
      reading.chains[0].rules.last?.source
        == .init(
          [ConfiguredPrefix("10.1.0.0/16"), ConfiguredPrefix("10.2.0.0/16")].compactMap(\.self))
    )
  }

  @Test
  func `without rules and with accept there is a table and no chain`() throws {
    let reading = try reading(["node"], "1.13")
    #expect(reading.chains == [])
    #expect(reading.ruleset?.tables == [Table(family: .inet, name: "talos")])
  }

  @Test
  func `what is for the node is not known without its addresses`() throws {
    let reading = try reading(["block", "kubelet"], "1.13", .notKnown)
    let rules = try #require(reading.ruleset).tables[0].chains[1].rules
    #expect(rules[1].certainty == .possible(reason: "the node's own addresses are not known"))
    #expect(rules[1].statements == [.inert("counter"), .verdict(.accept)])
    #expect(rules.filter { $0.certainty != .certain }.count == 1)
  }

  @Test
  func `without the resource there is no prerouting`() throws {
    #expect(try reading(["block"], "1.13", .absent).chains.map(\.name) == ["ingress"])
  }

  @Test
  func `an own address is the address, whatever its prefix`() throws {
    let address = try #require(IPAddress("10.3.4.5"))
    let rule = try reading(["block"], "1.13", .known([address])).chains[1].rules[1]
    #expect(rule.destination == .init([ConfiguredPrefix(address)], isInverted: true))
  }

  @Test
  func `ports are in order since 1_7_6 and as written before`() throws {
    var sources = SourceMap()
    let text = """
      apiVersion: v1alpha1
      kind: NetworkRuleConfig
      name: web
      portSelector: {ports: [443, 80], protocol: tcp}
      """
    let cases: [(String, [UInt16])] = [("1.7.5", [443, 80]), ("1.7.6", [80, 443])]
    for (version, ports) in cases {
      let reading = TalosReader.read(
        [("a.yaml", Array(text.utf8))],
        options: .init(version: try #require(TalosVersion(version))), sources: &sources)
      #expect(
        reading.chains[0].rules.last?.layer4?.destinationPorts
          == ports.map { PortRange($0) })
    }
  }

  @Test
  func `a rule points at its name`() throws {
    var sources = SourceMap()
    let bytes = try Repository.fixture("two-rules.yaml")
    let reading = TalosReader.read(
      [("two-rules.yaml", bytes)], options: .init(), sources: &sources)
    let rules = try #require(reading.ruleset).tables[0].chains[0].rules
    let span = try #require(rules.last?.provenance.span)
    #expect(sources.location(of: span) == "two-rules.yaml:15:7")
    #expect(sources.text(of: span) == "apid-ingress")
    #expect(rules.last?.provenance.vendorText == "NetworkRuleConfig apid-ingress")
  }
}
