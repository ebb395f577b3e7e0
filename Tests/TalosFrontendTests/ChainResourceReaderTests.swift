import Addresses
import Diagnostics
import Rulesets
import TalosFrontend
import TestSupport
import Testing

@Suite("Chains that talosctl prints")
struct ChainResourceReaderTests {
  private func read(
    _ bytes: [UInt8], node: String? = nil
  ) -> (reading: TalosChainsReader.Reading, sources: SourceMap) {
    var sources = SourceMap()
    let reading = TalosChainsReader.read(
      bytes, name: "chains", options: .init(node: node.map { .named($0) } ?? .only),
      sources: &sources)
    return (reading, sources)
  }

  @Test(arguments: ["chains.yaml", "chains.json"])
  func `are those that the documents compile to`(name: String) throws {
    let (reading, _) = read(try Repository.fixture(name))
    #expect(reading.diagnostics == [])
    #expect(reading.nodes == ["172.20.0.5"])
    let configuration = try #require(
      Configuration.derived.first { $0.title.hasPrefix("G3 ") })
    let compiled = try configuration.reading()
    let chains = try #require(reading.chains)
    #expect(chains.map(\.withoutPlaces) == compiled.chains.map(\.withoutPlaces))
    let ruleset = ChainLowering(try configuration.options.version).ruleset(of: chains)
    let printer = RulesetPrinter()
    #expect(printer.text(of: ruleset) == printer.text(of: try #require(compiled.ruleset)))
  }

  @Test(arguments: Configuration.derived)
  func `are read as they were written, in both formats`(configuration: Configuration) throws {
    let chains = try configuration.reading().chains.map(\.withoutPlaces)
    let yaml = read(ChainResources.yaml(chains, node: "a")).reading
    let json = read(ChainResources.json(chains, node: "a")).reading
    #expect(yaml.diagnostics == [])
    #expect(json.diagnostics == [])
    #expect(yaml.chains?.map(\.withoutPlaces) == chains)
    #expect(json.chains?.map(\.withoutPlaces) == chains)
  }

  /// Everything that a chain can hold, KubeSpan's chains included.
  @Test func `may hold every field there is`() throws {
    let subnets = try ["10.0.0.5/8", "fd00::/8", "::1/128"].map {
      try #require(ConfiguredPrefix($0))
    }
    let rules = [
      ChainRuleSpecification(),
      ChainRuleSpecification(
        inputNames: .init(["eth0", "!x"], .notEqual), outputNames: .init(["kubespan"]),
        mark: .init(mask: 0x60, value: 0x20), connectionStates: [.new, .invalid],
        source: .init(subnets, excluding: [subnets[0]], isInverted: true),
        destination: .init([], isInverted: true),
        layer4: .init(
          .tcp, sourcePorts: [PortRange(1, 65535)],
          destinationPorts: [PortRange(80), PortRange(90, 8)]),
        packetsPerSecond: 7, clampedMTU: 1420, markChange: .init(mask: 0xFFFF_FFFF, xor: 0x40),
        hasCounter: true, decision: .drop),
      ChainRuleSpecification(mark: .init(mask: 0, value: 0), markChange: .init(mask: 0, xor: 0)),
      ChainRuleSpecification(layer4: .init(.gre, destinationPorts: [])),
      ChainRuleSpecification(layer4: .init(.icmpv6, icmpTypes: [0, 255]), decision: .accept),
    ]
    let chains = [
      ChainSpecification(
        name: "kubespan_outgoing", kind: .route, hook: .output, priority: 0, rules: rules),
      ChainSpecification(name: "a", kind: .nat, hook: .postrouting, priority: 100, policy: .drop),
      ChainSpecification(name: "b", hook: .forward, priority: Int(Int32.min)),
    ]
    for bytes in [
      ChainResources.yaml(chains, node: "n"), ChainResources.json(chains, node: "n"),
    ] {
      let (reading, _) = read(bytes)
      #expect(reading.diagnostics == [])
      #expect(reading.chains?.map(\.withoutPlaces) == chains)
    }
  }

  @Test(arguments: ["chains.yaml", "chains.json"])
  func `tell where each rule stands`(name: String) throws {
    let bytes = try Repository.fixture(name)
    let rules = try #require(read(bytes).reading.chains).flatMap(\.rules)
    var end = 0
    for rule in rules {
      let span = try #require(rule.provenance.span)
      #expect(span.lower >= end, "rules stand one after the other")
      end = span.upper
      let text = String(decoding: bytes[span.lower..<span.upper], as: UTF8.self)
      #expect(text.contains("verdict"))
      #expect(text.first == (name.hasSuffix("json") ? "{" : "m"))
    }
    #expect(rules[3].provenance.vendorText == "rule 4 of Talos' chain ingress")
    #expect(rules.last?.provenance.vendorText == "rule 5 of Talos' chain prerouting")
  }

  @Test(arguments: [
    ("first", Int(Int32.min)), ("conntrack-defrag", -400), ("raw", -300), ("selinux-first", -225),
    ("conntrack", -200), ("mangle", -150), ("nat-dest", -100), ("filter", 0), ("security", 50),
    ("nat-source", 100), ("selinux-last", 225), ("conntrack-helper", 300),
    ("last", Int(Int32.max)), ("NfTablesChainPriority(-140)", -140),
    ("NfTablesChainPriority(1)", 1), ("-7", -7),
  ])
  func `have priorities with names and without`(text: String, priority: Int) {
    let (reading, _) = read(resource(priority: text))
    #expect(reading.chains?.first?.priority == priority)
  }

  // MARK: - Nodes and events

  @Test func `of several nodes are told apart`() throws {
    let ingress = ChainSpecification(name: "ingress", hook: .input, priority: 0)
    var other = ingress
    other.policy = .drop
    for bytes in [
      ChainResources.yaml([ingress], node: "10.0.0.1") + Array("---\n".utf8)
        + ChainResources.yaml([other], node: "10.0.0.2"),
      ChainResources.json([ingress], node: "10.0.0.1")
        + ChainResources.json([other], node: "10.0.0.2"),
    ] {
      let (all, _) = read(bytes)
      #expect(all.chains == nil)
      #expect(all.diagnostics.map(\.code) == ["talos.several-nodes"])
      #expect(all.nodes == ["10.0.0.1", "10.0.0.2"])
      #expect(read(bytes, node: "10.0.0.1").reading.chains?.map(\.policy) == [.accept])
      #expect(read(bytes, node: "10.0.0.2").reading.chains?.map(\.policy) == [.drop])
      let (unknown, _) = read(bytes, node: "10.0.0.3")
      #expect(unknown.chains == nil)
      #expect(unknown.diagnostics.map(\.code) == ["talos.node-unknown"])
    }
  }

  @Test func `are those that are left when watching ends`() throws {
    let text = ["created", "bootstrapped", "updated", "noop"].enumerated().map { index, event in
      String(
        decoding: resource(event: event, policy: index == 2 ? "drop" : "accept"), as: UTF8.self)
    }
    let other = String(decoding: resource(event: "created", id: "prerouting"), as: UTF8.self)
    let gone = String(decoding: resource(event: "destroyed", id: "prerouting"), as: UTF8.self)
    let all = (text + ["node: a\nevent: bootstrapped\n", other, gone]).joined(separator: "---\n")
    let chains = read(Array(all.utf8)).reading.chains
    #expect(chains?.map(\.name) == ["ingress"])
    #expect(chains?.map(\.policy) == [.drop])
    let none = read(Array((other + "---\n" + gone).utf8)).reading
    #expect(none.chains == [])
    #expect(none.diagnostics == [])
  }

  @Test func `that are about to be removed may be there or not`() throws {
    let (reading, _) = read(
      resource(phase: "tearingDown", policy: "drop", rules: "[{verdict: accept}]"))
    let chain = try #require(reading.chains?.first)
    #expect(chain.policy == .accept)
    #expect(chain.rules.map(\.decision) == [.accept, .drop])
    for rule in chain.rules { #expect(rule.certainty != .certain) }
    #expect(reading.diagnostics.map(\.code) == ["talos.chain-ending", "talos.chain-missing"])
  }

  // MARK: - What is not known

  @Test(arguments: ["chains.yaml", "chains.json"])
  func `that are damaged end in chains or in diagnostics, never in a trap`(name: String) throws {
    let original = try Repository.fixture(name)
    let letters = Array("-:,[]{}\"'!&*0 \nmx".utf8)
    var random = SeededGenerator(seed: 0xC4A1)
    var readable = 0
    for _ in 0..<300 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...2, using: &random) {
        let place = Int.random(in: 0..<bytes.count - 8, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<7, using: &random)
        case 1: bytes[place] = letters[Int.random(in: letters.indices, using: &random)]
        case 2: bytes.removeSubrange(place..<place + Int.random(in: 1...8, using: &random))
        default: bytes.insert(contentsOf: bytes[place..<place + 8], at: place)
        }
      }
      let (reading, sources) = read(bytes)
      if let chains = reading.chains {
        readable += 1
        _ = RulesetPrinter().text(of: ChainLowering(.standard).ruleset(of: chains))
      } else {
        #expect(reading.diagnostics.contains { $0.severity == .error })
      }
      let renderer = DiagnosticRenderer(sources: sources, style: .plain)
      for diagnostic in reading.diagnostics { _ = renderer.render(diagnostic) }
    }
    #expect(readable > 20)
  }

  @Test(arguments: [
    "{matchColour: {}, matchLayer4: {protocol: tcp}, verdict: accept}",
    "{matchLayer4: {protocol: tcp, matchFlags: 2}, verdict: accept}",
    "{matchLayer4: {protocol: tcp, matchSourcePort: {ranges: [{lo: 1, hi: 2, step: 2}]}}}",
    "{matchIIfName: {interfaceName: [lo], operator: '>'}, verdict: accept}",
    "{matchConntrackState: {states: [new, untracked]}, verdict: drop}",
    "{matchLayer4: {protocol: quic}, verdict: drop}",
    "{matchSourceAddress: {includeSubnets: [10.0.0.0/8], includeSets: [x]}, verdict: drop}",
    "{matchMark: {mask: 1, shift: 2}, verdict: drop}",
    "{matchLimit: {packetRatePerSecond: 5, burst: 7}, verdict: accept}",
  ])
  func `make a rule with a strange match a possible one`(rule: String) throws {
    let (reading, _) = read(resource(rules: "[\(rule)]"))
    let rules = try #require(reading.chains?.first?.rules)
    #expect(rules.count == 1)
    guard case .possible = rules.first?.certainty else {
      Issue.record("the rule is certain")
      return
    }
    // A match that is not known in whole asks nothing.
    let isWhole = rule.hasPrefix("{matchColour")
    #expect((rules.first?.layer4 != nil) == isWhole)
    #expect(rules.first?.inputNames == nil)
    #expect(rules.first?.connectionStates == nil)
    #expect(rules.first?.source == nil)
    #expect(rules.first?.packetsPerSecond == nil)
    #expect(reading.diagnostics.count == 2)
    for diagnostic in reading.diagnostics { #expect(diagnostic.severity == .warning) }
  }

  // MARK: - Refusals

  struct Refusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    let codes: [Diagnostic.Code]

    init(_ testDescription: String, _ text: String, _ codes: Diagnostic.Code...) {
      self.testDescription = testDescription
      self.text = text
      self.codes = codes
    }

    init(_ testDescription: String, rule: String, _ codes: Diagnostic.Code...) {
      self.testDescription = testDescription
      text = String(decoding: resource(rules: "[{verdict: accept}, \(rule)]"), as: UTF8.self)
      self.codes = codes
    }
  }

  static let refusals: [Refusal] = [
    Refusal("nothing", "", "talos.no-chains"),
    Refusal("a table", "NODE NAMESPACE TYPE\n1 network x\n", "talos.no-resource"),
    Refusal("broken YAML", "node: [", "talos.resource-syntax"),
    Refusal("broken JSON", "{\"node\": 1}\n{\"node\": }", "talos.resource-syntax"),
    Refusal("text behind JSON", "{} x", "talos.resource-syntax"),
    Refusal("a closing bracket too many", "{}}", "talos.resource-syntax"),
    Refusal("a field twice in YAML", "node: a\nnode: b\n", "talos.resource-syntax"),
    Refusal(
      "a field twice in JSON",
      "{\"metadata\": {\"type\": \"NfTablesChains.net.talos.dev\"}, \"node\": 1, \"node\": 2}",
      "talos.field-twice"),
    Refusal(
      "another resource", "node: a\nmetadata:\n  type: Links.net.talos.dev\n  id: eth0\n",
      "talos.other-resource", "talos.no-chains"),
    Refusal("a failed watch", "node: a\nevent: errored\n", "talos.watch-error"),
    Refusal("a name too few", text(resource(id: "")), "talos.field-missing"),
    Refusal("no spec", text(resource(spec: "")), "talos.field-missing"),
    Refusal(
      "an empty spec", text(resource(spec: "spec: {}\n")), "talos.field-missing",
      "talos.field-missing", "talos.field-missing", "talos.field-missing"),
    Refusal(
      "the same chain twice", "\(text(resource()))---\n\(text(resource()))", "talos.chain-twice"),
    Refusal("an unknown event", text(resource(event: "moved")), "talos.event-unknown"),
    Refusal("an unknown phase", text(resource(phase: "asleep")), "talos.phase-unknown"),
    Refusal("an unknown policy", text(resource(policy: "reject")), "talos.value-unknown"),
    Refusal("an unknown priority", text(resource(priority: "late")), "talos.value-unknown"),
    Refusal("rules that are no list", text(resource(rules: "7")), "talos.field-shape"),
    Refusal("a rule that is no mapping", rule: "7", "talos.field-shape"),
    Refusal("an unknown action", rule: "{setDSCP: 7}", "talos.field-unknown"),
    Refusal("an unknown verdict", rule: "{verdict: reject}", "talos.value-unknown"),
    Refusal("a counter that is a text", rule: "{anonymousCounter: yes}", "talos.field-shape"),
    Refusal(
      "a prefix without a length", rule: "{matchSourceAddress: {includeSubnets: [10.0.0.1]}}",
      "talos.field-shape"),
    Refusal(
      "a port too high",
      rule: "{matchLayer4: {protocol: tcp, matchDestinationPort: {ranges: [{lo: 1, hi: 65536}]}}}",
      "talos.field-shape"),
    Refusal(
      "half a range",
      rule: "{matchLayer4: {protocol: tcp, matchDestinationPort: {ranges: [{lo: 1}]}}}",
      "talos.field-missing"),
    Refusal("no protocol", rule: "{matchLayer4: {}}", "talos.field-missing"),
    Refusal("a mark below zero", rule: "{setMark: {mask: -1}}", "talos.field-shape"),
    Refusal("an unknown part of an action", rule: "{setMark: {or: 1}}", "talos.field-unknown"),
    Refusal("a clamp without an MTU", rule: "{clampMSS: {}}", "talos.field-missing"),
  ]

  @Test(arguments: refusals) func `are refused where they are wrong`(refusal: Refusal) {
    let (reading, sources) = read(Array(refusal.text.utf8))
    #expect(reading.chains == nil)
    #expect(reading.diagnostics.map(\.code) == refusal.codes)
    let renderer = DiagnosticRenderer(sources: sources, style: .plain)
    for diagnostic in reading.diagnostics { #expect(!renderer.render(diagnostic).isEmpty) }
  }

  @Test func `say so as in the golden file`() throws {
    var text = ""
    let warnings = [
      Refusal("a strange field", "\(Self.text(resource()))comment: x\n"),
      Refusal("a strange match", rule: "{matchColour: red, verdict: drop}"),
      Refusal("a chain that ends", Self.text(resource(phase: "tearingDown"))),
      Refusal(
        "two nodes",
        Self.text(resource()) + "---\n"
          + Self.text(resource()).replacing("node: a", with: "node: b")),
    ]
    for refusal in Self.refusals + warnings {
      let (reading, sources) = read(Array(refusal.text.utf8))
      let renderer = DiagnosticRenderer(sources: sources, style: .plain)
      text += "## \(refusal.testDescription)\n"
      for diagnostic in reading.diagnostics { text += renderer.render(diagnostic) }
    }
    let (reading, sources) = read(resource(), node: "b")
    let renderer = DiagnosticRenderer(sources: sources, style: .plain)
    text += "## another node\n" + reading.diagnostics.map { renderer.render($0) }.joined()
    for choice in [
      TalosChainsReader.NodeChoice.addressed(.any), .standing(.empty), .addressed(.empty),
    ] {
      var sources = SourceMap()
      let reading = TalosChainsReader.read(
        Array(Self.text(resource()).replacing("node: a", with: "node: 10.0.0.1").utf8),
        name: "chains", options: .init(node: choice), sources: &sources)
      let renderer = DiagnosticRenderer(sources: sources, style: .plain)
      text += "## a node by address\n" + reading.diagnostics.map { renderer.render($0) }.joined()
    }
    try expectGolden("chain-diagnostics.txt", text)
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

/// A resource in which one thing is different.
private func resource(
  event: String? = nil, id: String = "ingress", phase: String = "running",
  priority: String = "filter", policy: String = "accept", rules: String = "[]", spec: String? = nil
) -> [UInt8] {
  let fields = """
    spec:
        type: filter
        hook: input
        priority: \(priority)
        policy: \(policy)
        rules: \(rules)

    """
  let head = """
    node: a
    metadata:
        namespace: network
        type: NfTablesChains.net.talos.dev
        id: \(id)
        phase: \(phase)

    """
  return Array(((event.map { "event: \($0)\n" } ?? "") + head + (spec ?? fields)).utf8)
}
