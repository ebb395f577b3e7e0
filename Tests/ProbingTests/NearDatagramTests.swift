import Addresses
import LinuxKernel
import TestSupport
import Testing

@testable import Probing

@Suite("UDP and ICMP from the near end", canMakeNetworks, .serialized)
struct NearDatagramTests {
  private static let ruleset = NearTCPTests.ruleset.replacing("tcp dport", with: "udp dport")
    .replacing("udp dport 2001 reject with tcp reset", with: "udp dport 2001 drop")

  @Test(arguments: Ends.all, [ProbeRun.Means.raw, .connect])
  func `every answer to a datagram is told apart, ten times over`(
    _ ends: Ends, means: ProbeRun.Means
  ) throws {
    let network = try ProbeNetwork()
    try network.shell(.far, "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0")
    try network.load(.far, Self.ruleset)
    let key = RunKey.fresh()
    try network.answer(udp: 1000) { _ in Array("what?".utf8) }
    try network.answer(udp: 1002) { payload in
      Token(reading: payload[...], .request, key)?.octets(.reply, key)
    }
    try network.answer(udp: 1003) { _ in nil }
    let closed: (UInt8, UInt8) = ends.near.family == .ipv4 ? (3, 3) : (1, 4)
    var expected: [(UInt16, Observation.Answer)] = [
      (1000, .reply(carriesToken: false)),
      (1001, .icmpError(type: closed.0, code: closed.1, sender: ends.far)),
      (1002, .reply(carriesToken: true)), (1003, .silence), (2000, .silence), (2001, .silence),
    ]
    for (port, error) in NearTCPTests.errors(ends.near.family).sorted(by: { $0.key < $1.key }) {
      expected.append((port, .icmpError(type: error.0, code: error.1, sender: ends.far)))
    }
    for _ in 0..<10 {
      let observations = try network.observe(
        expected.map {
          Probe(from: ends.near, to: ends.far, .udp($0.0), timeout: .milliseconds(100))
        }, key: key, means: means)
      for (observation, (port, answer)) in zip(observations, expected) {
        #expect(observation.answer == answer, "port \(port)")
        #expect(observation.transmissions == (answer == .silence ? 2 : 1), "port \(port)")
      }
    }
  }

  @Test(arguments: Ends.all)
  func `a datagram that this machine drops or has no way for was not sent`(_ ends: Ends) throws {
    let network = try ProbeNetwork()
    try network.load(
      .near,
      """
      table inet t {
        chain output {
          type filter hook output priority 0; policy accept;
          udp dport 1000 drop
          tcp dport 1000 drop
        }
      }
      """)
    let elsewhere = try #require(
      IPAddress(ends.near.family == .ipv4 ? "198.51.100.1" : "2001:db8:1::1"))
    let stranger = try #require(
      IPAddress(ends.near.family == .ipv4 ? "192.0.2.77" : "2001:db8::77"))
    for kind in [Probe.Kind.udp(1000), .tcp(1000)] {
      let observations = try network.observe([
        Probe(from: ends.near, to: ends.far, kind),
        Probe(from: ends.near, to: elsewhere, kind),
        Probe(from: stranger, to: ends.far, kind),
      ])
      #expect(
        observations.map(\.answer) == [
          .notSent(.notPermitted), .notSent(.networkUnreachable), .notSent(.addressNotAvailable),
        ], "\(kind)")
      #expect(observations.map(\.transmissions) == [0, 0, 0])
    }
  }

  @Test(arguments: Ends.all, [ProbeRun.Means.raw, .connect])
  func `an echo request is answered, rejected or dropped`(
    _ ends: Ends, means: ProbeRun.Means
  ) throws {
    let network = try ProbeNetwork()
    try network.shell(.near, "sysctl -qw net.ipv4.ping_group_range='0 0'")
    let type: UInt8 = ends.near.family == .ipv4 ? 8 : 128
    let probe = Probe(
      from: ends.near, to: ends.far, .icmp(type: type, code: 0), timeout: .milliseconds(100))
    let match = ends.near.family == .ipv4 ? "icmp type echo-request" : "icmpv6 type echo-request"
    let prohibited: (UInt8, UInt8) = ends.near.family == .ipv4 ? (3, 13) : (1, 1)
    for (rule, answer) in [
      ("accept", Observation.Answer.reply(carriesToken: false)), ("drop", .silence),
      (
        "reject with icmpx admin-prohibited",
        .icmpError(type: prohibited.0, code: prohibited.1, sender: ends.far)
      ),
    ] {
      try network.load(
        .far,
        """
        table inet t {
          chain input { type filter hook input priority 0; policy accept; \(match) \(rule); }
        }
        """)
      let observations = try network.observe([probe, probe], means: means)
      #expect(observations.map(\.answer) == [answer, answer], "\(rule)")
    }
  }

  @Test func `messages of other types need raw packets, and timestamps are answered`() throws {
    let ends = try #require(Ends.all.first)
    let network = try ProbeNetwork()
    let probes = [13, 5].map {
      Probe(
        from: ends.near, to: ends.far, .icmp(type: $0, code: 0), timeout: .milliseconds(100))
    }
    let observations = try network.observe(probes)
    #expect(observations.map(\.answer) == [.reply(carriesToken: false), .silence])
    #expect(throws: ProbeRunError.needsRaw(type: 13)) {
      try network.observe(probes, means: .connect)
    }
    #expect(throws: ProbeRunError.pingRefused(.accessDenied)) {
      try network.observe(
        [Probe(from: ends.near, to: ends.far, .icmp(type: 8, code: 0))], means: .connect)
    }
  }
}
