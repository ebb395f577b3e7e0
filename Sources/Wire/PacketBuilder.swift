package import Addresses

/// Makes whole IP packets with right lengths and checksums.
package enum PacketBuilder {
  /// What goes on top of IP.
  package enum Segment: Hashable, Sendable {
    case tcp(TCPHeader, payload: [UInt8])
    case udp(UDPHeader, payload: [UInt8])
    case udplite(UDPHeader, payload: [UInt8])
    case sctp(SCTPHeader, payload: [UInt8])
    /// ICMP in IPv4, ICMPv6 in IPv6.
    case icmp(ICMPHeader, payload: [UInt8])
    /// The bytes after the IP header, as they are.
    case other(TransportProtocol, [UInt8])
  }

  /// The bytes of a packet from its IP header on.
  ///
  /// - Returns: nil if the addresses are of different families.
  package static func packet(
    from source: IPAddress, to destination: IPAddress, carrying segment: Segment,
    hopLimit: UInt8 = 64
  ) -> [UInt8]? {
    guard source.family == destination.family else { return nil }
    var (transport, body) = bytes(of: segment, family: source.family)
    if let field = checksumOffset(of: segment) {
      var sum = InternetChecksum()
      body.store(0, at: field)
      sum.add(body, in: 0..<body.count)
      if transport != .icmp {
        sum.addPseudoHeader(
          source: source, destination: destination, transport: transport, byteCount: body.count)
      }
      // RFC 768: a computed zero is sent as all ones, because zero means "no checksum".
      let value = sum.value
      body.store(value == 0 && transport != .tcp ? 0xFFFF : value, at: field)
    }
    var packet: [UInt8] = []
    packet.reserveCapacity(40 + body.count)
    switch (source, destination) {
    case (.ipv4(let source), .ipv4(let destination)):
      IPv4Header(
        source: source, destination: destination, transport: transport,
        payloadByteCount: body.count, timeToLive: hopLimit
      ).write(into: &packet)
    case (.ipv6(let source), .ipv6(let destination)):
      IPv6Header(
        source: source, destination: destination, nextHeader: transport.rawValue,
        payloadByteCount: body.count, hopLimit: hopLimit
      ).write(into: &packet)
    case (.ipv4, .ipv6), (.ipv6, .ipv4):
      return nil
    }
    return packet + body
  }

  private static func bytes(
    of segment: Segment, family: IPFamily
  ) -> (TransportProtocol, [UInt8]) {
    var body: [UInt8] = []
    switch segment {
    case .tcp(let header, let payload):
      header.write(into: &body)
      return (.tcp, body + payload)
    case .udp(var header, let payload):
      header.length = UInt16(truncatingIfNeeded: UDPHeader.byteCount + payload.count)
      header.write(into: &body)
      return (.udp, body + payload)
    case .udplite(var header, let payload):
      header.length = 0
      header.write(into: &body)
      return (.udplite, body + payload)
    case .sctp(let header, let payload):
      header.write(into: &body)
      return (.sctp, body + payload)
    case .icmp(let header, let payload):
      header.write(into: &body)
      return (family == .ipv4 ? .icmp : .icmpv6, body + payload)
    case .other(let transport, let bytes):
      return (transport, bytes)
    }
  }

  private static func checksumOffset(of segment: Segment) -> Int? {
    switch segment {
    case .tcp: 16
    case .udp, .udplite: 6
    case .icmp: 2
    case .sctp, .other: nil
    }
  }
}
