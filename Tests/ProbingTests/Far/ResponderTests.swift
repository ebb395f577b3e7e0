import Addresses
import Foundation
import LinuxKernel
import Glibc
import TestSupport
import Testing
import Wire

@testable import Probing

@Suite("A responder", .serialized)
struct ResponderTests {
  static func assignment(
    tcp: String, udp: String, seconds: Int = 60, connect: Bool = false, key: RunKey = NearHand.key
  ) throws -> Assignment {
    Assignment(
      key: key,
      addresses: [try #require(NearHand.ipv4.far), try #require(NearHand.ipv6.far)],
      peers: [try #require(NearHand.ipv4.near), try #require(NearHand.ipv6.near)],
      tcpPorts: try FarTextTests.ports(tcp), udpPorts: try FarTextTests.ports(udp),
      duration: .seconds(seconds), admitsConnect: connect)
  }

  static func kinds(_ sightings: [FarEndReport.Sighting]) -> [String] {
    sightings.map { sighting in
      let port = sighting.sourcePort.map { "\($0)>" } ?? ""
      let probe = sighting.probe.map { " #\($0)" } ?? ""
      switch sighting.kind {
      case .tcp(let to): return "tcp \(port)\(to)\(probe)"
      case .udp(let to): return "udp \(port)\(to)\(probe)"
      case .icmp(let type, let code): return "icmp \(type)/\(code)\(probe)"
      }
    }.sorted()
  }

  @Test(canMakeFarSide, arguments: IPFamily.allCases)
  func `answers packets of the run and nobody else`(family: IPFamily) async throws {
    try await FarSide.with { side in
      let hand = try NearHand(family)
      var farEnd = try FarEnd(
        "far", starting: side.agent(), Self.assignment(tcp: "22,1000-1010", udp: "53"),
        within: .seconds(20))
      #expect(PortText.text(of: farEnd.readiness.boundTCP) == "22,1000-1010")
      #expect(PortText.text(of: farEnd.readiness.boundUDP) == "53")
      #expect(farEnd.readiness.refusals == [])
      #expect(farEnd.readiness.blindBecause == nil)
      #expect(farEnd.readiness.icmpRateLimit == 1000)
      var ear = try NearEar()
      let request = hand.request(9, 3)
      var forged = request
      forged[31] ^= 1
      let isn = NearHand.key.initialSequenceNumber
      try hand.send([
        // Of the run.
        hand.datagram(4000, 53, request), hand.syn(4001, 22), hand.echo(8), hand.syn(4002, 23),
        // Not of the run, or not quite.
        hand.datagram(4003, 53, []), hand.datagram(4004, 53, Array(repeating: 7, count: 32)),
        hand.datagram(4005, 53, forged), hand.datagram(4006, 53, Array(request.dropLast())),
        hand.datagram(4007, 53, Token(probe: 1, transmission: 0).octets(.reply, NearHand.key)),
        hand.syn(4008, 22, sequence: isn &+ 1), hand.syn(4009, 22, flags: .ack),
        hand.syn(4010, 22, flags: [.syn, .ack]), hand.syn(4011, 22, flags: [.fin]),
        hand.syn(4012, 22, flags: .rst),
        hand.syn(
          4013, 22, sequence: 5,
          options: [.maximumSegmentSize(NearHand.key.maximumSegmentSize)]),
      ])
      let reply = Token(probe: 9, transmission: 3).octets(.reply, NearHand.key)
      let answers = try ear.answers(4)
      #expect(
        answers.sorted() == [
          .message(type: family == .ipv4 ? 0 : 129), .segment(from: 22, to: 4001, flags: "syn+ack"),
          // Nobody listens there.
          .segment(from: 23, to: 4002, flags: "rst+ack"),
          .datagram(from: 53, to: 4000, reply),
        ])
      try farEnd.sync(within: .seconds(5))
      let report = try farEnd.stop(within: .seconds(5))
      let echo = family == .ipv4 ? "icmp 8/0 #8" : "icmp 128/0 #8"
      #expect(
        Self.kinds(report.arrivals) == [echo, "tcp 4001>22", "tcp 4002>23", "udp 4000>53 #9"])
      #expect(Self.kinds(report.acceptances) == [echo, "tcp 4001>22", "udp 4000>53 #9"])
      #expect(
        (report.arrivals + report.acceptances).allSatisfy {
          $0.source == hand.source && $0.destination == hand.destination && $0.packet == nil
        })
      #expect(report.untold == 0 && report.lostCaptures == 0)
    }
  }

  @Test(canMakeFarSide, arguments: IPFamily.allCases)
  func `admits connect of peers by their segment size`(family: IPFamily) async throws {
    try await FarSide.with { side in
      let hand = try NearHand(family)
      var farEnd = try FarEnd(
        "far", starting: side.agent(), Self.assignment(tcp: "22", udp: "", connect: true),
        within: .seconds(20))
      var ear = try NearEar()
      let size = NearHand.key.maximumSegmentSize
      try hand.send([
        hand.syn(4001, 22, sequence: 5, options: [.maximumSegmentSize(size)]),
        hand.syn(4002, 22, sequence: 5, options: [.maximumSegmentSize(size &+ 1)]),
        hand.syn(4003, 22, sequence: 5),
      ])
      #expect(try ear.answers(1) == [.segment(from: 22, to: 4001, flags: "syn+ack")])
      try farEnd.sync(within: .seconds(5))
      let report = try farEnd.stop(within: .seconds(5))
      #expect(Self.kinds(report.arrivals) == ["tcp 4001>22"])
      #expect(Self.kinds(report.acceptances) == ["tcp 4001>22"])
    }
  }

  @Test(canMakeFarSide) func `tells arrivals that a rule drops`() async throws {
    try await FarSide.with { side in
      let hand = try NearHand(.ipv4)
      try side.shell(
        """
        nft 'table ip t {
          chain i { type filter hook input priority 0; tcp dport 22 drop; udp dport 53 drop; }
        }'
        """)
      let folder = FileManager.default.temporaryDirectory.appending(path: "far-\(UUID())").path
      defer { try? FileManager.default.removeItem(atPath: folder) }
      var farEnd = try FarEnd(
        "far", starting: side.agent(), Self.assignment(tcp: "22,80", udp: "53"),
        capturingInto: folder, within: .seconds(20))
      try hand.send([
        hand.syn(1, 22), hand.syn(2, 80), hand.datagram(3, 53, hand.request(1)),
      ])
      var ear = try NearEar()
      _ = try ear.answers(0)
      try farEnd.sync(within: .seconds(5))
      let report = try farEnd.stop(within: .seconds(5))
      #expect(Self.kinds(report.arrivals) == ["tcp 1>22", "tcp 2>80", "udp 3>53 #1"])
      #expect(Self.kinds(report.acceptances) == ["tcp 2>80"])
      #expect(report.capture == folder + "/respond.pcapng")
      #expect(
        report.arrivals.map(\.packet) == [1, 2, 4] || report.arrivals.map(\.packet) == [1, 2, 3])
      #expect(Files.exists(folder + "/respond.pcapng"))
    }
  }

  @Test(canMakeFarSide, arguments: IPFamily.allCases)
  func `a SYN that a listener took is accepted, whatever becomes of its answer`(
    family: IPFamily
  ) async throws {
    try await FarSide.with { side in
      let hand = try NearHand(family)
      try side.shell(
        """
        nft 'table inet t {
          chain i { type filter hook input priority 0; tcp dport 22 drop; }
          chain o { type filter hook output priority 0; tcp sport 80 drop; }
        }'
        """)
      var farEnd = try FarEnd(
        "far", starting: side.agent(), Self.assignment(tcp: "22,80", udp: ""),
        within: .seconds(20))
      try hand.send([hand.syn(1, 22), hand.syn(2, 80)])
      try farEnd.sync(within: .seconds(5))
      let report = try farEnd.stop(within: .seconds(5))
      #expect(Self.kinds(report.arrivals) == ["tcp 1>22", "tcp 2>80"])
      #expect(Self.kinds(report.acceptances) == ["tcp 2>80"])
    }
  }

  @Test(canMakeFarSide) func `a port that is used but not listened on is not taken`() async throws {
    try await FarSide.with { _ in
      let address = try #require(IPAddress("192.0.2.1"))
      let key = RunKey.fresh()
      let assignment = Assignment(
        key: key, addresses: [address], peers: [address], tcpPorts: IntervalSet(99),
        udpPorts: .empty)
      let other = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
      defer { close(other) }
      var place = sockaddr_in()
      place.sin_family = sa_family_t(AF_INET)
      place.sin_port = UInt16(99).bigEndian
      place.sin_addr.s_addr = UInt32(0xC000_0201).bigEndian
      let status = unsafe withUnsafePointer(to: &place) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
          unsafe bind(other, address, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      #expect(status == 0)
      let used = try PortBinding(assignment)
      #expect(used.takenTCP.isEmpty)
      #expect(used.refusals.map(\.ports) == [IntervalSet(99)])
      #expect(listen(other, 1) == 0)
      let listened = try PortBinding(assignment)
      #expect(listened.takenTCP == IntervalSet(99))
      #expect(listened.refusals.isEmpty)
    }
  }

  @Test(canMakeFarSide) func `leaves taken ports alone and says so`() async throws {
    try await FarSide.with { side in
      let hand = try NearHand(.ipv4)
      let other = try FarEnd(
        "other", starting: side.agent(),
        Self.assignment(tcp: "80-82", udp: "53", key: .fresh()), within: .seconds(20))
      #expect(PortText.text(of: other.readiness.boundTCP) == "80-82")
      var farEnd = try FarEnd(
        "far", starting: side.agent(), Self.assignment(tcp: "79-90", udp: "53,54"),
        within: .seconds(20))
      #expect(PortText.text(of: farEnd.readiness.boundTCP) == "79,83-90")
      #expect(PortText.text(of: farEnd.readiness.takenTCP) == "80-82")
      #expect(PortText.text(of: farEnd.readiness.takenUDP) == "53")
      #expect(PortText.text(of: farEnd.readiness.boundUDP) == "54")
      try hand.send([hand.datagram(5, 53, hand.request(1)), hand.datagram(5, 54, hand.request(2))])
      var ear = try NearEar()
      _ = try ear.answers(0)
      try farEnd.sync(within: .seconds(5))
      let report = try farEnd.stop(within: .seconds(5))
      // It came in, and went to the other.
      #expect(Self.kinds(report.arrivals) == ["udp 5>53 #1", "udp 5>54 #2"])
      #expect(Self.kinds(report.acceptances) == ["udp 5>54 #2"])
      #expect(try other.stop(within: .seconds(5)).acceptances == [])
    }
  }

  @Test(canMakeFarSide) func `says why it cannot bind an address`() async throws {
    try await FarSide.with { side in
      var assignment = try Self.assignment(tcp: "22", udp: "53")
      assignment.addresses.append(try FarTextTests.address("198.51.100.1"))
      let farEnd = try FarEnd(
        "far", starting: side.agent(), assignment, within: .seconds(20))
      #expect(farEnd.readiness.boundTCP.isEmpty && farEnd.readiness.boundUDP.isEmpty)
      #expect(
        farEnd.readiness.refusals.map(\.description) == [
          "tcp 22 of 198.51.100.1: cannot assign requested address",
          "udp 53 of 198.51.100.1: cannot assign requested address",
        ])
    }
  }

  @Test(canMakeFarSide) func `serves thousands of ports`() async throws {
    try await FarSide.with { side in
      let start = Clocks.monotonic
      var farEnd = try FarEnd(
        "far", starting: side.agent(), Self.assignment(tcp: "1-4000", udp: "1-4000"),
        within: .seconds(60))
      let time = (Clocks.monotonic - start).seconds
      #expect(PortText.text(of: farEnd.readiness.boundTCP) == "1-4000")
      #expect(PortText.text(of: farEnd.readiness.boundUDP) == "1-4000")
      let status = try String(contentsOfFile: "/proc/\(farEnd.processID)/status", encoding: .utf8)
      let memory = status.split(separator: "\n").first { $0.hasPrefix("VmRSS") } ?? ""
      print("16000 sockets in \(time) s, \(memory)")
      var ear = try NearEar()
      for family in IPFamily.allCases {
        let hand = try NearHand(family)
        for port in UInt16(1)...4000 {
          try hand.send([
            hand.syn(50000, port), hand.datagram(50000, port, hand.request(UInt32(port))),
          ])
          // A cable has room for a thousand packets.
          if port % 100 == 0 { Clocks.sleep(.milliseconds(5)) }
        }
      }
      let answers = try ear.answers(16000)
      let opened = answers.filter { if case .segment(_, _, "syn+ack") = $0 { true } else { false } }
      let replies = answers.filter { if case .datagram = $0 { true } else { false } }
      #expect(Set(opened).count == 4000 && opened.count == 8000)
      #expect(Set(replies).count == 4000 && replies.count == 8000)
      try farEnd.sync(within: .seconds(20))
      let report = try farEnd.stop(within: .seconds(20))
      #expect(report.arrivals.count == 16000)
      #expect(report.acceptances.count == 16000)
    }
  }
}

extension ResponderEvent.Refusal {
  var description: String {
    "\(transport.rawValue) \(PortText.text(of: ports)) of \(address): \(reason)"
  }
}
