import Addresses
import Capture
import Foundation
import Glibc
import LinuxKernel
import Testing
import Wire

@Suite("A live capture")
struct LiveCaptureTests {
  static let deliveries: [LiveCapture.Delivery] = [
    .immediate, .buffered(patience: .milliseconds(20)),
  ]

  @Test(canUnshare, arguments: deliveries)
  func `has packets from the IP header on, with time and length`(
    delivery: LiveCapture.Delivery
  ) async throws {
    let sent = [
      try packet(udp(1000, 53, Array(1...30))),
      try packet(tcp(1001, 22), from: "fd00::5", to: "fd00::1"),
      try packet(udp(1002, 53, Array(repeating: 7, count: 1200))),
    ]
    let before = UInt64(Date.now.timeIntervalSince1970 * 1e9)
    let kept = try await inNamespace(cable) {
      var capture = try LiveCapture(
        name("far"), settings: .init(snapshotLength: 214, delivery: delivery))
      #expect(capture.linkType == .ethernet)
      try send(sent.map { frame($0) }, by: "near")
      return try capture.gather(3)
    }
    let after = UInt64(Date.now.timeIntervalSince1970 * 1e9)
    #expect(kept.map(\.bytes) == [sent[0], sent[1], Array(sent[2].prefix(200))])
    #expect(kept.map(\.facts.originalByteCount) == sent.map(\.count))
    #expect(kept.allSatisfy { $0.facts.direction == nil })
    let times = kept.map(\.facts.timestamp)
    #expect(times == times.sorted() && times.allSatisfy { (before...after).contains($0) })
    // Three times that all end in 000 would be of a clock that counts microseconds.
    #expect(times.contains { $0 % 1000 != 0 })
  }

  @Test(canUnshare) func `passes over VLAN tags and counts what is not IP`() async throws {
    let sent = try packet(udp(1000, 53))
    let (kept, others) = try await inNamespace(cable) {
      var capture = try LiveCapture(name("far"))
      try send(
        [
          frame(sent, tags: [5]), frame(Array(repeating: 0, count: 28), carrying: 0x0806),
          frame(sent, tags: [5, 6]), frame(sent),
        ], by: "near")
      var kept: [[UInt8]] = []
      var others = 0
      while kept.count < 3, try capture.wait(atMost: .seconds(1)) {
        let batch = try capture.drain { _, bytes in kept.append(bytes.indices.map { bytes[$0] }) }
        others += batch.others
      }
      return (kept, others)
    }
    #expect(kept == [sent, sent, sent])
    #expect(others == 1)
  }

  @Test(canUnshare, arguments: PacketDirection.allCases)
  func `keeps to one direction`(direction: PacketDirection) async throws {
    let arriving = try packet(udp(1000, 53), from: "10.0.0.1", to: "10.0.0.5")
    let leaving = try packet(udp(53, 1000), from: "10.0.0.5", to: "10.0.0.1")
    let expected = direction == .inbound ? arriving : leaving
    let kept = try await inNamespace(cable + "\nip addr add 10.0.0.5/24 dev near") {
      var capture = try LiveCapture(name("near"), settings: .init(direction: direction))
      try send([frame(arriving)], by: "far")
      try RawSocket(isIPv6: false).send(leaving)
      return try capture.gather(2)
    }
    // The kernel fills in an identification, and the checksum with it.
    #expect(kept.map { $0.bytes.dropFirst(20) } == [expected.dropFirst(20)])
    #expect(kept.map(\.facts.direction) == [direction])
  }

  @Test(canUnshare, arguments: deliveries)
  func `shows each packet of a loopback once, as inbound`(
    delivery: LiveCapture.Delivery
  ) async throws {
    let sent = try packet(udp(1000, 53), from: "127.0.0.1", to: "127.0.0.1")
    let counts = try await inNamespace("ip link set lo up") {
      var counts: [Int] = []
      for direction in [nil, PacketDirection.inbound, .outbound] {
        var capture = try LiveCapture(
          name("lo"), settings: .init(delivery: delivery, direction: direction))
        try capture.setFilter("udp and src port 1000")
        try RawSocket(isIPv6: false).send(sent)
        counts.append(try capture.gather(2).count)
      }
      return counts
    }
    #expect(counts == [1, 1, 0])
  }

  @Test(canUnshare) func `at any interface tells directions`() async throws {
    let sent = try packet(udp(1000, 53))
    let kept = try await inNamespace(cable + "\nip addr add 10.0.0.5/24 dev near") {
      var capture = try LiveCapture(name("any"))
      #expect(capture.linkType == .linuxCooked)
      try RawSocket(isIPv6: false).send(sent)
      return try capture.gather(2)
    }
    #expect(kept.map { $0.bytes.dropFirst(20) } == [sent.dropFirst(20), sent.dropFirst(20)])
    #expect(Set(kept.map(\.facts.direction)) == [.inbound, .outbound])
  }

  @Test(canUnshare) func `lets through what its filter says, and says what is wrong with one`()
    async throws
  {
    let sent = try [1000, 1001, 1002].map { try packet(udp($0, 53)) }
    let kept = try await inNamespace(cable) {
      var capture = try LiveCapture(name("far"))
      #expect {
        try capture.setFilter("port eleventy")
      } throws: { error in
        guard case CaptureError.badFilter("port eleventy", let message) = error else {
          return false
        }
        return !message.isEmpty
      }
      #expect(throws: CaptureError.badFilter("ip\0 or arp", message: "it has a zero byte")) {
        try capture.setFilter("ip\0 or arp")
      }
      try capture.setFilter("src port 1001")
      try send(sent.map { frame($0) }, by: "near")
      return try capture.gather(3)
    }
    #expect(kept.map(\.bytes) == [sent[1]])
  }

  @Test(canUnshare) func `counts what there was no room for`() async throws {
    let sent = try packet(udp(1000, 53, Array(repeating: 1, count: 100)))
    let (statistics, count) = try await inNamespace(cable) {
      var capture = try LiveCapture(name("far"), settings: .init(bufferByteCount: 64 << 10))
      try send(Array(repeating: frame(sent), count: 5000), by: "near")
      let count = try capture.gather(5000).count
      return (try capture.statistics(), count)
    }
    #expect(count > 0 && count < 5000)
    #expect(statistics.received == 5000)
    #expect(statistics.droppedByKernel == 5000 - count)
  }

  @Test(
    canUnshare,
    arguments: [(deliveries[0], 1), (deliveries[1], 2)] as [(LiveCapture.Delivery, CInt)])
  func `has the kernel's ring of the second version at once, of the third in blocks`(
    delivery: LiveCapture.Delivery, constant: CInt
  ) async throws {
    // linux/if_packet.h: TPACKET_V2 is 1, TPACKET_V3 is 2.
    let version = try await inNamespace(cable) {
      let capture = try LiveCapture(name("far"), settings: .init(delivery: delivery))
      var value: CInt = -1
      var size = socklen_t(MemoryLayout<CInt>.size)
      // SOL_PACKET is 263, PACKET_VERSION is 10.
      let status = unsafe getsockopt(capture.selectableDescriptor, 263, 10, &value, &size)
      #expect(status == 0)
      return value
    }
    #expect(version == constant)
  }

  @Test(canUnshare) func `is refused where there is nothing to capture at`() async throws {
    let errors = try await inNamespace(cable + "\nip link set far down") {
      var errors: [CaptureError] = []
      for interface in ["missing", "far"] {
        do throws(CaptureError) {
          _ = try LiveCapture(InterfaceName(interface) ?? .none)
        } catch {
          errors.append(error)
        }
      }
      return errors
    }
    try #require(errors.count == 2)
    guard case .noSuchInterface(let missing, _) = errors[0],
      case .interfaceDown(let down, _) = errors[1]
    else {
      Issue.record("\(errors)")
      return
    }
    #expect(try missing == name("missing") && down == name("far"))
    #expect(
      errors.map(\.help) == [
        "`ip link` lists the interfaces of this network namespace", "`ip link set far up`",
      ])
  }

  @Test(canUnshare) func `ends with an error when its interface goes away`() async throws {
    let error = try await inNamespace(cable) { () -> CaptureError? in
      var capture = try LiveCapture(name("far"))
      try run("/usr/sbin/ip", ["link", "del", "far"])
      do throws(CaptureError) {
        _ = try capture.wait(atMost: .seconds(1))
        _ = try capture.drain { _, _ in }
        return nil
      } catch {
        return error
      }
    }
    guard case .interrupted(let interface, let message)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try interface == name("far") && !message.isEmpty)
  }
}
