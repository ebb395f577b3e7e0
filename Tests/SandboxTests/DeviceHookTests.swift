import Addresses
import Foundation
import Rulesets
import Sandbox
import Simulation
import TestSupport
import Testing

@Suite("Hooks of devices")
struct DeviceHookTests {
  private func received(_ bytes: [UInt8], by name: String, vlan: UInt16? = nil) throws
    -> SandboxPacket
  {
    SandboxPacket(
      bytes: bytes,
      origin: .received(try #require(InterfaceName(name)), Packet.Frame(vlan: vlan)))
  }

  @Test(canUnshare, arguments: [true, false])
  func `ingress has its verdicts`(isPrivileged: Bool) throws {
    let workshop = try Workshop()
    var session = try SandboxSession(
      host: try twoNetworks(), executable: try workshop.tool(isPrivileged: isPrivileged))
    try session.load(
      Array(
        """
        table netdev t {
          chain c {
            type filter hook ingress device "eth0" priority 0; policy accept;
            udp dport 53 drop
            vlan id 7 udp dport 54 drop
          }
        }
        table inet u {
          chain c {
            type filter hook ingress device "eth1" priority 0; policy drop;
            udp dport 53 accept
          }
        }

        """.utf8))
    var other = question.bytes
    other.replaceSubrange(22..<24, with: [0, 54])
    other.replaceSubrange(26..<28, with: [0, 0])
    let verdicts = try session.verdicts(for: [
      try received(question.bytes, by: "eth0"), try received(other, by: "eth0"),
      try received(question.bytes, by: "eth1"), try received(other, by: "eth1"),
      try received(other, by: "eth0", vlan: 7), try received(other, by: "eth0", vlan: 8),
    ])
    #expect(
      verdicts.map(\.byHook) == [
        [.ingress: .drop],
        [.ingress: .accept, .prerouting: .accept, .input: .accept],
        [.ingress: .accept, .prerouting: .accept, .input: .accept],
        [.ingress: .drop],
        [.ingress: .drop],
        // The host has no interface for a VLAN.
        [.ingress: .accept],
      ])
    let answers = try session.answers(for: [try received(question.bytes, by: "eth0")])
    #expect(answers[0].trace.map(\.chain) == ["c"])
    #expect(answers[0].trace.map(\.decision) == [.drop])
    #expect(answers[0].trace.map(\.hook) == [.ingress])
  }

  @Test(canUnshare) func `egress has its verdicts for packets that go on their way`() throws {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    try session.load(
      Array(
        """
        table netdev t {
          chain c {
            type filter hook egress device "eth1" priority 0; policy accept;
            udp dport 53 drop
          }
        }

        """.utf8))
    var forwarded = question
    forwarded.bytes.replaceSubrange(16..<20, with: [10, 1, 0, 9])
    forwarded.bytes.replaceSubrange(10..<12, with: [0x54, 0x8F])
    var other = forwarded
    other.bytes.replaceSubrange(22..<24, with: [0, 54])
    other.bytes.replaceSubrange(26..<28, with: [0, 0])
    var own = forwarded
    own.origin = .local
    own.bytes.replaceSubrange(12..<16, with: [10, 1, 0, 1])
    let packets = [forwarded, other, own, question, other]
    let onTheWay = try session.verdicts(for: packets, confirming: true)
    #expect(onTheWay.map { $0[.egress] } == [.drop, .accept, .drop, nil, .accept])
    #expect(onTheWay.map { $0[.postrouting] } == [.accept, .accept, .accept, nil, .accept])
    let stopped = try session.verdicts(for: packets)
    #expect(stopped.map { $0[.egress] } == [nil, nil, nil, nil, nil])
    #expect(stopped.map { $0[.postrouting] } == [.accept, .accept, .accept, nil, .accept])
  }
}
