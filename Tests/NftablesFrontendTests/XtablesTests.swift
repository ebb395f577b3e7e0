import Foundation
import Netfilter
import Rulesets
import Testing

@Suite("Hosts of iptables-nft", LiveHost.condition)
struct XtablesTests {
  private struct Case: Sendable, CustomTestStringConvertible {
    /// What follows `iptables`.
    let rule: String
    /// The rule in nft's words; nil for a rule that stays not covered.
    let text: String?
    var family = "ip"

    var testDescription: String { rule }
  }

  private static let cases = [
    Case(
      rule: "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
      text: "ct state established,related counter accept"),
    Case(
      rule: "-A INPUT -m conntrack ! --ctstate NEW -j DROP", text: "ct state ! new counter drop"),
    // What iptables means is "new, or destination translated".
    Case(rule: "-A INPUT -m conntrack --ctstate NEW,DNAT -j ACCEPT", text: nil),
    Case(
      rule: "-A INPUT -p tcp -m multiport --dports 80,443,8000:8010 -j ACCEPT",
      text: "ip frag-off & 8191 == 0 tcp dport { 80, 443, 8000-8010 } counter accept"),
    Case(
      rule: "-A INPUT -p udp -m multiport ! --sports 53,123 -j DROP",
      text: "ip frag-off & 8191 == 0 udp sport != { 53, 123 } counter drop"),
    // The inversion is lost on the way through nft's text.
    Case(rule: "-A INPUT -p tcp -m multiport ! --ports 1,2 -j ACCEPT", text: nil),
    Case(
      rule: "-A INPUT -m addrtype --dst-type LOCAL -j ACCEPT",
      text: "fib daddr type local counter accept"),
    // The second half is lost on the way through nft's text.
    Case(rule: "-A INPUT -m addrtype --src-type UNICAST ! --dst-type LOCAL -j ACCEPT", text: nil),
    Case(rule: "-A INPUT -m comment --comment \"a b\" -j ACCEPT", text: "counter accept"),
    Case(
      rule: "-A INPUT -m mac --mac-source 00:11:22:33:44:55 -j ACCEPT",
      text: "ether saddr 00:11:22:33:44:55 counter accept"),
    Case(
      rule: "-A INPUT -m limit --limit 3/min -j LOG --log-prefix denied",
      text: #"limit rate 3/minute burst 5 packets counter log prefix "denied""#),
    // A prefix that would end the statement and begin another.
    Case(rule: #"-A INPUT -j LOG --log-prefix 'x" accept log prefix "y'"#, text: nil),
    Case(
      rule: "-A INPUT -p tcp -j REJECT --reject-with tcp-reset",
      text: "meta l4proto tcp counter reject with tcp reset"),
    Case(rule: "-A INPUT -j REJECT", text: "counter reject with icmp port-unreachable"),
    Case(
      rule: "-A INPUT -m iprange ! --src-range 10.0.0.1-10.0.0.9 -j DROP",
      text: "ip saddr != 10.0.0.1-10.0.0.9 counter drop"),
    Case(
      rule: "-A INPUT -p icmp --icmp-type 8 -j ACCEPT",
      text: "ip frag-off & 8191 == 0 icmp type echo-request counter accept"),
    Case(rule: "-A INPUT -p icmp --icmp-type 3/4 -j ACCEPT", text: nil),
    Case(
      rule: "-A OUTPUT -m owner --uid-owner 1000 -j ACCEPT", text: "meta skuid 1000 counter accept"),
    // Without a socket iptables' match holds, and nft's does not.
    Case(rule: "-A OUTPUT -m owner ! --uid-owner 1000 -j ACCEPT", text: nil),
    Case(rule: "-A OUTPUT -m owner --gid-owner 5 --suppl-groups -j ACCEPT", text: nil),
    Case(rule: "-A INPUT -m string --algo bm --string foo -j DROP", text: nil),
    Case(rule: "-A INPUT -m statistic --mode nth --every 3 --packet 0 -j DROP", text: nil),
    Case(
      rule: "-t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.0.0.2:8080",
      text: "tcp dport 80 counter dnat to 10.0.0.2:8080"),
    Case(
      rule: "-t nat -A PREROUTING -p tcp --dport 81 -j REDIRECT --to-ports 8080",
      text: "tcp dport 81 counter redirect to :8080"),
    Case(
      rule: "-t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
      text: #"oifname != "docker0" ip saddr 172.17.0.0/16 counter masquerade"#),
    Case(
      rule: "-t nat -A POSTROUTING -o e -j SNAT --to-source 1.2.3.4",
      text: #"oifname "e" counter snat to 1.2.3.4"#),
    Case(
      rule: "-t mangle -A PREROUTING -j MARK --or-mark 0x4000",
      text: "counter meta mark set meta mark | 0x00004000"),
    Case(
      rule: "-t mangle -A PREROUTING -j CONNMARK --restore-mark",
      text: "counter meta mark set ct mark"),
    // Which bits are masked is lost on the way through nft's text.
    Case(rule: "-t mangle -A PREROUTING -j CONNMARK --set-xmark 5/7", text: nil),
    Case(rule: "-t raw -A PREROUTING -j CT --notrack", text: "counter notrack"),
    Case(rule: "-t raw -A PREROUTING -j CT --zone 5", text: nil),
    Case(
      rule: "-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT",
      text: "ct state established counter accept", family: "ip6"),
    Case(
      rule: "-A INPUT -j REJECT --reject-with icmp6-adm-prohibited",
      text: "counter reject with icmpv6 admin-prohibited", family: "ip6"),
    Case(
      rule: "-t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination [fd00::2]:80",
      text: "tcp dport 80 counter dnat to [fd00::2]:80", family: "ip6"),
    Case(
      rule: "-t nat -A POSTROUTING -s fd00::/64 -j MASQUERADE",
      text: "ip6 saddr fd00::/64 counter masquerade", family: "ip6"),
  ]

  /// All cases at once, each in the chain that it names; tables of both families beside each other.
  @Test func `what libxtables translates in full is read, and the rest is not covered`() throws {
    let commands = Self.cases.map { item in
      "\(item.family == "ip6" ? "ip6tables" : "iptables")-nft \(item.rule)"
    }
    let ruleset = try LiveHost.ruleset(after: commands.joined(separator: "\n"))
    var places: [String: Int] = [:]
    for item in Self.cases {
      let words = item.rule.split(separator: " ")
      let table = words[0] == "-t" ? words[1] : "filter"
      let chain = words[0] == "-t" ? words[3] : words[1]
      let place = "\(item.family) \(table)"
      let position = places["\(place) \(chain)", default: 0]
      places["\(place) \(chain)"] = position + 1
      let rules = ruleset.tables.first { "\($0.family.rawValue) \($0.name)" == place }?.chains
        .first { $0.name == chain }?.rules
      guard let rule = rules?.dropFirst(position).first else {
        Issue.record("\(item.rule): its place is empty")
        continue
      }
      #expect(rule.handle != nil)
      if let text = item.text {
        #expect(
          ruleset.text(of: String(chain), in: place)[position] == text, "\(item.rule)")
        #expect(rule.unmodelled.isEmpty, "\(item.rule)")
      } else {
        #expect(!rule.unmodelled.isEmpty, "\(item.rule): \(rule.statements)")
      }
    }
  }

  @Test func `an IPv6 transport match holds for unfragmented packets and first fragments`() throws {
    let ruleset = try LiveHost.ruleset(
      after: """
        ip6tables-nft -A INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT
        ip6tables-nft -A INPUT -p udp -m multiport --dports 53,54 -j ACCEPT
        ip6tables-nft -A INPUT -j REJECT
        """)
    #expect(
      ruleset.text(of: "INPUT", in: "ip6 filter") == [
        "exthdr frag missing tcp dport { 80, 443 } counter accept",
        "frag frag-off 0 tcp dport { 80, 443 } counter accept",
        "exthdr frag missing udp dport { 53, 54 } counter accept",
        "frag frag-off 0 udp dport { 53, 54 } counter accept",
        "counter reject with icmpv6 port-unreachable",
      ])
    let handles = ruleset.tables[0].chains[0].rules.compactMap(\.handle)
    #expect(handles.count == 5)
    #expect(handles[0] == handles[1])
    #expect(handles[2] == handles[3])
  }

  @Test func `without the text the parameters are not known`() throws {
    let listing = try LiveHost.listing(
      after: "iptables-nft -A INPUT -m conntrack --ctstate NEW -j ACCEPT")
    let ruleset = try LiveHost.ruleset(listing.json)
    #expect(
      ruleset.unmodelled.map(\.reason) == [
        "nft does not list the parameters of xtables extensions"
      ])
  }
}
