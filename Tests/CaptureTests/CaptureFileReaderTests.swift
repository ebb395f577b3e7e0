import Addresses
import Capture
import Foundation
import LinuxKernel
import TestSupport
import Testing
import Wire

@Suite("A capture file that is read")
struct CaptureFileReaderTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// The number of the link type in files.
    let linkType: UInt32
    let header: [UInt8]
    var isIPv6 = false
    var direction: PacketDirection?
  }

  private static let addresses = Array(repeating: UInt8(2), count: 12)
  private static let cooked = Array(repeating: UInt8(0), count: 12)
  private static let cooked2 = Array(repeating: UInt8(0), count: 17)

  static let cases: [Case] = [
    Case(testDescription: "Ethernet", linkType: 1, header: addresses + [8, 0]),
    Case(
      testDescription: "Ethernet with IPv6", linkType: 1, header: addresses + [0x86, 0xDD],
      isIPv6: true),
    Case(
      testDescription: "Ethernet with two tags", linkType: 1,
      header: addresses + [0x88, 0xA8, 0, 1, 0x81, 0, 0, 2, 8, 0]),
    Case(
      testDescription: "Linux cooked, arriving", linkType: 113,
      header: [0, 0] + cooked + [8, 0], direction: .inbound),
    Case(
      testDescription: "Linux cooked, leaving, with a tag", linkType: 113,
      header: [0, 4] + cooked + [0x81, 0, 0, 1, 8, 0], direction: .outbound),
    Case(
      testDescription: "Linux cooked v2, leaving", linkType: 276,
      header: [0x86, 0xDD] + cooked2.prefix(8) + [4] + cooked2.prefix(9), isIPv6: true,
      direction: .outbound),
    Case(testDescription: "raw IP", linkType: 101, header: []),
    Case(testDescription: "raw IP with IPv6", linkType: 101, header: [], isIPv6: true),
    Case(testDescription: "raw IPv4", linkType: 228, header: []),
    Case(testDescription: "raw IPv6", linkType: 229, header: [], isIPv6: true),
    Case(testDescription: "BSD loopback", linkType: 0, header: [2, 0, 0, 0]),
    Case(
      testDescription: "BSD loopback of the other byte order", linkType: 0,
      header: [0, 0, 0, 30], isIPv6: true),
    Case(testDescription: "OpenBSD loopback", linkType: 108, header: [0, 0, 0, 2]),
  ]

  private static func packet(isIPv6: Bool) throws -> [UInt8] {
    isIPv6
      ? try CaptureTests.packet(udp(1, 2, [1, 2, 3]), from: "fd00::5", to: "fd00::1")
      : try CaptureTests.packet(udp(1, 2, [1, 2, 3]))
  }

  @Test("gives packets from the IP header on", arguments: cases, [false, true])
  func links(each: Case, isBigEndian: Bool) throws {
    let folder = try Folder()
    let packet = try Self.packet(isIPv6: each.isIPv6)
    // A frame without payload is not an IP packet, and one that is cut within its header is not.
    let frames = [each.header, Array(each.header.dropLast()), each.header + packet]
    let path = try folder.file(
      "a.pcap", holding: pcapFile(linkType: each.linkType, frames: frames, isBigEndian: isBigEndian)
    )
    var reader = try CaptureFileReader(path)
    let read = try reader.rest()
    #expect(read.map(\.number) == [3])
    #expect(read.map { UInt32($0.linkType.fileNumber) } == [each.linkType])
    #expect(read.map(\.bytes) == [packet])
    #expect(
      read.map(\.facts) == [
        CapturedPacket(
          timestamp: 1_700_000_002_000_123_456, originalByteCount: packet.count + 10,
          direction: each.direction)
      ])
    #expect(reader.others == 2)
  }

  @Test(
    "tells what frames carry that are no IP packets",
    arguments: [
      (1, addresses + [8, 6] + cooked, "ARP"),
      (1, addresses + [0x88, 0x64, 0x11], "PPPoE session"),
      (1, addresses + [0x81, 0, 0, 1, 0x88, 0xCC], "LLDP"),
      (1, addresses + [0, 0x26], "IEEE 802.3"),
      (1, addresses + [0x0A, 0xBC], "EtherType 0x0abc"), (1, addresses + [8, 0], "no bytes"),
      (1, addresses, "a frame that is too short"), (113, [0, 0] + cooked + [8, 6], "ARP"),
      (276, [0x88, 0x47] + cooked2 + [0], "MPLS"), (101, [0x15], "IP version 1"),
      (101, [], "no bytes"), (0, [7, 0, 0, 0, 1], "another address family"),
    ] as [(UInt32, [UInt8], String)])
  func others(linkType: UInt32, frame: [UInt8], contents: String) throws {
    let folder = try Folder()
    let file = pcapFile(linkType: linkType, frames: [frame], longer: 0)
    var reader = try CaptureFileReader(try folder.file("a.pcap", holding: file))
    #expect(try reader.nextFrame() == .other(number: 1, contents: contents))
    #expect(try reader.nextFrame() == nil)
    #expect(reader.others == 1)
  }

  @Test func `does not say that a frame is none of IP of which too little was kept`() throws {
    let folder = try Folder()
    for (linkType, frame) in [
      (1, Self.addresses + [8, 0]), (1, Array(Self.addresses.prefix(10))), (101, []),
      (113, [0, 0] + Self.cooked), (0, [2, 0, 0]),
    ] as [(UInt32, [UInt8])] {
      let file = pcapFile(linkType: linkType, frames: [frame], longer: 1)
      var reader = try CaptureFileReader(try folder.file("a.pcap", holding: file))
      #expect(try reader.nextFrame() == .other(number: 1, contents: nil))
    }
  }

  @Test func `tells addresses, receivers and tags of link headers`() throws {
    let folder = try Folder()
    let packet = try Self.packet(isIPv6: false)
    let (first, second) = (MACAddress("02:00:00:00:00:01"), MACAddress("02:00:00:00:00:02"))
    let own = frame(packet).prefix(12)
    let sender: [UInt8] = [0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0]
    for (linkType, head, expected) in [
      (1, own + [8, 0], LinkHeader(source: second, destination: first)),
      (1, own + [0x81, 0, 0xE0, 0, 8, 0], LinkHeader(source: second, destination: first)),
      (
        1, own + [0x88, 0xA8, 0, 0, 0x81, 0, 0x10, 1, 8, 0],
        LinkHeader(source: second, destination: first, isTagged: true)
      ),
      (113, [0, 0] + sender + [8, 0], LinkHeader(source: second, receiver: .one)),
      (113, [0, 1] + sender + [8, 0], LinkHeader(source: second, receiver: .everybody)),
      (
        113, [0, 3] + sender + [0x81, 0, 0, 5, 8, 0],
        LinkHeader(source: second, receiver: .another, isTagged: true)
      ),
      (113, [0, 2] + Self.cooked + [8, 0], LinkHeader(receiver: .group)),
      (
        276, [8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 2, 0, 0, 0, 0, 2, 0, 0],
        LinkHeader(source: second, receiver: .one)
      ),
      (101, [], LinkHeader()), (0, [2, 0, 0, 0], LinkHeader()),
    ] as [(UInt32, [UInt8], LinkHeader)] {
      let file = pcapFile(linkType: linkType, frames: [head + packet])
      #expect(
        readable(try folder.file("a.pcap", holding: file)).packets.map(\.header) == [expected])
    }
  }

  @Test func `counts microseconds as a thousand nanoseconds`() throws {
    let folder = try Folder()
    let path = try folder.file(
      "a.pcap",
      holding: pcapFile(
        linkType: 101, frames: [try Self.packet(isIPv6: false)], magic: 0xA1B2_C3D4))
    var reader = try CaptureFileReader(path)
    #expect(try reader.rest().map(\.facts.timestamp) == [1_700_000_000_123_456_000])
  }

  @Test func `is refused where its link type carries no IP, or it is no capture file`() throws {
    let folder = try Folder()
    // LINKTYPE_IEEE802_11 is 105.
    let radio = try folder.file("radio.pcap", holding: pcapFile(linkType: 105, frames: []))
    #expect(throws: CaptureError.unsupportedLinkType(source: radio, name: "IEEE802_11")) {
      _ = try CaptureFileReader(radio)
    }
    let missing = folder.path + "/missing"
    #expect(throws: CaptureError.unreadable(path: missing, .noSuchFile)) {
      _ = try CaptureFileReader(missing)
    }
    #expect(
      throws: CaptureError.notACaptureFile(
        path: "/dev/null", message: "it is a pipe, a device or a folder")
    ) {
      _ = try CaptureFileReader("/dev/null")
    }
    for bytes in [[], [1, 2, 3], Array("not a capture file, whatever it is".utf8)] {
      let path = try folder.file("text", holding: bytes)
      guard case .notACaptureFile(path, let message)? = readable(path).error else {
        Issue.record("\(bytes) was taken for a capture file")
        continue
      }
      #expect(!message.isEmpty && !message.contains(path))
    }
  }

  @Test(needs("editcap")) func `is the same in pcap and in what editcap makes of it`() throws {
    let folder = try Folder()
    let frames = try (0..<20).map { number in
      frame(try CaptureTests.packet(udp(UInt16(number), 53, Array(repeating: 1, count: number))))
    }
    let pcap = try folder.file("a.pcap", holding: pcapFile(linkType: 1, frames: frames))
    let pcapng = folder.path + "/a.pcapng"
    try run("/usr/bin/editcap", ["-F", "pcapng", "-a", "3:the third", pcap, pcapng])
    let (packets, error) = readable(pcapng)
    #expect(error == nil)
    #expect(packets.map(\.bytes) == readable(pcap).packets.map(\.bytes))
    #expect(packets.map(\.facts) == readable(pcap).packets.map(\.facts))
    #expect(packets.compactMap(\.comment) == ["the third"] && packets[2].comment != nil)
  }

  @Test(needs("mergecap")) func `has all interfaces of a file, whatever their link types`() throws {
    let folder = try Folder()
    let packet = try Self.packet(isIPv6: false)
    let ethernet = try folder.file(
      "a.pcap", holding: pcapFile(linkType: 1, frames: [frame(packet), frame(packet)]))
    let raw = try folder.file("b.pcap", holding: pcapFile(linkType: 101, frames: [packet]))
    let path = folder.path + "/both.pcapng"
    try run("/usr/bin/mergecap", ["-a", "-F", "pcapng", "-w", path, ethernet, raw])
    let (packets, error) = readable(path)
    #expect(error == nil)
    #expect(packets.map(\.linkType) == [.ethernet, .ethernet, .rawIP])
    #expect(packets.map(\.bytes) == [packet, packet, packet])
  }

  @Test func `may have the other byte order, other clocks and simple packets`() throws {
    func number(_ value: UInt32) -> [UInt8] {
      [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }
    func block(_ type: UInt32, _ body: [UInt8]) -> [UInt8] {
      let length = number(UInt32(body.count + 12))
      return number(type) + length + body + length
    }
    let packet = try Self.packet(isIPv6: true)
    let padded = packet + Array(repeating: 0, count: (4 - packet.count % 4) % 4)
    let size = number(UInt32(packet.count))
    // Interface 0: steps of 2⁻¹⁰ s from 100 s on; interface 1: microseconds.
    let bytes =
      block(0x0A0D_0D0A, number(0x1A2B_3C4D) + [0, 1, 0, 0] + number(.max) + number(.max))
      + block(
        1,
        [0, 101, 0, 0] + number(0) + [0, 9, 0, 1, 0x8A, 0, 0, 0] + [0, 14, 0, 8] + number(0)
          + number(100) + [0, 2, 0, 3] + Array("tun".utf8) + [0] + number(0))
      + block(1, [0, 101, 0, 0] + number(0))
      + block(6, number(0) + number(0) + number(2048 + 512) + size + size + padded)
      + block(0x0BAD, [1, 2, 3, 4])
      + block(2, [0, 1, 0, 0] + number(0) + number(7) + size + size + padded)
      + block(3, size + padded)
    let folder = try Folder()
    let (packets, error) = readable(try folder.file("a.pcapng", holding: bytes))
    #expect(error == nil)
    #expect(packets.map(\.bytes) == [packet, packet, packet])
    #expect(packets.map(\.facts.timestamp) == [102_500_000_000, 7000, 0])
    #expect(packets.map(\.interface) == ["tun", nil, "tun"])
  }

  /// Two files with four packets of each kind.
  private func wholeFiles(in folder: Folder) throws -> [(bytes: [UInt8], count: Int)] {
    let path = folder.path + "/whole.pcapng"
    try writeRun(path)
    let packets = try (0..<4).map { try CaptureTests.packet(udp(UInt16($0), 53, [1, 2, 3])) }
    return [
      (try Files.read(path), 4), (pcapFile(linkType: 1, frames: packets.map { frame($0) }), 4),
    ]
  }

  @Test func `that is cut off anywhere is an error that names the packet, or a whole shorter file`()
    throws
  {
    let folder = try Folder()
    for whole in try wholeFiles(in: folder) {
      var cleanEnds = 0
      let all = readable(try folder.file("all", holding: whole.bytes)).packets
      #expect(all.count == whole.count)
      for count in 0..<whole.bytes.count {
        let path = try folder.file("cut", holding: Array(whole.bytes.prefix(count)))
        let (packets, error) = readable(path)
        #expect(packets == Array(all.prefix(packets.count)))
        switch error {
        case nil: cleanEnds += 1
        case .damaged(path, let packet, let message)?:
          #expect(packet == packets.count + 1 && !message.isEmpty)
        case .notACaptureFile(path, _)?: #expect(packets.isEmpty)
        case let other?: Issue.record("\(count) bytes: \(other)")
        }
      }
      // Behind the head, and behind each packet but the last; pcapng has interfaces besides.
      #expect((4...6).contains(cleanEnds), "\(cleanEnds)")
    }
  }

  @Test func `that is broken is read or an error, and never more`() throws {
    let folder = try Folder()
    var generator = SeededGenerator(seed: 7)
    var errors = 0
    for whole in try wholeFiles(in: folder) {
      for _ in 0..<400 {
        var mutant = whole.bytes
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
          let place = Int.random(in: mutant.indices, using: &generator)
          switch Int.random(in: 0..<4, using: &generator) {
          case 0: mutant[place] = UInt8.random(in: .min ... .max, using: &generator)
          case 1: mutant[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
          case 2: mutant[place] = [0, 0x7F, 0x80, 0xFF].randomElement(using: &generator) ?? 0
          default: mutant.remove(at: place)
          }
        }
        let (packets, error) = readable(try folder.file("mutant", holding: mutant))
        if error != nil { errors += 1 }
        #expect(packets.count <= whole.count + 1)
        for packet in packets {
          #expect(packet.facts.originalByteCount >= packet.bytes.count)
        }
      }
    }
    #expect(errors > 100)
  }
}
