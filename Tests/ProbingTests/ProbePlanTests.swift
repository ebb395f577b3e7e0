import Addresses
import Scenarios
import Testing

@testable import Probing

@Suite struct ProbePlanTests {
  private func plan(_ text: String, from own: String = "10.0.0.1") throws -> ProbePlan {
    try ProbePlan(of: Plans.read(text), from: Plans.addresses(own))
  }

  private func targets(_ plan: ProbePlan) -> [String] {
    plan.probes.map { "\($0.source) \($0.destination) \($0.kind.text)" }
  }

  private static let hosts = "host a = 10.0.0.1, fd00::1\nhost b = 10.0.0.2, fd00::2\n"

  @Test func `a line is asked for every address, family and port that it names`() throws {
    let plan = try ProbePlan(
      of: Plans.read(
        Self.hosts + "a -> b { 22-23 tcp, 53 udp, icmp type echo-request } expect allow"),
      from: Plans.addresses("10.0.0.1", "fd00::1"))
    #expect(
      Set(targets(plan)) == [
        "10.0.0.1 10.0.0.2 tcp/22", "10.0.0.1 10.0.0.2 tcp/23", "10.0.0.1 10.0.0.2 udp/53",
        "10.0.0.1 10.0.0.2 icmp type 8", "fd00::1 fd00::2 tcp/22", "fd00::1 fd00::2 tcp/23",
        "fd00::1 fd00::2 udp/53",
      ])
    #expect(plan.probes.count == 7)
  }

  @Test func `a probe that two lines need is sent once`() throws {
    let plan = try plan(
      Self.hosts + "a -> b 22 tcp expect allow\na -> b 22-23 tcp expect allow severity low")
    #expect(plan.probes.count == 2)
    #expect(plan.lines.map(\.probes) == [[0], [0, 1]])
  }

  @Test(arguments: [
    ("any", "host a = 10.0.0.1\na -> any 22 tcp expect deny"),
    ("a prefix in the line", "host a = 10.0.0.1\na -> 10.1.0.0/24 22 tcp expect deny"),
    ("an address in the line", "host a = 10.0.0.1\na -> 10.1.0.7 22 tcp expect deny"),
    (
      "a group without a host",
      "host a = 10.0.0.1\ngroup g = 10.1.0.1-10.1.0.9\na -> g 22 tcp expect deny"
    ),
    (
      "a group of groups without a host",
      "host a = 10.0.0.1\ngroup g = 10.1.0.1\ngroup h = g, 10.1.0.2\na -> h 22 tcp expect deny"
    ),
    ("this machine itself", "host a = 10.0.0.1\nhost c = 10.0.0.3\nc, a -> a 22 tcp expect deny"),
  ])
  func `nothing is sent to what the file does not name as hosts`(
    what: String, text: String
  ) throws {
    let plan = try plan(text)
    #expect(plan.probes.isEmpty)
    #expect(plan.lines.first?.obstacle?.code == "probe.no-target")
  }

  @Test func `nothing is sent from or to addresses of one link`() throws {
    let plan = try ProbePlan(
      of: Plans.read("host b = 10.0.0.2, fd00::2, fe80::2\nany -> b 22 tcp expect deny"),
      from: Plans.addresses("10.0.0.1", "169.254.1.1", "fd00::1", "fe80::1"))
    #expect(
      targets(plan) == ["10.0.0.1 10.0.0.2 tcp/22", "fd00::1 fd00::2 tcp/22"])
  }

  @Test func `a wide group is probed only where its hosts are`() throws {
    let plan = try plan(
      """
      host a = 10.0.0.1
      host b = 10.1.0.7
      group wide = b, 10.2.0.0/23
      group edge = b, 10.3.0.0/24
      a -> wide 22 tcp expect deny
      """)
    #expect(targets(plan) == ["10.0.0.1 10.1.0.7 tcp/22"])
    #expect(plan.lines.first?.omissions == ["destinations that no host of the file names"])
  }

  @Test func `a group of 256 addresses that names a host is probed`() throws {
    let plan = try plan(
      "host a = 10.0.0.1\nhost b = 10.3.0.7\ngroup g = b, 10.3.0.0/24\na -> g 22 tcp expect deny")
    #expect(plan.probes.count == 256)
  }

  @Test(arguments: [
    ("a -> b 22 tcp expect allow skip \"later\"", "skipped"),
    ("a -> b 22 tcp expect allow static", "skipped"),
    ("a -> b 22 tcp expect allow state established", "probe.not-possible"),
    ("b -> a 22 tcp expect allow", "probe.not-a-source"),
    ("a -> b any expect deny", "probe.not-possible"),
    ("a -> b 22 sctp expect deny", "probe.not-possible"),
    ("a -> b proto 47 expect deny", "probe.not-possible"),
  ])
  func `what cannot be probed says why`(line: String, code: String) throws {
    let plan = try plan(Self.hosts + line)
    #expect(plan.probes.isEmpty)
    #expect(plan.lines.first?.obstacle?.code == code)
  }

  @Test func `a line's own patience and source port are its probes'`() throws {
    let plan = try plan(
      Self.hosts + "a -> b 22 tcp expect allow from port 20,5000-6000 timeout 2s retries 4")
    let probe = try #require(plan.probes.first)
    #expect(probe.transmissions == 5)
    #expect(probe.timeout == .seconds(2))
    #expect(probe.sourcePort == 5000)
  }

  @Test func `more probes than a run takes are refused`() throws {
    let hosts = (1...40).map { "10.0.1.\($0)" }.joined(separator: ", ")
    #expect(throws: ProbePlan.TooMany.self) {
      _ = try plan("host a = 10.0.0.1\nhost b = \(hosts)\na -> b tcp expect deny")
    }
  }
}
