/// What stands before the IP header in captured frames.
///
/// Source: https://www.tcpdump.org/linktypes.html.
package enum LinkType: Hashable, Sendable, CaseIterable {
  /// The corresponding C constant is `DLT_EN10MB`.
  case ethernet
  /// Linux cooked frames, version 1: what the interface `any` gives.
  ///
  /// The corresponding C constant is `DLT_LINUX_SLL`.
  case linuxCooked
  /// The corresponding C constant is `DLT_LINUX_SLL2`.
  case linuxCooked2
  /// Nothing: tunnels, and the files that ``CaptureFileWriter`` writes.
  ///
  /// The corresponding C constant is `DLT_RAW`.
  case rawIP
  /// IPv4 alone; the corresponding C constant is `DLT_IPV4`.
  case rawIPv4
  /// IPv6 alone; the corresponding C constant is `DLT_IPV6`.
  case rawIPv6
  /// Loopbacks of BSD: the address family in the byte order of the machine that captured.
  ///
  /// The corresponding C constant is `DLT_NULL`.
  case loopback
  /// Loopbacks of OpenBSD: the address family in network byte order.
  ///
  /// The corresponding C constant is `DLT_LOOP`.
  case openBSDLoopback

  /// The number that capture files use.
  ///
  /// It is libpcap's `DLT_` number too, but for ``rawIP``, whose `DLT_` number depends on the
  /// system.
  package var fileNumber: UInt16 {
    switch self {
    case .ethernet: 1
    case .linuxCooked: 113
    case .linuxCooked2: 276
    case .rawIP: 101
    case .rawIPv4: 228
    case .rawIPv6: 229
    case .loopback: 0
    case .openBSDLoopback: 108
    }
  }

  /// - Returns: nil for link types from which no IP packet is taken.
  init?(fileNumber: UInt16) {
    guard let found = Self.allCases.first(where: { $0.fileNumber == fileNumber }) else {
      return nil
    }
    self = found
  }

  /// Where the IP header begins in `frame`.
  ///
  /// VLAN tags, however many, are passed over.
  ///
  /// - Returns: nil if the frame carries something else, or ends before.
  func offsetOfIP(in frame: Span<UInt8>) -> Int? {
    switch self {
    case .ethernet: carried(in: frame, protocolAt: 12, payloadAt: 14)
    case .linuxCooked: carried(in: frame, protocolAt: 14, payloadAt: 16)
    case .linuxCooked2: carried(in: frame, protocolAt: 0, payloadAt: 20)
    case .rawIP: version(in: frame, at: 0) == nil ? nil : 0
    case .rawIPv4: version(in: frame, at: 0) == 4 ? 0 : nil
    case .rawIPv6: version(in: frame, at: 0) == 6 ? 0 : nil
    case .loopback, .openBSDLoopback: afterAddressFamily(in: frame)
    }
  }

  private func version(in frame: Span<UInt8>, at offset: Int) -> UInt8? {
    guard offset < frame.count else { return nil }
    let version = frame[offset] >> 4
    return version == 4 || version == 6 ? version : nil
  }

  private func carried(
    in frame: Span<UInt8>, protocolAt field: Int, payloadAt start: Int
  ) -> Int? {
    var field = field
    var payload = start
    while payload < frame.count {
      switch frame.uint16(at: field) {
      case 0x0800, 0x86DD: return payload
      case 0x8100, 0x88A8, 0x9100:
        // A tag: two octets of its own, then the number of what follows.
        field = payload + 2
        payload += 4
      default: return nil
      }
    }
    return nil
  }

  // `AF_INET` is 2 everywhere; `AF_INET6` is 10 on Linux, 24, 28 and 30 on the BSDs and macOS.
  private func afterAddressFamily(in frame: Span<UInt8>) -> Int? {
    guard frame.count > 4 else { return nil }
    let high = UInt32(frame.uint16(at: 0)) << 16 | UInt32(frame.uint16(at: 2))
    let family = self == .loopback && high > 0xFFFF ? high.byteSwapped : high
    switch family {
    case 2, 10, 24, 28, 30: return 4
    default: return nil
    }
  }

  /// Which way a frame went, where its own header says.
  ///
  /// Source: `sll_pkttype` of packet(7); 4 is `PACKET_OUTGOING`.
  func direction(in frame: Span<UInt8>) -> PacketDirection? {
    switch self {
    case .linuxCooked:
      frame.count < 2 ? nil : frame.uint16(at: 0) == 4 ? .outbound : .inbound
    case .linuxCooked2: frame.count < 11 ? nil : frame[10] == 4 ? .outbound : .inbound
    case .ethernet, .rawIP, .rawIPv4, .rawIPv6, .loopback, .openBSDLoopback: nil
    }
  }
}

extension LinkType: CustomStringConvertible {
  package var description: String {
    switch self {
    case .ethernet: "Ethernet"
    case .linuxCooked: "Linux cooked"
    case .linuxCooked2: "Linux cooked v2"
    case .rawIP: "raw IP"
    case .rawIPv4: "raw IPv4"
    case .rawIPv6: "raw IPv6"
    case .loopback: "BSD loopback"
    case .openBSDLoopback: "OpenBSD loopback"
    }
  }
}

extension Span<UInt8> {
  /// A number in network byte order; the caller has checked that both octets are there.
  func uint16(at offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }
}
