package import Addresses

/// Where the parts of an IP packet lie, as Linux finds them.
///
/// Source: net/ipv4/ip_input.c `ip_rcv_core`, net/ipv6/ip6_input.c `ip6_rcv_core`,
/// net/ipv6/exthdrs_core.c `ipv6_find_hdr`.
package struct PacketLayout: Hashable, Sendable {
  /// Why a receiver throws the packet away before any hook sees it.
  package enum Malformation: String, Error, Hashable, Sendable {
    case empty = "no bytes"
    case version = "neither IPv4 nor IPv6"
    case headerTruncated = "the IP header is cut off"
    case headerLength = "the IP header's length is impossible"
    case totalLength = "the packet is shorter than its length field says"
    case headerChecksum = "the IPv4 header's checksum is wrong"
  }

  package let family: IPFamily
  /// Whether the packet is IPv4; no more than a test of one byte.
  package let isIPv4: Bool
  /// How many bytes belong to the packet; bytes after them are padding.
  package var byteCount: Int
  /// The number that `meta l4proto` reads; nil where the IPv6 header chain is broken.
  package var transport: UInt8?
  /// Where the transport header begins, from the IP header on.
  package var transportOffset: Int
  /// In units of eight bytes; not zero in all fragments but the first.
  package var fragmentOffset: UInt16
  package var isFragment: Bool

  /// Finds the parts of the packet that begins at the first byte.
  ///
  /// - Throws: ``Malformation`` if a receiver would discard the packet.
  package init(reading bytes: [UInt8]) throws(Malformation) {
    guard let first = bytes.first else { throw .empty }
    switch first >> 4 {
    case 4: try self.init(readingIPv4: bytes)
    case 6: try self.init(readingIPv6: bytes)
    default: throw .version
    }
  }

  private init(readingIPv4 bytes: [UInt8]) throws(Malformation) {
    guard bytes.count >= 20 else { throw .headerTruncated }
    let headerLength = Int(bytes[0] & 15) * 4
    guard headerLength >= 20 else { throw .headerLength }
    guard bytes.count >= headerLength else { throw .headerTruncated }
    var sum = InternetChecksum()
    sum.add(bytes, in: 0..<headerLength)
    guard sum.isValid else { throw .headerChecksum }
    let total = Int(bytes.uint16(at: 2))
    guard total >= headerLength, total <= bytes.count else { throw .totalLength }
    family = .ipv4
    isIPv4 = true
    byteCount = total
    transport = bytes[9]
    transportOffset = headerLength
    let fragment = bytes.uint16(at: 6)
    fragmentOffset = fragment & 0x1FFF
    isFragment = fragment & 0x3FFF != 0
  }

  private init(readingIPv6 bytes: [UInt8]) throws(Malformation) {
    guard bytes.count >= 40 else { throw .headerTruncated }
    family = .ipv6
    isIPv4 = false
    let payload = Int(bytes.uint16(at: 4))
    // A payload length of zero before hop-by-hop options announces a jumbogram.
    if payload == 0, bytes[6] == 0 {
      byteCount = bytes.count
    } else {
      guard 40 + payload <= bytes.count else { throw .totalLength }
      byteCount = 40 + payload
    }
    transport = nil
    transportOffset = 0
    fragmentOffset = 0
    isFragment = false
    var next = bytes[6]
    var offset = 40
    while true {
      // The authentication header ends the walk, as it does for nf_tables.
      guard Self.isExtension(next), next != 59, next != 51 else {
        if next == 51, byteCount - offset < 2 { return }
        transport = next
        transportOffset = offset
        return
      }
      // A receiver takes for a fragment whatever says that a fragment's header follows.
      if next == 44, byteCount >= offset { isFragment = true }
      guard byteCount - offset >= 2 else { return }
      if next == 44 {
        guard byteCount - offset >= 4 else { return }
        isFragment = true
        let field = bytes.uint16(at: offset + 2)
        if field & 0xFFF8 != 0 {
          fragmentOffset = field >> 3
          let carried = bytes[offset]
          guard !Self.isExtension(carried) || carried == 59 else { return }
          transport = carried
          return
        }
        next = bytes[offset]
        offset += 8
      } else {
        next = bytes[offset]
        offset += (Int(bytes[offset + 1]) + 1) * 8
      }
    }
  }

  private static func isExtension(_ number: UInt8) -> Bool {
    switch number {
    case 0, 43, 44, 51, 59, 60: true
    default: false
    }
  }

  /// Where the extension header with the number `kind` begins.
  ///
  /// - Returns: nil if the packet is not IPv6 or has no such header before its chain ends.
  package func offset(ofExtension kind: UInt8, in bytes: [UInt8]) -> Int? {
    guard !isIPv4 else { return nil }
    var next = bytes[6]
    var offset = 40
    while true {
      let isFound = next == kind
      guard Self.isExtension(next), next != 59 else { return isFound ? offset : nil }
      guard byteCount - offset >= 2 else { return nil }
      if next == 44, byteCount - offset < 4 { return nil }
      if isFound { return offset }
      if next == 44 {
        if bytes.uint16(at: offset + 2) & 0xFFF8 != 0 { return nil }
        next = bytes[offset]
        offset += 8
      } else {
        let units = Int(bytes[offset + 1])
        let length = next == 51 ? (units + 2) * 4 : (units + 1) * 8
        next = bytes[offset]
        offset += length
      }
    }
  }

  /// The layout as connection tracking finds it, which steps over IPv6 authentication headers too.
  ///
  /// - Returns: nil if the packet has no transport header to track, or is a later fragment.
  ///
  /// Source: net/ipv6/exthdrs_core.c `ipv6_skip_exthdr`; net/netfilter/nf_conntrack_core.c
  /// `ipv6_get_l4proto`.
  package func tracked(in bytes: [UInt8]) -> PacketLayout? {
    guard transport != nil, fragmentOffset == 0 else { return nil }
    guard !isIPv4, transport == 51 else { return self }
    guard let (number, offset) = trackedTransport(ofIPv6At: 0, in: bytes) else { return nil }
    var layout = self
    layout.transport = number
    layout.transportOffset = offset
    return layout
  }

  /// Where connection tracking finds the transport header of the IPv6 packet at `network`, which
  /// may be one that another quotes.
  ///
  /// - Returns: nil where its extension headers are cut off or end in "no next header", and for
  ///   later fragments.
  package func trackedTransport(
    ofIPv6At network: Int, in bytes: [UInt8]
  ) -> (number: UInt8, offset: Int)? {
    guard network + 40 <= byteCount else { return nil }
    var next = bytes[network + 6]
    var offset = network + 40
    while Self.isExtension(next) {
      guard next != 59, offset + 2 <= byteCount else { return nil }
      let kind = next
      next = bytes[offset]
      let units = Int(bytes[offset + 1])
      switch kind {
      case 44:
        guard offset + 4 <= byteCount, bytes.uint16(at: offset + 2) & 0xFFF8 == 0 else {
          return nil
        }
        offset += 8
      case 51: offset += (units + 2) * 4
      default: offset += (units + 1) * 8
      }
    }
    return (next, offset)
  }

  /// Reads `bitLength` bits (at most 128) that begin `bitOffset` bits into the packet.
  ///
  /// - Returns: nil if an octet that holds one of them is not part of the packet.
  package func bits(at bitOffset: Int, count bitLength: Int, in bytes: [UInt8]) -> UInt128? {
    let first = bitOffset >> 3
    let last = (bitOffset + bitLength + 7) >> 3
    guard bitOffset >= 0, last <= byteCount, bitLength > 0, bitLength <= 128 else { return nil }
    if bitOffset & 7 == 0 {
      switch bitLength {
      case 8: return UInt128(bytes[first])
      case 16: return UInt128(UInt64(bytes[first]) << 8 | UInt64(bytes[first + 1]))
      case 32: return UInt128(bytes.uint32(at: first))
      case 128: return bytes.uint128(at: first)
      default: break
      }
    }
    var value: UInt128 = 0
    // Whole octets first; at most 15 of them and a cut one fit beside an unaligned start.
    var remaining = bitLength
    var position = bitOffset
    while remaining > 0 {
      let available = 8 - position & 7
      let taken = min(available, remaining)
      let octet = bytes[position >> 3] >> UInt8(available - taken) & UInt8((1 << taken) - 1)
      value = value << UInt128(taken) | UInt128(octet)
      position += taken
      remaining -= taken
    }
    return value
  }

  /// The address that the packet says it comes from.
  package func source(in bytes: [UInt8]) -> UInt128 {
    isIPv4 ? UInt128(bytes.uint32(at: 12)) : bytes.uint128(at: 8)
  }

  /// The address that the packet goes to.
  package func destination(in bytes: [UInt8]) -> UInt128 {
    isIPv4 ? UInt128(bytes.uint32(at: 16)) : bytes.uint128(at: 24)
  }

  /// Whether the bytes from `offset` on sum up with the pseudo header of `transport`.
  ///
  /// For IPv6 the pseudo header is part of every transport's sum, for IPv4 not of ICMP's.
  package func isChecksumValid(
    of transport: TransportProtocol, from offset: Int, coverage: Int? = nil, in bytes: [UInt8]
  ) -> Bool {
    guard offset <= byteCount else { return false }
    var sum = InternetChecksum()
    sum.add(bytes, in: offset..<min(byteCount, offset + (coverage ?? byteCount - offset)))
    if transport != .icmp {
      sum.addPseudoHeader(
        source: IPAddress(family, rawValue: source(in: bytes)),
        destination: IPAddress(family, rawValue: destination(in: bytes)),
        transport: transport, byteCount: byteCount - offset)
    }
    return sum.isValid
  }
}
