internal import Addresses

/// Tells the packets of a run from others, at the far end.
package struct RunPackets: Sendable {
  private let key: RunKey
  private let addresses: Set<IPAddress>
  private let peers: Set<IPAddress>
  private let admitsConnect: Bool
  /// SYNs of `connect(2)` that came in: their answers carry nothing of the run.
  private var connections: Set<Connection> = []

  private struct Connection: Hashable {
    var peer: IPAddress
    var peerPort: UInt16
    var address: IPAddress
    var port: UInt16
  }

  /// The most connections that are remembered.
  private static let connectionLimit = 1 << 20

  package enum Finding: Hashable, Sendable {
    case arrival(FarEndReport.Sighting)
    /// The kernel answered for a listener, or answered an echo request.
    case acceptance(FarEndReport.Sighting)
    /// It belongs to the run, and is neither: an answer on its way out.
    case other
  }

  package init(_ assignment: Assignment) {
    key = assignment.key
    addresses = Set(assignment.addresses)
    peers = Set(assignment.peers)
    admitsConnect = assignment.admitsConnect
  }

  /// What lets the packets of the run through in the kernel, and next to nothing else, in the
  /// language of pcap-filter(7).
  ///
  /// Of IPv6 only packets without extension headers are seen.
  package var filter: String {
    let isn = key.initialSequenceNumber
    let prefix = key.payloadPrefix
    var terms = [
      "(tcp[4:4] = \(isn) and tcp[13] & 18 = 2)",
      "(tcp[8:4] = \(isn &+ 1) and tcp[13] & 18 = 18)",
      "udp[8:4] = \(prefix)", "icmp[8:4] = \(prefix)",
      "(ip6[6] = 6 and ip6[44:4] = \(isn) and ip6[53] & 18 = 2)",
      "(ip6[6] = 6 and ip6[48:4] = \(isn &+ 1) and ip6[53] & 18 = 18)",
      "((ip6[6] = 17 or ip6[6] = 58) and ip6[48:4] = \(prefix))",
    ]
    if admitsConnect {
      let option = 0x0204_0000 | UInt32(key.maximumSegmentSize)
      terms += [
        "(tcp[20:4] = \(option) and tcp[13] & 18 = 2)",
        "(ip6[6] = 6 and ip6[60:4] = \(option) and ip6[53] & 18 = 2)",
        // Which of these answer the run is known when they are looked at.
        "(tcp[13] & 18 = 18\(toPeers(.ipv4)))",
        "(ip6[6] = 6 and ip6[53] & 18 = 18\(toPeers(.ipv6)))",
      ]
    }
    return terms.joined(separator: " or ")
  }

  private func toPeers(_ family: IPFamily) -> String {
    let own = peers.filter { $0.family == family }.sorted()
    // More of them would make a filter that the kernel does not take.
    guard 1...32 ~= own.count else { return "" }
    return " and (\(own.map { "dst host \($0)" }.joined(separator: " or ")))"
  }

  /// What a packet is, from its IP header on.
  ///
  /// - Parameters:
  ///   - packet: Its octets, or as many as were captured.
  ///   - time: Nanoseconds since 1970-01-01T00:00:00Z.
  /// - Returns: nil where it is not of the run.
  package mutating func finding(in packet: [UInt8], at time: Int64) -> Finding? {
    guard let head = Head(packet) else { return nil }
    let payload = packet[head.payload...]
    switch head.transport {
    case 6: return segment(payload, head, time)
    case 17: return datagram(payload, head, time)
    case 1 where head.source.family == .ipv4: return message(payload, head, time, echoes: (8, 0))
    case 58 where head.source.family == .ipv6:
      return message(payload, head, time, echoes: (128, 129))
    default: return nil
    }
  }

  private mutating func segment(
    _ bytes: ArraySlice<UInt8>, _ head: Head, _ time: Int64
  ) -> Finding? {
    guard bytes.count >= 20 else { return nil }
    let start = bytes.startIndex
    let from = bytes.number16(at: start)
    let to = bytes.number16(at: start + 2)
    switch bytes[start + 13] & 0x12 {
    case 0x02:
      guard addresses.contains(head.destination) else { return nil }
      if bytes.number32(at: start + 4) != key.initialSequenceNumber {
        guard admitsConnect, peers.contains(head.source), bytes.count >= 24,
          bytes.number32(at: start + 20) == 0x0204_0000 | UInt32(key.maximumSegmentSize)
        else { return nil }
        if connections.count >= Self.connectionLimit { connections.removeAll() }
        connections.insert(
          Connection(peer: head.source, peerPort: from, address: head.destination, port: to))
      }
      return .arrival(
        .init(from: head.source, to: head.destination, .tcp(to), sourcePort: from, time: time))
    case 0x12:
      guard addresses.contains(head.source) else { return nil }
      let connection = Connection(
        peer: head.destination, peerPort: to, address: head.source, port: from)
      guard
        bytes.number32(at: start + 8) == key.initialSequenceNumber &+ 1
          || connections.contains(connection)
      else { return nil }
      return .acceptance(
        .init(from: head.destination, to: head.source, .tcp(from), sourcePort: to, time: time))
    default: return nil
    }
  }

  private func datagram(_ bytes: ArraySlice<UInt8>, _ head: Head, _ time: Int64) -> Finding? {
    guard bytes.count >= 8 else { return nil }
    let start = bytes.startIndex
    let payload = bytes[(start + 8)...]
    if addresses.contains(head.destination),
      let token = Token(reading: payload, .request, key)
    {
      return .arrival(
        .init(
          from: head.source, to: head.destination, .udp(bytes.number16(at: start + 2)),
          sourcePort: bytes.number16(at: start), probe: token.probe, time: time))
    }
    return Token(reading: payload, .reply, key) == nil ? nil : .other
  }

  private func message(
    _ bytes: ArraySlice<UInt8>, _ head: Head, _ time: Int64, echoes: (request: UInt8, reply: UInt8)
  ) -> Finding? {
    guard bytes.count >= 8 else { return nil }
    let start = bytes.startIndex
    guard let token = Token(reading: bytes[(start + 8)...], .request, key) else { return nil }
    let type = bytes[start]
    if type == echoes.reply {
      // A reply carries what was asked.
      guard addresses.contains(head.source) else { return .other }
      return .acceptance(
        .init(
          from: head.destination, to: head.source, .icmp(type: echoes.request, code: 0),
          probe: token.probe, time: time))
    }
    guard addresses.contains(head.destination) else { return .other }
    return .arrival(
      .init(
        from: head.source, to: head.destination, .icmp(type: type, code: bytes[start + 1]),
        probe: token.probe, time: time))
  }
}

/// An IP header, as far as it matters here.
private struct Head {
  let source: IPAddress
  let destination: IPAddress
  let transport: UInt8
  /// Where the transport header begins.
  let payload: Int

  /// - Returns: nil for later fragments, and for what is cut off.
  init?(_ packet: [UInt8]) {
    guard let first = packet.first else { return nil }
    func number(_ range: Range<Int>) -> UInt128 {
      packet[range].reduce(0) { $0 << 8 | UInt128($1) }
    }
    switch first >> 4 {
    case 4:
      payload = Int(first & 15) * 4
      guard payload >= 20, packet.count >= payload, number(6..<8) & 0x1FFF == 0 else { return nil }
      source = IPAddress(.ipv4, rawValue: number(12..<16))
      destination = IPAddress(.ipv4, rawValue: number(16..<20))
      transport = packet[9]
    case 6:
      payload = 40
      guard packet.count >= payload else { return nil }
      source = IPAddress(.ipv6, rawValue: number(8..<24))
      destination = IPAddress(.ipv6, rawValue: number(24..<40))
      transport = packet[6]
    default: return nil
    }
  }
}

extension ArraySlice<UInt8> {
  fileprivate func number16(at index: Int) -> UInt16 {
    UInt16(self[index]) << 8 | UInt16(self[index + 1])
  }

  fileprivate func number32(at index: Int) -> UInt32 {
    UInt32(number16(at: index)) << 16 | UInt32(number16(at: index + 2))
  }
}
