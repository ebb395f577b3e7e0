import Diagnostics
import Foundation
import Outcomes
import Rulesets
import Simulation
import Testing

/// The simulator is a second program over the same rulesets: it follows one packet after the other
/// through a host with addresses, routes and a connection table.
@Suite("Translated connections, packet by packet")
struct TranslationAgainstSimulationTests {
  private static let dock = """
    {"interfaces": [
      {"name": "lo", "addresses": ["127.0.0.1/8"]},
      {"name": "eth0", "index": 2, "addresses": ["192.0.2.10/24"]},
      {"name": "docker0", "index": 3, "addresses": ["172.17.0.1/16"]},
      {"name": "br-db", "index": 4, "addresses": ["172.18.0.1/16"]}],
     "routes": [{"to": "default", "dev": "eth0"}], "forwarding": true, "rp_filter": 0,
     "route_localnet": false, "accept_local": false}
    """

  private static let node = """
    {"interfaces": [
      {"name": "lo", "addresses": ["127.0.0.1/8"]},
      {"name": "eth0", "index": 2, "addresses": ["192.0.2.10/24"]},
      {"name": "cni0", "index": 3, "addresses": ["10.244.1.1/16"]}],
     "routes": [{"to": "default", "dev": "eth0"}], "forwarding": true, "rp_filter": 0,
     "route_localnet": false, "accept_local": false}
    """

  private static func simulation(_ name: String, _ host: String) throws -> SimulateRun {
    var sources = SourceMap()
    return SimulateRun(
      try ProofFixture.ruleset(name, &sources),
      host: try Simulation.Host(reading: Array(host.utf8)))
  }

  private static func verdict(_ run: inout SimulateRun, _ packet: String) throws -> String {
    let bytes = try run.answer(Array("{\(packet)}".utf8))
    let answer = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
    return try #require(answer?["verdict"] as? String)
  }

  private static let client = #""saddr": "198.51.100.7""#

  @Test("a connection that is proved to work is one whose packets pass, one by one")
  func working() throws {
    let cases: [(line: String, packets: [String])] = [
      (
        "clients -> dock 8080 tcp expect allow",
        [
          #"\#(Self.client), "daddr": "192.0.2.10", "protocol": "tcp", "sport": 40000, "dport": 8080, "flags": ["syn"], "iif": "eth0""#,
          #""saddr": "172.17.0.2", "daddr": "198.51.100.7", "protocol": "tcp", "sport": 80, "dport": 40000, "flags": ["syn", "ack"], "iif": "docker0""#,
          #"\#(Self.client), "daddr": "192.0.2.10", "protocol": "tcp", "sport": 40000, "dport": 8080, "flags": ["ack"], "iif": "eth0""#,
        ]
      ),
      (
        "clients -> dock 53 udp expect allow",
        [
          #"\#(Self.client), "daddr": "192.0.2.10", "protocol": "udp", "sport": 40000, "dport": 53, "iif": "eth0""#,
          #""saddr": "172.17.0.3", "daddr": "198.51.100.7", "protocol": "udp", "sport": 53, "dport": 40000, "iif": "docker0""#,
        ]
      ),
      (
        "clients -> dock 22 tcp expect allow",
        [
          #"\#(Self.client), "daddr": "192.0.2.10", "protocol": "tcp", "sport": 40000, "dport": 22, "flags": ["syn"], "iif": "eth0""#,
          #""saddr": "192.0.2.10", "daddr": "198.51.100.7", "protocol": "tcp", "sport": 22, "dport": 40000, "flags": ["syn", "ack"], "local": true"#,
        ]
      ),
    ]
    for (line, packets) in cases {
      let outcome = try #require(try TranslationTests.dock(line).first)
      #expect(outcome.status == .passed, "\(line): \(outcome.message)")
      var run = try Self.simulation("docker", Self.dock)
      for (place, packet) in packets.enumerated() {
        let verdict = try Self.verdict(&run, packet)
        // What the simulator cannot follow it says it does not know.
        #expect(["accept", "unknown"].contains(verdict), "\(line): \(packet)")
        if place == 0 { #expect(verdict == "accept", "\(line): \(packet)") }
      }
    }
  }

  @Test("the first packet meets the proved fate, whatever the port")
  func firstPackets() throws {
    let ports = [22, 53, 80, 443, 8079, 8080, 8081, 9000, 9090]
    let questions = ports.flatMap { port in ["tcp", "udp"].map { (port, $0) } }
    let lines = questions.map { "198.51.100.7 -> dock \($0) \($1) one-way expect allow" }
    let outcomes = try TranslationTests.dock(lines.joined(separator: "\n"))
    for ((port, transport), outcome) in zip(questions, outcomes) {
      var run = try Self.simulation("docker", Self.dock)
      let flags = transport == "tcp" ? #", "flags": ["syn"]"# : ""
      let verdict = try Self.verdict(
        &run,
        #"\#(Self.client), "daddr": "192.0.2.10", "protocol": "\#(transport)", "sport": 40000, "dport": \#(port)\#(flags), "iif": "eth0""#
      )
      #expect(outcome.status != .unknown)
      #expect(
        verdict == (outcome.status == .passed ? "accept" : "drop"),
        "\(outcome.scenario): \(outcome.message)")
    }
    #expect(outcomes.count { $0.status == .passed } == 3)
  }

  @Test("a node's services answer as proved")
  func services() throws {
    let cases: [(line: String, packet: String, verdict: String)] = [
      (
        "outside -> node 30080 tcp one-way expect allow",
        #"\#(Self.client), "daddr": "192.0.2.10", "protocol": "tcp", "sport": 40000, "dport": 30080, "flags": ["syn"], "iif": "eth0""#,
        "accept"
      ),
      (
        "outside -> 10.96.0.40 8443 tcp one-way expect allow",
        #"\#(Self.client), "daddr": "10.96.0.40", "protocol": "tcp", "sport": 40000, "dport": 8443, "flags": ["syn"], "iif": "eth0""#,
        "drop"
      ),
      (
        "pods -> 10.96.0.30 443 tcp one-way expect allow",
        #""saddr": "10.244.1.9", "daddr": "10.96.0.30", "protocol": "tcp", "sport": 40000, "dport": 443, "flags": ["syn"], "iif": "cni0""#,
        "reject"
      ),
      (
        "pods -> 10.96.0.20 80 tcp one-way expect allow",
        #""saddr": "10.244.1.9", "daddr": "10.96.0.20", "protocol": "tcp", "sport": 40000, "dport": 80, "flags": ["syn"], "iif": "cni0""#,
        "accept"
      ),
    ]
    for (line, packet, verdict) in cases {
      let outcome = try #require(try TranslationTests.node(line).first)
      #expect(outcome.code.hasSuffix(verdict == "accept" ? "allow" : verdict), "\(outcome.code)")
      var run = try Self.simulation("kube-proxy", Self.node)
      let simulated = try Self.verdict(&run, packet)
      #expect(simulated.hasPrefix(verdict) || simulated == "unknown", "\(line): \(simulated)")
    }
  }

  private static let router = """
    {"interfaces": [
      {"name": "lo", "addresses": ["127.0.0.1/8"]},
      {"name": "eth0", "index": 2, "addresses": ["192.0.2.10/24"]},
      {"name": "lan0", "index": 3, "addresses": ["10.0.0.1/24"]}],
     "routes": [{"to": "default", "dev": "eth0"}], "forwarding": true, "rp_filter": 0,
     "route_localnet": false, "accept_local": false}
    """

  /// One packet each; where any of several addresses is chosen the simulator does not know.
  @Test(arguments: [22, 23, 80, 1000, 1001, 1004, 1005, 1006, 1007, 1008, 1009])
  func `every way to translate ends alike`(port: Int) throws {
    let outcome = try #require(
      try TranslationTests.router(
        "198.51.100.7 -> router \(port) tcp one-way expect allow"
      ).first)
    var run = try Self.simulation("translations", Self.router)
    let verdict = try Self.verdict(
      &run,
      #"\#(Self.client), "daddr": "192.0.2.10", "protocol": "tcp", "sport": 40000, "dport": \#(port), "flags": ["syn"], "iif": "eth0""#
    )
    #expect(outcome.status == .passed || outcome.status == .failed)
    #expect(
      verdict == (outcome.status == .passed ? "accept" : "drop") || verdict == "unknown",
      "\(outcome.message), simulated \(verdict)")
    // Its addresses are few enough for the simulator to tell most.
    if ![1000].contains(port) { #expect(verdict != "unknown", "\(port)") }
  }
}
