import Addresses
import Foundation
import Rulesets
import Sandbox
import Simulation
import TestSupport
import Testing
import Wire

@Suite("The host in the sandbox")
struct SandboxHostTests {
  private func host(_ changes: (inout Simulation.Host) -> Void) throws -> Simulation.Host {
    var host = try twoNetworks()
    host.acceptsLocal = false
    host.routesLocalnet = false
    changes(&host)
    return host
  }

  private func packet(
    _ source: String, _ destination: String, by name: String = "eth0", hopLimit: UInt8 = 64
  ) throws -> SandboxPacket {
    let from = try #require(IPAddress(source))
    let to = try #require(IPAddress(destination))
    let bytes = try #require(
      PacketBuilder.packet(
        from: from, to: to,
        carrying: .udp(
          UDPHeader(sourcePort: 1, destinationPort: 2, payloadByteCount: 0), payload: []),
        hopLimit: hopLimit))
    return SandboxPacket(
      bytes: bytes, origin: .received(try #require(InterfaceName(name)), Packet.Frame()))
  }

  /// The hooks that a packet reached on a host under an empty ruleset.
  private func hooks(
    of packet: SandboxPacket, on host: Simulation.Host, _ workshop: Workshop,
    _ ruleset: String = ""
  ) throws -> Set<Hook> {
    var session = try SandboxSession(host: host, executable: workshop.tool)
    try session.load(Array(ruleset.utf8))
    return Set(try session.verdicts(for: [packet])[0].byHook.keys)
  }

  @Test(canUnshare) func `forwards only where the description says so`() throws {
    let workshop = try Workshop()
    let through = try packet("10.0.0.5", "10.1.0.9")
    let through6 = try packet("fd00:0::5", "fd00:1::9")
    for packet in [through, through6] {
      #expect(
        try hooks(of: packet, on: host { _ in }, workshop) == [.prerouting, .forward, .postrouting])
      #expect(
        try hooks(of: packet, on: host { $0.isForwarding = false }, workshop) == [.prerouting])
    }
  }

  @Test(canUnshare) func `filters by the reverse path as the description says`() throws {
    let workshop = try Workshop()
    // From the network behind eth1, and from one that the default route by eth1 leads to.
    let foreign = try packet("10.1.0.9", "10.0.0.1")
    let unknown = try packet("192.0.2.9", "10.0.0.1")
    #expect(try hooks(of: foreign, on: host { _ in }, workshop) == [.prerouting, .input])
    let strict = try host { $0.reversePathFilter = 1 }
    #expect(try hooks(of: foreign, on: strict, workshop) == [.prerouting])
    #expect(try hooks(of: unknown, on: strict, workshop) == [.prerouting])
    let loose = try host { $0.reversePathFilter = 2 }
    #expect(try hooks(of: foreign, on: loose, workshop) == [.prerouting, .input])
    let closed = try host {
      $0.reversePathFilter = 2
      $0.routes = []
    }
    #expect(try hooks(of: unknown, on: closed, workshop) == [.prerouting])
  }

  @Test(canUnshare) func `lets in its own addresses and 127.0.0.0/8 as the description says`()
    throws
  {
    let workshop = try Workshop()
    let own = try packet("10.1.0.1", "10.0.0.1")
    #expect(try hooks(of: own, on: host { _ in }, workshop) == [.prerouting])
    #expect(
      try hooks(of: own, on: host { $0.acceptsLocal = true }, workshop) == [.prerouting, .input])
    let local = try packet("10.0.0.5", "127.0.0.1")
    #expect(try hooks(of: local, on: host { _ in }, workshop) == [.prerouting])
    #expect(
      try hooks(of: local, on: host { $0.routesLocalnet = true }, workshop)
        == [.prerouting, .input])
  }

  @Test(canUnshare) func `has the indices and hardware addresses of the description`() throws {
    let workshop = try Workshop()
    let mac = try #require(MACAddress("4e:7c:f3:d9:c7:d1"))
    let host = try host {
      $0.interfaces[0].index = 42
      $0.interfaces[0].hardwareAddress = mac
    }
    var session = try SandboxSession(host: host, executable: workshop.tool)
    try session.load(
      Array(
        """
        table inet t {
          chain i {
            type filter hook input priority 0; policy drop;
            iif 42 ether daddr 4e:7c:f3:d9:c7:d1 accept
          }
          chain f { type filter hook forward priority 0; policy drop; oif 42 accept; }
        }

        """.utf8))
    let verdicts = try session.verdicts(for: [
      try packet("10.0.0.5", "10.0.0.1"), try packet("10.1.0.5", "10.1.0.1", by: "eth1"),
      try packet("10.1.0.5", "10.0.0.5", by: "eth1"), try packet("10.0.0.5", "10.1.0.5"),
    ])
    #expect(verdicts.map { $0[.input] ?? $0[.forward] } == [.accept, .drop, .accept, .drop])
  }

  @Test(canUnshare) func `routes by the gateways of the description`() throws {
    let workshop = try Workshop()
    let gateways = [try #require(IPAddress("10.1.0.254")), try #require(IPAddress("fd00:9::254"))]
    let host = try host { host in
      let device = host.interfaces[1].name
      host.routes = gateways.map { .init(to: nil, device: device, gateway: $0) }
    }
    var session = try SandboxSession(host: host, executable: workshop.tool)
    try session.load(
      Array(
        """
        table inet t {
          chain f {
            type filter hook forward priority 0; policy drop;
            rt ip nexthop 10.1.0.254 accept
            rt ip6 nexthop fd00:9::254 accept
          }
        }

        """.utf8))
    let packets = [
      try packet("10.0.0.5", "192.0.2.1"), try packet("10.0.0.5", "10.1.0.9"),
      try packet("fd00:0::5", "2001:db8::1"), try packet("fd00:0::5", "fd00:1::9"),
    ]
    for isConfirming in [false, true] {
      let verdicts = try session.verdicts(for: packets, confirming: isConfirming)
      #expect(verdicts.map { $0[.forward] } == [.accept, .drop, .accept, .drop])
      #expect(verdicts.map { $0[.postrouting] } == [.accept, nil, .accept, nil])
    }
  }

  @Test(canUnshare) func `takes in the groups of the description`() throws {
    let workshop = try Workshop()
    let question = try packet("10.0.0.5", "239.1.2.3")
    #expect(try hooks(of: question, on: host { _ in }, workshop).contains(.input) == false)
    let group = try #require(IPAddress("239.1.2.3"))
    let member = try host { $0.interfaces[0].groups = [group] }
    #expect(try hooks(of: question, on: member, workshop) == [.prerouting, .input])
  }

  @Test(canUnshare, arguments: [true, false])
  func `takes large rulesets, and replaces them`(isPrivileged: Bool) throws {
    let workshop = try Workshop()
    var session = try SandboxSession(
      host: try twoNetworks(), executable: try workshop.tool(isPrivileged: isPrivileged))
    // Anonymous sets and chains hold within one batch only; large batches are sent in parts.
    for offset in [0, 1] {
      let rules = (0..<1500).map { number in
        number.isMultiple(of: 3)
          ? "udp dport { \(2 * number + 2 + offset), 60000 } ip saddr 10.0.0.0/24 jump { counter; }"
          : "udp dport \(2 * number + 2 + offset) counter accept"
      }.joined(separator: "\n")
      try session.load(
        Array(
          """
          table ip t {
            chain i {
              type filter hook input priority 0; policy drop;
          \(rules)
          udp dport 60000 accept
            }
          }

          """.utf8))
      let packets = try [UInt16(3), 4, 2 * 1499 + 2, 2 * 1499 + 3, 60_000].map { port in
        var packet = try packet("10.0.0.5", "10.0.0.1")
        packet.bytes.replaceSubrange(22..<24, with: [UInt8(port >> 8), UInt8(port & 255)])
        packet.bytes.replaceSubrange(26..<28, with: [0, 0])
        return packet
      }
      let expected: [HookVerdicts.Verdict?] =
        offset == 0
        ? [.drop, .accept, .accept, .drop, .accept] : [.drop, .drop, .drop, .accept, .accept]
      #expect(try session.verdicts(for: packets).map { $0[.input] } == expected)
    }
  }
}
