import Addresses
import Foundation
import Rulesets
import Sandbox
import Simulation
import TestSupport
import Testing
import Wire

@Suite("Connections that were there before")
struct ConnectionTests {
  private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

  private func packet(
    _ source: String, _ destination: String, _ segment: PacketBuilder.Segment,
    by name: String = "eth0"
  ) throws -> SandboxPacket {
    let bytes = try #require(
      PacketBuilder.packet(
        from: try address(source), to: try address(destination), carrying: segment))
    return SandboxPacket(
      bytes: bytes, origin: .received(try #require(InterfaceName(name)), Packet.Frame()))
  }

  private func tcp(_ source: UInt16, _ destination: UInt16, _ flags: TCPHeader.Flags)
    -> PacketBuilder.Segment
  {
    .tcp(
      TCPHeader(sourcePort: source, destinationPort: destination, flags: flags), payload: [])
  }

  /// Accepts at input and forward what is established; drops the rest.
  private let established = Array(
    """
    table inet t {
      chain i { type filter hook input priority 0; policy drop; ct state established accept; }
      chain f { type filter hook forward priority 0; policy drop; ct state established accept; }
      chain n { type nat hook postrouting priority 100; ip saddr 192.0.2.99 masquerade; }
    }

    """.utf8)

  @Test(canUnshare, arguments: [true, false])
  func `their packets are established`(isPrivileged: Bool) throws {
    let workshop = try Workshop()
    var session = try SandboxSession(
      host: try twoNetworks(), executable: try workshop.tool(isPrivileged: isPrivileged))
    try session.load(established)
    let packets = [
      try packet("10.0.0.5", "10.0.0.1", tcp(40_000, 22, .ack)),
      try packet("10.0.0.5", "10.0.0.1", tcp(40_001, 22, .ack)),
      try packet("10.0.0.5", "10.1.0.9", tcp(40_000, 80, [.fin, .ack])),
      try packet("10.1.0.9", "10.0.0.5", tcp(80, 40_000, .ack), by: "eth1"),
      try packet("fd00:0::5", "fd00:0::1", tcp(5, 6, .ack)),
      try packet(
        "10.0.0.5", "10.0.0.1",
        .udp(UDPHeader(sourcePort: 9, destinationPort: 10, payloadByteCount: 0), payload: [])),
      try packet(
        "10.0.0.5", "10.0.0.1",
        .icmp(ICMPHeader(type: 8, code: 0, rest: 7 << 16), payload: [])),
    ]
    let before = try session.verdicts(for: packets)
    #expect(before.allSatisfy { $0[.input] != .accept && $0[.forward] != .accept })
    try session.load(established)
    func connection(
      _ source: String, _ destination: String, _ transport: SandboxConnection.Transport
    ) throws -> SandboxConnection {
      SandboxConnection(
        original: .init(from: try address(source), to: try address(destination), transport))
    }
    try session.add([
      try connection("10.0.0.5", "10.0.0.1", .ports(protocol: 6, source: 40_000, destination: 22)),
      try connection("10.0.0.5", "10.1.0.9", .ports(protocol: 6, source: 40_000, destination: 80)),
      try connection("fd00:0::5", "fd00:0::1", .ports(protocol: 6, source: 5, destination: 6)),
      try connection("10.0.0.5", "10.0.0.1", .ports(protocol: 17, source: 9, destination: 10)),
      try connection("10.0.0.5", "10.0.0.1", .echo(type: 8, code: 0, identifier: 7)),
    ])
    let after = try session.verdicts(for: packets)
    #expect(
      after.map { $0[.input] ?? $0[.forward] }
        == [.accept, .drop, .accept, .accept, .accept, .accept, .accept])
    // The next ruleset begins without them.
    try session.load(established)
    #expect(try session.verdicts(for: packets) == before)
  }

  @Test(canUnshare) func `a flow that has no answer is still new`() throws {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    try session.load(established)
    try session.add([
      SandboxConnection(
        original: .init(
          from: try address("10.0.0.5"), to: try address("10.0.0.1"),
          .ports(protocol: 17, source: 9, destination: 10)), isAnswered: false)
    ])
    let question = try packet(
      "10.0.0.5", "10.0.0.1",
      .udp(UDPHeader(sourcePort: 9, destinationPort: 10, payloadByteCount: 0), payload: []))
    #expect(try session.verdicts(for: [question])[0][.input] == .drop)
  }

  @Test(canUnshare) func `an answer to a translated flow goes where its question came from`() throws
  {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    // Of the answer, forward sees the restored destination.
    try session.load(
      Array(
        """
        table ip t {
          chain f {
            type filter hook forward priority 0; policy drop;
            ct mark 7 ip daddr 10.0.0.5 tcp dport 40000 ct status snat accept
          }
          chain n { type nat hook postrouting priority 100; ip saddr 192.0.2.99 masquerade; }
        }

        """.utf8))
    let answer = try packet("10.1.0.9", "10.1.0.1", tcp(80, 61_000, [.syn, .ack]), by: "eth1")
    #expect(try session.verdicts(for: [answer])[0][.forward] == nil)
    try session.add([
      SandboxConnection(
        original: .init(
          from: try address("10.0.0.5"), to: try address("10.1.0.9"),
          .ports(protocol: 6, source: 40_000, destination: 80)),
        translated: .init(
          from: try address("10.1.0.1"), to: try address("10.1.0.9"),
          .ports(protocol: 6, source: 61_000, destination: 80)), mark: 7)
    ])
    #expect(try session.verdicts(for: [answer])[0][.forward] == .accept)
  }

  @Test(canUnshare, arguments: [true, false])
  func `packets that go on their way make connections`(isPrivileged: Bool) throws {
    let workshop = try Workshop()
    var session = try SandboxSession(
      host: try twoNetworks(), executable: try workshop.tool(isPrivileged: isPrivileged))
    let ruleset = Array(
      """
      table inet t {
        chain i {
          type filter hook input priority 0; policy drop;
          tcp dport 22 ct state new accept
        }
        chain f {
          type filter hook forward priority 0; policy drop;
          ct state established accept
          iifname eth0 ct state new accept
        }
        chain o { type filter hook output priority 0; policy drop; ct state established accept; }
      }

      """.utf8)
    let opening = try packet("10.0.0.5", "10.1.0.9", tcp(40_000, 80, .syn))
    let answer = try packet("10.1.0.9", "10.0.0.5", tcp(80, 40_000, [.syn, .ack]), by: "eth1")
    for isConfirming in [false, true] {
      try session.load(ruleset)
      #expect(
        try session.verdicts(for: [opening], confirming: isConfirming)[0][.forward] == .accept)
      #expect(
        try session.verdicts(for: [answer])[0][.forward] == (isConfirming ? .accept : .drop))
    }
    // Nothing listens at the host, and yet the flow is not reset before the host's answer.
    try session.load(ruleset)
    let inward = try packet("10.0.0.5", "10.0.0.1", tcp(40_000, 22, .syn))
    var outward = try packet("10.0.0.1", "10.0.0.5", tcp(22, 40_000, [.syn, .ack]))
    outward.origin = .local
    #expect(try session.verdicts(for: [outward])[0][.output] == .drop)
    #expect(try session.verdicts(for: [inward], confirming: true)[0][.input] == .accept)
    #expect(try session.verdicts(for: [outward])[0][.output] == .accept)
  }
}
