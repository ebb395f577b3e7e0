import Wire

extension Packet {
  /// Whether tracking does not let a fragment on its way while it is the only one.
  ///
  /// One that is whole by itself goes on without its header.
  ///
  /// Source: net/ipv4/netfilter/nf_defrag_ipv4.c; net/ipv6/netfilter/nf_conntrack_reasm.c,
  /// `nf_ct_frag6_gather`.
  var isKeptAlone: Bool {
    guard let header = layout.offset(ofExtension: 44, in: bytes) else { return true }
    guard layout.byteCount >= header + 8 else { return true }
    let field = UInt16(bytes[header + 2]) << 8 | UInt16(bytes[header + 3])
    // Longer ones with more to come, and such as reach beyond a datagram's end, may pass.
    if field & 1 != 0 { return layout.byteCount < 1280 }
    return field & 0xFFF8 != 0 && field < 60_000
  }

  /// What the fragments of one datagram have in common.
  var datagram: [UInt8] {
    if layout.isIPv4 { return Array(bytes[4..<6] + bytes[9..<10] + bytes[12..<20]) }
    guard let header = layout.offset(ofExtension: 44, in: bytes), layout.byteCount >= header + 8
    else { return [] }
    return Array(bytes[8..<40] + bytes[header + 4..<header + 8])
  }
}
