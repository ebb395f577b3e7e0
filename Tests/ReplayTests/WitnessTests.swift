import Addresses
import Diagnostics
import Foundation
import NftablesFrontend
import Outcomes
import Proof
import Rulesets
import Scenarios
import Testing

@Suite("Packets that stand for an answer")
struct WitnessTests {
  /// A prover and the flows of a scenario whose only ruleset this is.
  private func question(_ text: String, _ rules: [String]) throws -> (Prover, [Flow], SourceMap) {
    let head = #"{"family": "inet", "table": "t", "chain": "in", "handle": "#
    let listing =
      #"{"nftables": [{"table": {"family": "inet", "name": "t"}}, {"chain": {"family": "inet", "#
      + #""table": "t", "name": "in", "type": "filter", "hook": "input", "prio": 0, "#
      + #""policy": "drop"}}"#
      + rules.enumerated().map { ", {\"rule\": \(head)\($0 + 2), \"expr\": \($1)}}" }.joined()
      + "]}"
    var sources = SourceMap()
    let (plan, diagnostics) = ScenarioReader.read(
      path: "a.scn", bytes: Array(text.utf8), sources: &sources, loading: { _ in .success([]) })
    let known = try #require(plan, "\(diagnostics)")
    let reading = NftablesReader.read(Array(listing.utf8), name: "fw", sources: &sources)
    let ruleset = try #require(reading.ruleset, "\(reading.diagnostics)")
    let firewalls = known.firewalls.map {
      Firewall(name: $0.name, ruleset: ruleset, placement: $0.placement)
    }
    return (Prover(firewalls: firewalls, interfaces: known.interfaces), known.flows, sources)
  }

  private static let established = #"""
    [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "established"}},
    {"accept": null}]
    """#

  private static func port(_ port: Int, _ verdict: String = "accept") -> String {
    #"[{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "#
      + #""right": \#(port)}}, {"\#(verdict)": null}]"#
  }

  private static let hosts = """
    host node = 10.0.0.2, fd00::2 iface eth0
    group friends = 10.0.0.5, fd00::5
    firewall fw = nft "fw" on node

    """

  @Test func `there is one for each packet of a connection, in each family`() throws {
    var (prover, flows, _) = try question(
      Self.hosts + "friends -> node 22 tcp expect allow\n", [Self.established, Self.port(22)])
    let selection = prover.witnesses(of: flows[0], limit: 16)
    #expect(selection.omissions.isEmpty)
    #expect(Set(selection.packets.map(\.phase)) == [.first, .answer, .further])
    #expect(Set(selection.packets.map(\.family)) == [.ipv4, .ipv6])
    for packet in selection.packets {
      #expect(packet.proved == .fate(.accepted))
      switch packet.phase {
      case .first:
        #expect(packet.kind == .inbound)
        #expect(packet.input == InterfaceName("eth0"))
        #expect(packet.connection == .none)
      case .answer:
        #expect(packet.kind == .outbound)
        #expect(packet.input == nil)
        guard case .established(let opening) = packet.connection else {
          Issue.record("an answer follows an opening packet")
          continue
        }
        // The opening packet is a SYN the other way.
        let start = packet.family == .ipv4 ? 20 : 40
        #expect(opening[start + 13] == 0x02)
        #expect(opening[start + 2..<start + 4] == packet.bytes[start..<start + 2])
      case .further: #expect(packet.connection != .none)
      }
    }
  }

  @Test(arguments: [1, 3, 5, 16])
  func `those that other rules decide come first`(limit: Int) throws {
    let ports = [1000, 2000, 3000, 4000]
    var (prover, flows, _) = try question(
      Self.hosts + "10.0.0.5 -> node 1-9999 tcp expect deny\n",
      ports.map { Self.port($0, "drop") })
    let selection = prover.witnesses(of: flows[0], limit: limit)
    let deciding = selection.packets.map(\.decidedBy)
    // Four rules and the policy decide.
    #expect(Set(deciding).count == min(limit, 5))
    #expect(selection.packets.count == min(limit, deciding.count))
    #expect(selection.packets.count <= limit)
  }

  @Test func `a packet has what the rules ask of its headers`() throws {
    let rule = #"""
      [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "ttl"}}, "right": 7}},
      {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "window"}}, "right": 9}},
      {"accept": null}]
      """#
    var (prover, flows, _) = try question(
      Self.hosts + "10.0.0.5 -> node 22 tcp expect deny\n", [rule])
    let packet = try #require(prover.witnesses(of: flows[0], limit: 16).packets.first)
    #expect(packet.proved == .fate(.accepted))
    #expect(packet.bytes[8] == 7)
    #expect(packet.bytes[34..<36] == [0, 9])
    // The checksums are right with the new values.
    for (range, pseudo) in [(0..<20, false), (20..<40, true)] {
      var sum = 0
      for index in stride(from: range.lowerBound, to: range.upperBound, by: 2) {
        sum += Int(packet.bytes[index]) << 8 | Int(packet.bytes[index + 1])
      }
      if pseudo {
        for index in stride(from: 12, to: 20, by: 2) {
          sum += Int(packet.bytes[index]) << 8 | Int(packet.bytes[index + 1])
        }
        sum += 6 + 20
      }
      while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
      #expect(sum == 0xFFFF)
    }
  }

  @Test func `a counterexample is the packet that reports show`() throws {
    var (prover, flows, sources) = try question(
      Self.hosts + "friends -> node 22 tcp expect deny\n", [Self.port(22)])
    let outcome = prover.outcome(of: flows[0], sources: sources)
    let packet = try #require(prover.witnesses(of: flows[0], limit: 16).packets.last)
    let shown = try #require(outcome.counterexample)
    #expect(packet.family == (shown.family == "ip" ? .ipv4 : .ipv6))
    let start = packet.family == .ipv4 ? 20 : 40
    let port = UInt16(packet.bytes[start]) << 8 | UInt16(packet.bytes[start + 1])
    #expect(port == shown.sourcePort)
    #expect(packet.input?.description == shown.inputInterface)
  }
}
