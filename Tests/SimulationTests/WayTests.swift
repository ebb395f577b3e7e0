import Simulation
import Testing

/// A packet's whole way across the host of the fixtures.
struct WayCase: Sendable, CustomTestStringConvertible {
  let ruleset: String
  let packet: String
  let hooks: String
  let verdict: String
  let why: String

  init(_ ruleset: String, _ packet: String, _ hooks: String, _ verdict: String, _ why: String) {
    self.ruleset = ruleset
    self.packet = packet
    self.hooks = hooks
    self.verdict = verdict
    self.why = why
  }

  var testDescription: String { "\(ruleset): \(why)" }

  var line: String {
    var line = "{" + packet
    func add(_ name: String, _ value: String) {
      if !packet.contains("\"\(name)\":") { line += ", \"\(name)\": \(value)" }
    }
    if !packet.contains(#""local""#) { add("iif", "\"eth0\"") }
    add("saddr", "\"10.0.0.5\"")
    add("protocol", "\"tcp\"")
    add("dport", "22")
    return line + "}"
  }
}

private let through = "prerouting:accept,forward:accept,postrouting:accept"
private let inward = "prerouting:accept,input:accept"

private let routing: [WayCase] = [
  .init("raw-port", #""daddr": "10.0.0.1""#, inward, "accept", "to an address of the host"),
  .init(
    "raw-port", #""daddr": "10.0.0.1", "dport": 53"#, "prerouting:accept,input:drop", "drop",
    "dropped there"),
  .init("raw-port", #""daddr": "198.51.100.7""#, through, "accept", "by the default route"),
  .init("raw-port", #""daddr": "10.1.0.9""#, through, "accept", "to the other network"),
  .init(
    "raw-port", #""daddr": "10.0.0.255", "protocol": "udp""#, inward, "accept",
    "the network's broadcast"),
  .init(
    "raw-port", #""daddr": "255.255.255.255", "protocol": "udp""#, inward, "accept",
    "the limited broadcast"),
  .init(
    "raw-port", #""daddr": "224.0.0.1", "protocol": "udp""#, inward, "accept",
    "the group of all hosts"),
  .init(
    "raw-port", #""daddr": "224.0.0.251", "protocol": "udp""#, "prerouting:accept", "drop",
    "a group that no program of a bare namespace has joined"),
  .init(
    "raw-port", #""daddr": "10.0.0.1", "saddr": "0.0.0.0""#, "prerouting:accept", "drop",
    "no source"),
  .init(
    "raw-port", #""daddr": "10.0.0.1", "saddr": "224.0.0.9""#, "prerouting:accept", "drop",
    "a group as source"),
  .init(
    "raw-port", #""daddr": "10.0.0.1", "saddr": "10.1.0.1""#, "prerouting:accept", "drop",
    "the host's own source"),
  .init("raw-port", #""daddr": "127.0.0.1""#, inward, "accept", "loopback, with route_localnet"),
  .init(
    "raw-port", #""daddr": "198.51.100.7", "ttl": 1"#, "prerouting:accept", "drop", "the last hop"),
  .init("raw-port", #""daddr": "10.0.0.1", "ttl": 1"#, inward, "accept", "the last hop, delivered"),
  .init(
    "raw-port", #""daddr": "fd00::1", "saddr": "fd00::5""#, inward, "accept", "IPv6 to the host"),
  .init(
    "raw-port", #""daddr": "2001:db8::7", "saddr": "fd00::5""#, through, "accept", "IPv6 forwarded"),
  .init(
    "raw-port", #""daddr": "fd00::", "saddr": "fd00::5""#, inward, "accept", "the subnet's router"),
  .init(
    "raw-port", #""daddr": "fd00::1", "saddr": "::1""#, "", "drop", "IPv6 loopback from outside"),
  .init(
    "raw-port", #""daddr": "ff02::1", "saddr": "fd00::5", "protocol": "udp""#, inward, "accept",
    "all nodes"),
  .init(
    "raw-port", #""daddr": "2001:db8::7", "saddr": "fe80::5""#, "prerouting:accept", "drop",
    "a link-local source leaves no link"),
  .init(
    "raw-port", #""daddr": "2001:db8::7", "saddr": "fe80::5", "iif": "eth1""#, through, "accept",
    "and may go back by its own"),
  .init(
    "raw-port", #""daddr": "febf::7", "saddr": "fd00::5""#, "prerouting:accept", "drop",
    "a link-local destination is looked for on its own link alone"),
  .init(
    "raw-port", #""daddr": "febf::7", "saddr": "fd00:1::5", "iif": "eth1""#, through, "accept",
    "where a route leads to it"),
  .init(
    "raw-port", #""daddr": "fe80::7", "saddr": "fd00:1::5", "iif": "eth1""#, "prerouting:accept",
    "unknown", "which may be an address of a device that lists none"),
  .init(
    "raw-port", #""daddr": "ff02::2", "saddr": "fd00::5", "protocol": "udp""#, inward, "accept",
    "all routers, of which this is one"),
  .init(
    "raw-port", #""daddr": "ff02::1:ff00:1", "saddr": "fd00::5", "protocol": "udp""#, inward,
    "accept", "those who may have its address"),
  .init(
    "raw-port", #""daddr": "ff02::fb", "saddr": "fd00::5", "protocol": "udp""#,
    "prerouting:accept", "drop", "a group that nobody here has joined"),
  .init(
    "raw-port", #""daddr": "10.0.0.1", "dmac": "02:00:00:00:00:09""#, "", "drop",
    "a frame for another"),
  .init(
    "raw-port", #""daddr": "10.0.0.1", "dmac": "02:00:00:00:00:01""#, inward, "accept",
    "a frame for this one"),
  .init("raw-port", #""daddr": "10.0.0.1", "vlan": 7"#, "", "drop", "a VLAN that is not here"),
  .init(
    "raw-port", #""daddr": "10.0.0.1", "iif": "eth9""#, "", "unknown",
    "an interface that is not here"),
  .init(
    "raw-port", #""local": true, "saddr": "10.0.0.1", "daddr": "10.0.0.5""#,
    "output:accept,postrouting:accept", "accept", "sent"),
  .init(
    "raw-port", #""local": true, "saddr": "10.0.0.1", "daddr": "10.0.0.1""#,
    "output:accept,postrouting:accept", "accept", "a full listing has no lo to come back by"),
  .init(
    "ttl", #""daddr": "198.51.100.7", "ttl": 64"#, "prerouting:accept,forward:drop", "drop",
    "the hop limit is lowered first"),
  .init(
    "ttl", #""daddr": "198.51.100.7", "ttl": 65"#, through, "accept",
    "and is what the rule says then"),
  .init("masquerade", #""daddr": "198.51.100.7""#, through, "accept", "nothing runs after it"),
  .init(
    "translated", #""daddr": "10.0.0.1", "dport": 80"#, through, "accept",
    "routed to where it goes now"),
  .init(
    "translated", #""daddr": "10.0.0.1", "dport": 22"#, "prerouting:drop", "drop",
    "in the same chain"),
  .init(
    "reject", #""daddr": "10.0.0.1""#, "prerouting:accept,input:reject,output:unknown", "reject",
    "and its answer's way"),
]

@Suite("A packet's way") struct WayTests {
  @Test("follows the routes", arguments: routing) func routed(one: WayCase) throws {
    let answer = try #require(try answers(one.ruleset, [one.line], host()).first)
    #expect(hooks(answer) == one.hooks, "\(answer)")
    #expect(verdict(answer) == one.verdict, "\(answer)")
  }

  @Test func `comes back on lo where the host describes it`() throws {
    let described = hostDescription.replacing(
      #"{"interfaces": ["#, with: #"{"interfaces": [{"name": "lo", "addresses": ["127.0.0.1/8"]},"#)
    let line = #"{"local": true, "saddr": "10.0.0.1", "daddr": "10.0.0.1", "protocol": "tcp"}"#
    let answer = try #require(try answers("wildcard", [line], host(described)).first)
    // The chain lets only devices beginning with `eth` in.
    #expect(hooks(answer) == "output:accept,postrouting:accept,prerouting:accept,input:drop")
  }

  @Test func `leaves open what a description that is no full listing does not say`() throws {
    let text = hostDescription.replacing(#", "index": 3"#, with: "")
    let own = #"{"local": true, "saddr": "10.0.0.1", "daddr": "10.0.0.1", "protocol": "tcp"}"#
    let group = #"{"iif": "eth0", "saddr": "10.0.0.5", "daddr": "224.0.0.251", "protocol": "udp"}"#
    #expect(
      try answers("raw-port", [own, group], host(text)).map(verdict) == ["unknown", "unknown"])
  }

  @Test func `takes in what goes to the groups that are described`() throws {
    let text = hostDescription.replacing(
      #""index": 3"#, with: #""groups": ["224.0.0.251"], "index": 3"#)
    func line(_ device: String, _ group: String) -> String {
      #"{"iif": "\#(device)", "saddr": "10.0.0.5", "daddr": "\#(group)", "protocol": "udp"}"#
    }
    let lines = [
      line("eth1", "224.0.0.251"), line("eth1", "224.0.0.252"), line("eth0", "224.0.0.251"),
    ]
    #expect(try answers("raw-port", lines, host(text)).map(verdict) == ["accept", "drop", "drop"])
  }

  @Test func `obeys strict and loose reverse paths`() throws {
    let line =
      #"{"iif": "eth0", "saddr": "198.51.100.7", "daddr": "10.0.0.1", "protocol": "tcp", "dport": 22}"#
    for (filter, expected) in [(0, "accept"), (1, "drop"), (2, "accept")] {
      let text = hostDescription.replacing(#""rp_filter": 0"#, with: "\"rp_filter\": \(filter)")
      let answer = try #require(try answers("raw-port", [line], host(text)).first)
      #expect(verdict(answer) == expected, "rp_filter \(filter)")
    }
  }

  @Test func `ends where the host does not forward`() throws {
    let text = hostDescription.replacing(#""forwarding": true"#, with: #""forwarding": false"#)
    for destination in ["198.51.100.7", "2001:db8::7"] {
      let source = destination.contains(":") ? "fd00::5" : "10.0.0.5"
      let line =
        #"{"iif": "eth0", "saddr": "\#(source)", "daddr": "\#(destination)", "protocol": "tcp"}"#
      let answer = try #require(try answers("raw-port", [line], host(text)).first)
      #expect(hooks(answer) == "prerouting:accept")
    }
  }

  @Test func `remembers connections of the run`() throws {
    let open =
      #"{"iif": "eth0", "saddr": "10.0.0.5", "daddr": "10.0.0.1", "protocol": "udp", "sport": 5, "dport": 22}"#
    let reply =
      #"{"local": true, "saddr": "10.0.0.1", "daddr": "10.0.0.5", "protocol": "udp", "sport": 22, "dport": 5}"#
    let other = reply.replacing(#""sport": 22"#, with: #""sport": 23"#)
    let answers = try answers("replies", [reply, open, other, reply], host())
    #expect(answers.map(verdict) == ["drop", "accept", "drop", "accept"])
  }

  @Test func `takes the answers to translated connections back`() throws {
    func line(_ device: String, _ from: String, _ sport: Int, _ to: String, _ dport: Int) -> String
    {
      """
      {"iif": "\(device)", "saddr": "\(from)", "sport": \(sport), "daddr": "\(to)", \
      "dport": \(dport), "protocol": "udp"}
      """
    }
    let open = line("eth0", "10.0.0.5", 5, "198.51.100.7", 53)
    let reply = line("eth1", "10.1.0.9", 5353, "10.1.0.1", 5)
    let other = line("eth1", "10.1.0.9", 5353, "10.1.0.1", 6)
    let answers = try answers("nat-replies", [open, other, reply, open], host())
    #expect(
      answers.map(hooks) == [
        through, inward, through, through,
      ])
  }

  @Test func `looks at sets as packets left them`() throws {
    let line = #"{"iif": "eth0", "saddr": "10.0.0.7", "daddr": "10.0.0.1", "protocol": "tcp"}"#
    let writing =
      #"{"iif": "eth0", "saddr": "10.0.0.8", "daddr": "10.0.0.1", "protocol": "tcp", "dport": 22}"#
    let answers = try answers("dynamic", [line, writing, writing], host())
    #expect(answers.map(verdict) == ["drop", "accept", "drop"])
  }

  @Test func `passes chains of devices that are not listed as not known`() throws {
    // nft 1.0.6 leaves the device of an ingress chain out of its listing.
    let line = #"{"iif": "eth0", "saddr": "10.0.0.7", "daddr": "10.0.0.1", "protocol": "tcp"}"#
    let answer = try #require(try answers("ingress", [line], host()).first)
    #expect(hooks(answer) == "ingress:unknown")
  }

  @Test(
    "refuses lines that are no packets",
    arguments: [
      ("", "not JSON"), ("[]", "no object"), (#"{"hook": "side"}"#, "none of nftables'"),
      (#"{"saddr": "10.0.0.1"}"#, "`daddr` is missing"),
      (#"{"l3_hex": "4"}"#, "hexadecimal"),
      (#"{"saddr": "10.0.0.1", "daddr": "fd00::1", "protocol": "tcp"}"#, "another family"),
      (#"{"saddr": "10.0.0.1", "daddr": "10.0.0.2", "protocol": "tcp", "dport": 65536}"#, "range"),
      (#"{"saddr": "10.0.0.1", "daddr": "10.0.0.2", "protocol": "ctp"}"#, "not known"),
      (
        #"{"saddr": "10.0.0.1", "daddr": "10.0.0.2", "protocol": "tcp", "state": "old"}"#,
        "no state"
      ),
      (#"{"saddr": "10.0.0.1", "daddr": "10.0.0.2", "protocol": "tcp", "flags": ["x"]}"#, "flag"),
    ])
  func refused(line: String, problem: String) throws {
    var run = SimulateRun(try ruleset("guard"))
    do throws(SimulationInputError) {
      _ = try run.answer(Array(line.utf8))
      Issue.record("\(line) was taken")
    } catch {
      #expect("\(error)".contains(problem), "\(error)")
    }
  }
}
