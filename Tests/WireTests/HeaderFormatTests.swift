import Addresses
import Testing
import Wire

/// One header format: its bytes, what they say, and how it is read, written and printed.
struct Format: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let bytes: [UInt8]
  /// Reads at an offset, and gives back where reading ended, what writing makes of it, and the text.
  let read: @Sendable ([UInt8], Int) throws(WireError) -> (end: Int, written: [UInt8], text: String)
  let text: String
  /// Bytes of the same length whose length or version field is impossible; empty where the format
  /// has none.
  let impossible: [UInt8]
}

private func replacing(_ bytes: [UInt8], _ offset: Int, _ value: UInt8) -> [UInt8] {
  var changed = bytes
  changed[offset] = value
  return changed
}

private let ethernet: [UInt8] = [
  2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0x60, 7, 0x08, 0,
]
private let arp: [UInt8] = [
  0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2,
]
private let ipv4: [UInt8] = [
  0x46, 0, 0, 0x2C, 0x12, 0x34, 0, 0, 64, 6, 0x51, 0x91, 10, 0, 0, 5, 10, 0, 0, 1, 1, 1, 1, 1,
]
private let ipv6: [UInt8] =
  [0x60, 0, 0, 0, 0, 20, 6, 64]
  + [0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]
  + [0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
private let hopByHop: [UInt8] = [6, 0, 1, 4, 0, 0, 0, 0]
private let authentication: [UInt8] = [
  6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]
private let tcp: [UInt8] = [
  0x9C, 0x40, 0, 22, 0, 0, 3, 0xE8, 0, 0, 0, 0, 0x80, 0x02, 0xFA, 0xF0, 0x12, 0x34, 0, 0,
  2, 4, 5, 0xB4, 4, 2, 1, 3, 3, 7, 0, 0,
]
private let udp: [UInt8] = [0x9C, 0x40, 0, 53, 0, 12, 0x4F, 0x63]
private let sctp: [UInt8] = [0x9C, 0x40, 0, 80, 0, 0, 0, 7, 1, 2, 3, 4]
private let icmp: [UInt8] = [8, 0, 0xE5, 0xCA, 0x12, 0x34, 0, 1]

private let formats: [Format] = [
  Format(
    testDescription: "Ethernet", bytes: ethernet,
    read: { (bytes, start) throws(WireError) in
      var offset = start
      let header = try EthernetHeader(reading: bytes, at: &offset)
      var written: [UInt8] = []
      header.write(into: &written)
      return (offset, written, header.description)
    }, text: "Ethernet 02:00:00:00:00:02 > 02:00:00:00:00:01 vlan 7 type 0x0800", impossible: []),
  Format(
    testDescription: "ARP", bytes: arp,
    read: { (bytes, start) throws(WireError) in
      var offset = start
      let header = try ARPPacket(reading: bytes, at: &offset)
      var written: [UInt8] = []
      header.write(into: &written)
      return (offset, written, header.description)
    }, text: "ARP who has 10.0.0.2, tell 10.0.0.1 at 02:00:00:00:00:01",
    impossible: replacing(arp, 4, 8)),
  Format(
    testDescription: "IPv4", bytes: ipv4,
    read: { (bytes, start) throws(WireError) in
      var offset = start
      let header = try IPv4Header(reading: bytes, at: &offset)
      var written: [UInt8] = []
      header.write(into: &written)
      return (offset, written, header.description)
    }, text: "IPv4 10.0.0.5 > 10.0.0.1 tcp ttl 64 length 44 options 4 bytes",
    impossible: replacing(ipv4, 0, 0x44)),
  Format(
    testDescription: "IPv6", bytes: ipv6,
    read: { (bytes, start) throws(WireError) in
      var offset = start
      let header = try IPv6Header(reading: bytes, at: &offset)
      var written: [UInt8] = []
      header.write(into: &written)
      return (offset, written, header.description)
    }, text: "IPv6 fd00::5 > fd00::1 next header 6 hop limit 64 payload 20",
    impossible: replacing(ipv6, 0, 0x40)),
  Format(
    testDescription: "IPv6 hop-by-hop options", bytes: hopByHop,
    read: { (bytes, start) throws(WireError) in
      var offset = start
      let header = try IPv6ExtensionHeader(reading: bytes, kind: .hopByHop, at: &offset)
      var written: [UInt8] = []
      header.write(into: &written)
      return (offset, written, header.description)
    }, text: "IPv6 hop-by-hop options 8 bytes next header 6",
    impossible: replacing(hopByHop, 1, 200)),
  Format(
    testDescription: "IPv6 authentication header", bytes: authentication,
    read: { (bytes, start) throws(WireError) in
      var offset = start
      let header = try IPv6ExtensionHeader(reading: bytes, kind: .authentication, at: &offset)
      var written: [UInt8] = []
      header.write(into: &written)
      return (offset, written, header.description)
    }, text: "IPv6 authentication header 24 bytes next header 6",
    impossible: replacing(authentication, 1, 200)),
  Format(
    testDescription: "TCP", bytes: tcp,
    read: { (bytes, start) throws(WireError) in
      var offset = start
      let header = try TCPHeader(reading: bytes, at: &offset)
      var written: [UInt8] = []
      header.write(into: &written)
      return (offset, written, header.description)
    }, text: "TCP 40000 > 22 flags syn seq 1000", impossible: replacing(tcp, 12, 0x40)),
  Format(
    testDescription: "TCP option", bytes: tcp,
    read: { (bytes, start) throws(WireError) in
      var offset = start
      let header = try TCPHeader(reading: bytes, at: &offset)
      var written: [UInt8] = []
      header.write(into: &written)
      return (offset, written, "\(header.options)")
    },
    text: "[Wire.TCPHeader.Option.maximumSegmentSize(1460), "
      + "Wire.TCPHeader.Option.selectiveAcknowledgementPermitted, "
      + "Wire.TCPHeader.Option.noOperation, Wire.TCPHeader.Option.windowScale(7), "
      + "Wire.TCPHeader.Option.end, Wire.TCPHeader.Option.end]",
    impossible: replacing(tcp, 21, 1)),
  Format(
    testDescription: "UDP", bytes: udp,
    read: { (bytes, start) throws(WireError) in
      var offset = start
      let header = try UDPHeader(reading: bytes, at: &offset)
      var written: [UInt8] = []
      header.write(into: &written)
      return (offset, written, header.description)
    }, text: "UDP 40000 > 53 length 12", impossible: replacing(udp, 5, 7)),
  Format(
    testDescription: "SCTP", bytes: sctp,
    read: { (bytes, start) throws(WireError) in
      var offset = start
      let header = try SCTPHeader(reading: bytes, at: &offset)
      var written: [UInt8] = []
      header.write(into: &written)
      return (offset, written, header.description)
    }, text: "SCTP 40000 > 80 tag 7", impossible: []),
  Format(
    testDescription: "ICMP", bytes: icmp,
    read: { (bytes, start) throws(WireError) in
      var offset = start
      let header = try ICMPHeader(reading: bytes, at: &offset)
      var written: [UInt8] = []
      header.write(into: &written)
      return (offset, written, header.description)
    }, text: "ICMP type 8 code 0", impossible: []),
]

@Suite("A header format") struct HeaderFormatTests {
  @Test("reads to its own end and no further", arguments: formats)
  func reads(format: Format) throws {
    let padded = [0xEE] + format.bytes + [0xEE, 0xEE]
    #expect(try format.read(padded, 1).end == 1 + format.bytes.count)
  }

  @Test("writes what it reads", arguments: formats)
  func writes(format: Format) throws {
    #expect(try format.read(format.bytes, 0).written == format.bytes)
  }

  @Test("throws on every short prefix", arguments: formats)
  func truncated(format: Format) {
    for count in 0..<format.bytes.count {
      #expect(throws: WireError.self, "\(count) bytes") {
        try format.read(Array(format.bytes[..<count]), 0)
      }
    }
  }

  @Test(
    "refuses impossible lengths and versions", arguments: formats.filter { !$0.impossible.isEmpty })
  func impossible(format: Format) {
    #expect(throws: WireError.self) { try format.read(format.impossible, 0) }
  }

  @Test("prints", arguments: formats)
  func prints(format: Format) throws {
    #expect(try format.read(format.bytes, 0).text == format.text)
  }
}
