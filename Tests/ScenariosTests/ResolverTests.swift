import Addresses
import Diagnostics
import Outcomes
import Scenarios
import Testing

/// What a set in a scenario comes to, as text: the intervals of IPv4, then those of IPv6.
private func described(_ set: AddressSet) -> String {
  IPFamily.allCases.flatMap { family in
    set[family].intervals.map { interval in
      let lower = IPAddress(family, rawValue: interval.lower)
      let upper = IPAddress(family, rawValue: interval.upper)
      return lower == upper ? "\(lower)" : "\(lower)-\(upper)"
    }
  }.joined(separator: " ")
}

private let declarations = """
  host  cp1  = 10.0.0.1, fd00::1
  group cp   = cp1, 10.0.0.2
  group far  = later, 10.9.0.0/30
  group rest = any except { cp, 10.1.0.0/16 }
  host  later = 10.8.0.1
  service web  = 80, 443 tcp
  service all  = web, 53 udp one-way, ping
  service ping = icmp type echo-request, icmpv6 type 128 code 0

  """

@Suite("A set")
struct SetResolutionTests {
  @Test(arguments: [
    ("cp1", "10.0.0.1 fd00::1"),
    ("CP", "10.0.0.1-10.0.0.2 fd00::1"),
    ("far", "10.8.0.1 10.9.0.0-10.9.0.3"),
    ("10.2.0.0/31, 10.2.0.2-10.2.0.9", "10.2.0.0-10.2.0.9"),
    ("cp except cp1", "10.0.0.2"),
    ("cp, 10.0.0.9 except { 10.0.0.2, fd00::/64 }", "10.0.0.1 10.0.0.9"),
    ("{ { cp except cp1 } , 10.0.0.4 }", "10.0.0.2 10.0.0.4"),
    ("any except { 0.0.0.0/1, ::/1, 8000::/1 }", "128.0.0.0-255.255.255.255"),
    ("any except { any except 10.0.0.7 }", "10.0.0.7"),
    ("{ any except { { any except 10.0.0.7 } } }", "10.0.0.7"),
    ("self", "10.5.0.1-10.5.0.2 fd05::1"),
    ("10.5.0.0/29 except self", "10.5.0.0 10.5.0.3-10.5.0.7"),
    ("fd00::a-fd00::f", "fd00::a-fd00::f"),
  ])
  func `is the addresses that it says`(set: String, expected: String) throws {
    let machine = AddressSet(
      ipv4: IntervalSet(Interval(0x0A05_0001, 0x0A05_0002)),
      ipv6: IntervalSet(0xFD05 << 112 | 1))
    let reading = Reading(
      declarations + "\(set) -> 172.16.0.1, 2001:db8::1 web expect allow\n",
      selfAddresses: machine)
    #expect(reading.rendered == "")
    #expect(described(try #require(reading.plan?.flows.first).sources) == expected)
  }

  @Test func `may need a hundred names after it, but not a thousand`() {
    func chain(_ count: Int) -> String {
      (0..<count).map { "group g\($0) = g\($0 + 1)\n" }.joined()
        + "group g\(count) = 10.0.0.1\ng0 -> 10.0.0.2 22 tcp expect deny\n"
    }
    #expect(Reading(chain(99)).rendered == "")
    #expect(Set(Reading(chain(1_000)).codes) == ["scenario.nested-too-deeply"])
    // Names declared before their use may be as many as one likes.
    let lines = (1...3_000).map { "group g\($0) = g\($0 - 1)\n" }.joined()
    #expect(
      Reading("group g0 = any\n\(lines)g3000 -> any 22 tcp expect deny\n").rendered == "")
  }

  @Test func `keeps the order of declarations, wherever names are used`() throws {
    let plan = try #require(Reading(declarations + "any -> cp any expect deny\n").plan)
    #expect(plan.names.map(\.name) == ["cp1", "cp", "far", "rest", "later"])
    #expect(described(plan.names[2].addresses) == "10.8.0.1 10.9.0.0-10.9.0.3")
  }

  @Test func `with an unknown self covers more, never less`() throws {
    let known = Reading("any -> self 22 tcp expect deny\n")
    #expect(known.plan?.flows.first?.destinations == .any)
    for text in [
      "any except self -> 10.0.0.1 22 tcp expect deny", "group me = self",
      "only self -> 10.0.0.1 22 tcp", "firewall f = live on self",
      "firewall f = live between self and any",
    ] {
      #expect(Reading(text + "\n").codes.contains("scenario.self-unknown"), "\(text)")
    }
  }
}

@Suite("A service")
struct ServiceResolutionTests {
  private func services(_ what: String) -> [Service]? {
    Reading(declarations + "10.7.0.1, fd07::1 -> 10.7.0.2, fd07::2 \(what) expect allow\n")
      .plan?.flows.first?.services
  }

  private static func ports(_ bounds: ClosedRange<UInt128>...) -> IntervalSet {
    IntervalSet(bounds.map { Interval($0.lowerBound, $0.upperBound) })
  }

  @Test(arguments: [
    ("443 tcp", [Service(.ports(.tcp, ports(443...443)), name: "443 tcp")]),
    ("tcp/443", [Service(.ports(.tcp, ports(443...443)), name: "443 tcp")]),
    (
      "TCP/80-81 one-way",
      [Service(.ports(.tcp, ports(80...81)), isOneWay: true, name: "80-81 tcp")]
    ),
    (
      "443, 80-90, 85-99 udp",
      [
        Service(.ports(.udp, ports(80...99, 443...443)), name: "443, 80-90, 85-99 udp")
      ]
    ),
    ("sctp", [Service(.ports(.sctp, ports(0...65535)), name: "sctp")]),
    ("proto 6", [Service(.ports(.tcp, ports(0...65535)), name: "tcp")]),
    ("5 proto 136", [Service(.ports(.udplite, ports(5...5)), name: "5 proto 136")]),
    ("proto 47", [Service(.transport(.gre), name: "proto 47")]),
    ("icmp", [Service(.icmp(type: nil, code: nil), name: "icmp")]),
    (
      "icmp type 3 code 4",
      [
        Service(.icmp(type: 3, code: 4), name: "icmp type destination-unreachable code 4")
      ]
    ),
    (
      "icmpv6 type nd-redirect",
      [
        Service(.icmpv6(type: 137, code: nil), name: "icmpv6 type nd-redirect")
      ]
    ),
    ("icmp type 200", [Service(.icmp(type: 200, code: nil), name: "icmp type 200")]),
    ("any", [Service(.any, name: "any")]),
    ("WEB", [Service(.ports(.tcp, ports(80...80, 443...443)), name: "WEB")]),
    (
      "{ all one-way, 22 tcp }",
      [
        Service(.ports(.tcp, ports(80...80, 443...443)), isOneWay: true, name: "all"),
        Service(.ports(.udp, ports(53...53)), isOneWay: true, name: "all"),
        Service(.icmp(type: 8, code: nil), isOneWay: true, name: "all"),
        Service(.icmpv6(type: 128, code: 0), isOneWay: true, name: "all"),
        Service(.ports(.tcp, ports(22...22)), name: "22 tcp"),
      ]
    ),
  ])
  func `is the protocols and ports that it says`(what: String, expected: [Service]) {
    #expect(services(what) == expected)
  }

  @Test func `of both families needs only one of them`() throws {
    let reading = Reading(declarations + "10.7.0.1 -> 10.7.0.2 ping expect allow\n")
    #expect(reading.rendered == "")
    #expect(try #require(reading.plan?.flows.first).families == [.ipv4])
  }
}

@Suite("A line")
struct LineResolutionTests {
  private let a = "10.0.0.1 -> 10.0.0.2 22 tcp expect allow"

  @Test func `inherits clauses from its suite and the defaults before it`() throws {
    let plan = try #require(
      Reading(
        """
        \(a)
        defaults severity low tag one timeout 500ms in eth0
        \(a)
        suite "s" severity critical tag two retries 2 static {
          \(a)
          defaults live because "later"
          \(a) severity info tag two, THREE timeout 1m state invalid family ipv4
        }
        \(a) skip "x" xfail "y"
        """
      ).plan)
    let flows = plan.flows
    #expect(flows.map(\.id) == ["main/1", "main/2", "s/1", "s/2", "main/3"])
    #expect(flows.map(\.severity) == [.high, .low, .critical, .info, .low])
    #expect(flows.map(\.tags) == [[], ["one"], ["one", "two"], ["one", "two", "three"], ["one"]])
    #expect(flows.map(\.timeoutSeconds) == [nil, 0.5, 0.5, 60, 0.5])
    #expect(flows.map(\.inputInterface) == [nil, "eth0", "eth0", "eth0", "eth0"])
    #expect(flows.map(\.retries) == [nil, nil, 2, 2, nil])
    #expect(flows.map(\.mode) == [.both, .both, .static, .live, .both])
    #expect(flows.map(\.because) == [nil, nil, nil, "later", nil])
    #expect(flows.map(\.state) == [.new, .new, .new, .invalid, .new])
    #expect(flows.map(\.skip) == [nil, nil, nil, nil, "x"])
    #expect(flows.map(\.expectedFailure) == [nil, nil, nil, nil, "y"])
  }

  @Test(arguments: [
    ("10.0.0.1, fd00::1", "10.0.0.2, fd00::2", "22 tcp", "", [IPFamily.ipv4, .ipv6]),
    ("10.0.0.1, fd00::1", "10.0.0.2", "22 tcp", "", [.ipv4]),
    ("any", "fd00::2", "22 tcp", "", [.ipv6]),
    ("any", "any", "22 tcp", "family ipv6", [.ipv6]),
    ("any", "any", "icmp", "", [.ipv4]),
    ("any", "any", "{ icmp, 22 tcp }", "", [.ipv4, .ipv6]),
    ("10.0.0.1, fd00::1", "10.0.0.1, fd00::2", "22 tcp", "", [.ipv6]),
  ])
  func `asks in the families that both sides have`(
    source: String, destination: String, what: String, clause: String, families: [IPFamily]
  ) throws {
    let reading = Reading("\(source) -> \(destination) \(what) expect deny \(clause)\n")
    #expect(reading.rendered == "")
    #expect(reading.plan?.flows.first?.families == Set(families))
  }

  @Test func `knows the hosts that it does not ask about themselves`() throws {
    let plan = try #require(
      Reading(
        """
        host a = 10.0.0.1, 10.0.0.2
        host b = 10.0.0.3, fd00::3
        host c = 10.0.0.4, 10.0.0.5
        a, b -> 10.0.0.2, b 22 tcp expect deny
        """
      ).plan)
    #expect(plan.flows.map(\.sharedHosts) == [[plan.hosts[0].addresses]])
  }

  @Test func `with source ports keeps them from services without ports`() throws {
    let reading = Reading(
      "defaults from port 53, 60-70\nany -> 10.0.0.1 { udp, icmp } expect deny\n")
    #expect(reading.rendered == "")
    let ports = try #require(reading.plan?.flows.first?.sourcePorts)
    #expect(ports.intervals == [Interval(53), Interval(60, 70)])
  }

  @Test func `points at its words`() throws {
    let marked = MarkedText("\n  1️⃣any -> 10.0.0.1 22 tcp expect 2️⃣reject with no-route3️⃣ id x4️⃣ # y\n")
    let flow = try #require(Reading(marked.text).plan?.flows.first)
    #expect([flow.span.lower, flow.expectationSpan.lower] == Array(marked.offsets[0...1]))
    #expect([flow.expectationSpan.upper, flow.span.upper] == Array(marked.offsets[2...3]))
    #expect(flow.expectation == .reject(.noRoute))
    #expect(flow.id == "x")
  }

  @Test func `in a suite in a suite carries both names`() throws {
    let plan = try #require(Reading("suite \"a\" { suite \"b\" { \(a) }; \(a) }").plan)
    #expect(plan.flows.map(\.id) == ["a/b/1", "a/1"])
    let files = ["main.scn": "suite \"a\" { include \"b.scn\" }", "b.scn": "suite \"b\" { \(a) }"]
    #expect(Reading(files).plan?.flows.map(\.id) == ["a/b/1"])
  }
}

@Suite("An only line")
struct OnlyResolutionTests {
  private let world = """
    host  cp1    = 10.0.0.1
    group cp     = cp1, 10.0.0.2
    group worker = 10.0.1.0/24
    group nodes  = cp, worker
    group six    = fd00::/64

    """

  @Test func `allows its sources and denies every other name and the rest`() throws {
    let reading = Reading(world + "suite \"s\" { only cp -> cp 2379 tcp severity low }\n")
    #expect(reading.rendered == "")
    let flows = try #require(reading.plan).flows
    #expect(
      flows.map { "\($0.id) | \($0.text)" } == [
        "s/1 | cp -> cp 2379 tcp expect allow",
        "s/1/worker | worker -> cp 2379 tcp expect deny",
        "s/1/any | any except { cp, worker, six } -> cp 2379 tcp expect deny",
      ])
    // Together they are about every source there is in the family of the destinations.
    let union = flows.reduce(AddressSet.empty) { $0.union($1.sources) }
    #expect(union.ipv4 == AddressSet.any.ipv4)
    #expect(
      flows.allSatisfy { $0.severity == .low && $0.expectationSpan == flows[0].expectationSpan })
  }

  @Test func `leaves out what its sources hold of a name`() throws {
    let flows = try #require(
      Reading(world + "only 10.0.1.7, cp1 -> 10.9.0.1 22 tcp\n").plan
    ).flows
    #expect(
      flows.map(\.text) == [
        "10.0.1.7, cp1 -> 10.9.0.1 22 tcp expect allow",
        "cp except { 10.0.1.7, cp1 } -> 10.9.0.1 22 tcp expect deny",
        "worker except { 10.0.1.7, cp1 } -> 10.9.0.1 22 tcp expect deny",
        "nodes except { 10.0.1.7, cp1 } -> 10.9.0.1 22 tcp expect deny",
        "any except { cp, worker, six } -> 10.9.0.1 22 tcp expect deny",
      ])
  }

  @Test func `does not ask a host about itself`() throws {
    let flows = try #require(
      Reading(world + "only worker -> cp1 22 tcp\n").plan
    ).flows
    #expect(
      flows.map(\.text)
        == [
          "worker -> cp1 22 tcp expect allow",
          "cp -> cp1 22 tcp expect deny",
          "any except { cp, worker, six } -> cp1 22 tcp expect deny",
        ])
  }

  @Test func `allows everyone where its sources are any`() throws {
    let flows = try #require(Reading(world + "only any -> cp 443 tcp\n").plan).flows
    #expect(flows.map(\.text) == ["any -> cp 443 tcp expect allow"])
  }
}

@Suite("Lines that contradict each other")
struct ContradictionTests {
  private static let allow = "10.0.0.0/24 -> 10.1.0.1 22 tcp expect allow"

  @Test(arguments: [
    "10.0.0.9 -> any any expect deny",
    "10.0.0.9 -> 10.1.0.0/16 20-30 tcp expect reject",
    "any -> 10.1.0.1 proto 6 expect drop",
    "any -> 10.1.0.1 { icmp, 22 tcp } expect deny in eth0",
    "any -> 10.1.0.1 22 tcp expect deny from port 1000",
  ])
  func `draw a warning`(line: String) throws {
    for text in ["\(Self.allow)\n\(line)\n", "\(line)\n\(Self.allow)\n"] {
      let reading = Reading(text)
      #expect(reading.codes == ["scenario.contradiction"])
      #expect(reading.plan != nil)
      #expect(reading.diagnostics[0].secondary.count == 1)
    }
  }

  @Test(arguments: [
    "10.0.1.0/24 -> 10.1.0.1 22 tcp expect deny",
    "any except 10.0.0.0/24 -> 10.1.0.1 any expect deny",
    "any -> 10.1.0.2 22 tcp expect deny",
    "any -> 10.1.0.1 22 udp expect deny",
    "any -> 10.1.0.1 23-30 tcp expect deny",
    "any -> 10.1.0.1 icmp expect deny",
    "any -> any 22 tcp expect deny family ipv6",
    "any -> 10.1.0.1 22 tcp expect deny state established",
    "any -> 10.1.0.1 22 tcp expect deny skip \"x\"",
    "any -> 10.1.0.1 22 tcp expect deny xfail \"x\"",
    "10.0.0.0/8 -> 10.0.0.0/8 22 tcp expect allow",
  ])
  func `are not those whose packets or demands differ`(line: String) {
    #expect(Reading("\(Self.allow)\n\(line)\n").rendered == "")
  }

  @Test(arguments: [("eth0", true), ("eth1", false)])
  func `are about the interface that the host names`(name: String, isContradiction: Bool) {
    let text = """
      host web = 10.1.0.1 iface eth0
      10.0.0.1 -> web 22 tcp expect allow
      10.0.0.0/24 -> web 22 tcp expect deny in \(name)

      """
    #expect(Reading(text).codes == (isContradiction ? ["scenario.contradiction"] : []))
  }

  @Test(arguments: [
    ("deny", "drop", false), ("deny", "reject", false), ("drop", "reject", true),
    ("reject", "reject with no-route", false),
    ("reject with tcp-reset", "reject with no-route", true), ("allow", "allow", false),
    ("allow", "drop", true),
  ])
  func `demand what cannot both be`(one: String, other: String, isContradiction: Bool) {
    let text = "any -> 10.0.0.1 22 tcp expect \(one)\n10.2.0.1 -> any 22 tcp expect \(other)\n"
    #expect(Reading(text).codes == (isContradiction ? ["scenario.contradiction"] : []))
  }

  @Test func `share more than a host with itself`() {
    #expect(
      Reading(
        """
        10.0.0.1-10.0.0.2 -> 10.0.0.1 22 tcp expect allow
        10.0.0.1, 10.0.0.3 -> 10.0.0.1 22 tcp expect deny
        """
      ).rendered == "")
  }
}

@Suite("An include")
struct IncludeTests {
  @Test func `is found from the folder of the file that names it`() throws {
    let reading = Reading([
      "main.scn": "include \"a/one.scn\"\nx -> y 22 tcp expect allow\n",
      "a/one.scn": "include \"two.scn\"\ninclude \"../three.scn\"\n",
      "a/two.scn": "host x = 10.0.0.1\n", "three.scn": "host y = 10.0.0.2\n",
    ])
    #expect(reading.rendered == "")
    #expect(reading.plan?.flows.count == 1)
    #expect(
      reading.sources.files.map(\.name) == ["main.scn", "a/one.scn", "a/two.scn", "three.scn"])
  }

  @Test func `twice declares once, and asks once in each suite`() throws {
    let reading = Reading([
      "main.scn": """
      include "lines.scn"
      include "./lines.scn"
      suite "a" severity low { include "lines.scn"; }
      suite "b" { include "lines.scn" }
      """,
      "lines.scn": "host x = 10.0.0.1\ndefaults tag t\nx -> 10.0.0.2 22 tcp expect allow\n",
    ])
    #expect(reading.rendered == "")
    #expect(reading.plan?.flows.map(\.id) == ["main/1", "a/1", "b/1"])
    #expect(reading.plan?.flows.map(\.severity) == [.high, .low, .high])
  }

  @Test func `twice under other defaults asks again, with other ids`() throws {
    let reading = Reading([
      "main.scn": """
      defaults family ipv4
      include "lines.scn"
      include "lines.scn"
      defaults family ipv6
      include "lines.scn"
      """,
      "lines.scn": "any -> any 22 tcp expect allow id ssh\n",
    ])
    #expect(reading.rendered == "")
    #expect(reading.plan?.flows.map(\.families) == [[.ipv4], [.ipv6]])
    #expect(reading.plan?.flows.map(\.id) == ["ssh", "main/2"])
  }

  @Test func `keeps its defaults to itself`() throws {
    let reading = Reading([
      "main.scn": "include \"d.scn\"\nany -> 10.0.0.2 22 tcp expect deny\n",
      "d.scn": "defaults severity low\n",
    ])
    #expect(reading.plan?.flows.map(\.severity) == [.high])
  }

  @Test func `that cannot be read hides no other error and makes up none`() {
    let reading = Reading(
      "include \"gone.scn\"\na -> b 22 tcp expect allow\nany -> any 80 expect deny\n")
    #expect(reading.codes == ["scenario.include-unreadable", "scenario.missing-protocol"])
  }

  @Test func `of several roots shares names and ids`() throws {
    var sources = SourceMap()
    let roots = [
      ScenarioReader.Root(path: "a.scn", bytes: Array("host x = 10.0.0.1\n".utf8)),
      ScenarioReader.Root(path: "d/b.scn", bytes: Array("any -> x 22 tcp expect deny\n".utf8)),
    ]
    let (plan, diagnostics) = ScenarioReader.read(roots, sources: &sources) { _ in .success([]) }
    #expect(diagnostics == [])
    #expect(plan?.flows.map(\.id) == ["b/1"])
  }
}

@Suite("Options of a firewall")
struct FirewallOptionTests {
  @Test func `say what its file does not`() throws {
    let reading = Reading(
      """
      host cp1 = 172.20.0.2, fd00::2
      firewall cp = talos "cp.yaml" on cp1 with version "1.13" with node cp1 with patch "a.yaml" \
        with patch "b.yaml"
      any -> cp1 22 tcp expect deny

      """)
    #expect(reading.rendered == "")
    let firewall = try #require(reading.plan?.firewalls.first)
    #expect(firewall.kind == "talos")
    #expect(firewall.options.map(\.name) == ["version", "node", "patch", "patch"])
    #expect(firewall.options[0].value == .text("1.13"))
    let node = AddressSet(
      ipv4: IntervalSet(0xAC14_0002), ipv6: IntervalSet(0xFD00 << 112 | 2))
    #expect(firewall.options[1].value == .addresses(node))
    #expect(firewall.options[3].value == .text("b.yaml"))
  }

  @Test func `choose a node by its addresses or by its name`() throws {
    let reading = Reading(
      """
      host cp1 = 172.20.0.2
      firewall a = talos-chains "c.yaml" on cp1 with node cp1 with version "1.12"
      firewall b = talos-chains "c.yaml" on cp1 with node "cp1.example"
      any -> cp1 22 tcp expect deny

      """)
    #expect(reading.rendered == "")
    let firewalls = try #require(reading.plan?.firewalls)
    #expect(
      firewalls[0].options.map(\.value) == [
        .addresses(AddressSet(ipv4: IntervalSet(0xAC14_0002), ipv6: .empty)), .text("1.12"),
      ])
    #expect(firewalls[1].options.map(\.value) == [.text("cp1.example")])
    // A configuration does not say what its node is called.
    let other = Reading(
      "firewall t = talos \"c.yaml\" on any with node \"cp1\"\nany -> any 22 tcp expect deny\n")
    #expect(other.codes == ["scenario.option-value"])
    let patched = Reading(
      "firewall t = talos-chains \"c.yaml\" on any with patch \"p\"\n"
        + "any -> any 22 tcp expect deny\n")
    #expect(patched.codes == ["scenario.unknown-option"])
  }

  @Test func `stand once, unless there can be several`() {
    let reading = Reading(
      "firewall t = talos \"c.yaml\" on any with version \"1.13\" with version \"1.12\"\n"
        + "any -> any 22 tcp expect deny\n")
    #expect(reading.codes == ["scenario.clause-repeated"])
  }
}
