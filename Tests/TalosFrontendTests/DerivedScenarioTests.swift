import Addresses
import Foundation
import Outcomes
import Scenarios
import TalosFrontend
import TestSupport
import Testing

@Suite("Scenario files derived from configurations")
struct DerivedScenarioTests {
  private static let versions = [
    "1.6.0", "1.7.5", "1.8", "1.9.3", "1.10", "1.11", "1.12.4", "1.13", "1.14", "1.15",
  ]

  private func fixtures(_ names: [String]) throws -> String {
    try names.map { String(decoding: try Repository.fixture("\($0).yaml"), as: UTF8.self) }
      .joined(separator: "---\n")
  }

  /// Every fixture that is a configuration, with and without block mode.
  private static let documents: [[String]] =
    [
      ["dns-and-web"], ["everywhere"], ["global-except"], ["kubelet"],
      ["no-sources"], ["two-rules"],
    ].flatMap { [$0, ["block"] + $0] } + [
      ["block"], ["node"], ["block", "node"], ["block", "kubelet", "dual-stack-node"],
      ["block", "ipv6-node"], ["kubelet", "ipv6-node"], ["control-plane"],
      ["control-plane", "node"],
    ]

  @Test(arguments: documents)
  func `hold for every fixture, in both modes and all versions`(documents: [String]) throws {
    let text = try fixtures(documents)
    for version in Self.versions {
      for node in [["10.0.0.1", "2001:db8::1"], ["172.20.0.2"], ["fd00::2"], nil] {
        let check = try DerivedCheck(text, version, node: node)
        check.expectTruth("\(documents) \(version) \(node ?? [])")
      }
    }
  }

  private static let pack = ["talos/controlplane.yaml", "talos/worker.yaml"].flatMap { file in
    [
      [], ["talos/accept.yaml"], ["talos/etcd-http.yaml"], ["calico/calico.yaml"],
      ["kubespan/kubespan.yaml"], ["flannel/flannel.yaml"],
    ].map { [file] + $0 }
  }

  @Test(arguments: pack)
  func `hold for the documents that are shipped`(files: [String]) throws {
    let folder = Repository.root.appending(path: "Scenarios")
    let texts = try files.map {
      try String(contentsOf: folder.appending(path: $0), encoding: .utf8)
    }
    for version in ["1.9", "1.13", "1.15"] {
      for node in [["172.20.0.2", "fd00:20::2"], nil] {
        let check = try DerivedCheck(
          texts[0], version, node: node, patches: Array(texts.dropFirst()))
        // Before 1.10 pods of clusters with both families reach port 53 over IPv6 in block mode.
        let isOpen = version == "1.9" && files.last != "talos/accept.yaml"
        #expect(check.derived.gaps.isEmpty != isOpen)
        check.expectTruth("\(files) \(version)")
      }
    }
  }

  @Test(arguments: 0..<12)
  func `hold for documents drawn at random`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let count = Int(ProcessInfo.processInfo.environment["DERIVED_DRAWS"] ?? "") ?? 12
    for draw in 0..<count {
      let drawn = DrawnConfiguration(using: &generator)
      let check = try DerivedCheck(drawn.text, drawn.version, node: drawn.node)
      check.expectTruth(
        "seed \(seed), draw \(draw), \(drawn.version) \(drawn.node ?? [])\n\(drawn.text)\n")
    }
  }

  @Test func `fail on a configuration that allows something else`() throws {
    let text = try fixtures(["block", "kubelet"])
    let others = [
      text.replacing("10250", with: "10251"),
      text.replacing("172.20.0.0/24", with: "172.20.0.0/25"),
      text.replacing("172.20.0.0/24", with: "172.20.0.0/23"),
      text.replacing("    except: 172.20.0.1/32\n", with: ""),
      text.replacing("protocol: tcp", with: "protocol: udp"),
      text.replacing("ingress: block", with: "ingress: accept"),
    ]
    for other in others {
      #expect(other != text)
      let check = try DerivedCheck(text, "1.13", node: ["172.20.0.2"], provedOn: other)
      #expect(check.outcomes.contains { $0.status == .failed }, "\(other)")
    }
  }

  @Test func `leave out whom Talos lets in by itself`() throws {
    let text = try fixtures(["block", "kubelet", "dual-stack-node"])
    // With a chain `prerouting` only the node's own addresses are safe from pods.
    for (version, node, isWhole) in [
      ("1.9", ["172.20.0.2", "fd00::2"], false), ("1.10", ["172.20.0.2", "fd00::2"], true),
      ("1.7", ["172.20.0.2", "fd00::2"], true), ("1.7", ["10.244.0.9"], false),
      ("1.13", ["172.20.0.2", "fe80::2"], false),
    ] {
      let check = try DerivedCheck(text, version, node: node)
      check.expectTruth("\(version) \(node)")
      #expect(check.derived.gaps.isEmpty == isWhole, "\(version) \(node)\n\(check.derived.text)")
      #expect(check.derived.text.contains("pods-and-services") != isWhole)
    }
  }

  @Test func `name the ports that a version finds`() throws {
    func text(_ ports: String) throws -> String {
      try fixtures(["block", "kubelet"]).replacing("- 10250", with: ports)
    }
    let pair = try DerivedCheck(
      text("- 50000\n    - 50001"), "1.7.5", node: ["172.20.0.2"])
    pair.expectTruth("a pair")
    #expect(pair.derived.gaps == [])
    #expect(pair.derived.text.contains("service kubelet = 50000 tcp "))
    #expect(pair.derived.text.contains("the kernel does not find port 50001"))

    let triple = try DerivedCheck(
      text("- 50000\n    - 50001\n    - 50003"), "1.7.5", node: ["172.20.0.2"])
    triple.expectTruth("a triple")
    #expect(triple.derived.gaps.count == 1 && triple.derived.gaps[0].contains("may not find"))
    #expect(triple.derived.text.contains("service kubelet = 50000, 50003 tcp "))

    let newer = try DerivedCheck(
      text("- 50000\n    - 50001"), "1.7.6", node: ["172.20.0.2"])
    newer.expectTruth("a newer version")
    #expect(newer.derived.text.contains("service kubelet = 50000-50001 tcp "))
  }

  @Test func `have lines in their canonical form`() throws {
    let drawn = try DerivedCheck(
      fixtures(["control-plane", "dns-and-web"]), "1.13",
      node: ["172.20.0.2", "fd00::2"])
    let words = drawn.derived.text.split { " \n\\".contains($0) }.joined(separator: " ")
    for flow in drawn.plan.flows { #expect(words.contains(" \(flow.text) ")) }
    #expect(
      Formatter.format(Array(drawn.derived.text.utf8), file: 0).text == drawn.derived.text)
  }

  @Test(arguments: [
    ("block", ["control-plane", "node"], "1.13"), ("accept", ["two-rules"], "1.14"),
    ("open", ["node"], "1.13"), ("refused", ["block", "everywhere"], "1.12.4"),
  ])
  func `are written like this`(name: String, files: [String], version: String) throws {
    let check = try DerivedCheck(
      fixtures(files), version, node: name == "accept" ? nil : ["172.20.0.2", "fd00::2"])
    try expectGolden("derived/\(name).scn", check.derived.text)
  }
}
