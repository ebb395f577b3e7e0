import Outcomes
import Proof
import Testing

@Suite("Translated connections")
struct TranslationTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let line: String
    let code: String
    var testDescription: String { line }
  }

  /// A host that publishes ports of its containers.
  static func dock(_ lines: String) throws -> [ClaimOutcome] {
    try ProofFixture.outcomes(
      """
      host dock = 192.0.2.10 iface eth0
      host web = 172.17.0.2 iface docker0
      host resolver = 172.17.0.3 iface docker0
      host db = 172.18.0.5 iface br-db
      group clients = 198.51.100.0/24
      group containers = 172.17.0.0/16
      firewall dock = nft "docker" on dock
      firewall router = nft "docker" between containers and clients
      \(lines)
      """)
  }

  static let dockCases: [Case] = [
    Case(line: "clients -> dock 8080 tcp expect allow", code: "passed verdict.allow"),
    Case(line: "clients -> dock 8080 tcp expect deny", code: "failed verdict.allow"),
    Case(line: "clients -> dock 53 udp expect allow", code: "passed verdict.allow"),
    // No forward rule lets the translated packet through.
    Case(line: "clients -> dock 9090 tcp expect allow", code: "failed verdict.drop"),
    Case(line: "clients -> dock 9090 tcp expect drop", code: "passed verdict.drop"),
    // What is not published is the host's own.
    Case(line: "clients -> dock 22 tcp expect allow", code: "passed verdict.allow"),
    Case(line: "clients -> dock 80 tcp expect drop", code: "passed verdict.drop"),
    Case(line: "clients -> dock 8079-8080 tcp expect allow", code: "failed verdict.drop"),
    // Containers are not reached past the host's address.
    Case(line: "clients -> containers 80 tcp expect drop in eth0", code: "passed verdict.drop"),
    // The host's own way to its published port.
    Case(line: "dock -> web 80 tcp expect allow", code: "passed verdict.allow"),
    // A host that is sent its own packets takes none of them.
    Case(line: "web -> dock 8080 tcp expect allow", code: "unknown unknown.unmodelled"),
    // Which interface clients are behind is not said, and by docker0 they are not reached.
    Case(
      line: "containers -> clients 443 tcp expect allow in docker0", code: "failed verdict.drop"),
  ]

  private func expect(
    _ asked: Case, _ answer: (_ lines: String) throws -> [ClaimOutcome],
    at location: SourceLocation = #_sourceLocation
  ) throws {
    let outcome = try #require(try answer(asked.line).first, sourceLocation: location)
    #expect(
      "\(outcome.status.rawValue) \(outcome.code)" == asked.code,
      "\(outcome.message) \(outcome.reasons) \(String(describing: outcome.counterexample))",
      sourceLocation: location)
  }

  @Test("a host that publishes ports of containers", arguments: dockCases)
  func docker(_ asked: Case) throws {
    try expect(asked, Self.dock)
  }

  /// A node of a cluster, pods behind it, and a machine outside.
  static func node(_ lines: String) throws -> [ClaimOutcome] {
    try ProofFixture.outcomes(
      """
      host node = 192.0.2.10 iface eth0
      host outside = 198.51.100.7
      group pods = 10.244.0.0/16
      group services = 10.96.0.0/12
      firewall node = nft "kube-proxy" on node
      firewall router = nft "kube-proxy" between pods and services
      firewall front = nft "kube-proxy" between outside and services
      \(lines)
      """)
  }

  static let nodeCases: [Case] = [
    // Endpoints that come to themselves are masqueraded.
    Case(line: "pods -> 10.96.0.10 53 udp expect allow", code: "passed verdict.allow"),
    Case(line: "10.244.0.9 -> 10.96.0.10 53 tcp expect allow", code: "passed verdict.allow"),
    Case(line: "10.244.0.9 -> 10.96.0.20 80 tcp expect allow", code: "passed verdict.allow"),
    // A service without endpoints is refused, as is a port that no service has.
    Case(line: "pods -> 10.96.0.30 443 tcp expect reject", code: "passed verdict.reject"),
    Case(line: "pods -> 10.96.0.20 81 tcp expect reject", code: "passed verdict.reject"),
    Case(line: "pods -> 10.96.0.20 80-81 tcp expect allow", code: "failed verdict.reject"),
    // A firewall's sources.
    Case(line: "10.244.0.9 -> 10.96.0.40 8443 tcp expect allow", code: "passed verdict.allow"),
    Case(line: "outside -> 10.96.0.40 8443 tcp expect drop", code: "passed verdict.drop"),
    // From outside under the node's address, by the service's and by the node's port.
    Case(line: "outside -> 10.96.0.20 80 tcp expect allow", code: "passed verdict.allow"),
    Case(line: "outside -> node 30080 tcp expect allow", code: "passed verdict.allow"),
    Case(line: "outside -> node 30080 tcp expect deny", code: "failed verdict.allow"),
    // The node's own way to a service.
    Case(line: "node -> 10.96.0.20 80 tcp expect allow", code: "passed verdict.allow"),
    Case(line: "node -> 10.96.0.30 443 tcp expect reject", code: "passed verdict.reject"),
  ]

  @Test("a node's services", arguments: nodeCases)
  func kubeProxy(_ asked: Case) throws {
    try expect(asked, Self.node)
  }

  @Test func `shows a translated packet before and after`() throws {
    let outcome = try #require(try Self.dock("clients -> dock 9090 tcp expect allow").first)
    let packet = try #require(outcome.counterexample)
    #expect(packet.destinationAddress == "192.0.2.10")
    #expect(packet.destinationPort == 9090)
    #expect(packet.further.contains { $0.name == "translated daddr" && $0.value == "172.18.0.5" })
    #expect(packet.further.contains { $0.name == "translated dport" && $0.value == "9000" })
    #expect(outcome.decidedBy?.chain == "into-br-db")
  }

  /// A router that translates, and a server behind it.
  static func router(_ lines: String) throws -> [ClaimOutcome] {
    try ProofFixture.outcomes(
      """
      host router = 192.0.2.10, fd00:1::10 iface eth0
      host backend = 10.0.0.3 iface eth0
      group clients = 198.51.100.0/24, fd00:2::/64
      firewall router = nft "translations" on router
      firewall backend = nft "backend" on backend
      \(lines)
      """)
  }

  static let routerCases: [Case] = [
    Case(line: "clients -> router 1000 tcp expect allow family ipv4", code: "passed verdict.allow"),
    // `ct status` and `ct original` tell that it was translated, and from what.
    Case(line: "clients -> router 1001 tcp expect allow family ipv4", code: "failed verdict.drop"),
    // Either address, or either port, may be chosen.
    Case(line: "clients -> router 1002 tcp expect allow family ipv4", code: "failed verdict.drop"),
    Case(line: "clients -> router 1002 tcp expect deny family ipv4", code: "failed verdict.allow"),
    Case(line: "clients -> router 1003 tcp expect allow family ipv4", code: "failed verdict.drop"),
    Case(line: "clients -> router 1003 tcp expect deny family ipv4", code: "failed verdict.allow"),
    // To the router itself.
    Case(line: "clients -> router 1004 tcp expect allow family ipv6", code: "passed verdict.allow"),
    // Under which address it answers, before that is exchanged, its interface tells alone.
    Case(
      line: "clients -> router 1004 tcp expect allow family ipv4",
      code: "unknown unknown.unmodelled"),
    Case(line: "clients -> router 1006 tcp expect drop family ipv4", code: "passed verdict.drop"),
    // Of one family alone.
    Case(line: "clients -> router 1005 tcp expect allow family ipv6", code: "passed verdict.allow"),
    Case(line: "clients -> router 1005 tcp expect drop family ipv4", code: "passed verdict.drop"),
    Case(line: "clients -> router 1007 tcp expect drop family ipv4", code: "passed verdict.drop"),
    // One chain translates, and no other after it.
    Case(line: "clients -> router 80 tcp expect drop family ipv4", code: "passed verdict.drop"),
    Case(line: "clients -> router 1008 tcp expect drop family ipv4", code: "passed verdict.drop"),
    // The server has a firewall of its own.
    Case(line: "clients -> router 1009 tcp expect allow family ipv4", code: "passed verdict.allow"),
    Case(line: "clients -> router 1010 tcp expect allow family ipv4", code: "failed verdict.drop"),
    Case(line: "clients -> router 53 udp expect allow family ipv4", code: "passed verdict.allow"),
    // Whether the loopback takes packets from outside is a setting of the interface.
    Case(
      line: "clients -> router 1011 tcp expect allow family ipv4",
      code: "unknown unknown.unmodelled"),
    Case(line: "clients -> router 22 tcp expect allow", code: "passed verdict.allow"),
  ]

  @Test("every way to translate", arguments: routerCases)
  func translations(_ asked: Case) throws {
    try expect(asked, Self.router)
  }

  @Test func `names the firewall behind the host that translates`() throws {
    let outcome = try #require(
      try Self.router("clients -> router 1010 tcp expect allow family ipv4").first)
    #expect(outcome.decidedBy?.firewall == "backend")
    #expect(outcome.counterexample?.destinationPort == 1010)
  }
}
