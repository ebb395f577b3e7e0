import Addresses
import Diagnostics
import TalosFrontend
import Testing

/// Documents, what is known besides, and what there is to say of them.
private struct Case: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let documents: [String]
  var version = "1.13"
  var cluster = ClusterDescription()
  /// Codes that must be among the findings.
  var has: [String] = []
  /// Codes that must not be.
  var hasNot: [String] = []

  func findings(_ sources: inout SourceMap) throws -> [Diagnostic] {
    let version = try #require(TalosVersion(version))
    let reading = TalosReader.read(
      [("node.yaml", Array(documents.joined(separator: "---\n").utf8))],
      options: TalosReader.Options(version: version), sources: &sources)
    let configuration = try #require(reading.configuration, "\(reading.diagnostics)")
    return TalosLints.findings(
      in: configuration, options: TalosReader.Options(version: version), cluster: cluster)
  }
}

/// A document that says what is done with what no rule names.
private func mode(_ action: String) -> String {
  "apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: \(action)\n"
}

/// A document of a rule: `10250 tcp` and its sources, each with an exception after a space.
private func rule(_ name: String, _ service: String, _ sources: String...) -> String {
  let words = service.split(separator: " ")
  let ports = words[0].split(separator: ",").map { "    - \($0)\n" }.joined()
  let transport = words.count > 1 ? "  protocol: \(words[1])\n" : ""
  let entries = sources.map { source in
    let parts = source.split(separator: " ")
    return "  - subnet: \(parts[0])\n" + (parts.count > 1 ? "    except: \(parts[1])\n" : "")
  }
  return "apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: \(name)\nportSelector:\n  ports:\n"
    + ports + transport + (entries.isEmpty ? "" : "ingress:\n" + entries.joined())
}

private func machine(_ kind: String, _ more: String = "") -> String {
  "version: v1alpha1\nmachine:\n  type: \(kind)\n\(more)"
}

private let network = """
  cluster:
    network:
      podSubnets: [10.244.0.0/16]
      serviceSubnets: [10.96.0.0/12]

  """

private func addresses(_ texts: String...) -> AddressSet {
  texts.compactMap {
    ConfiguredPrefix($0.contains("/") ? $0 : "\($0)/\($0.contains(":") ? 128 : 32)")
  }
  .reduce(.empty) { $0.union(AddressSet($1.network)) }
}

private let cluster = ClusterDescription(
  controlPlanes: addresses("172.20.0.2", "172.20.0.3", "172.20.0.4"),
  workers: addresses("172.20.0.5"), administrators: addresses("196.45.28.20"),
  own: addresses("172.20.0.2"))

/// The rules of a control plane node, none of which is missed by anybody.
private let complete = [
  rule("kubelet", "10250 tcp", "172.20.0.0/24", "10.244.0.0/16"),
  rule("apid", "50000 tcp", "0.0.0.0/0", "::/0"),
  rule("trustd", "50001 tcp", "172.20.0.0/24"),
  rule("api", "6443 tcp", "0.0.0.0/0", "::/0"),
  rule("etcd", "2379-2380 tcp", "172.20.0.2/31", "172.20.0.4/32"),
  rule("vxlan", "4789 udp", "172.20.0.0/24"),
]

private let cases = [
  Case(
    testDescription: "nothing is wrong with rules that let everybody in who must get in",
    documents: [machine("controlplane", network), mode("block")] + complete, cluster: cluster,
    hasNot: [
      "talos.lock-out", "talos.apid-unreachable", "talos.trustd-unreachable",
      "talos.kubelet-unreachable", "talos.etcd-unreachable", "talos.kubernetes-api-unreachable",
      "talos.overlay-unreachable", "talos.pod-subnets-missing",
    ]),
  Case(
    testDescription: "block mode without rules locks everybody out", documents: [mode("block")],
    has: ["talos.lock-out", "talos.kubelet-unreachable"], hasNot: ["talos.trustd-unreachable"]),
  Case(
    testDescription: "a rule for apid that leaves the administrator out",
    documents: [
      machine("controlplane"), mode("accept"), rule("apid", "50000 tcp", "172.20.0.0/24", "::/0"),
    ], cluster: cluster, has: ["talos.lock-out"]),
  Case(
    testDescription: "without the administrator's address nobody is missed",
    documents: [mode("accept"), rule("apid", "50000 tcp", "172.20.0.0/24")],
    hasNot: ["talos.lock-out"]),
  Case(
    testDescription: "a worker's apid that no control plane node reaches",
    documents: [machine("worker"), mode("block"), rule("apid", "50000 tcp", "10.0.0.0/8")],
    cluster: cluster, has: ["talos.apid-unreachable"], hasNot: ["talos.lock-out"]),
  Case(
    testDescription: "etcd for all peers but one",
    documents: [
      machine("controlplane"), mode("block"), rule("etcd", "2379-2380 tcp", "172.20.0.2/31"),
    ], cluster: cluster,
    has: ["talos.etcd-unreachable", "talos.trustd-unreachable"]),
  Case(
    testDescription: "only a control plane node has etcd",
    documents: [machine("worker"), mode("block")], cluster: cluster,
    hasNot: ["talos.etcd-unreachable", "talos.trustd-unreachable"]),
  Case(
    testDescription: "workers that do not reach the Kubernetes API",
    documents: [
      machine("controlplane"), mode("block"), rule("api", "6443 tcp", "196.45.28.20/32"),
    ],
    cluster: cluster, has: ["talos.kubernetes-api-unreachable"]),
  Case(
    testDescription: "KubeSpan without its port",
    documents: [
      mode("block"), "apiVersion: v1alpha1\nkind: KubeSpanConfig\nenabled: true\n",
    ], has: ["talos.kubespan-unreachable"]),
  Case(
    testDescription: "KubeSpan that is off needs no port",
    documents: [
      mode("block"), "apiVersion: v1alpha1\nkind: KubeSpanConfig\nenabled: false\n",
    ], hasNot: ["talos.kubespan-unreachable"]),
  Case(
    testDescription: "Flannel's tunnels without a rule",
    documents: [machine("worker", network), mode("block")], has: ["talos.overlay-unreachable"]),
  Case(
    testDescription: "Flannel with the rule of Cilium's tunnels",
    documents: [
      machine("worker", network), mode("block"), rule("vxlan", "8472 udp", "172.20.0.0/24"),
    ], has: ["talos.overlay-of-other-plugin"], hasNot: ["talos.overlay-unreachable"]),
  Case(
    testDescription: "two ports in a row before 1.7.6",
    documents: [mode("accept"), rule("apis", "50000,50001 tcp", "172.20.0.0/24")],
    version: "1.7.5", has: ["talos.adjacent-ports"]),
  Case(
    testDescription: "two ports in a row in falling order before 1.7.6",
    documents: [mode("accept"), rule("apis", "50001,50000 tcp", "172.20.0.0/24")],
    version: "1.7.5", hasNot: ["talos.adjacent-ports"]),
  Case(
    testDescription: "three ports in a row among others before 1.7.6",
    documents: [
      mode("accept"), rule("apis", "6443,50002,50001,50000 tcp", "172.20.0.0/24"),
    ],
    version: "1.7.5", has: ["talos.adjacent-ports"]),
  Case(
    testDescription: "two ports in a row since 1.7.6",
    documents: [mode("accept"), rule("apis", "50000,50001 tcp", "172.20.0.0/24")],
    version: "1.7.6", hasNot: ["talos.adjacent-ports"]),
  Case(
    testDescription: "more rules than a boot survives",
    documents: [mode("block")]
      + (0..<15).map { rule("rule-\($0)", "\(8000 + $0) tcp", "10.0.0.0/8", "fd00::/8") },
    version: "1.13.8", has: ["talos.many-rules"]),
  Case(
    testDescription: "as many rules where the buffer is larger",
    documents: [mode("block")]
      + (0..<15).map { rule("rule-\($0)", "\(8000 + $0) tcp", "10.0.0.0/8", "fd00::/8") },
    version: "1.13.9", hasNot: ["talos.many-rules"]),
  Case(
    testDescription: "no protocol", documents: [mode("block"), rule("web", "80", "10.0.0.0/8")],
    has: ["talos.missing-protocol"]),
  Case(
    testDescription: "ICMP with ports",
    documents: [mode("block"), rule("ping", "8 icmp", "10.0.0.0/8")],
    has: ["talos.icmp-with-ports"]),
  Case(
    testDescription: "no sources in accept mode",
    documents: [mode("accept"), rule("web", "80 tcp")],
    has: ["talos.empty-ingress"]),
  Case(
    testDescription: "everything excepted in block mode",
    documents: [mode("block"), rule("web", "80 tcp", "10.0.0.0/8 10.0.0.0/8")],
    has: ["talos.empty-ingress"]),
  Case(
    testDescription: "accept mode drops answers",
    documents: [mode("accept"), rule("high", "40000-41000 udp", "10.0.0.0/8")],
    version: "1.14", has: ["talos.replies-dropped"]),
  Case(
    testDescription: "accept mode lets answers in since 1.15",
    documents: [mode("accept"), rule("high", "40000-41000 udp", "10.0.0.0/8")],
    version: "1.15", hasNot: ["talos.replies-dropped"]),
  Case(
    testDescription: "two rules of accept mode that nobody passes",
    documents: [
      mode("accept"), rule("one", "443 tcp", "10.0.0.0/8"),
      rule("two", "80,443 tcp", "192.168.0.0/16"),
    ], has: ["talos.rules-intersect"]),
  Case(
    testDescription: "two rules of block mode add up",
    documents: [
      mode("block"), rule("one", "443 tcp", "10.0.0.0/8"), rule("two", "443 tcp", "192.168.0.0/16"),
    ], hasNot: ["talos.rules-intersect"]),
  Case(
    testDescription: "an exception of nothing",
    documents: [mode("block"), rule("web", "80 tcp", "10.0.0.0/8 192.168.1.0/24")],
    has: ["talos.except-outside"]),
  Case(
    testDescription: "an exception that another entry loses as well",
    documents: [mode("block"), rule("web", "80 tcp", "10.0.0.0/8 10.3.0.0/16", "10.3.4.0/24")],
    has: ["talos.except-shared"], hasNot: ["talos.except-outside"]),
  Case(
    testDescription: "host bits", documents: [mode("block"), rule("web", "80 tcp", "10.0.0.5/24")],
    has: ["talos.host-bits"]),
  Case(
    testDescription: "IPv4 only in accept mode",
    documents: [mode("accept"), rule("web", "80 tcp", "0.0.0.0/0")], has: ["talos.one-family"]),
  Case(
    testDescription: "pods of the node that the kubelet does not answer",
    documents: [
      machine("worker", network), mode("block"), rule("kubelet", "10250 tcp", "172.20.0.0/24"),
    ], has: ["talos.pod-subnets-missing"]),
  Case(
    testDescription: "a rule of accept mode for DNS",
    documents: [
      machine("worker", network), mode("accept"), rule("dns", "53 udp", "172.20.0.0/24"),
    ],
    has: ["talos.host-dns-cut-off"]),
  Case(
    testDescription: "etcd's second port since 1.14",
    documents: [mode("accept"), rule("etcd", "2379-2380 tcp", "172.20.0.0/24")], version: "1.14",
    has: ["talos.etcd-http-open"]),
  Case(
    testDescription: "etcd's second port before 1.14",
    documents: [mode("accept"), rule("etcd", "2379-2380 tcp", "172.20.0.0/24")], version: "1.13",
    hasNot: ["talos.etcd-http-open"]),
  Case(
    testDescription: "NodePorts before 1.10",
    documents: [mode("block"), rule("ports", "30000-32767 tcp", "10.0.0.0/8")], version: "1.9.4",
    has: ["talos.node-ports"]),
  Case(
    testDescription: "NodePorts that Cilium serves",
    documents: [mode("block"), rule("ports", "30000-32767 tcp", "10.0.0.0/8")],
    cluster: ClusterDescription(networkPlugin: .cilium),
    has: ["talos.node-ports", "talos.load-balancer-addresses", "talos.protocols-without-ports"]),
  Case(
    testDescription: "DHCPv6 without a rule",
    documents: [mode("block"), "apiVersion: v1alpha1\nkind: DHCPv6Config\nname: eth0\n"],
    has: ["talos.dhcpv6-dropped"]),
  Case(
    testDescription: "DHCPv6 of an interface of old",
    documents: [
      machine(
        "worker",
        "  network:\n    interfaces:\n      - dhcp: true\n        dhcpOptions: {ipv6: true}\n"),
      mode("block"),
    ], has: ["talos.dhcpv6-dropped"]),
  Case(
    testDescription: "NodePorts without kube-proxy",
    documents: [
      machine("worker", "cluster:\n  proxy: {disabled: true}\n"), mode("block"),
      rule("ports", "30000-32767 tcp", "10.0.0.0/8"),
    ], has: ["talos.node-ports"]),
  Case(
    testDescription: "NodePorts with kube-proxy",
    documents: [
      machine("worker", "cluster:\n  proxy: {disabled: false}\n"), mode("block"),
      rule("ports", "30000-32767 tcp", "10.0.0.0/8"),
    ], hasNot: ["talos.node-ports"]),
  Case(
    testDescription: "DHCPv6 with its rule",
    documents: [
      mode("block"), "apiVersion: v1alpha1\nkind: DHCPv6Config\nname: eth0\n",
      rule("dhcp", "546 udp", "fe80::/10"),
    ], hasNot: ["talos.dhcpv6-dropped"]),
  Case(
    testDescription: "all of ICMPv6 in five packets a second",
    documents: [mode("block")], cluster: ClusterDescription(own: addresses("fd00:20::2")),
    has: ["talos.icmp-budget"]),
  Case(
    testDescription: "no firewall, nothing to say", documents: [mode("accept")],
    hasNot: TalosLints.codes.map(\.rawValue)),
]

@Suite("Lints of Talos configurations")
struct TalosLintsTests {
  @Test("say what is wrong and nothing else", arguments: cases)
  private func says(example: Case) throws {
    var sources = SourceMap()
    let findings = try example.findings(&sources)
    let codes = Set(findings.map(\.code.rawValue))
    for code in example.has { #expect(codes.contains(code), "\(codes.sorted())") }
    for code in example.hasNot { #expect(!codes.contains(code)) }
    for finding in findings {
      #expect(finding.primary != nil, "\(finding.code.rawValue) has no line")
      let hasRemedy = finding.help != nil || finding.severity == .note
      #expect(hasRemedy, "\(finding.code.rawValue) says nothing to do")
    }
  }

  /// What Talos makes of ports, and what is said of them, are of one mind.
  @Test(arguments: [
    ("50000,50001", Diagnostic.Severity.error, 1), ("50001,50000", nil, 0),
    ("50000-50001", nil, 0), ("50000,50002", nil, 0),
    ("80,50000,50001", .warning, 1), ("50001,50000,80", .warning, 1),
    ("80,81,82", .warning, 2), ("65534,65535", .error, 1), ("1-65534,65535", .error, 1),
  ])
  func `doubt the adjacent ports that the kernel may not find`(
    ports: String, severity: Diagnostic.Severity?, count: Int
  ) throws {
    var sources = SourceMap()
    let findings = try Case(
      testDescription: ports,
      documents: [mode("block"), rule("apis", "\(ports) tcp", "172.20.0.0/24")], version: "1.7.5"
    ).findings(&sources).filter { $0.code == "talos.adjacent-ports" }
    #expect(findings.map(\.severity) == Array(repeating: severity, count: count))
  }

  @Test func `each is asked for by a case`() {
    let asked = Set(cases.flatMap(\.has))
    #expect(asked == Set(TalosLints.codes.map(\.rawValue)))
  }

  @Test func `read well`() throws {
    var text = ""
    for example in cases {
      var sources = SourceMap()
      let findings = try example.findings(&sources)
      let renderer = DiagnosticRenderer(sources: sources, style: .plain)
      let shown = findings.filter { example.has.contains($0.code.rawValue) }
      guard !shown.isEmpty else { continue }
      text += "# \(example.testDescription), \(example.version)\n"
      text += shown.map { renderer.render($0) }.joined() + "\n"
    }
    try expectGolden("lints.txt", text)
  }
}
