import Addresses
import Capture
import Foundation
import LinuxKernel
import TestSupport
import Testing
import Wire

@Suite("simulate --pcap")
struct SimulatedCaptureTests {
  private let workshop: Workshop

  init() throws {
    workshop = try Workshop(isForAll: false)
    func chain(_ hook: String, _ handle: Int) -> String {
      """
      {"chain": {"family": "inet", "table": "t", "name": "\(hook)", "handle": \(handle), \
      "type": "filter", "hook": "\(hook)", "prio": 0, "policy": "drop"}},
      {"rule": {"family": "inet", "table": "t", "chain": "\(hook)", "handle": \(handle + 1), \
      "expr": [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, \
      "right": ["established"]}}, {"accept": null}]}},
      """
    }
    _ = try workshop.write(
      "fw.json",
      """
      {"nftables": [{"table": {"family": "inet", "name": "t", "handle": 1}},
      \(chain("input", 10)) \(chain("output", 20))
      {"rule": {"family": "inet", "table": "t", "chain": "input", "handle": 30, "expr": [
        {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["invalid"]}}, \
      {"drop": null}]}},
      {"rule": {"family": "inet", "table": "t", "chain": "input", "handle": 31, "expr": [
        {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}},
        {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, \
      "right": 22}}, {"accept": null}]}},
      {"rule": {"family": "inet", "table": "t", "chain": "output", "handle": 32, "expr": [
        {"match": {"op": "==", "left": {"meta": {"key": "nfproto"}}, "right": "ipv4"}},
        {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, \
      "right": 53}}, {"accept": null}]}}]}
      """)
    _ = try workshop.write(
      "host.json",
      """
      {"interfaces": [{"name": "eth0", "index": 2, "mac": "02:00:00:00:00:01",
        "addresses": ["10.0.0.1/24", "fd00::1/64"]}],
       "routes": [{"to": "default", "dev": "eth0"}]}
      """)
  }

  private func path(_ name: String) -> String { workshop.folder + "/" + name }

  private func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    try Data(bytes).write(to: URL(filePath: path(name)))
    return path(name)
  }

  /// Runs the tool on the ruleset, and on the host unless it is left out.
  private func simulate(_ words: [String], isHostKnown: Bool = true) throws -> (
    status: Int32, lines: [String], errors: String
  ) {
    let host = isHostKnown ? ["--host", path("host.json")] : []
    let output = try ChildProcess.run(
      workshop.tool, ["simulate", "--ruleset", path("fw.json")] + host + words,
      timeout: .seconds(60), limit: 1 << 24)
    guard case .exited(let status) = output.ending else {
      Issue.record("\(words) ended so: \(output.ending)")
      return (-1, [], "")
    }
    return (
      status,
      String(decoding: output.output, as: UTF8.self).split(separator: "\n").map(String.init),
      String(decoding: output.errors, as: UTF8.self)
    )
  }

  private func verdicts(_ lines: [String]) -> [String] {
    lines.map { line in
      line.firstMatch(of: /"verdict":"?([a-z]+)/).map { String($0.1) } ?? line
    }
  }

  /// What `--packets` says of the same packets, numbered from 1 on.
  private func expected(_ crossings: [Crossing]) throws -> [String] {
    let lines = try workshop.write("p.jsonl", crossings.map { $0.line() }.joined(separator: "\n"))
    let answer = try simulate(["--packets", lines])
    #expect(answer.status == 0)
    return answer.lines.enumerated().map {
      #"{"packet":\#($0.offset + 1),"# + $0.element.dropFirst()
    }
  }

  private func writtenFile(_ crossings: [Crossing], interface name: String) throws -> String {
    let file = path("written-\(name).pcapng")
    var writer = try CaptureFileWriter(file)
    let interface = writer.add(.init(name: name))
    for (number, crossing) in crossings.enumerated() {
      _ = try writer.write(
        CapturedPacket(
          timestamp: 1_700_000_000_000_000_000 + UInt64(number),
          originalByteCount: crossing.bytes.count, direction: crossing.direction),
        crossing.bytes.span, interface: interface)
    }
    _ = try writer.finish()
    return file
  }

  @Test func `answers what the capture writer wrote as the same packets in lines`() throws {
    let crossings = try crossings()
    let answer = try simulate(["--pcap", try writtenFile(crossings, interface: "eth0")])
    #expect(answer.status == 0 && answer.errors == "", "\(answer.errors)")
    #expect(answer.lines == (try expected(crossings)))
    // The state of the run decides the second and the third.
    #expect(
      verdicts(answer.lines) == [
        "accept", "accept", "accept", "drop", "accept", "drop", "drop", "drop",
      ])
  }

  @Test(
    needs("tcpdump"), needs("tshark"), needs("editcap"),
    arguments: ["tcpdump", "tshark", "editcap"])
  func `answers Ethernet frames that other programs wrote, whose senders tell the direction`(
    program: String
  ) throws {
    let crossings = try crossings()
    let own = try write("own.pcap", pcapFile(crossings.map { $0.frame() }))
    let file = path("\(program).pcap")
    let words = program == "editcap" ? [own, file] : ["-r", own, "-w", file]
    let output = try ChildProcess.run(
      "/usr/bin/\(program)", words, timeout: .seconds(60), limit: 1 << 20)
    try #require(output.ending == .exited(0))
    #expect(try (Files.read(file).prefix(4) == [0x0A, 0x0D, 0x0D, 0x0A]) == (program != "tcpdump"))
    let answer = try simulate(["--pcap", file, "--iif", "eth0"])
    #expect(answer.status == 0 && answer.errors == "", "\(answer.errors)")
    #expect(verdicts(answer.lines) == verdicts(try expected(crossings)))
  }

  @Test func `tells of what is no IP packet, and numbers it`() throws {
    let crossings = try crossings()
    let arp = Array(crossings[0].frame().prefix(12)) + [8, 6] + Array(repeating: 0, count: 28)
    let strange = Array(crossings[0].frame().prefix(12)) + [0x12, 0x34, 0]
    let file = try write("a.pcap", pcapFile([arp, crossings[0].frame(), strange]))
    let answer = try simulate(["--pcap", file, "--iif", "eth0"])
    #expect(answer.status == 0)
    try #require(answer.lines.count == 3)
    #expect(answer.lines[0] == #"{"packet":1,"verdict":null,"because":"no IP packet (ARP)"}"#)
    #expect(answer.lines[1].hasPrefix(#"{"packet":2,"verdict":"accept","#))
    #expect(
      answer.lines[2] == #"{"packet":3,"verdict":null,"because":"no IP packet (EtherType 0x1234)"}"#
    )
  }

  @Test func `takes the interface from --iif only where the file does not say it`() throws {
    let crossing = try crossings()[0]
    let foreign = "Ethernet adapter 2"
    for (name, iif, verdict) in [
      ("eth0", nil, "accept"), ("eth0", "eth9", "accept"), ("any", "eth0", "accept"),
      ("any", nil, "unknown"), (foreign, "eth0", "accept"),
    ] as [(String, String?, String)] {
      let file = try writtenFile([crossing], interface: name)
      let answer = try simulate(["--pcap", file] + (iif.map { ["--iif", $0] } ?? []))
      #expect(verdicts(answer.lines) == [verdict], "\(name) \(iif ?? "-"): \(answer.errors)")
    }
    let strange = try simulate(["--pcap", try writtenFile([crossing], interface: foreign)])
    #expect(strange.status == 2)
    #expect(strange.errors.contains("packet 1: no interface of Linux can be called '\(foreign)'"))
    // A tagged frame does not belong to the interface that it was captured at.
    let tagged = try write("t.pcap", pcapFile([crossing.frame(tags: [5])]))
    #expect(verdicts(try simulate(["--pcap", tagged]).lines) == ["unknown"])
    #expect(verdicts(try simulate(["--pcap", tagged, "--iif", "eth0"]).lines) == ["accept"])
  }

  @Test func `leaves out what was forwarded or for another host`() throws {
    let forwarded = Crossing(
      bytes: try datagram("192.0.2.7", "10.0.0.5", 53), direction: .outbound)
    let answer = try simulate(["--pcap", try writtenFile([forwarded], interface: "eth0")])
    #expect(
      answer.lines == [
        #"{"packet":1,"verdict":null,"because":"it is forwarded: its source is not this host's"}"#
      ])
    var frame = try crossings()[0].frame()
    frame[5] = 7
    let other = try simulate(["--pcap", try write("o.pcap", pcapFile([frame])), "--iif", "eth0"])
    #expect(other.lines.first?.contains("the frame was for another host") == true)
    // Linux cooked: the type of the packet is 3 where it was for another host.
    let cooked: [UInt8] = [0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0, 8, 0]
    let passing = try write(
      "p.pcap", pcapFile(linkType: 113, [cooked + (try crossings()[0].bytes)]))
    #expect(
      try simulate(["--pcap", passing, "--iif", "eth0"]).lines == [
        #"{"packet":1,"verdict":null,"because":"the frame was for another host"}"#
      ])
  }

  @Test func `stops at a packet that is cut off, with what came before it written`() throws {
    let crossing = try crossings()[0]
    let whole = crossing.frame()
    let file = try write(
      "cut.pcap",
      pcapFile([whole, Array(whole.dropLast())], lengthOnWire: whole.count))
    let answer = try simulate(["--pcap", file, "--iif", "eth0"])
    #expect(answer.status == 2)
    #expect(verdicts(answer.lines) == ["accept"])
    #expect(
      answer.errors.contains("\(file): packet 2: the file does not hold all of 40 bytes of it"),
      "\(answer.errors)")
    // So does one of which nothing but the link header is there.
    let head = try write("head.pcap", pcapFile([Array(whole.prefix(14))], lengthOnWire: 54))
    #expect(try simulate(["--pcap", head]).status == 2)
    // What is shorter than it says on the wire itself is thrown away by receivers.
    let short = try write("short.pcap", pcapFile([Array(whole.dropLast())]))
    let dropped = try simulate(["--pcap", short, "--iif", "eth0"])
    #expect(dropped.status == 0 && verdicts(dropped.lines) == ["drop"])
  }

  @Test func `says which packet of a damaged file it is, and what is no capture file`() throws {
    let crossings = try crossings()
    let bytes = pcapFile(crossings.map { $0.frame() })
    let damaged = try write("damaged.pcap", Array(bytes.prefix(24 + 16 + 54 + 20)))
    let answer = try simulate(["--pcap", damaged, "--iif", "eth0"])
    #expect(answer.status == 2)
    #expect(verdicts(answer.lines) == ["accept"])
    #expect(answer.errors.contains("'\(damaged)' is damaged at packet 2"), "\(answer.errors)")
    let text = try simulate(["--pcap", path("fw.json")])
    #expect(text.status == 2 && text.errors.contains("is not a capture file"))
    let missing = try simulate(["--pcap", path("nowhere")])
    #expect(missing.status == 2 && missing.errors.contains("cannot read '\(path("nowhere"))'"))
    let folder = try simulate(["--pcap", workshop.folder])
    #expect(folder.errors.contains("it is a pipe, a device or a folder"), "\(folder.errors)")
  }

  @Test func `finishes a checksum that was left to the network card, and no other`() throws {
    let crossing = try crossings()[0]
    let whole = try PacketLayout(reading: crossing.bytes)
    var sum = InternetChecksum()
    sum.addPseudoHeader(
      source: .ipv4(.init(rawValue: 0x0A00_0005)), destination: .ipv4(.init(rawValue: 0x0A00_0001)),
      transport: .tcp, byteCount: whole.byteCount - 20)
    var unfinished = crossing
    unfinished.bytes[36] = UInt8(~sum.value >> 8)
    unfinished.bytes[37] = UInt8(~sum.value & 255)
    var wrong = crossing
    wrong.bytes[37] ^= 1
    let file = try write("sums.pcap", pcapFile([wrong.frame(), unfinished.frame()]))
    let answer = try simulate(["--pcap", file, "--iif", "eth0"])
    #expect(verdicts(answer.lines) == ["drop", "accept"])
  }

  @Test func `warns where the host is not described, or packets are more than a minute apart`()
    throws
  {
    let crossings = try crossings()
    let file = try write("long.pcap", pcapFile(crossings.prefix(3).map { $0.frame() }, apart: 40))
    let long = try simulate(["--pcap", file, "--iif", "eth0"])
    #expect(long.status == 0 && long.lines.count == 3)
    #expect(
      long.errors.contains(
        "warning[simulate.long-capture]: \(file): packets that came within 80 s are answered as if"),
      "\(long.errors)")
    let short = try write("short.pcap", pcapFile(crossings.prefix(3).map { $0.frame() }, apart: 30))
    let hostless = try simulate(["--pcap", short, "--iif", "eth0"], isHostKnown: false)
    #expect(hostless.status == 0 && verdicts(hostless.lines) == ["unknown", "unknown", "unknown"])
    #expect(hostless.errors.contains("warning[simulate.no-host]"))
    #expect(!hostless.errors.contains("simulate.long-capture"))
  }

  @Test func `is asked of one file of packets, and --iif of a capture`() throws {
    let packets = try workshop.write("p.jsonl", try crossings()[0].line())
    let file = try writtenFile(try crossings(), interface: "eth0")
    for (words, error) in [
      (["--pcap", file, "--packets", packets], "usage.missing-option"),
      ([], "usage.missing-option"),
      (["--packets", packets, "--iif", "eth0"], "usage.superfluous-option"),
      (["--pcap", file, "--iif", "longer-than-fifteen"], "usage.wrong-value"),
    ] {
      let answer = try simulate(words)
      #expect(answer.status == 2 && answer.lines == [])
      #expect(answer.errors.contains("error[\(error)]"), "\(words): \(answer.errors)")
    }
  }
}
