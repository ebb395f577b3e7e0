import Addresses
import Testing
import Wire

@Suite("A checksum that is left to the network card")
struct UnfinishedChecksumTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let source: String
    let destination: String
    let segment: PacketBuilder.Segment
    let transport: TransportProtocol
    /// Where the checksum lies, from the transport header on.
    let field: Int
  }

  private static let tcp = PacketBuilder.Segment.tcp(
    TCPHeader(sourcePort: 1, destinationPort: 2), payload: [1, 2, 3])
  private static let udp = PacketBuilder.Segment.udp(
    UDPHeader(sourcePort: 1, destinationPort: 2, payloadByteCount: 5), payload: [9, 8, 7, 6, 5])

  static let cases = [
    Case(
      testDescription: "TCP", source: "10.0.0.1", destination: "10.0.0.2", segment: tcp,
      transport: .tcp, field: 16),
    Case(
      testDescription: "TCP over IPv6", source: "fd00::1", destination: "fd00::2", segment: tcp,
      transport: .tcp, field: 16),
    Case(
      testDescription: "UDP", source: "10.0.0.1", destination: "10.0.0.2", segment: udp,
      transport: .udp, field: 6),
    Case(
      testDescription: "UDP over IPv6", source: "fd00::1", destination: "fd00::2", segment: udp,
      transport: .udp, field: 6),
  ]

  @Test("is finished as it was built", arguments: cases) func finished(each: Case) throws {
    let source = try #require(IPAddress(each.source))
    let destination = try #require(IPAddress(each.destination))
    let whole = try #require(
      PacketBuilder.packet(from: source, to: destination, carrying: each.segment))
    // Padding of a short frame is not summed.
    let padded = whole + [0xAA, 0xBB]
    let layout = try PacketLayout(reading: padded)
    #expect(layout.finishingChecksum(in: padded) == nil)
    // The kernel writes the folded sum of the pseudo header, without its complement.
    var sum = InternetChecksum()
    sum.addPseudoHeader(
      source: source, destination: destination, transport: each.transport,
      byteCount: layout.byteCount - layout.transportOffset)
    let field = layout.transportOffset + each.field
    var unfinished = padded
    unfinished[field] = UInt8(~sum.value >> 8)
    unfinished[field + 1] = UInt8(~sum.value & 0xFF)
    #expect(layout.finishingChecksum(in: unfinished) == padded)
    // What is wrong in another way stays wrong.
    unfinished[field + 1] ^= 1
    #expect(layout.finishingChecksum(in: unfinished) == nil)
  }

  @Test func `is none of a fragment, of ICMP, or of what ends before it`() throws {
    let source = try #require(IPAddress("10.0.0.1"))
    let destination = try #require(IPAddress("10.0.0.2"))
    for segment in [
      PacketBuilder.Segment.icmp(ICMPHeader(type: 8, code: 0, rest: 1), payload: []),
      .other(.tcp, [0, 1, 0, 2, 0, 0]), .other(.udp, [0, 1, 0, 2, 0, 8, 0]), .other(.gre, [0, 0]),
    ] {
      let packet = try #require(
        PacketBuilder.packet(from: source, to: destination, carrying: segment))
      #expect(try PacketLayout(reading: packet).finishingChecksum(in: packet) == nil)
    }
  }
}
