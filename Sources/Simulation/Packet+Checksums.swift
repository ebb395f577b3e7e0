import Addresses
import Wire

extension Packet {
  /// Where the checksum of the transport header ends that a written field changes.
  ///
  /// - Parameter isOfAddresses: Whether the addresses are written, which not all checksums cover.
  /// - Returns: An offset from the IP header on; nil where nothing has to follow.
  ///
  /// Source: net/netfilter/nft_payload.c `nft_payload_l4csum_offset`.
  func checksumEnd(isOfAddresses: Bool) -> Int? {
    guard let transport = layout.transport, layout.fragmentOffset == 0 else { return nil }
    switch (TransportProtocol(rawValue: transport), layout.isIPv4) {
    case (.tcp, _): return layout.transportOffset + 18
    case (.udplite, _): return layout.transportOffset + 8
    // A cut off header of UDP counts as one without a checksum.
    case (.udp, _): return isOfAddresses ? nil : layout.transportOffset + 8
    case (.icmpv6, false): return layout.transportOffset + 4
    case (.icmp, true): return isOfAddresses ? nil : layout.transportOffset + 4
    default: return nil
    }
  }
}
