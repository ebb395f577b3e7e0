import Foundation
import LinuxKernel
import TestSupport
import Testing

/// Namespaces need root, or an environment that must have them.
private let canUnshare: ConditionTrait = .enabled(
  if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
  "needs root: makes network namespaces and loads rules")

@Suite("What a node of Talos holds, end to end")
struct TalosNodeEndToEndTests {
  private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let fixtures = tests.appending(path: "Fixtures/EndToEnd").path

  /// A folder with the fixtures, in which commands run.
  private final class Workshop {
    let folder = NSTemporaryDirectory() + "/portproof-node-\(UUID().uuidString)"

    init() throws {
      try FileManager.default.copyItem(atPath: TalosNodeEndToEndTests.fixtures, toPath: folder)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Runs a command line of a shell; `portproof` is the program.
    func run(_ command: String) throws -> EndToEndTests.Answer {
      let script =
        "export PATH=$PATH:/usr/sbin:/sbin portproof=\(try EndToEndTests.program()); cd \(folder); "
        + command.replacing("portproof ", with: "$portproof ")
      let output = try ChildProcess.run(
        "/bin/sh", ["-c", script], timeout: .seconds(120), limit: 1 << 24)
      guard case .exited(let status) = output.ending else {
        Issue.record("\(command) ended so: \(output.ending)")
        return EndToEndTests.Answer(status: -1, output: "", errors: "")
      }
      return EndToEndTests.Answer(
        status: status, output: String(decoding: output.output, as: UTF8.self),
        errors: String(decoding: output.errors, as: UTF8.self))
    }

    func text(of name: String) throws -> String {
      String(decoding: try Files.read("\(folder)/\(name)"), as: UTF8.self)
    }

    func write(_ text: String, to name: String) throws {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }

    /// Writes a fixture with changes, each of which must find what it changes.
    func write(
      _ name: String, as other: String, _ changes: (old: String, new: String)...
    ) throws {
      var text = try text(of: name)
      for change in changes {
        try #require(text.contains(change.old), "\(name) has no \(change.old)")
        text = text.replacing(change.old, with: change.new)
      }
      try write(text, to: other)
    }
  }

  private func expectGolden(
    _ name: String, _ text: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let file = Self.tests.appending(path: "Golden/EndToEnd/\(name)")
    if Machine.environment("RECORD_GOLDEN") != nil {
      try Data(text.utf8).write(to: file)
      Issue.record("recorded \(name)", sourceLocation: sourceLocation)
      return
    }
    let golden = try String(decoding: Data(contentsOf: file), as: UTF8.self)
    #expect(text == golden, sourceLocation: sourceLocation)
  }

  // MARK: - Drift

  /// `node.json` is what nft lists where a program loaded the rules as Talos does, with sets that it
  /// calls big-endian.
  @Test(arguments: [
    ("controlplane.yaml", "talos-chains:chains.yaml"),
    ("controlplane.yaml", "talos-chains:chains.json"), ("controlplane.yaml", "node.json"),
  ])
  func `a node in sync is said to be`(configuration: String, node: String) throws {
    let workshop = try Workshop()
    let name = node.replacing("talos-chains:", with: "")
    for (old, new) in [("talos:\(configuration)", node), (node, "talos:\(configuration)")] {
      let answer = try workshop.run("portproof diff \(old) \(new)")
      #expect(answer.status == 0, "\(answer.output)\(answer.errors)")
      #expect(answer.output.hasPrefix("in sync: "))
      #expect(
        answer.output.contains(
          "the node's addresses are taken from \(name), and whether it has them is not looked at: "
            + "172.20.0.2, fd00::2\n"))
      let side = old == node ? "new" : "old"
      let given = try workshop.run(
        "portproof diff \(old) \(new) --with \(side).node=172.20.0.2,fd00::2")
      #expect(given.status == 0, "\(given.output)\(given.errors)")
      #expect(!given.output.contains("are taken from"))
      // Another address is another rule.
      let other = try workshop.run(
        "portproof diff \(old) \(new) --with \(side).node=172.20.0.3,fd00::2")
      #expect(other.status == 1)
      #expect(other.output.contains("1 changed\n"), "\(other.output)")
      #expect(other.output.contains("ip daddr != { 172.20.0.2 }"))
    }
  }

  @Test func `sides that the node itself tells are held against each other`() throws {
    let answer = try Workshop().run("portproof diff talos-chains:chains.yaml node.json")
    #expect(answer.status == 0, "\(answer.output)\(answer.errors)")
    #expect(answer.output.contains("it is taken to be as on the other side\n"))
  }

  @Test func `states whose bytes nft turns are read as they are meant, names only by number`()
    throws
  {
    let workshop = try Workshop()
    try workshop.write(
      "node.json", as: "turned.json", (#"["established", "related"]"#, "[33554432, 67108864]"))
    let turned = try workshop.run("portproof diff talos:controlplane.yaml turned.json")
    #expect(turned.status == 0, "\(turned.output)\(turned.errors)")
    #expect(turned.output.contains("with their bytes turned (google/nftables), in 1 rule\n"))
    try workshop.write(
      "node.json", as: "new.json", (#"["established", "related"]"#, "[33554432, 134217728]"))
    #expect(try workshop.run("portproof diff talos:controlplane.yaml new.json").status == 1)
    // A fourth interface is trusted, whose name the listing does not show.
    try workshop.write("node.json", as: "four.json", (#"["", "", ""]"#, #"["", "", "", ""]"#))
    let four = try workshop.run("portproof diff talos:controlplane.yaml four.json")
    #expect(four.status == 1)
    #expect(four.output.contains(#"+ iifname { "", "", "", "" } counter accept"#), "\(four.output)")
  }

  /// What programs loaded with google/nftables, whose sets of names print as empty.
  private func listing(_ ports: Int...) -> String {
    func rule(_ statements: String) -> String {
      #"{"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 3, "expr": [\#(statements), "#
        + #"{"accept": null}]}}"#
    }
    func match(_ left: String, _ right: String) -> String {
      #"{"match": {"op": "==", "left": {\#(left)}, "right": \#(right)}}"#
    }
    let port = #""payload": {"protocol": "tcp", "field": "dport"}"#
    let rules =
      [rule(match(#""meta": {"key": "iifname"}"#, #"{"set": ["", ""]}"#))]
      + ports.map { rule(match(port, String($0))) }
    return #"{"nftables": [{"table": {"family": "inet", "name": "t", "handle": 1}}, "#
      + #"{"chain": {"family": "inet", "table": "t", "name": "c", "handle": 2, "type": "filter", "#
      + #""hook": "input", "prio": 0, "policy": "drop"}}, \#(rules.joined(separator: ", "))]}"#
  }

  @Test func `names that a listing does not show are not known to be those of any other ruleset`()
    throws
  {
    let workshop = try Workshop()
    try workshop.write(listing(22, 80), to: "one.json")
    try workshop.write(listing(22, 80), to: "two.json")
    try workshop.write(listing(80, 22), to: "moved.json")
    try workshop.write(
      listing(22, 80).replacing(#"["", ""]"#, with: #"["lo", "eth0"]"#), to: "named.json")
    let reason = "the listing shows empty names of interfaces (google/nftables), in 1 rule"
    for (old, new) in [("one", "two"), ("one", "named"), ("named", "one")] {
      let answer = try workshop.run("portproof diff \(old).json \(new).json")
      #expect(answer.status == 3, "\(answer.output)\(answer.errors)")
      #expect(answer.output.hasPrefix("not known: "))
      #expect(answer.output.contains(reason), "\(answer.output)")
    }
    // Neither are packets known to meet the same fate.
    let moved = try workshop.run("portproof diff named.json moved.json")
    #expect(moved.status == 1)
    #expect(!moved.output.contains("\nequivalent"), "\(moved.output)")
    #expect(moved.output.contains(reason), "\(moved.output)")
  }

  @Test func `drift of a node is told with the places of both sides`() throws {
    let workshop = try Workshop()
    let invalid = """
              - matchConntrackState:
                    states:
                        - invalid
                anonymousCounter: true
                verdict: drop

      """
    let timestamps = """
              - matchLayer4:
                    protocol: icmp
                    matchICMPType:
                        types:
                            - 13
                            - 14
                            - 17
                            - 18
                anonymousCounter: true
                verdict: drop

      """
    let limited = """
              - matchLayer4:
                    protocol: icmpv6
                matchLimit:
                    packetRatePerSecond: 5
                anonymousCounter: true
                verdict: accept

      """
    let ssh = """
              - matchLayer4:
                    protocol: tcp
                    matchDestinationPort:
                        ranges:
                            - lo: 22
                              hi: 22
                verdict: accept

      """
    // Missing, moved, extra and changed.
    try workshop.write(
      "chains.yaml", as: "drifted.yaml", (invalid, ""), (timestamps, ""),
      (limited, limited + invalid),
      ("              hi: 10250", "              hi: 10251"),
      ("policy: accept\n    rules:\n", "policy: accept\n    rules:\n" + ssh))
    let answer = try workshop.run(
      "portproof diff talos:controlplane.yaml talos-chains:drifted.yaml")
    #expect(answer.status == 1)
    #expect(answer.errors == "")
    try expectGolden("diff-node.txt", answer.output)
    let json = try workshop.run(
      "portproof diff talos:controlplane.yaml talos-chains:drifted.yaml --format json")
    #expect(json.status == 1)
    try expectGolden("diff-node.json", json.output)
  }

  @Test func `a chain that is missing is told, and may do anything`() throws {
    let workshop = try Workshop()
    let chains = try workshop.text(of: "chains.yaml").components(separatedBy: "---\n")
    try workshop.write(chains[0], to: "ingress.yaml")
    let drift = try workshop.run("portproof diff talos:controlplane.yaml talos-chains:ingress.yaml")
    #expect(drift.status == 1)
    #expect(
      drift.errors.contains("warning[talos.chain-missing]: the chain `prerouting` is not in it"))
    #expect(drift.output.contains("missing chain  inet talos prerouting\n"), "\(drift.output)")
    #expect(drift.output.contains("ingress.yaml does not say what the node's addresses are"))

    func scenario(_ options: String) throws {
      try workshop.write(
        """
        host cp1 = 172.20.0.2
        firewall cp-host = talos-chains "ingress.yaml" on cp1 \(options)
        172.20.0.5 -> cp1 10250 tcp expect allow
        10.0.0.1 -> cp1 10250 tcp expect deny

        """, to: "node.scn")
    }
    try scenario("")
    let checked = try workshop.run("portproof check node.scn")
    #expect(checked.status == 3)
    #expect(checked.output.contains("2 lines: 1 holds, 1 not known"), "\(checked.output)")
    // Before 1.10 there was none.
    try scenario("with version \"1.9\"")
    let before = try workshop.run("portproof check node.scn")
    #expect(before.status == 0, "\(before.output)\(before.errors)")
    #expect(before.errors == "")
  }

  @Test func `KubeSpan's chains are no drift where KubeSpan may be on`() throws {
    let workshop = try Workshop()
    func chain(_ verdict: String) -> String {
      """
      ---
      node: 172.20.0.2
      metadata:
          namespace: network
          type: NfTablesChains.net.talos.dev
          id: kubespan_prerouting
          phase: running
      spec:
          type: filter
          hook: prerouting
          priority: filter
          policy: accept
          rules:
              - matchDestinationAddress:
                    includeSubnets:
                        - fd83::/16
                setMark:
                    mask: 4294967199
                    xor: 64
                verdict: \(verdict)

      """
    }
    let chains = try workshop.text(of: "chains.yaml")
    try workshop.write(chains + chain("accept"), to: "kubespan.yaml")
    let words = "diff talos:controlplane.yaml talos-chains:kubespan.yaml"
    let answer = try workshop.run("portproof \(words)")
    #expect(answer.status == 0, "\(answer.output)\(answer.errors)")
    #expect(
      answer.output.contains(
        "KubeSpan makes kubespan_prerouting of what peers announce, and they drop nothing: "
          + "these chains of kubespan.yaml are left out\n"), "\(answer.output)")
    // What a node without KubeSpan has of it is too much, and so is a chain that drops.
    try workshop.write(
      "apiVersion: v1alpha1\nkind: KubeSpanConfig\nenabled: false\n", to: "off.yaml")
    let off = try workshop.run("portproof \(words) --with old.patch=off.yaml")
    #expect(off.status == 1)
    #expect(off.output.contains("extra chain  inet talos kubespan_prerouting\n"), "\(off.output)")
    try workshop.write(chains + chain("drop"), to: "kubespan.yaml")
    let drops = try workshop.run("portproof \(words)")
    #expect(drops.status == 1)
    #expect(drops.output.contains("extra chain  inet talos kubespan_prerouting\n"))
  }

  @Test(canUnshare) func `a node is held against its configuration where it runs`() throws {
    let workshop = try Workshop()
    let answer = try workshop.run(
      """
      unshare -n sh -ec 'ip link set lo up; /usr/bin/python3 load-as-talos.py
        portproof diff talos:controlplane.yaml live
        portproof diff talos-chains:chains.yaml live
        nft insert rule inet talos prerouting tcp dport 22 accept
        portproof diff talos:controlplane.yaml live'
      """)
    #expect(answer.status == 1, "\(answer.output)\(answer.errors)")
    let first = answer.output.split(separator: "\n").filter { !$0.hasPrefix(" ") }
    #expect(
      first.prefix(4) == [
        "in sync: controlplane.yaml and live hold the same rules",
        "in sync: chains.yaml and live hold the same rules", "extra rule  inet talos prerouting",
        "drift: from controlplane.yaml to live, 1 extra",
      ], "\(answer.output)\(answer.errors)")
    // Bytecode shows what the listing does not.
    #expect(!answer.output.contains("does not show"))
  }

  // MARK: - Scenarios

  private static let lines = """
    172.20.0.5 -> cp1 10250 tcp expect allow
    any except 172.20.0.0/24 -> cp1 { 10250 tcp, 22 tcp } expect deny
    any -> cp1 50000 tcp expect allow

    """

  @Test func `lines are proved of what a node holds`() throws {
    let workshop = try Workshop()
    try workshop.write(
      "host cp1 = 172.20.0.2, fd00::2\n"
        + "firewall cp-host = talos-chains \"chains.yaml\" on cp1 with version \"1.13\"\n"
        + Self.lines, to: "node.scn")
    let answer = try workshop.run("portproof check node.scn --verbose")
    #expect(answer.status == 0, "\(answer.output)\(answer.errors)")
    #expect(answer.output.contains("3 lines: 3 hold"), "\(answer.output)")
    #expect(answer.errors == "")
    let way = try workshop.run("portproof explain 10.0.0.1 cp1 22/tcp node.scn")
    #expect(way.status == 0, "\(way.output)\(way.errors)")
    #expect(way.output.contains("(chains.yaml:"), "\(way.output)")
  }

  @Test func `a firewall is read from what its node holds, and from its documents`() throws {
    let workshop = try Workshop()
    try workshop.write(
      "apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: ssh\nportSelector:\n"
        + "  ports: [22]\n  protocol: tcp\ningress:\n  - subnet: 0.0.0.0/0\n", to: "ssh.yaml")
    try workshop.write(
      "host cp1 = 172.20.0.2, fd00::2\n"
        + "firewall cp-host = talos \"controlplane.yaml\" on cp1 with version \"1.13\" "
        + "with patch \"ssh.yaml\"\n" + Self.lines, to: "node.scn")
    let wanted = try workshop.run("portproof check node.scn")
    #expect(wanted.status == 1)
    // The patch did not arrive.
    let held = try workshop.run(
      "portproof check node.scn --firewall cp-host=talos-chains:chains.yaml")
    #expect(held.status == 0, "\(held.output)\(held.errors)")
    #expect(
      held.errors.contains(
        "note[firewall.option-left-out]: 'with patch' says nothing of a firewall of kind "
          + "'talos-chains'\n"), "\(held.errors)")
    #expect(!held.errors.contains("'with version'"))
    try workshop.write(
      "host cp1 = 172.20.0.2, fd00::2\n"
        + "firewall cp-host = talos-chains \"gone.yaml\" on cp1 with node \"cp1\"\n" + Self.lines,
      to: "listed.scn")
    let documents = try workshop.run(
      "portproof check listed.scn --firewall cp-host=talos:controlplane.yaml")
    #expect(documents.status == 0, "\(documents.output)\(documents.errors)")
    // The name of a node is none of its addresses.
    #expect(documents.errors.contains("'with node' says nothing of a firewall of kind 'talos'"))
  }

  @Test func `a node is chosen by where a firewall stands, or by name`() throws {
    let workshop = try Workshop()
    let chains = try workshop.text(of: "chains.yaml")
    let other = chains.replacing("172.20.0.2", with: "172.20.0.3")
      .replacing("fd00::2", with: "fd00::3").replacing("policy: drop", with: "policy: accept")
    try workshop.write(chains + "---\n" + other, to: "nodes.yaml")
    func check(_ placement: String) throws -> EndToEndTests.Answer {
      try workshop.write(
        """
        host cp1 = 172.20.0.2, fd00::2
        host cp2 = 172.20.0.3, fd00::3
        host cp3 = 172.20.0.4
        firewall node = talos-chains \(placement)
        any except 172.20.0.0/24 -> cp1 icmp type echo-request expect allow
        any except 172.20.0.0/24 -> cp2 proto 47 expect deny

        """, to: "node.scn")
      return try workshop.run("portproof check node.scn")
    }
    let cases: [(placement: String, status: Int32, says: String)] = [
      (#""nodes.yaml" on cp1"#, 3, ""),
      (#""nodes.yaml" on cp3"#, 2, "error[talos.several-nodes]"),
      (#""nodes.yaml" on cp3 with node cp2"#, 3, ""),
      (#""nodes.yaml" on cp3 with node "172.20.0.3""#, 3, ""),
      (#""nodes.yaml" on cp3 with node "cp2""#, 2, "error[talos.node-unknown]"),
      (#""nodes.yaml" on cp1, cp2"#, 2, "warning[talos.one-node]"),
      (#""chains.yaml" on cp3"#, 3, "warning[talos.node-elsewhere]"),
      (#""chains.yaml" on cp3 with node cp3"#, 2, "error[talos.node-elsewhere]"),
      (#""chains.yaml" on cp3 with version "1.x""#, 2, "'1.x' is no version of Talos"),
    ]
    for (placement, status, says) in cases {
      let answer = try check(placement)
      #expect((answer.status == 2) == (status == 2), "\(placement): \(answer.errors)")
      #expect(answer.errors.contains(says) || says.isEmpty, "\(placement): \(answer.errors)")
      if says.isEmpty { #expect(answer.errors == "", "\(placement)") }
    }
    // The right node's chains are taken: the other's drop nothing by policy.
    let open = try workshop.run(
      "portproof diff talos-chains:nodes.yaml talos-chains:chains.yaml --with old.node=172.20.0.3")
    #expect(open.status == 1)
    #expect(open.output.contains("changed chain  inet talos ingress\n"), "\(open.output)")
    let same = try workshop.run(
      "portproof diff talos-chains:nodes.yaml talos-chains:chains.yaml --with old.node=fd00::2,172.20.0.2"
    )
    #expect(same.status == 0, "\(same.output)\(same.errors)")
  }

  @Test(canUnshare, arguments: ["talos \"controlplane.yaml\"", "talos-chains \"chains.yaml\""])
  func `lines are replayed, and the kernel agrees`(firewall: String) throws {
    let workshop = try Workshop()
    try workshop.write(
      "host cp1 = 172.20.0.2, fd00::2\nfirewall cp-host = \(firewall) on cp1\n" + Self.lines,
      to: "node.scn")
    let answer = try workshop.run("portproof check node.scn --replay")
    #expect(answer.status == 0, "\(answer.output)\(answer.errors)")
    let count = try #require(
      answer.output.firstMatch(
        of: /3 lines: 3 hold, ([0-9]+) packets replayed in the kernel agree/), "\(answer.output)")
    #expect(Int(count.1) ?? 0 >= 10, "\(answer.output)")
  }

  @Test(.enabled(if: Kernel.isUsable, "needs network namespaces"))
  func `chains are converted, and load as what they were`() throws {
    let workshop = try Workshop()
    let converted = try workshop.run("portproof convert --from talos-chains chains.yaml > node.nft")
    #expect(converted.status == 0, "\(converted.errors)")
    let same = try workshop.run("portproof diff talos-chains:chains.json node.nft")
    #expect(same.status == 0, "\(same.output)\(same.errors)")
  }

  @Test func `chains are not linted, and lint says what it reads instead`() throws {
    let lint = try Workshop().run("portproof lint --from talos-chains chains.yaml")
    #expect(lint.status == 2)
    #expect(lint.errors.contains("what they are made of is linted with --from talos"))
  }
}
