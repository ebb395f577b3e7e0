import Addresses
import Capture
import Foundation
import Glibc
import LinuxKernel
import Synchronization
import Wire

/// How fast packets go to a file, come back from it, and are captured at a virtual cable.
enum CaptureBenchmark {
  static func run() throws {
    try files()
    try inNamespace { try live() }
  }

  private static func probe(_ number: Int) throws -> [UInt8] {
    guard
      let packet = PacketBuilder.packet(
        from: .ipv4(IPv4Address(rawValue: 0x0A00_0005)),
        to: .ipv4(IPv4Address(rawValue: 0x0A00_0001)),
        carrying: .tcp(
          TCPHeader(sourcePort: UInt16(truncatingIfNeeded: number), destinationPort: 22),
          payload: []))
    else { throw Failure("a packet cannot be built") }
    return packet
  }

  // Files

  private static func files() throws {
    let count = 1_000_000
    let packet = try probe(40_000)
    let path = NSTemporaryDirectory() + "/portproof-\(UUID()).pcapng"
    defer { try? FileManager.default.removeItem(atPath: path) }
    for comment in [nil, "worker -> cp ssh: asked, answered"] {
      let note = "40 bytes, \(comment == nil ? "no" : "a") comment each"
      let start = ContinuousClock.now
      var writer = try CaptureFileWriter(path)
      let interface = writer.add(.init(name: "near"))
      for number in 0..<count {
        _ = try writer.write(
          CapturedPacket(
            timestamp: UInt64(number), originalByteCount: packet.count, direction: .inbound),
          packet.span, interface: interface, comment: comment)
      }
      _ = try writer.finish()
      rate("capture file written", count, since: start, note: note)

      let begin = ContinuousClock.now
      var reader = try CaptureFileReader(path)
      var read = 0
      while try reader.next() != nil { read += 1 }
      guard read == count else { throw Failure("\(read) of \(count) packets were read") }
      rate("capture file read", count, since: begin, note: note)
    }
  }

  private static func rate(
    _ name: String, _ count: Int, since start: ContinuousClock.Instant, note: String
  ) {
    let seconds = (ContinuousClock.now - start).seconds
    Figure.print(name, "\(Int(Double(count) / seconds)) packets/s", note: note)
  }

  // Live

  /// Runs `body` in a thread and a network namespace of its own.
  private static func inNamespace(_ body: @escaping @Sendable () throws -> Void) throws {
    let end = DispatchSemaphore(value: 0)
    let failure = Mutex<String?>(nil)
    let isDone = { @Sendable (text: String?) in failure.withLock { $0 = text } }
    let thread = Thread {
      do {
        try Namespaces.enterAnotherNetworkNamespace()
        try body()
      } catch {
        isDone("\(error)")
      }
      end.signal()
    }
    thread.start()
    end.wait()
    if let text = failure.withLock({ $0 }) { throw Failure(text) }
  }

  private static func live() throws {
    let made = try ChildProcess.run(
      "/bin/sh",
      [
        "-ec",
        """
        PATH=/usr/sbin:/sbin:/usr/bin:/bin
        ip link add near type veth peer name far
        for end in near far; do
          ip link set $end addrgenmode none
          ip link set $end up
        done
        """,
      ], timeout: .seconds(30), limit: 1 << 16)
    guard made.ending == .exited(0) else {
      throw Failure(String(decoding: made.errors, as: UTF8.self))
    }
    for (name, delivery) in [
      ("at once", LiveCapture.Delivery.immediate),
      ("in blocks", .buffered(patience: .milliseconds(10))),
    ] {
      try drained(name, delivery)
      for pace in [100_000, 300_000] { try paced(name, delivery, pace: pace) }
    }
  }

  private static func frames(_ count: Int) throws -> LinkSocket.Frames {
    var frames = LinkSocket.Frames()
    let near = unsafe if_nametoindex("near")
    let link: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]
    for number in 0..<count { frames.append((link + (try probe(number)))[...], by: near) }
    return frames
  }

  private static func open(_ delivery: LiveCapture.Delivery) throws -> LiveCapture {
    guard let far = InterfaceName("far") else { throw Failure("an interface has no name") }
    var capture = try LiveCapture(
      far,
      settings: .init(snapshotLength: 128, bufferByteCount: 32 << 20, delivery: delivery))
    let local = AddressSet(.ipv4(IPv4Address(rawValue: 0x0A00_0005)))
    try capture.setFilter(CaptureFilter([.init(local: local, transport: .tcp)]).text)
    return capture
  }

  /// The most packets that are handed out in a second: they all wait already.
  private static func drained(_ name: String, _ delivery: LiveCapture.Delivery) throws {
    let socket = try LinkSocket()
    let frames = try frames(50_000)
    var rates: [Double] = []
    for _ in 0..<5 {
      var capture = try open(delivery)
      try socket.send(frames)
      // The last block is handed over when it is old enough.
      Clocks.sleep(.milliseconds(50))
      var sum = 0
      let start = ContinuousClock.now
      let batch = try capture.drain { packet, bytes in sum += packet.originalByteCount + bytes.count
      }
      let seconds = (ContinuousClock.now - start).seconds
      guard batch.packets == frames.count, sum == frames.count * 80 else {
        throw Failure("\(batch.packets) of \(frames.count) packets were captured")
      }
      rates.append(Double(batch.packets) / seconds)
    }
    rates.sort()
    Figure.print(
      "capture drained, \(name)", "\(Int(rates[2])) packets/s", note: "best \(Int(rates[4]))")
  }

  /// A second of packets at a steady pace, sent by one thread and captured by another.
  private static func paced(
    _ name: String, _ delivery: LiveCapture.Delivery, pace: Int
  ) throws {
    var capture = try open(delivery)
    let train = try frames(pace / 1000)
    let total = train.count * 1000
    let took = Mutex<Double?>(nil)
    // A thread is in the network namespace of the one that starts it.
    let sender = Thread {
      let seconds = (try? send(train)) ?? .nan
      took.withLock { $0 = seconds }
    }
    sender.start()
    var captured = 0
    while true {
      // What is drained after the sending ended is the rest.
      let hasEnded = took.withLock { $0 != nil }
      let isReady = try capture.wait(atMost: .milliseconds(100))
      captured += try capture.drain { _, _ in }.packets
      if hasEnded, !isReady { break }
    }
    let seconds = took.withLock { $0 } ?? .nan
    guard !seconds.isNaN else { throw Failure("packets could not be sent") }
    let statistics = try capture.statistics()
    Figure.print(
      "capture at \(pace) packets/s, \(name)",
      "\(Int(Double(captured) / seconds)) packets/s",
      note: "\(captured) of \(total) captured, \(statistics.droppedByKernel) dropped")
  }

  /// Sends `train` a thousand times, once a millisecond where the machine keeps up.
  ///
  /// - Returns: How many seconds it took.
  private static func send(_ train: LinkSocket.Frames) throws -> Double {
    let socket = try LinkSocket()
    let start = ContinuousClock.now
    for round in 0..<1000 {
      let due = start + .milliseconds(round)
      if due > .now { Clocks.sleep(ContinuousClock.now.duration(to: due)) }
      try socket.send(train)
    }
    return (ContinuousClock.now - start).seconds
  }
}
