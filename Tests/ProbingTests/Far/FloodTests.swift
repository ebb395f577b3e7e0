import Addresses
import LinuxKernel
import Probing
import TestSupport
import Testing
import Wire

@Suite("A flood at a responder", .serialized)
struct FloodTests {
  /// How many packets of each kind; more by `PORTPROOF_FLOOD`.
  static let size = Machine.environment("PORTPROOF_FLOOD").flatMap { Int($0) } ?? 50_000

  @Test(canMakeFarSide, arguments: IPFamily.allCases)
  func `is never answered, and real probes are`(family: IPFamily) async throws {
    try await FarSide.with { side in
      let hand = try NearHand(family)
      var farEnd = try FarEnd(
        "far", starting: side.agent(), ResponderTests.assignment(tcp: "22", udp: "53"),
        within: .seconds(20))
      var generator = SeededGenerator(seed: 9)
      let isn = NearHand.key.initialSequenceNumber
      var flood: [[UInt8]] = []
      for _ in 0..<512 {
        let port = UInt16.random(in: 1024...50000, using: &generator)
        var word = UInt32.random(in: .min ... .max, using: &generator)
        if word == isn { word ^= 1 }
        flood.append(NearHand.frame(try hand.syn(port, 22, sequence: word)))
        let payload = (0..<40).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        flood.append(NearHand.frame(try hand.datagram(port, 53, payload)))
      }
      var ear = try NearEar()
      let socket = try LinkSocket()
      let interface = NearHand.index(of: "near")
      var sent = 0
      var probes: UInt16 = 0
      let start = Clocks.monotonic
      while sent < 2 * Self.size {
        var train = LinkSocket.Frames()
        for frame in flood { train.append(frame[...], by: interface) }
        let real = try [
          hand.syn(60000 &+ probes, 22),
          hand.datagram(60000 &+ probes, 53, hand.request(UInt32(probes))),
        ]
        for packet in real { train.append(NearHand.frame(packet)[...], by: interface) }
        try socket.send(train)
        sent += flood.count
        probes += 1
        if probes >= 5000 { break }
      }
      let time = (Clocks.monotonic - start).seconds
      let answers = try ear.answers(2 * Int(probes))
      let opened = Set(
        answers.filter { if case .segment(22, 60000..., "syn+ack") = $0 { true } else { false } })
      let replies = Set(
        answers.filter { if case .datagram(53, 60000..., _) = $0 { true } else { false } })
      let toFlood = answers.filter {
        switch $0 {
        case .segment(_, let to, _), .datagram(_, let to, _): to < 60000
        case .message: true
        }
      }
      print(
        "flood: \(sent) packets in \(time) s, \(toFlood.count) answered; "
          + "probes: \(opened.count) and \(replies.count) of \(probes) answered")
      #expect(toFlood == [])
      #expect(opened.count == Int(probes))
      #expect(replies.count == Int(probes))
      try farEnd.sync(within: .seconds(20))
      let report = try farEnd.stop(within: .seconds(20))
      #expect(report.arrivals.count == 2 * Int(probes))
      #expect(report.lostCaptures == 0)
    }
  }
}
