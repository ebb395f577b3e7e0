import Addresses
import TestSupport
import Testing
import Wire

private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

private func built(
  _ source: String, _ destination: String, _ segment: PacketBuilder.Segment
) throws -> [UInt8] {
  try #require(
    PacketBuilder.packet(
      from: try address(source), to: try address(destination), carrying: segment))
}

@Suite("A packet") struct PacketTests {
  @Test func `has right checksums in every transport and family`() throws {
    for (source, destination) in [("10.0.0.5", "10.0.0.1"), ("fd00::5", "fd00::1")] {
      let segments: [(TransportProtocol, PacketBuilder.Segment)] = [
        (.tcp, .tcp(TCPHeader(sourcePort: 1, destinationPort: 2), payload: [1, 2, 3])),
        (
          .udp,
          .udp(
            UDPHeader(sourcePort: 1, destinationPort: 2, payloadByteCount: 3), payload: [7, 8, 9])
        ),
        (
          .udplite,
          .udplite(
            UDPHeader(sourcePort: 1, destinationPort: 2, payloadByteCount: 1), payload: [7])
        ),
        (
          source.contains(":") ? .icmpv6 : .icmp,
          .icmp(ICMPHeader(type: 8, rest: 5), payload: [1])
        ),
      ]
      for (transport, segment) in segments {
        var bytes = try built(source, destination, segment)
        let layout = try PacketLayout(reading: bytes)
        #expect(layout.transport == transport.rawValue)
        let start = layout.transportOffset
        #expect(layout.isChecksumValid(of: transport, from: start, in: bytes), "\(transport)")
        bytes[bytes.count - 1] ^= 1
        #expect(!layout.isChecksumValid(of: transport, from: start, in: bytes), "\(transport)")
      }
    }
  }

  @Test func `is not made of two families`() throws {
    #expect(
      PacketBuilder.packet(
        from: try address("10.0.0.1"), to: try address("fd00::1"), carrying: .other(.tcp, []))
        == nil)
  }

  @Test func `agrees with bytes that a kernel accepted`() throws {
    // The checksums of this SYN were computed by another implementation.
    var header = TCPHeader(sourcePort: 40000, destinationPort: 22, sequence: 1000)
    header.window = 64240
    let bytes = try built("10.0.0.5", "10.0.0.1", .tcp(header, payload: []))
    #expect(Array(bytes[20...]) == octets("9c400016000003e8000000005002faf000ae0000"))
  }

  @Test func `prints its headers one below the other`() throws {
    let bytes = try built(
      "10.0.0.5", "10.0.0.1",
      .udp(UDPHeader(sourcePort: 40000, destinationPort: 53, payloadByteCount: 0), payload: []))
    #expect(
      PacketPrinter.print(packet: bytes) == """
        IPv4 10.0.0.5 > 10.0.0.1 udp ttl 64 length 28
          UDP 40000 > 53 length 8
        """)
    #expect(
      PacketPrinter.print(packet: Array(bytes[..<24])) == """
        IPv4 10.0.0.5 > 10.0.0.1 udp ttl 64 length 28
          (UDP header at byte 20 needs 8 bytes, 4 are left)
        """)
  }

  @Test func `prints the frame around it`() throws {
    var frame: [UInt8] = []
    EthernetHeader(
      destination: MACAddress(rawValue: 1), source: MACAddress(rawValue: 2), carriedProtocol: 0x86DD
    ).write(into: &frame)
    frame += try built("fd00::5", "fd00::1", .icmp(ICMPHeader(type: 128), payload: []))
    #expect(
      PacketPrinter.print(frame: frame) == """
        Ethernet 00:00:00:00:00:02 > 00:00:00:00:00:01 type 0x86dd
          IPv6 fd00::5 > fd00::1 next header 58 hop limit 64 payload 8
            ICMP type 128 code 0
        """)
  }
}

func octets(_ hexadecimal: String) -> [UInt8] {
  let digits = Array(hexadecimal)
  return stride(from: 0, to: digits.count, by: 2).compactMap {
    UInt8(String(digits[$0...$0 + 1]), radix: 16)
  }
}

/// A packet, and where its transport header is found.
struct LayoutCase: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let hexadecimal: String
  let transport: UInt8?
  let offset: Int
  var fragmentOffset: UInt16 = 0
}

private let fixed6 = "fd000000000000000000000000000005fd000000000000000000000000000001"

private let layouts: [LayoutCase] = [
  LayoutCase(
    testDescription: "plain IPv4",
    hexadecimal: "4500001c12340000401154980a0000050a0000019c40003500084f63",
    transport: 17, offset: 20),
  LayoutCase(
    testDescription: "IPv4 options",
    hexadecimal:
      "4600002c12340000400651910a0000050a000001010101019c400016000003e8000000005002faf000ae0000",
    transport: 6, offset: 24),
  LayoutCase(
    testDescription: "hop-by-hop options",
    hexadecimal: "60000000000c0040" + fixed6 + "0600010400000000" + "00000000", transport: 6,
    offset: 48),
  LayoutCase(
    testDescription: "routing and destination options",
    hexadecimal: "6000000000142b40" + fixed6 + "3c00010400000000" + "1100010400000000" + "00000000",
    transport: 17, offset: 56),
  LayoutCase(
    testDescription: "authentication header ends the walk",
    hexadecimal: "6000000000183340" + fixed6
      + "060400000000000100000001000000000000000000000000", transport: 51, offset: 40),
  LayoutCase(
    testDescription: "first fragment",
    hexadecimal: "60000000000c2c40" + fixed6 + "1100000100000001" + "00000000", transport: 17,
    offset: 48),
  LayoutCase(
    testDescription: "later fragment",
    hexadecimal: "60000000000c2c40" + fixed6 + "1100000900000001" + "00000000", transport: 17,
    offset: 0, fragmentOffset: 1),
  LayoutCase(
    testDescription: "no next header", hexadecimal: "6000000000003b40" + fixed6, transport: 59,
    offset: 40),
  LayoutCase(
    testDescription: "broken chain", hexadecimal: "6000000000010040" + fixed6 + "06",
    transport: nil, offset: 0),
]

@Suite("A layout") struct PacketLayoutTests {
  @Test("finds the transport header", arguments: layouts) func located(layout: LayoutCase) throws {
    let found = try PacketLayout(reading: octets(layout.hexadecimal))
    #expect(found.transport == layout.transport)
    #expect(found.transportOffset == layout.offset)
    #expect(found.fragmentOffset == layout.fragmentOffset)
  }

  @Test func `reads bits wherever they begin`() throws {
    let bytes = octets("4500001c12340000401154980a0000050a0000019c40003500084f63")
    let layout = try PacketLayout(reading: bytes)
    #expect(layout.bits(at: 0, count: 4, in: bytes) == 4)
    #expect(layout.bits(at: 4, count: 4, in: bytes) == 5)
    #expect(layout.bits(at: 35, count: 13, in: bytes) == UInt128(0x1234))
    #expect(layout.bits(at: 96, count: 32, in: bytes) == 0x0A00_0005)
    #expect(layout.bits(at: 64, count: 128, in: bytes) == 0x4011_5498_0A00_0005_0A00_0001_9C40_0035)
    #expect(layout.bits(at: 8 * 26, count: 16, in: bytes) == 0x4F63)
    #expect(layout.bits(at: 8 * 26, count: 24, in: bytes) == nil)
  }

  @Test func `says why a receiver throws bytes away`() {
    let good = octets("4500001c12340000401154980a0000050a0000019c40003500084f63")
    func problem(_ bytes: [UInt8]) -> PacketLayout.Malformation? {
      do throws(PacketLayout.Malformation) {
        _ = try PacketLayout(reading: bytes)
        return nil
      } catch {
        return error
      }
    }
    #expect(problem(good) == nil)
    #expect(problem(good + [0, 0]) == nil)
    #expect(problem([]) == .empty)
    #expect(problem([0x50]) == .version)
    #expect(problem(Array(good[..<19])) == .headerTruncated)
    #expect(problem([0x44] + good[1...]) == .headerLength)
    #expect(problem(Array(good[..<27])) == .totalLength)
    #expect(problem(Array(good[..<8]) + [0x41] + good[9...]) == .headerChecksum)
  }
}

@Suite("Arbitrary bytes") struct MutationTests {
  @Test("never trap", arguments: layouts) func mutated(layout: LayoutCase) {
    var random = SeededGenerator(seed: 1)
    let original = octets(layout.hexadecimal)
    for _ in 0..<1000 {
      var bytes = original
      for _ in 0...Int.random(in: 0..<4, using: &random) {
        switch Int.random(in: 0..<3, using: &random) {
        case 0 where !bytes.isEmpty:
          bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(
            in: 0...255, using: &random)
        case 1: bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
        default: bytes.append(.random(in: 0...255, using: &random))
        }
      }
      examine(bytes)
    }
  }
}

/// Reads bytes in every way there is.
func examine(_ bytes: [UInt8]) {
  _ = PacketPrinter.print(frame: bytes)
  _ = PacketPrinter.print(packet: bytes)
  do throws(PacketLayout.Malformation) {
    let layout = try PacketLayout(reading: bytes)
    for kind: UInt8 in [0, 43, 44, 51, 60, 135] { _ = layout.offset(ofExtension: kind, in: bytes) }
    _ = layout.bits(at: 8 * layout.transportOffset, count: 32, in: bytes)
    _ = layout.isChecksumValid(of: .tcp, from: layout.transportOffset, in: bytes)
  } catch {
    #expect(!error.rawValue.isEmpty)
  }
}
