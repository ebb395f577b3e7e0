import Addresses
import Foundation
import Netfilter
import Rulesets
import Testing

@Suite("Rules that nft lists alike", LiveHost.condition)
struct BytecodeTests {
  private struct Case: Sendable, CustomTestStringConvertible {
    let family: String
    let rule: String
    /// The rule that is read, in nft's words.
    let text: String
    /// What its last match requires of the packet.
    let guards: [Guard]

    var testDescription: String { "\(family): \(rule)" }
  }

  private static let ping = "icmpv6 type echo-request accept"
  private static let source = "ip saddr 1.2.3.4 accept"
  private static let cases = [
    Case(
      family: "inet", rule: "meta l4proto 58 icmpv6 type 128 accept", text: ping,
      guards: [.transport(58)]),
    Case(
      family: "inet", rule: "icmpv6 type 128 accept", text: ping, guards: [.ipv6, .transport(58)]),
    Case(
      family: "inet", rule: "ip protocol 58 icmpv6 type 128 accept",
      text: "ip protocol icmpv6 \(ping)", guards: []),
    Case(
      family: "inet", rule: "meta l4proto 1 icmp type 8 accept",
      text: "icmp type echo-request accept", guards: [.transport(1)]),
    Case(
      family: "inet", rule: "icmp type 8 accept", text: "icmp type echo-request accept",
      guards: [.ipv4, .transport(1)]),
    Case(
      family: "bridge", rule: "meta l4proto 58 icmpv6 type 128 accept", text: ping,
      guards: [.transport(58)]),
    Case(
      family: "bridge", rule: "icmpv6 type 128 accept", text: ping,
      guards: [.ipv6, .transport(58)]),
    Case(
      family: "netdev", rule: "meta l4proto 58 icmpv6 type 128 accept", text: ping,
      guards: [.transport(58)]),
    Case(
      family: "netdev", rule: "icmpv6 type 128 accept", text: ping,
      guards: [.ipv6, .transport(58)]),
    Case(
      family: "inet", rule: "ether type ip ip saddr 1.2.3.4 accept",
      text: "ether type ip \(source)", guards: [.ipv4]),
    Case(
      family: "inet", rule: "counter ether type ip ip saddr 1.2.3.4 accept",
      text: "counter ether type ip \(source)", guards: [.ipv4]),
    Case(family: "inet", rule: "ip saddr 1.2.3.4 accept", text: source, guards: [.ipv4]),
    Case(
      family: "inet", rule: "ether type ip icmp type 8 accept",
      text: "ether type ip icmp type echo-request accept", guards: [.transport(1)]),
    Case(
      family: "inet", rule: "ether type ip tcp dport 22 accept",
      text: "ether type ip tcp dport 22 accept", guards: [.transport(6)]),
    Case(
      family: "inet", rule: "ether type ip6 ip6 saddr ::1 accept",
      text: "ether type ip6 ip6 saddr ::1 accept", guards: [.ipv6]),
    Case(
      family: "ip", rule: "ether type ip ip saddr 1.2.3.4 accept",
      text: "ether type ip \(source)", guards: []),
    Case(family: "ip", rule: "ip saddr 1.2.3.4 accept", text: source, guards: []),
    Case(
      family: "netdev", rule: "ether type ip ip saddr 1.2.3.4 accept",
      text: "ether type ip \(source)", guards: [.ipv4]),
    // In a bridge every frame has a type, and both say the same.
    Case(
      family: "bridge", rule: "ether type ip ip saddr 1.2.3.4 accept", text: source,
      guards: [.ipv4]),
  ]

  @Test func `are told apart by their bytecode`() throws {
    var text = ""
    for family in Set(Self.cases.map(\.family)).sorted() {
      text += "table \(family) t {\n  chain c {\n"
      for item in Self.cases where item.family == family { text += "    \(item.rule)\n" }
      text += "  }\n}\n"
    }
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).nft").path
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let ruleset = try LiveHost.ruleset(after: "nft -f \(path)")
    for table in ruleset.tables {
      let rules = table.chains[0].rules
      let cases = Self.cases.filter { $0.family == table.family.rawValue }
      try #require(rules.count == cases.count)
      for (rule, item) in zip(rules, cases) {
        #expect(RulePrinter(table).text(of: rule) == item.text, "\(item)")
        let matches = rule.statements.compactMap { statement -> [Guard]? in
          guard case .match(let match) = statement, case .selector(let selector) = match.left
          else { return nil }
          return selector.requiring
        }
        #expect(matches.last == item.guards, "\(item)")
      }
    }
  }

  @Test func `and without it may test for a family or not`() throws {
    let listing = try LiveHost.listing(
      after: "nft add table inet t; nft add chain inet t c; nft add rule inet t c icmpv6 type 128")
    #expect(listing.bytecode != nil)
    let rule = try #require(
      try LiveHost.ruleset(listing.json).tables.first?.chains.first?.rules.first)
    guard case .match(let match)? = rule.statements.first, case .selector(let selector) = match.left
    else {
      Issue.record("\(rule)")
      return
    }
    #expect(selector.requiring == [.transport(58), .possibly(.ipv6, rule: 1)])
  }

  @Test(arguments: [
    ("ip protocol >= 47 ip daddr <= 8.8.8.8 accept", false),
    ("ip ttl < 5 ip length > 50 accept", false),
    ("tcp sport >= 22 tcp dport <= 80 accept", false),
    ("meta mark >= 5 meta length <= 10 accept", false),
    ("ip daddr >= 1.2.3.4 ip daddr <= 8.8.8.8 accept", true),
    ("ip daddr >= 1.2.3.4 counter ip saddr <= 8.8.8.8 accept", true),
    ("tcp sport 22-80 accept", true),
    ("ip length != 5-50 accept", true),
    ("@nh,8,8 & 235 != 40 accept", false),
    ("@nh,8,8 & 235 { 3, 40 } accept", false),
    ("@nh,8,8 & 252 == 40 accept", true),
    ("@nh,8,8 & 235 != 40 ip ttl & 235 != 40 accept", false),
    ("ip ttl & 235 != 40 ip dscp 10 accept", true),
    ("ip saddr & 0.0.0.235 == 0.0.0.40 accept", true),
  ])
  func `bounds and masks that are listed as something else are not known`(
    rule: String, isKnown: Bool
  ) throws {
    let ruleset = try LiveHost.ruleset(
      after: "nft add table ip t; nft add chain ip t c; nft 'add rule ip t c \(rule)'")
    let read = try #require(ruleset.tables.first?.chains.first?.rules.first)
    #expect(read.unmodelled.isEmpty == isKnown)
  }

  @Test(arguments: [
    ("meta l4proto 0 th dport 80 drop", "meta l4proto hopopt th dport 80 drop"),
    ("meta l4proto esp th dport 80 drop", "meta l4proto esp th dport 80 drop"),
    (
      "meta l4proto esp th dport vmap { 80 : drop }", "meta l4proto esp th dport vmap { 80 : drop }"
    ),
    (
      "iifname a meta l4proto esp th dport 80 drop",
      #"meta l4proto esp iifname "a" th dport 80 drop"#
    ),
    ("meta l4proto esp counter th dport 80 drop", "meta l4proto esp counter th dport 80 drop"),
    ("meta l4proto { esp, ah } th dport 80 drop", "meta l4proto { esp, ah } th dport 80 drop"),
    ("meta l4proto tcp th dport 80 drop", "tcp dport 80 drop"),
    ("ct protocol tcp th dport 80 drop", "ct protocol tcp th dport 80 drop"),
    ("ct protocol tcp tcp dport 80 drop", "ct protocol tcp tcp dport 80 drop"),
    ("ct l3proto ipv4 ip saddr 1.2.3.4 drop", "ct l3proto ipv4 ip saddr 1.2.3.4 drop"),
    ("ct l3proto ipv4 drop", "ct l3proto ipv4 drop"),
    ("th dport 80 drop", "th dport 80 drop"),
  ])
  func `tests of protocols that are not listed are put back`(rule: String, text: String) throws {
    let ruleset = try LiveHost.ruleset(
      after: "nft add table inet t; nft add chain inet t c; nft 'add rule inet t c \(rule)'")
    let table = try #require(ruleset.tables.first)
    let read = try #require(table.chains.first?.rules.first)
    #expect(RulePrinter(table).text(of: read) == text)
    #expect(read.unmodelled.isEmpty)
  }

  @Test(arguments: [
    ("th dport 80 drop", false),
    ("iifname a th dport . th sport { 80 . 81 } drop", false),
    ("limit rate 1/second th dport 80 drop", false),
    ("meta l4proto { tcp, udp } th dport 80 drop", true),
    ("ip protocol esp th dport 80 drop", true),
    ("ip saddr . meta l4proto . th dport { 1.2.3.4 . tcp . 80 } drop", true),
    ("tcp dport 80 drop", true),
    ("@th,8,8 80 drop", true),
    ("tcp doff & 11 != 10 tcp option timestamp missing drop", false),
  ])
  func `without it, a field of any protocol may have been that of one`(
    rule: String, isKnown: Bool
  ) throws {
    let listing = try LiveHost.listing(
      after: "nft add table inet t; nft add chain inet t c; nft 'add rule inet t c \(rule)'")
    let ruleset = try LiveHost.ruleset(listing.json)
    let read = try #require(ruleset.tables.first?.chains.first?.rules.first)
    let guards = read.statements.flatMap { statement -> [Guard] in
      if case .match(let match) = statement { match.left.guards } else { [] }
    }
    #expect((read.unmodelled.isEmpty && !guards.contains(where: \.isUnsure)) == isKnown)
  }

  @Test(arguments: [
    // Before `reject`, in tables of both families.
    (
      "inet", "meta nfproto ipv4 tcp dport 22 reject with tcp reset",
      "meta nfproto ipv4 tcp dport 22 reject with tcp reset"
    ),
    (
      "inet", "meta nfproto ipv6 tcp dport 22 reject with tcp reset",
      "meta nfproto ipv6 tcp dport 22 reject with tcp reset"
    ),
    (
      "inet", "meta nfproto ipv4 meta mark 1 reject with tcp reset",
      "meta nfproto ipv4 meta l4proto tcp meta mark 0x00000001 reject with tcp reset"
    ),
    (
      "inet", "meta nfproto != ipv4 tcp dport 22 reject with tcp reset",
      "meta nfproto != ipv4 tcp dport 22 reject with tcp reset"
    ),
    (
      "inet", "meta nfproto { ipv4, ipv6 } tcp dport 22 reject with tcp reset",
      "meta nfproto { ipv4, ipv6 } tcp dport 22 reject with tcp reset"
    ),
    (
      "inet", "meta nfproto vmap { ipv4 : drop } reject with tcp reset",
      "meta l4proto tcp meta nfproto vmap { ipv4 : drop } reject with tcp reset"
    ),
    (
      "inet", "ip saddr 1.2.3.4 reject with tcp reset",
      "meta l4proto tcp ip saddr 1.2.3.4 reject with tcp reset"
    ),
    (
      "inet", "meta protocol ip reject with icmpv6 type no-route",
      "meta protocol ip meta nfproto ipv6 reject with icmpv6 no-route"
    ),
    (
      "inet", "ether type ip reject with tcp reset",
      "ether type ip meta l4proto tcp reject with tcp reset"
    ),
    (
      "inet", "ct l3proto ipv4 reject",
      "ct l3proto ipv4 reject with icmp port-unreachable"
    ),
    (
      "inet", "ct l3proto ipv6 meta mark 1 reject with icmpv6 type no-route",
      "ct l3proto ipv6 meta mark 0x00000001 reject with icmpv6 no-route"
    ),
    (
      "inet", "ct l3proto ipv4 meta mark 1 reject with icmpx type no-route",
      "ct l3proto ipv4 meta mark 0x00000001 reject with icmpx no-route"
    ),
    (
      "netdev", "meta protocol ip meta mark 1 reject with tcp reset",
      "meta protocol ip meta l4proto tcp meta mark 0x00000001 reject with tcp reset"
    ),
    (
      "netdev", "meta protocol ip6 meta mark 1 reject",
      "meta mark 0x00000001 reject with icmpv6 port-unreachable"
    ),
    // Before a field of another layer.
    ("inet", "ct l3proto ipv4 tcp dport 22 drop", "ct l3proto ipv4 tcp dport 22 drop"),
    (
      "inet", "ct l3proto ipv6 exthdr hbh exists drop", "ct l3proto ipv6 exthdr hbh exists drop"
    ),
    ("ip", "ct l3proto ipv4 ip option rr exists drop", "ct l3proto ipv4 ip option rr exists drop"),
    ("ip6", "ip6 nexthdr tcp tcp dport 22 drop", "ip6 nexthdr tcp tcp dport 22 drop"),
    (
      "ip6", "ip6 nexthdr tcp meta mark 1 reject with tcp reset",
      "ip6 nexthdr tcp meta mark 0x00000001 reject with tcp reset"
    ),
    (
      "inet", "ip6 nexthdr tcp tcp option maxseg exists drop",
      "meta nfproto ipv6 ip6 nexthdr tcp tcp option maxseg exists drop"
    ),
    ("ip", "ip protocol tcp tcp dport 22 drop", "tcp dport 22 drop"),
    // Behind comparisons with sets and ranges.
    (
      "inet", "tcp dport { 22, 80 } meta nfproto ipv4 reject with tcp reset",
      "meta nfproto ipv4 tcp dport { 22, 80 } reject with tcp reset"
    ),
    (
      "inet", "meta mark != 5-9 meta nfproto ipv4 reject with tcp reset",
      "meta nfproto ipv4 meta l4proto tcp meta mark != 0x00000005-0x00000009 reject with tcp reset"
    ),
    // Between statements with effects.
    (
      "inet", "limit rate 1/second ct l3proto ipv4 ip ttl 5 drop",
      "limit rate 1/second burst 5 packets ct l3proto ipv4 ip ttl 5 drop"
    ),
    (
      "inet", "meta mark set 1 meta nfproto ipv4 tcp dport 22 reject with tcp reset",
      "meta mark set 0x00000001 meta nfproto ipv4 tcp dport 22 reject with tcp reset"
    ),
    (
      "inet", "meta nfproto ipv4 iif vmap { 1 : accept } ip ttl 5 drop",
      #"meta nfproto ipv4 iifname vmap { "lo" : accept } ip ttl 5 drop"#
    ),
    (
      "inet", "iif vmap { 1 : accept } meta nfproto ipv4 ip ttl 5 drop",
      #"iifname vmap { "lo" : accept } ip ttl 5 drop"#
    ),
    (
      "inet", "meta l4proto esp numgen inc mod 2 == 0 th dport 80 drop",
      "meta l4proto esp numgen inc mod 2 0 th dport 80 drop"
    ),
    (
      "inet", "numgen inc mod 2 == 0 meta l4proto esp th dport 80 drop",
      "numgen inc mod 2 0 meta l4proto esp th dport 80 drop"
    ),
  ])
  func `tests that are not listed are put back where they stand`(
    family: String, rule: String, text: String
  ) throws {
    let ruleset = try LiveHost.ruleset(
      after: "nft add table \(family) t; nft add chain \(family) t c; "
        + "nft 'add rule \(family) t c \(rule)'")
    let table = try #require(ruleset.tables.first)
    let read = try #require(table.chains.first?.rules.first)
    #expect(RulePrinter(table).text(of: read) == text)
    #expect(read.unmodelled.isEmpty)
  }

  @Test(arguments: [
    ("ip", "ct protocol tcp tcp dport 22 drop", [Guard]()),
    ("ip6", "ct protocol tcp tcp dport 22 drop", []),
    ("inet", "ct protocol tcp tcp dport 22 drop", [.transport(6)]),
    ("ip", "ct protocol tcp meta l4proto tcp tcp dport 22 drop", [.transport(6)]),
    ("ip", "tcp dport 22 drop", [.transport(6)]),
  ])
  func `a field behind the protocol of the connection is read without a test of its own`(
    family: String, rule: String, guards: [Guard]
  ) throws {
    let ruleset = try LiveHost.ruleset(
      after: "nft add table \(family) t; nft add chain \(family) t c; "
        + "nft 'add rule \(family) t c \(rule)'")
    let read = try #require(ruleset.tables.first?.chains.first?.rules.first)
    let ports = read.statements.compactMap { statement -> [Guard]? in
      guard case .match(let match) = statement, case .selector(let selector) = match.left,
        case .payload = selector.field
      else { return nil }
      return selector.requiring
    }
    #expect(ports == [guards])
  }

  @Test func `a test that is not listed and stands beside limited elements is not known`() throws {
    let rule = "ip saddr @s meta l4proto esp th dport 80 drop"
    let set = "{ type ipv4_addr; flags dynamic; elements = { 1.2.3.4 limit rate 1/second }; }"
    let ruleset = try LiveHost.ruleset(
      after: "nft add table inet t; nft 'add set inet t s \(set)'; nft add chain inet t c; "
        + "nft 'add rule inet t c \(rule)'")
    let read = try #require(ruleset.tables.first?.chains.first?.rules.first)
    #expect(read.unmodelled.count == 3)
  }

  @Test(arguments: [
    ("numgen inc mod 2 == 0 reject with icmpv6 type admin-prohibited", MetaKey.nfproto),
    ("numgen inc mod 2 == 0 meta mark 1 reject with icmp type host-unreachable", .nfproto),
    ("numgen inc mod 2 == 0 reject with tcp reset", .l4proto),
    ("meta mark set 1 reject with tcp reset", .l4proto),
    ("numgen inc mod 2 == 0 ip saddr 1.2.3.4 reject with icmp type host-unreachable", nil),
    ("numgen inc mod 2 == 0 tcp dport 1 reject with tcp reset", nil),
    ("numgen inc mod 2 == 0 reject with icmpx type host-unreachable", nil),
    ("meta pkttype host reject with icmp type host-unreachable", nil),
  ])
  func `what reject tests is tested before statements with effects`(
    rule: String, first: MetaKey?
  ) throws {
    let chain = "{ type filter hook input priority 0; }"
    let ruleset = try LiveHost.ruleset(
      after:
        "nft add table inet t; nft 'add chain inet t c \(chain)'; nft 'add rule inet t c \(rule)'")
    let read = try #require(ruleset.tables.first?.chains.first?.rules.first)
    var tested: MetaKey?
    if case .match(let match)? = read.statements.first, case .selector(let selector) = match.left,
      case .meta(let key) = selector.field, key == .nfproto || key == .l4proto
    {
      tested = key
    }
    #expect(tested == first)
  }
}
