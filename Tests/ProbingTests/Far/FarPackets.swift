import Addresses
import Capture
import Glibc
import LinuxKernel
import Probing
import Testing
import Wire

/// Hand-made packets from the near end of a ``FarSide``, and what comes back.
struct NearHand {
  static let key = RunKey.fresh()
  static let ipv4 = (near: IPAddress("192.0.2.1"), far: IPAddress("192.0.2.2"))
  static let ipv6 = (near: IPAddress("2001:db8::1"), far: IPAddress("2001:db8::2"))

  let source: IPAddress
  let destination: IPAddress

  init(_ family: IPFamily) throws {
    let pair = family == .ipv4 ? Self.ipv4 : Self.ipv6
    source = try #require(pair.near)
    destination = try #require(pair.far)
  }

  func packet(_ segment: PacketBuilder.Segment) throws -> [UInt8] {
    try #require(PacketBuilder.packet(from: source, to: destination, carrying: segment))
  }

  func syn(
    _ from: UInt16, _ to: UInt16, sequence: UInt32 = NearHand.key.initialSequenceNumber,
    flags: TCPHeader.Flags = .syn, options: [TCPHeader.Option] = []
  ) throws -> [UInt8] {
    try packet(
      .tcp(
        TCPHeader(
          sourcePort: from, destinationPort: to, sequence: sequence, flags: flags,
          options: options), payload: []))
  }

  func datagram(_ from: UInt16, _ to: UInt16, _ payload: [UInt8]) throws -> [UInt8] {
    try packet(
      .udp(
        UDPHeader(sourcePort: from, destinationPort: to, payloadByteCount: payload.count),
        payload: payload))
  }

  func request(_ probe: UInt32, _ transmission: UInt16 = 0) -> [UInt8] {
    Token(probe: probe, transmission: transmission).octets(.request, Self.key)
  }

  func echo(_ probe: UInt32) throws -> [UInt8] {
    try packet(
      .icmp(
        ICMPHeader(type: source.family == .ipv4 ? 8 : 128, rest: 0x0007_0001),
        payload: request(probe)))
  }

  func send(_ packets: [[UInt8]]) throws {
    let socket = try RawSocket(isIPv6: source.family == .ipv6)
    for packet in packets { try socket.send(packet) }
  }

  /// A frame that a packet is sent in.
  static func frame(_ packet: [UInt8]) -> [UInt8] {
    let kind: [UInt8] = packet[0] >> 4 == 6 ? [0x86, 0xDD] : [0x08, 0x00]
    return [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1] + kind + packet
  }

  static func index(of interface: String) -> UInt32 { unsafe if_nametoindex(interface) }
}

/// What comes in at the near end.
struct NearEar: ~Copyable {
  private var capture: LiveCapture

  init(_ filter: String = "ip or ip6") throws {
    let interface = try #require(InterfaceName("near"))
    var capture = try LiveCapture(
      interface,
      settings: .init(snapshotLength: 256, bufferByteCount: 64 << 20, direction: .inbound))
    try capture.setFilter(filter)
    self.capture = capture
  }

  /// Everything that came, until `count` did and then for a moment, or nothing for a while.
  mutating func answers(_ count: Int, patience: Duration = .seconds(2)) throws -> [Answer] {
    var answers: [Answer] = []
    while try capture.wait(
      atMost: answers.count < count ? patience : .milliseconds(300))
    {
      _ = try capture.drain { _, bytes in
        let copy = bytes.indices.map { bytes[$0] }
        if let answer = Answer(copy) { answers.append(answer) }
      }
    }
    return answers
  }
}

/// A packet that came back.
enum Answer: Hashable, Comparable, CustomStringConvertible {
  case segment(from: UInt16, to: UInt16, flags: String)
  case datagram(from: UInt16, to: UInt16, [UInt8])
  case message(type: UInt8)

  /// - Returns: nil for what IPv6 says by itself.
  init?(_ packet: [UInt8]) {
    guard let layout = try? PacketLayout(reading: packet) else { return nil }
    var offset = layout.transportOffset
    switch layout.transport {
    case 6:
      guard let header = try? TCPHeader(reading: packet, at: &offset) else { return nil }
      let names = TCPHeader.Flags.names.filter { header.flags.contains($0.flag) }.map(\.name)
      self = .segment(
        from: header.sourcePort, to: header.destinationPort, flags: names.joined(separator: "+"))
    case 17:
      guard let header = try? UDPHeader(reading: packet, at: &offset) else { return nil }
      self = .datagram(
        from: header.sourcePort, to: header.destinationPort,
        Array(packet[offset..<layout.byteCount]))
    case 1, 58:
      guard !(130...137 ~= packet[offset]), packet[offset] != 143 else { return nil }
      self = .message(type: packet[offset])
    default: return nil
    }
  }

  var description: String {
    switch self {
    case .segment(let from, let to, let flags): "tcp \(from)>\(to) \(flags)"
    case .datagram(let from, let to, let payload): "udp \(from)>\(to) \(payload.count)"
    case .message(let type): "icmp \(type)"
    }
  }

  static func < (left: Self, right: Self) -> Bool { left.description < right.description }
}
