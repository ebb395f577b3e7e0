internal import Addresses

/// Prints what can be read of a packet, one header a line, each indented below what carries it.
package enum PacketPrinter {
  /// The headers of a packet that begins with its IP header.
  ///
  /// Bytes that cannot be read end the text with the reason; nothing traps.
  package static func print(packet bytes: [UInt8]) -> String {
    var lines: [String] = []
    do throws(WireError) {
      try append(packet: bytes, at: 0, to: &lines)
    } catch {
      lines.append("(\(error))")
    }
    return indented(lines)
  }

  /// The headers of an Ethernet frame.
  package static func print(frame bytes: [UInt8]) -> String {
    var lines: [String] = []
    do throws(WireError) {
      var offset = 0
      let header = try EthernetHeader(reading: bytes, at: &offset)
      lines.append(header.description)
      switch header.carriedProtocol {
      case EthernetHeader.ipv4Protocol, EthernetHeader.ipv6Protocol:
        try append(packet: bytes, at: offset, to: &lines)
      case EthernetHeader.arpProtocol:
        lines.append(try ARPPacket(reading: bytes, at: &offset).description)
      default: break
      }
    } catch {
      lines.append("(\(error))")
    }
    return indented(lines)
  }

  private static func indented(_ lines: [String]) -> String {
    lines.enumerated()
      .map { String(repeating: "  ", count: $0.offset) + $0.element }
      .joined(separator: "\n")
  }

  private static func append(
    packet bytes: [UInt8], at start: Int, to lines: inout [String]
  ) throws(WireError) {
    var offset = start
    try bytes.require(1, at: offset, for: "IP header")
    var next: UInt8
    if bytes[offset] >> 4 == 6 {
      let header = try IPv6Header(reading: bytes, at: &offset)
      lines.append(header.description)
      next = header.nextHeader
      // Every header takes at least four bytes, so the walk ends with the bytes.
      while let kind = IPv6ExtensionHeader.Kind(rawValue: next) {
        let header = try IPv6ExtensionHeader(reading: bytes, kind: kind, at: &offset)
        lines.append(header.description)
        next = header.nextHeader
        if kind == .fragment, header.body.uint16(at: 1) & 0xFFF8 != 0 { return }
      }
    } else {
      let header = try IPv4Header(reading: bytes, at: &offset)
      lines.append(header.description)
      guard header.fragmentOffset == 0 else { return }
      next = header.transport.rawValue
    }
    switch TransportProtocol(rawValue: next) {
    case .tcp: lines.append(try TCPHeader(reading: bytes, at: &offset).description)
    case .udp, .udplite: lines.append(try UDPHeader(reading: bytes, at: &offset).description)
    case .sctp: lines.append(try SCTPHeader(reading: bytes, at: &offset).description)
    case .icmp, .icmpv6: lines.append(try ICMPHeader(reading: bytes, at: &offset).description)
    default: break
    }
  }
}
