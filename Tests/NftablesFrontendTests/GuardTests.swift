import Addresses
import Diagnostics
import NftablesFrontend
import Rulesets
import Testing

/// A ruleset of one rule in one chain.
func rule(_ expressions: String, family: String = "inet") throws -> Rule {
  let text = """
    {"nftables": [{"table": {"family": "\(family)", "name": "t"}},
      {"chain": {"family": "\(family)", "table": "t", "name": "c"}},
      {"chain": {"family": "\(family)", "table": "t", "name": "other"}},
      {"set": {"family": "\(family)", "table": "t", "name": "s", "type": "ipv4_addr", "elem": []}},
      {"rule": {"family": "\(family)", "table": "t", "chain": "c", "expr": [\(expressions)]}}]}
    """
  var sources = SourceMap()
  let reading = NftablesReader.read(Array(text.utf8), name: "rule.json", sources: &sources)
  // Of xtables extensions there is more to say.
  #expect(reading.diagnostics.allSatisfy { $0.code == "nft.xtables" })
  return try #require(reading.ruleset?.tables.first?.chains.first?.rules.first)
}

/// What the bytecode of `nft --debug=netlink` (nft 1.0.6) tests before it reads a field.
@Suite("Implied dependencies")
struct GuardTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let family: String
    /// `header field` pairs, each compared with 1 for equality unless it says otherwise.
    let matches: [String]
    /// The guards of the last match.
    let guards: [Guard]

    init(_ family: String, _ matches: String..., guards: [Guard]) {
      self.family = family
      self.matches = matches
      self.guards = guards
    }

    var testDescription: String { "\(family): \(matches.joined(separator: ", "))" }
  }

  static let cases: [Case] = [
    Case("inet", "tcp dport", guards: [.transport(6)]),
    Case("ip", "tcp dport", guards: [.transport(6)]),
    Case("bridge", "udp sport", guards: [.transport(17)]),
    Case("netdev", "sctp dport", guards: [.transport(132)]),
    Case("inet", "udplite dport", guards: [.transport(136)]),
    Case("inet", "dccp dport", guards: [.transport(33)]),
    Case("inet", "esp spi", guards: [.transport(50)]),
    Case("inet", "ah spi", guards: [.transport(51)]),
    Case("inet", "comp cpi", guards: [.transport(108)]),
    Case("inet", "th dport", guards: [.possiblyOfProtocol(rule: 1)]),
    Case("inet", "ip ttl", guards: [.ipv4]),
    Case("ip", "ip ttl", guards: []),
    Case("netdev", "ip ttl", guards: [.ipv4]),
    Case("bridge", "ip6 hoplimit", guards: [.ipv6]),
    Case("ip6", "ip6 hoplimit", guards: []),
    Case("inet", "icmp type", guards: [.transport(1), .possibly(.ipv4, rule: 1)]),
    Case("ip", "icmp type", guards: [.transport(1)]),
    Case("ip6", "icmp type", guards: [.transport(1)]),
    Case("inet", "icmpv6 type", guards: [.transport(58), .possibly(.ipv6, rule: 1)]),
    Case("ip", "icmpv6 type", guards: [.transport(58)]),
    Case("netdev", "icmpv6 type", guards: [.transport(58), .possibly(.ipv6, rule: 1)]),
    Case("inet", "icmp mtu", guards: [.transport(1), .possibly(.ipv4, rule: 1), .icmpType([3])]),
    Case(
      "inet", "icmp id", guards: [.transport(1), .possibly(.ipv4, rule: 1), .icmpType([0, 8])]),
    Case(
      "inet", "icmpv6 mtu", guards: [.transport(58), .possibly(.ipv6, rule: 1), .icmpv6Type([2])]),
    Case(
      "inet", "icmpv6 max-delay",
      guards: [.transport(58), .possibly(.ipv6, rule: 1), .icmpv6Type([130])]),
    Case("inet", "icmp type=8", "icmp id", guards: [.transport(1), .possibly(.ipv4, rule: 1)]),
    Case(
      "inet", "icmp type!=3", "icmp mtu",
      guards: [.transport(1), .possibly(.ipv4, rule: 1), .icmpType([3])]),
    // An explicit match replaces what nft would insert, also where the two conflict.
    Case("inet", "ip protocol=58", "icmpv6 type", guards: []),
    Case("inet", "ip6 nexthdr=1", "icmp type", guards: []),
    Case("inet", "ip6 nexthdr=58", "icmpv6 type", guards: []),
    Case("inet", "meta nfproto=2", "icmpv6 type", guards: [.transport(58)]),
    Case("inet", "ip ttl", "icmpv6 type", guards: [.transport(58)]),
    Case("inet", "ip protocol!=58", "icmpv6 type", guards: [.transport(58)]),
    Case("inet", "meta l4proto!=6", "tcp dport", guards: [.transport(6)]),
    Case(
      "inet", "meta protocol=2048", "icmpv6 type",
      guards: [.transport(58), .possibly(.ipv6, rule: 1)]),
    Case("netdev", "meta protocol=2048", "icmpv6 type", guards: [.transport(58)]),
    Case("bridge", "meta protocol=2048", "icmpv6 type", guards: [.transport(58)]),
    Case("inet", "ether type=2048", "icmp type", guards: [.transport(1)]),
    Case("inet", "ether type", guards: [.ethernetInput]),
    Case("ip", "ether type", guards: [.ethernetInput]),
    Case("arp", "ether type", guards: [.ethernetInput]),
    Case("netdev", "ether type", guards: [.ethernetInput]),
    Case("bridge", "ether type", guards: []),
    Case("bridge", "vlan id", guards: [.etherType(0x8100)]),
    Case("netdev", "vlan id", guards: [.ethernetInput, .etherType(0x8100)]),
    Case("bridge", "ether type=34984", "vlan id", guards: []),
    Case("arp", "arp operation", guards: []),
    Case("netdev", "arp operation", guards: [.etherType(0x0806)]),
    Case("inet", "exthdr frag.id", guards: [.ipv6]),
    Case("ip6", "exthdr frag.id", guards: []),
    Case("inet", "ip-option rr", guards: [.ipv4]),
    Case("ip", "ip-option rr", guards: []),
    Case("inet", "tcp-option maxseg", guards: []),
    Case("inet", "meta mark", guards: []),
    Case("inet", "ct mark", guards: []),
    Case("inet", "ct ip.saddr", guards: [.ipv4]),
    Case("ip", "ct ip.saddr", guards: []),
    Case("inet", "ct ip6.daddr", guards: [.ipv6]),
  ]

  @Test(arguments: cases)
  func `are attached to the field`(case: Case) throws {
    let expressions = `case`.matches.map { match(String($0)) }.joined(separator: ",")
    let statements = try rule(expressions, family: `case`.family).statements
    guard case .match(let match) = try #require(statements.last),
      case .selector(let selector) = match.left
    else {
      Issue.record("\(statements)")
      return
    }
    #expect(selector.requiring == `case`.guards)
  }

  private func match(_ text: String) -> String {
    let isNegated = text.contains("!=")
    let parts = text.split(whereSeparator: { $0 == "=" || $0 == "!" })
    let words = parts[0].split(separator: " ")
    let value = parts.count > 1 ? String(parts[1]) : "1"
    let name = words[1].split(separator: ".")
    let left: String
    var right = value
    switch words[0] {
    case "meta": left = #"{"meta":{"key":"\#(words[1])"}}"#
    case "ct" where name.count == 2:
      left = #"{"ct":{"key":"\#(name[0]) \#(name[1])","dir":"original"}}"#
      right = name[0] == "ip" ? "\"10.0.0.1\"" : "\"::1\""
    case "ct": left = #"{"ct":{"key":"\#(words[1])"}}"#
    case "exthdr": left = #"{"exthdr":{"name":"\#(name[0])","field":"\#(name[1])"}}"#
    case "ip-option", "tcp-option":
      left =
        #"{"\#(words[0].split(separator: "-").joined(separator: " "))":{"name":"\#(words[1])"}}"#
      right = "true"
    default: left = #"{"payload":{"protocol":"\#(words[0])","field":"\#(words[1])"}}"#
    }
    return #"{"match":{"op":"\#(isNegated ? "!=" : "==")","left":\#(left),"right":\#(right)}}"#
  }

  @Test func `stand in concatenations, maps and changes too`() throws {
    let port = #"{"payload":{"protocol":"tcp","field":"dport"}}"#
    let source = #"{"payload":{"protocol":"ip","field":"saddr"}}"#
    let statements = try rule(
      """
      {"match":{"op":"!=","left":{"concat":[\(source),\(port)]},"right":{"set":[{"concat":["10.0.0.1",22]}]}}},
      {"vmap":{"key":\(port),"data":{"set":[[22,{"accept":null}]]}}},
      {"mangle":{"key":{"meta":{"key":"mark"}},"value":{"map":{"key":\(port),"data":{"set":[[22,1]]}}}}},
      {"mangle":{"key":{"payload":{"protocol":"ip","field":"ttl"}},"value":5}},
      {"set":{"op":"add","elem":\(source),"set":"@s"}}
      """
    ).statements
    let tcp = Selector(
      .payload(PayloadField(base: .transport, bitOffset: 16, bitLength: 16, type: .port)),
      requiring: [.transport(6)])
    let address = Selector(
      .payload(PayloadField(base: .network, bitOffset: 96, bitLength: 32, type: .ipv4Address)),
      requiring: [.ipv4])
    guard case .match(let match) = statements[0], case .verdictMap(let key, _) = statements[1],
      case .mangle(_, .lookup(let mapped, _)) = statements[2],
      case .mangle(let written, _) = statements[3], case .setUpdate(let update) = statements[4]
    else {
      Issue.record("\(statements)")
      return
    }
    #expect(match.left == .concatenation([.selector(address), .selector(tcp)]))
    #expect(key == .selector(tcp))
    #expect(mapped == .selector(tcp))
    #expect(written.requiring == [.ipv4])
    #expect(update.key == .selector(address))
  }

  @Test(
    arguments: [
      (
        "inet", #"{"type":"icmp","expr":"port-unreachable"}"#, Rejection.icmp(code: 3), [Guard.ipv4]
      ),
      ("ip", #"{"type":"icmp","expr":"port-unreachable"}"#, .icmp(code: 3), []),
      ("inet", #"{"type":"icmpv6","expr":"no-route"}"#, .icmpv6(code: 0), [.ipv6]),
      ("inet", #"{"type":"icmpx","expr":2}"#, .icmpx(code: 2), []),
      ("inet", #"{"type":"tcp reset"}"#, .tcpReset, [.transport(6)]),
      ("ip", "null", .icmp(code: 3), []), ("ip6", "null", .icmpv6(code: 4), []),
      ("inet", "null", .icmpx(code: 1), []),
    ] as [(String, String, Rejection, [Guard])])
  func `belong to reject too`(
    family: String, body: String, rejection: Rejection, guards: [Guard]
  ) throws {
    let statements = try rule(#"{"reject":\#(body)}"#, family: family).statements
    #expect(statements == [.reject(rejection, requiring: guards)])
  }
}
