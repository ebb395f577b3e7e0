import Diagnostics
import Foundation
import TalosFrontend
import Testing

/// A mistake that Talos refuses or that changes what it does, and the version it is read for.
struct Mistake: Sendable, CustomTestStringConvertible {
  let name: String
  let files: [String]
  var version = "1.13"

  var testDescription: String { name }

  private static func rule(_ ports: String, _ ingress: String = "  - subnet: 10.0.0.0/8") -> String
  {
    """
    apiVersion: v1alpha1
    kind: NetworkRuleConfig
    name: test
    portSelector:
      ports: \(ports)
      protocol: tcp
    ingress:
    \(ingress)

    """
  }

  private static func document(_ kind: String, _ rest: String) -> String {
    "apiVersion: v1alpha1\nkind: \(kind)\n\(rest)\n"
  }

  static let all: [Mistake] = [
    Mistake(name: "port-quoted", files: [rule("[\"80\"]")]),
    Mistake(name: "port-too-high", files: [rule("[70000]")]),
    Mistake(name: "port-negative", files: [rule("[-1]")]),
    Mistake(name: "port-spaces", files: [rule("[80 - 90]")]),
    Mistake(name: "port-half", files: [rule("[80-]")]),
    Mistake(name: "port-words", files: [rule("[http, \"80,443\"]")]),
    Mistake(name: "port-list", files: [rule("80")]),
    Mistake(name: "port-mapping", files: [rule("[{from: 80}]")]),
    Mistake(name: "ports-reversed", files: [rule("[90-80]")]),
    Mistake(name: "ports-overlap", files: [rule("[1000-2000, 80, 1500-2500]")]),
    Mistake(name: "ports-repeated", files: [rule("[1000, 80, 1000]")]),
    Mistake(name: "ports-empty", files: [rule("[]")]),
    Mistake(
      name: "selector-missing", files: [document("NetworkRuleConfig", "name: test\ningress: []")]),
    Mistake(
      name: "name-missing",
      files: [document("NetworkRuleConfig", "portSelector: {ports: [80], protocol: tcp}")]),
    Mistake(
      name: "protocol-unknown",
      files: [
        document("NetworkRuleConfig", "name: a\nportSelector: {ports: [80], protocol: esp}"),
        document("NetworkRuleConfig", "name: b\nportSelector: {ports: [80], protocol: tpc}"),
      ]),
    Mistake(name: "subnet-bare", files: [rule("[80]", "  - subnet: 10.0.0.1")]),
    Mistake(name: "subnet-bare-ipv6", files: [rule("[80]", "  - subnet: fd00::1")]),
    Mistake(name: "subnet-zone", files: [rule("[80]", "  - subnet: fe80::1%eth0/64")]),
    Mistake(name: "subnet-bits", files: [rule("[80]", "  - subnet: 10.0.0.0/08")]),
    Mistake(name: "subnet-too-long", files: [rule("[80]", "  - subnet: 10.0.0.0/33")]),
    Mistake(name: "subnet-empty", files: [rule("[80]", "  - subnet: \"\"")]),
    Mistake(name: "subnet-only-except", files: [rule("[80]", "  - except: 10.0.0.1/32")]),
    Mistake(name: "subnet-text", files: [rule("[80]", "  - 10.0.0.0/8")]),
    Mistake(name: "entry-cidr", files: [rule("[80]", "  - cidr: 10.0.0.0/8")]),
    Mistake(
      name: "rule-spec",
      files: [
        document(
          "NetworkRuleConfig",
          """
          metadata:
            name: web
          spec:
            ingress:
              - subnet: 10.0.0.0/8
                ports: [80]
          """)
      ]),
    Mistake(
      name: "rule-keys",
      files: [
        document(
          "NetworkRuleConfig",
          """
          name: web
          portSelector: {ports: [80], portocol: tcp}
          allow: [10.0.0.0/8]
          action: accept
          egress: []
          """)
      ]),
    Mistake(
      name: "default-action", files: [document("NetworkDefaultActionConfig", "ingress: blok")]),
    Mistake(
      name: "default-action-keys",
      files: [document("NetworkDefaultActionConfig", "metadata: {name: a}\nspec: {ingress: block}")]
    ),
    Mistake(
      name: "default-action-list",
      files: [document("NetworkDefaultActionConfig", "ingress: [{subnet: 10.0.0.0/8}]")]),
    Mistake(
      name: "duplicate-rule", files: [rule("[80]") + "---\n" + rule("[81]")]),
    Mistake(
      name: "duplicate-default",
      files: [
        document("NetworkDefaultActionConfig", "ingress: block") + "---\n"
          + document("NetworkDefaultActionConfig", "ingress: accept")
      ]),
    Mistake(
      name: "duplicate-default-named",
      files: [
        document("NetworkDefaultActionConfig", "ingress: block") + "---\n"
          + document("NetworkDefaultActionConfig", "name: other\ningress: block")
      ]),
    Mistake(name: "kind-misspelt", files: [document("NetworkRulesConfig", "name: a")]),
    Mistake(name: "kind-newer", files: [document("NetworkNATRuleConfig", "name: a")]),
    Mistake(name: "kind-other", files: [document("BrandNewConfig", "name: a")]),
    Mistake(name: "kind-missing", files: ["apiVersion: v1alpha1\nname: a\n"]),
    Mistake(name: "api-version-missing", files: ["kind: NetworkRuleConfig\nname: a\n"]),
    Mistake(name: "api-version-unknown", files: ["apiVersion: v1\nkind: NetworkRuleConfig\n"]),
    Mistake(
      name: "kube-network-too-new",
      files: [
        document("KubeNetworkConfig", "podSubnets: [10.1.0.0/16]\nserviceSubnets: [10.2.0.0/16]")
      ]),
    Mistake(
      name: "kube-network-twice",
      files: [
        "machine: {type: worker}\ncluster:\n  network:\n    podSubnets: [10.1.0.0/16]\n---\n"
          + document(
            "KubeNetworkConfig", "podSubnets: [10.1.0.0/16]\nserviceSubnets: [10.2.0.0/16]")
      ], version: "1.14"),
    Mistake(
      name: "kube-network-subnets",
      files: [document("KubeNetworkConfig", "podSubnets: [10.1.0.1/16]")], version: "1.14"),
    Mistake(
      name: "legacy-keys", files: ["machine: {type: worker}\ningress: block\nclustre: {}\n"]),
    Mistake(name: "machine-type", files: ["machine: {type: master}\n"]),
    Mistake(
      name: "not-boolean",
      files: ["machine:\n  type: worker\n  features:\n    hostDNS: {forwardKubeDNSToHost: maybe}\n"]
    ),
    Mistake(
      name: "flannel-port", files: [document("KubeFlannelCNIConfig", "backendPort: many")],
      version: "1.14"),
    Mistake(name: "no-mapping", files: ["- kind: NetworkRuleConfig\n"]),
    Mistake(name: "empty", files: ["# nothing\n"]),
    Mistake(name: "yaml", files: ["kind: [\n"]),
    Mistake(name: "yaml-repeated-key", files: ["kind: A\nname: a\nkind: B\n"]),
    Mistake(
      name: "patch-accept",
      files: [
        document("NetworkDefaultActionConfig", "ingress: block"),
        document("NetworkDefaultActionConfig", "ingress: accept"),
      ]),
    Mistake(
      name: "patch-deletes-nothing",
      files: [
        rule("[80]"), document("NetworkRuleConfig", "name: tset\n$patch: delete"),
      ]),
    Mistake(
      name: "patch-deletes-entry",
      files: [
        rule("[80]"),
        document(
          "NetworkRuleConfig", "name: test\ningress:\n  - subnet: 10.0.0.0/8\n    $patch: delete"),
      ]),
    Mistake(
      name: "range-refused", files: [rule("[1-65535]")], version: "1.12.4"),
    Mistake(name: "version-unknown", files: [rule("[80]")], version: "1.5"),
    Mistake(
      name: "resource-without-spec",
      files: [
        "node: 10.5.0.2\nmetadata:\n  type: MachineConfigs.config.talos.dev\n  id: v1alpha1\n"
      ]),
  ]
}

@Suite("Mistakes in machine configurations")
struct DiagnosticTests {
  private func diagnostics(_ mistake: Mistake) throws -> ([Diagnostic], SourceMap) {
    var sources = SourceMap()
    let files = mistake.files.enumerated().map { index, text in
      (name: index == 0 ? "config.yaml" : "patch.yaml", bytes: Array(text.utf8))
    }
    let reading = TalosReader.read(
      files, options: .init(version: try #require(TalosVersion(mistake.version))),
      sources: &sources)
    let hasErrors = reading.diagnostics.contains { $0.severity == .error }
    #expect((reading.ruleset == nil) == hasErrors)
    #expect((reading.configuration == nil) == hasErrors)
    return (reading.diagnostics, sources)
  }

  @Test(arguments: Mistake.all)
  func `a mistake is told with its place and what to write instead`(mistake: Mistake) throws {
    let (diagnostics, sources) = try diagnostics(mistake)
    #expect(!diagnostics.isEmpty)
    let renderer = DiagnosticRenderer(sources: sources, style: .plain)
    try expectGolden(
      "\(mistake.name).txt", diagnostics.map { renderer.render($0) }.joined(separator: "\n"))
  }

  @Test
  func `every code has a golden`() throws {
    var told: Set<String> = []
    for mistake in Mistake.all {
      for diagnostic in try diagnostics(mistake).0 { told.insert(diagnostic.code.rawValue) }
    }
    let source = try String(
      contentsOf: Repository.root.appending(path: "Sources/TalosFrontend/TalosDiagnostics.swift"),
      encoding: .utf8)
    let codes = Set(source.matches(of: /"(talos\.[a-z-]+)"/).map { String($0.1) })
    #expect(codes == told)
  }
}
