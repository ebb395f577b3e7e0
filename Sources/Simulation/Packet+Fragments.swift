import Addresses
import Wire

extension Packet {
  /// Whether tracking does not let a fragment on its way while it is the only one.
  ///
  /// One that is whole by itself goes on without its header.
  ///
  /// Source: net/ipv4/netfilter/nf_defrag_ipv4.c; net/ipv6/netfilter/nf_conntrack_reasm.c,
  /// `nf_ct_frag6_gather`.
  var isKeptAlone: Bool {
    guard let header = layout.offset(ofExtension: 44, in: bytes) else {
      return layout.isIPv4
    }
    // What a program sends in parts was seen to pass.
    guard frame != nil else { return false }
    guard layout.byteCount >= header + 8 else { return false }
    let field = UInt16(bytes[header + 2]) << 8 | UInt16(bytes[header + 3])
    guard field < 60_000 else { return false }
    // With more to come, one that is no whole number of eight octets is left to its receiver.
    if field & 1 != 0, !(layout.byteCount - header).isMultiple(of: 8) { return false }
    if field & 0xFFF8 != 0 { return true }
    return field & 1 != 0 && holdsTransportHeader
  }

  /// Whether the first fragment has the whole header of its segment; one that has not is left to
  /// its receiver (net/ipv6/reassembly.c, `ipv6frag_thdr_truncated`).
  private var holdsTransportHeader: Bool {
    guard let transport = layout.transport else { return false }
    let count = layout.byteCount - layout.transportOffset
    return switch TransportProtocol(rawValue: transport) {
    case .tcp: count >= 20
    case .udp, .icmpv6: count >= 8
    default: false
    }
  }

  /// What the fragments of one datagram have in common.
  var datagram: [UInt8] {
    if layout.isIPv4 { return Array(bytes[4..<6] + bytes[9..<10] + bytes[12..<20]) }
    guard let header = layout.offset(ofExtension: 44, in: bytes), layout.byteCount >= header + 8
    else { return [] }
    return Array(bytes[8..<40] + bytes[header + 4..<header + 8])
  }
}
