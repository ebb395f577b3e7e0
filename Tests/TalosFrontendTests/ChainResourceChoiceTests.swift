import Addresses
import Diagnostics
import Rulesets
import TalosFrontend
import TestSupport
import Testing

@Suite("Chains of one node, and of one version")
struct ChainResourceChoiceTests {
  private static let two = [
    ChainSpecification(name: "ingress", hook: .input, priority: -140),
    ChainSpecification(name: "prerouting", hook: .prerouting, priority: -110),
  ]

  @Test func `of a node are found by any of its addresses`() throws {
    let nodes = ["10.0.0.1", "fd00::2", "cp3"]
    let all = nodes.map { ChainResources.yaml(Self.two, node: $0) }
      .joined(separator: Array("---\n".utf8))
    func addresses(_ texts: String...) throws -> AddressSet {
      try texts.map { AddressSet(try #require(IPAddress($0))) }
        .reduce(.empty) { $0.union($1) }
    }
    let cases: [(bytes: [UInt8], choice: TalosChainsReader.NodeChoice, codes: [String])] = [
      (Array(all), .addressed(try addresses("10.0.0.1", "10.0.0.9")), []),
      (Array(all), .standing(try addresses("fd00::2")), []),
      (Array(all), .named("cp3"), []),
      (Array(all), .addressed(try addresses("10.0.0.1", "fd00::2")), ["talos.several-nodes"]),
      (Array(all), .standing(try addresses("10.0.0.9")), ["talos.several-nodes"]),
      // A name says nothing of addresses.
      (ChainResources.yaml(Self.two, node: "cp3"), .addressed(try addresses("10.0.0.9")), []),
      (
        ChainResources.yaml(Self.two, node: "10.0.0.1"), .addressed(try addresses("10.0.0.9")),
        ["talos.node-elsewhere"]
      ),
      (
        ChainResources.yaml(Self.two, node: "10.0.0.1"), .standing(try addresses("10.0.0.9")),
        ["talos.node-elsewhere"]
      ),
    ]
    for (bytes, choice, codes) in cases {
      var sources = SourceMap()
      let reading = TalosChainsReader.read(
        bytes, name: "chains", options: .init(node: choice), sources: &sources)
      #expect(reading.diagnostics.map(\.code.rawValue) == codes, "\(choice)")
      let isRead = reading.diagnostics.allSatisfy { $0.severity != .error }
      #expect((reading.ruleset != nil) == isRead, "\(choice)")
      #expect(reading.chains?.count == (isRead ? 2 : nil), "\(choice)")
    }
  }

  @Test func `that are missing may drop anything`() throws {
    func ruleset(
      _ chains: [ChainSpecification], _ version: TalosVersion
    ) throws -> (chains: [Chain], codes: [String]) {
      var sources = SourceMap()
      let reading = TalosChainsReader.read(
        ChainResources.yaml(chains, node: "a"), name: "chains",
        options: .init(version: version), sources: &sources)
      #expect(reading.chains?.map(\.withoutPlaces) == chains)
      return (
        try #require(reading.ruleset).tables[0].chains, reading.diagnostics.map(\.code.rawValue)
      )
    }
    for (missing, version, priority) in [
      ("prerouting", TalosVersion(1, 13), -110), ("ingress", TalosVersion(1, 13), -140),
      ("ingress", TalosVersion(1, 9, 3), 0),
    ] {
      let (chains, codes) = try ruleset(Self.two.filter { $0.name != missing }, version)
      #expect(codes == ["talos.chain-missing"], "\(missing)")
      let chain = try #require(chains.first { $0.name == missing })
      #expect(chain.base?.priority == priority)
      #expect(chain.rules.map(\.statements) == [[.verdict(.drop)]])
      #expect(chain.rules.allSatisfy { $0.certainty != .certain })
    }
    // Before 1.10 there was none, and without either there is no firewall.
    let before = try ruleset([Self.two[0]], TalosVersion(1, 9))
    #expect(before.codes == [])
    #expect(before.chains.map(\.name) == ["ingress"])
    let kubeSpan = ChainSpecification(name: "kubespan_prerouting", hook: .prerouting, priority: 0)
    let without = try ruleset([kubeSpan], .standard)
    #expect(without.codes == [])
    #expect(without.chains.map(\.name) == ["kubespan_prerouting"])
  }

  @Test func `that the kernel refuses are there or not`() throws {
    var chains = Self.two
    for index in chains.indices {
      chains[index].rules = [
        ChainRuleSpecification(
          layer4: .init(.tcp, destinationPorts: [PortRange(50_000, 65_535)]), decision: .drop)
      ]
    }
    var sources = SourceMap()
    let reading = TalosChainsReader.read(
      ChainResources.yaml(chains, node: "a"), name: "chains",
      options: .init(version: TalosVersion(1, 12, 4)), sources: &sources)
    #expect(reading.diagnostics.map(\.code.rawValue) == ["talos.range-refused"])
    let rules = try #require(reading.ruleset).tables[0].chains.flatMap(\.rules)
    #expect(!rules.isEmpty)
    #expect(rules.allSatisfy { $0.certainty != .certain })
  }
}
