import Addresses
import Capture
import Foundation
import LinuxKernel
import Testing
import Wire

/// The moment of the first packet, in nanoseconds.
private let moment: UInt64 = 1_700_000_000_123_456_789

/// A file with two interfaces and four packets, of which one is cut off at the snapshot length.
func writeRun(_ path: String) throws {
  var writer = try CaptureFileWriter(path, comment: "run 7: worker → cp")
  let near = writer.add(
    .init(name: "near", description: "worker-1", filter: "tcp port 22 or udp port 53"))
  let far = writer.add(.init(name: "far"))
  let syn = try packet(tcp(40_000, 22))
  let question = try packet(udp(40_001, 53, [1, 2, 3]), from: "fd00::5", to: "fd00::1")
  var numbers: [Int] = []
  for (step, bytes, interface, direction, comment) in [
    (0, syn, near, PacketDirection.outbound, "worker -> cp ssh: asked"),
    (1, syn, far, .inbound, "worker -> cp ssh: arrived, \"quoted\", ünïcode"),
    (2, question, near, .outbound, nil), (3, Array(question.prefix(44)), far, nil, ""),
  ] as [(UInt64, [UInt8], Int, PacketDirection?, String?)] {
    numbers.append(
      try writer.write(
        CapturedPacket(
          timestamp: moment + step, originalByteCount: step < 2 ? syn.count : question.count,
          direction: direction), bytes.span, interface: interface, comment: comment))
  }
  #expect(numbers == [1, 2, 3, 4])
  #expect(try writer.finish() == 4)
}

@Suite("A capture file that is written")
struct CaptureFileWriterTests {
  @Test(needs("tshark")) func `is what tshark shows`() throws {
    let folder = try Folder()
    let path = folder.path + "/run.pcapng"
    try writeRun(path)
    let fields = [
      "frame.number", "frame.interface_name", "frame.packet_flags_direction",
      "frame.time_epoch", "frame.cap_len", "frame.len", "frame.comment", "tcp.srcport",
      "udp.srcport",
    ]
    let shown = try run(
      "/usr/bin/tshark", ["-n", "-r", path, "-T", "fields"] + fields.flatMap { ["-e", $0] })
    let lines = shown.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    #expect(
      lines.map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
        == [
          [
            "1", "near", "0x00000002", "1700000000.123456789", "40", "40",
            "worker -> cp ssh: asked",
            "40000", "",
          ],
          [
            "2", "far", "0x00000001", "1700000000.123456790", "40", "40",
            "worker -> cp ssh: arrived, \"quoted\", ünïcode", "40000", "",
          ],
          ["3", "near", "0x00000002", "1700000000.123456791", "51", "51", "", "", "40001"],
          ["4", "far", "", "1700000000.123456792", "44", "51", "", "", "40001"],
        ])
  }

  @Test(needs("capinfos")) func `tells of its run and its interfaces`() throws {
    let folder = try Folder()
    let path = folder.path + "/run.pcapng"
    try writeRun(path)
    let shown = try run("/usr/bin/capinfos", [path])
    for words in [
      "run 7: worker → cp", "Name = near", "Description = worker-1",
      "Filter string = tcp port 22 or udp port 53", "Name = far", "nanoseconds (9)",
      "Encapsulation = Raw IP", "Number of packets = 2",
    ] {
      #expect(shown.contains(words), "\(words) in \(shown)")
    }
  }

  @Test(needs("tcpdump")) func `of one interface is what tcpdump reads`() throws {
    let folder = try Folder()
    let path = folder.path + "/run.pcapng"
    var writer = try CaptureFileWriter(path)
    let interface = writer.add(.init(name: "near", filter: "tcp"))
    let bytes = try packet(tcp(40_000, 22))
    for step in 0..<3 as Range<UInt64> {
      let facts = CapturedPacket(
        timestamp: moment + step, originalByteCount: bytes.count, direction: .inbound)
      _ = try writer.write(facts, bytes.span, interface: interface, comment: "packet \(step)")
    }
    _ = try writer.finish()
    let shown = try run("/usr/bin/tcpdump", ["-n", "-tt", "--nano", "-r", path])
    let lines = shown.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(
      lines.first?.hasPrefix(
        "1700000000.123456789 IP 10.0.0.5.40000 > 10.0.0.1.22: Flags [S]") == true)
    // libpcap reads pcapng, and what it writes is pcap: hence a writer of our own.
    let copy = folder.path + "/copy"
    try run("/usr/bin/tcpdump", ["-n", "-r", path, "-w", copy])
    #expect(try Files.read(copy).prefix(4) == [0xD4, 0xC3, 0xB2, 0xA1])
  }

  @Test func `reads as it was written`() throws {
    let folder = try Folder()
    let path = folder.path + "/many.pcapng"
    var generator = SystemRandomNumberGenerator()
    var written: [Kept] = []
    var writer = try CaptureFileWriter(path)
    let interface = writer.add(.init(name: "near"))
    for number in 0..<1000 {
      let payload = (0..<Int.random(in: 0...800, using: &generator)).map { _ in
        UInt8.random(in: .min ... .max, using: &generator)
      }
      let bytes = try packet(udp(UInt16(number), 53, payload))
      let facts = CapturedPacket(
        timestamp: moment + UInt64(number) * 1_000_003, originalByteCount: bytes.count,
        direction: PacketDirection.allCases.randomElement(using: &generator))
      written.append(Kept(facts: facts, bytes: bytes))
      #expect(
        try writer.write(facts, bytes.span, interface: interface, comment: "packet \(number)")
          == number + 1)
    }
    _ = try writer.finish()
    var reader = try CaptureFileReader(path)
    let read = try reader.rest()
    #expect(read.allSatisfy { $0.linkType == .rawIP && $0.interface == "near" })
    #expect(read.map(\.comment) == (0..<1000).map { "packet \($0)" })
    #expect(read.map(\.number) == Array(1...1000))
    #expect(read.map(\.bytes) == written.map(\.bytes))
    #expect(read.map(\.facts) == written.map(\.facts))
  }

  @Test func `without packets is a capture file`() throws {
    let folder = try Folder()
    let path = folder.path + "/none.pcapng"
    var writer = try CaptureFileWriter(path)
    _ = writer.add(.init(name: "near"))
    #expect(try writer.finish() == 0)
    var reader = try CaptureFileReader(path)
    #expect(try reader.next() == nil)
  }

  @Test func `that is not finished leaves nothing, and what was there stays`() throws {
    let folder = try Folder()
    let path = try folder.file("run.pcapng", holding: [1, 2, 3])
    for _ in 0..<2 {
      var writer = try CaptureFileWriter(path)
      let interface = writer.add(.init(name: "near"))
      let bytes = Array(repeating: UInt8(0x45), count: 1 << 17)
      for _ in 0..<4 {
        _ = try writer.write(
          CapturedPacket(timestamp: 1, originalByteCount: 0, direction: nil), bytes.span,
          interface: interface)
      }
    }
    #expect(try Files.read(path) == [1, 2, 3])
    #expect(try folder.names == ["run.pcapng"])
    try writeRun(path)
    #expect(try folder.names == ["run.pcapng"])
  }

  @Test func `is for its owner alone, also in place of one that all may read`() throws {
    let folder = try Folder()
    for path in [try folder.file("run.pcapng", holding: [1, 2, 3]), folder.path + "/new.pcapng"] {
      try writeRun(path)
      let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
      #expect(mode == 0o600)
    }
  }

  @Test func `cuts what is longer than the format holds`() throws {
    let folder = try Folder()
    let path = folder.path + "/long.pcapng"
    let longest = CaptureFileWriter.longestPacket
    var writer = try CaptureFileWriter(path, comment: String(repeating: "ü", count: 40_000))
    let interface = writer.add(.init(name: "near"))
    let bytes = Array(repeating: UInt8(0x45), count: longest + 1)
    let facts = CapturedPacket(timestamp: 1, originalByteCount: longest + 1, direction: nil)
    _ = try writer.write(
      facts, bytes.span, interface: interface, comment: String(repeating: "→", count: 30_000))
    _ = try writer.write(facts, bytes.span, interface: interface)
    _ = try writer.finish()
    var reader = try CaptureFileReader(path)
    for packet in try reader.rest() {
      #expect(packet.bytes.count == longest && packet.facts == facts)
    }
  }

  @Test func `cannot be written where there is no folder`() throws {
    let path = "/nonexistent/run.pcapng"
    #expect(throws: CaptureError.unwritable(path: path, .noSuchFile)) {
      _ = try CaptureFileWriter(path)
    }
  }
}
