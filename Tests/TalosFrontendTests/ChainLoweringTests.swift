import Addresses
import Rulesets
import TalosFrontend
import TestSupport
import Testing

private typealias Rule = ChainRuleSpecification

/// A rule of a chain, and the rules that Talos' own tests expect of it.
struct LoweredRule: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let specification: ChainRuleSpecification
  let lines: [String]

  init(
    _ name: String, _ lines: [String], _ make: (inout ChainRuleSpecification) -> Void
  ) {
    testDescription = name
    var specification = ChainRuleSpecification()
    make(&specification)
    self.specification = specification
    self.lines = lines
  }

  private static func match(
    _ included: [String], excluding excluded: [String] = [], isInverted: Bool = false
  ) -> ChainRuleSpecification.AddressMatch {
    .init(
      included.compactMap { ConfiguredPrefix($0) },
      excluding: excluded.compactMap { ConfiguredPrefix($0) }, isInverted: isInverted)
  }

  private static let holed = "{ 10.0.0.0-10.2.255.255, 10.4.0.0-10.255.255.255 }"

  static let all = [
    LoweredRule("no expression at all", [""]) { _ in },
    LoweredRule("only a verdict", ["accept"]) { $0.decision = .accept },
    LoweredRule("an output device", ["oifname \"lo\" accept"]) {
      $0.outputNames = .init(["lo"])
      $0.decision = .accept
    },
    LoweredRule("another input device", ["iifname != \"lo\" drop"]) {
      $0.inputNames = .init(["lo"], .notEqual)
      $0.decision = .drop
    },
    LoweredRule("several devices", ["iifname { \"eth0\", \"eth1\" } accept"]) {
      $0.inputNames = .init(["eth0", "eth1"])
      $0.decision = .accept
    },
    LoweredRule("other devices than two", ["iifname != { \"siderolink\", \"kubespan\" } accept"]) {
      $0.inputNames = .init(["siderolink", "kubespan"], .notEqual)
      $0.decision = .accept
    },
    LoweredRule("a limit", ["meta l4proto icmp limit rate 5/second burst 5 packets accept"]) {
      $0.layer4 = .init(.icmp)
      $0.packetsPerSecond = 5
      $0.decision = .accept
    },
    LoweredRule("two states", ["ct state { established, related } accept"]) {
      $0.connectionStates = [.established, .related]
      $0.decision = .accept
    },
    LoweredRule("one state", ["ct state established counter drop"]) {
      $0.connectionStates = [.established]
      $0.hasCounter = true
      $0.decision = .drop
    },
    LoweredRule("an invalid packet", ["ct state invalid drop"]) {
      $0.connectionStates = [.invalid]
      $0.decision = .drop
    },
    LoweredRule(
      "a mark and subnets",
      [
        "meta mark & 0x00000060 == 0x00000020 ip saddr != \(holed) ip daddr { 192.168.0.0/24 } accept"
      ]
    ) {
      $0.mark = .init(mask: 0x60, value: 0x20)
      $0.source = match(["10.0.0.0/8", "::/0"], excluding: ["10.3.0.0/16"], isInverted: true)
      $0.destination = match(["192.168.0.0/24"])
      $0.decision = .accept
    },
    LoweredRule(
      "a mark that is set",
      ["ip daddr { 192.168.3.5 } meta mark set meta mark & 0xffffff9f | 0x00000020"]
    ) {
      $0.destination = match(["192.168.3.5/32"])
      $0.markChange = .init(mask: ~0x60, xor: 0x20)
    },
    LoweredRule(
      "sources but some, and a destination",
      [
        "ip saddr != \(holed) ip daddr { 192.168.0.0/24 } accept",
        "meta nfproto ipv6 accept",
      ]
    ) {
      $0.source = match(["10.0.0.0/8"], excluding: ["10.3.0.0/16"], isInverted: true)
      $0.destination = match(["192.168.0.0/24"])
      $0.decision = .accept
    },
    LoweredRule(
      "a range that is a prefix",
      [
        "ip saddr != { 10.0.0.0/14, 10.5.0.0-10.255.255.255 } drop",
        "meta nfproto ipv6 drop",
      ]
    ) {
      $0.source = match(["10.0.0.0/8"], excluding: ["10.4.0.0/16"], isInverted: true)
      $0.decision = .drop
    },
    LoweredRule(
      "a clamped segment size",
      [
        "meta nfproto ipv4 tcp flags & (syn | rst) == syn tcp option maxseg size > 1368 "
          + "tcp option maxseg size set 1368",
        "meta nfproto ipv6 tcp flags & (syn | rst) == syn tcp option maxseg size > 1348 "
          + "tcp option maxseg size set 1348",
      ]
    ) {
      $0.destination = match([], isInverted: true)
      $0.clampedMTU = 1420
    },
    LoweredRule(
      "ports of both families",
      [
        "ip daddr { 10.0.0.0/8 } tcp dport { 1023-1025, 1027-1029 } drop",
        "ip6 daddr { 2001::/16 } tcp dport { 1023-1025, 1027-1029 } drop",
      ]
    ) {
      $0.destination = match(["10.0.0.0/8", "2001::/16"])
      $0.layer4 = .init(.tcp, destinationPorts: [PortRange(1023, 1025), PortRange(1027, 1029)])
      $0.decision = .drop
    },
    LoweredRule(
      "ports that touch",
      [
        "ip saddr != { 10.0.0.0/8 } tcp dport { 4240, 5000-5001, 10250 } drop",
        "meta nfproto ipv6 tcp dport { 4240, 5000-5001, 10250 } drop",
      ]
    ) {
      $0.source = match(["10.0.0.0/8"], isInverted: true)
      $0.layer4 = .init(.tcp, destinationPorts: [5000, 5001, 10250, 4240].map { PortRange($0) })
      $0.decision = .drop
    },
    LoweredRule("any IPv4 source", ["meta nfproto ipv4 tcp dport { 1023 } accept"]) {
      $0.source = match(["0.0.0.0/0"])
      $0.layer4 = .init(.tcp, destinationPorts: [PortRange(1023)])
      $0.decision = .accept
    },
    LoweredRule(
      "any source but one",
      [
        "ip saddr { 0.0.0.0-10.1.2.2, 10.1.2.4-255.255.255.255 } tcp dport { 1023 } accept",
        "ip6 saddr { ::-fe80::, fe80::2-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff } "
          + "tcp dport { 1023 } accept",
      ]
    ) {
      $0.source = match(["0.0.0.0/0", "::/0"], excluding: ["10.1.2.3/32", "fe80::1/128"])
      $0.layer4 = .init(.tcp, destinationPorts: [PortRange(1023)])
      $0.decision = .accept
    },
    LoweredRule(
      "types of ICMP",
      [
        "icmp type { timestamp-request, timestamp-reply, address-mask-request, "
          + "address-mask-reply } counter drop"
      ]
    ) {
      $0.layer4 = .init(.icmp, icmpTypes: [13, 14, 17, 18])
      $0.hasCounter = true
      $0.decision = .drop
    },
    LoweredRule("no source at all", []) {
      $0.source = match([])
      $0.decision = .drop
    },
    LoweredRule("every source, not", []) {
      $0.source = match(["0.0.0.0/0", "::/0"], isInverted: true)
      $0.decision = .drop
    },
    LoweredRule(
      "a source with a hole", ["ip saddr { 192.168.0.0/22, 192.168.5.0-192.168.255.255 } drop"]
    ) {
      $0.source = match(["192.168.0.0/16"], excluding: ["192.168.4.0/24"])
      $0.decision = .drop
    },
    LoweredRule(
      "a destination that spares a family the source does not name",
      [
        "meta nfproto ipv4 drop",
        "ip6 saddr { 2001::/16 } ip6 daddr != { 20fe::/16 } drop",
      ]
    ) {
      $0.source = match(["2001::/16"])
      $0.destination = match(["20fe::/16"], isInverted: true)
      $0.decision = .drop
    },
    LoweredRule("an IPv6 destination", ["ip6 daddr { 20fe::/16 } drop"]) {
      $0.destination = match(["20fe::/16"])
      $0.decision = .drop
    },
    LoweredRule(
      "any IPv6 beside an IPv4 source",
      ["ip saddr != { 192.168.37.45 } drop", "meta nfproto ipv6 drop"]
    ) {
      $0.source = match(["192.168.37.45/32"], isInverted: true)
      $0.decision = .drop
    },
    LoweredRule("source ports", ["tcp sport { 1000-1025, 2000 } accept"]) {
      $0.layer4 = .init(.tcp, sourcePorts: [PortRange(2000), PortRange(1000, 1025)])
      $0.decision = .accept
    },
    LoweredRule("ports to the last", ["udp dport { 80-81, 443, 65530-65535 } accept"]) {
      $0.layer4 = .init(
        .udp, destinationPorts: [PortRange(443), PortRange(80, 81), PortRange(65530, 65535)])
      $0.decision = .accept
    },
    LoweredRule("the checksum of ICMP", ["meta l4proto icmp icmp checksum { 80 } accept"]) {
      $0.layer4 = .init(.icmp, destinationPorts: [PortRange(80)])
      $0.decision = .accept
    },
    LoweredRule("no protocol", ["meta l4proto hopopt @th,16,16 { 80 } accept"]) {
      $0.layer4 = .init(TransportProtocol(rawValue: 0), destinationPorts: [PortRange(80)])
      $0.decision = .accept
    },
  ]
}

@Suite("Chains as the kernel's rules")
struct ChainLoweringTests {
  private static let base = ChainSpecification(name: "test1", hook: .input, priority: 50)

  private func table(
    _ specification: ChainRuleSpecification, _ version: TalosVersion = .standard
  ) -> Table {
    var chain = Self.base
    chain.rules = [specification]
    return ChainLowering(version).ruleset(of: [chain]).tables[0]
  }

  @Test(arguments: LoweredRule.all)
  func `a rule is loaded as Talos loads it`(rule: LoweredRule) throws {
    let table = table(rule.specification)
    let lines = table.chains[0].rules.map { RulePrinter(table).text(of: $0) }
    #expect(lines == rule.lines.map { comparable($0).first ?? "" })
  }

  @Test(
    .enabled(if: Kernel.isUsable, "needs network namespaces"), arguments: LoweredRule.all)
  func `the kernel lists the expected rules as the same`(rule: LoweredRule) throws {
    // nft lists nothing for a rule without expressions that it could load again, and leaves the
    // test for protocol 0 out.
    guard rule.lines != [""], !rule.lines.contains(where: { $0.contains("hopopt") }) else { return }
    let text = """
      table inet talos {
        chain test1 {
          type filter hook input priority security; policy accept;
          \(rule.lines.joined(separator: "\n    "))
        }
      }
      """
    #expect(try Listed.tables(of: text) == [CanonicalTable(table(rule.specification))])
  }

  @Test
  func `chains of KubeSpan are a route chain and marks`() {
    let outgoing = ChainSpecification(
      name: "kubespan_outgoing", kind: .route, hook: .output, priority: 0,
      rules: [
        Rule(mark: .init(mask: 0x60, value: 0x20), decision: .accept),
        Rule(
          destination: .init([ConfiguredPrefix("10.244.1.0/24")].compactMap(\.self)),
          markChange: .init(mask: ~0x60, xor: 0x40), decision: .accept),
      ])
    let text = RulesetPrinter().text(of: ChainLowering(.standard).ruleset(of: [outgoing]))
    #expect(
      text == """
        table inet talos {
          chain kubespan_outgoing {
            type route hook output priority 0; policy accept;
            meta mark & 0x00000060 == 0x00000020 accept
            ip daddr { 10.244.1.0/24 } meta mark set meta mark & 0xffffff9f | 0x00000040 accept
          }
        }

        """)
  }

  @Test(arguments: [
    ("1.11.5", 1380, 1360), ("1.11.6", 1368, 1348), ("1.12", 1368, 1348),
  ])
  func `segment sizes leave room for timestamps since 1_11_6`(
    version: String, ipv4: Int, ipv6: Int
  ) throws {
    let rule = Rule(destination: .init([], isInverted: true), clampedMTU: 1420)
    let table = table(rule, try #require(TalosVersion(version)))
    let lines = table.chains[0].rules.map { RulePrinter(table).text(of: $0) }
    #expect(lines.map { $0.split(separator: " ").last } == ["\(ipv4)", "\(ipv6)"])
  }

  @Test
  func `no rule is loaded where one has a name that is too long`() {
    let rule = Rule(inputNames: .init(["a-name-of-more-than-15-bytes"]), decision: .accept)
    #expect(table(rule).chains[0].rules[0].unmodelled.count == 1)
  }
}

@Suite("Rules that are not loaded as they are written")
struct LoadingFaultTests {
  private func chain(_ rule: ChainRuleSpecification) -> ChainSpecification {
    ChainSpecification(name: "ingress", hook: .input, priority: -140, policy: .drop, rules: [rule])
  }

  private func rule(_ ports: [PortRange], from sources: [String] = []) -> ChainRuleSpecification {
    ChainRuleSpecification(
      source: sources.isEmpty ? nil : .init(sources.compactMap { ConfiguredPrefix($0) }),
      layer4: .init(.tcp, destinationPorts: ports), decision: .accept)
  }

  private func lines(_ rule: ChainRuleSpecification, _ version: String) throws -> [String] {
    let lowering = ChainLowering(try #require(TalosVersion(version)))
    let table = lowering.ruleset(of: [chain(rule)]).tables[0]
    return table.chains[0].rules.map { rule in
      (rule.certainty == .certain ? "" : "perhaps ") + RulePrinter(table).text(of: rule)
    }
  }

  @Test(arguments: [
    ("1.7.5", ["tcp dport { 50000 } accept"]), ("1.7.6", ["tcp dport { 50000-50001 } accept"]),
    ("1.8.0", ["tcp dport { 50000-50001 } accept"]),
  ])
  func `the second of two adjacent ports is lost before 1_7_6`(
    version: String, expected: [String]
  ) throws {
    #expect(try lines(rule([PortRange(50000), PortRange(50001)]), version) == expected)
  }

  @Test
  func `a falling pair of adjacent ports is found`() throws {
    #expect(
      try lines(rule([PortRange(50001), PortRange(50000)]), "1.7.5")
        == ["tcp dport { 50000-50001 } accept"])
  }

  @Test
  func `which of more adjacent ports are found is not known`() throws {
    let ports = [PortRange(80), PortRange(50000), PortRange(50001)]
    #expect(
      try lines(rule(ports), "1.7.5")
        == ["tcp dport { 80, 50000 } accept", "perhaps tcp dport { 50001 } accept"])
  }

  @Test(arguments: [
    ("1.12.4", true), ("1.12.5", false), ("1.12", false), ("1.13.0-alpha.2", true),
    ("1.13.0", false), ("1.11.9", true), ("1.11", true),
  ])
  func `a range to the last port takes the whole firewall away before 1_12_5`(
    version: String, isRefused: Bool
  ) throws {
    let lines = try lines(rule([PortRange(30000, 65535)]), version)
    #expect(
      lines == (isRefused ? ["perhaps drop"] : ["tcp dport { 30000-65535 } accept"]))
    let lowering = ChainLowering(try #require(TalosVersion(version)))
    let chain = chain(rule([PortRange(30000, 65535)]))
    #expect(lowering.refusals(of: [chain]).map(\.range) == (isRefused ? ["30000-65535"] : []))
    if isRefused {
      #expect(lowering.ruleset(of: [chain]).tables[0].chains[0].base?.policy == .accept)
    }
  }

  @Test(arguments: [
    (["0.0.0.0/1"], [nil]), (["0.0.0.0/0"], [nil]),
    (["128.0.0.0/1"], ["128.0.0.0/1"]), (["ff00::/8"], ["ff00::/8"]),
  ])
  func `a range to the last address does too, but not everyone`(
    sources: [String], ranges: [String?]
  ) throws {
    let lowering = ChainLowering(TalosVersion(1, 11))
    let refusals = lowering.refusals(of: [chain(rule([PortRange(22)], from: sources))])
    #expect(refusals.map(\.range) == ranges.compactMap(\.self))
  }

  @Test
  func `a dual-stack rule takes ten messages`() {
    let rule = rule([PortRange(22)], from: ["10.0.0.0/8", "fd00::/8"])
    #expect(ChainLowering(.standard).messageCount(of: [chain(rule)]) == 10)
  }
}
