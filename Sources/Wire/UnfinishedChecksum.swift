internal import Addresses

extension PacketLayout {
  /// The packet with its checksum, where it was handed out before the network card finished it.
  ///
  /// Linux writes the sum of the pseudo header into the checksum's field and leaves the rest to the
  /// card. Captures at the sender have such packets, and so have virtual cables and the loopback,
  /// where nobody finishes the sum and no receiver checks it.
  ///
  /// - Parameter bytes: The packet of this layout.
  /// - Returns: nil where the checksum is right, or wrong in another way.
  ///
  /// Source: net/ipv4/tcp_ipv4.c `__tcp_v4_send_check`; `CHECKSUM_PARTIAL` of include/linux/skbuff.h.
  package func finishingChecksum(in bytes: [UInt8]) -> [UInt8]? {
    guard !isFragment, let number = transport else { return nil }
    let transport = TransportProtocol(rawValue: number)
    let start = transportOffset
    let field: Int
    switch transport {
    case .tcp: field = start + 16
    case .udp: field = start + 6
    default: return nil
    }
    guard start + (transport == .tcp ? 20 : 8) <= byteCount else { return nil }
    guard !isChecksumValid(of: transport, from: start, in: bytes) else { return nil }
    var sum = InternetChecksum()
    sum.addPseudoHeader(
      source: IPAddress(family, rawValue: source(in: bytes)),
      destination: IPAddress(family, rawValue: destination(in: bytes)), transport: transport,
      byteCount: byteCount - start)
    guard bytes.uint16(at: field) == ~sum.value else { return nil }
    var finished = bytes
    finished.store(0, at: field)
    sum.add(finished, in: start..<byteCount)
    finished.store(transport == .udp && sum.value == 0 ? 0xFFFF : sum.value, at: field)
    return finished
  }
}
