import Addresses
import Wire

/// A packet's bytes once statements have rewritten them, and where its parts lie.
struct PacketContent: Hashable, Sendable {
  private(set) var bytes: [UInt8]
  let layout: PacketLayout

  init(of packet: borrowing Packet) {
    bytes = packet.bytes
    layout = packet.layout
  }

  /// Where the checksum of the transport header lies; nil where there is none, or none that follows
  /// a change word by word.
  private var checksumOffset: Int? {
    guard let transport = layout.transport, layout.fragmentOffset == 0 else { return nil }
    let start = layout.transportOffset
    let offset: Int
    switch TransportProtocol(rawValue: transport) {
    case .tcp: offset = start + 16
    case .udp, .udplite: offset = start + 6
    case .icmp where layout.isIPv4, .icmpv6: offset = start + 2
    case .dccp: offset = start + 6
    default: return nil
    }
    return offset + 2 <= layout.byteCount ? offset : nil
  }

  /// Whether the kernel finds the checksum that a change of a header makes it update.
  ///
  /// Source: net/netfilter/nft_payload.c `nft_payload_csum_inet`, `nft_payload_l4csum_offset`.
  func canSum(isTransport: Bool, _ touchesAddresses: Bool) -> Bool {
    guard let transport = layout.transport, isTransport || touchesAddresses else { return true }
    if !isTransport, layout.fragmentOffset != 0 { return true }
    switch TransportProtocol(rawValue: transport) {
    case .tcp, .udplite, .icmpv6: return checksumOffset != nil
    case .udp, .icmp, .dccp: return !isTransport || checksumOffset != nil
    default: return true
    }
  }

  /// Whether the checksum of the transport header covers the addresses too.
  private var hasPseudoHeader: Bool {
    layout.transport.map { TransportProtocol(rawValue: $0) != .icmp } ?? false
  }

  /// Writes bytes without any checksum.
  mutating func write(_ octets: [UInt8], at offset: Int) {
    for (index, octet) in octets.enumerated() { bytes[offset + index] = octet }
  }

  /// Writes bytes of the IP header, and the checksums that go with them.
  ///
  /// - Parameters:
  ///   - octets: The bytes.
  ///   - offset: Where they go, from the IP header on.
  ///   - isAddress: Whether the bytes are part of what a pseudo header repeats.
  mutating func writeNetwork(_ octets: [UInt8], at offset: Int, isAddress: Bool) {
    if layout.isIPv4 { replace(octets, at: offset, sumAt: 10, base: 0) }
    if isAddress, hasPseudoHeader, let sum = checksumOffset, !isWithoutChecksum {
      replace(octets, at: offset, sumAt: sum, base: 0)
    }
    write(octets, at: offset)
  }

  /// Writes bytes from the transport header on, and its checksum.
  mutating func writeTransport(_ octets: [UInt8], at offset: Int) {
    if let sum = checksumOffset, !isWithoutChecksum, !(offset...offset + octets.count).contains(sum)
    {
      replace(octets, at: offset, sumAt: sum, base: layout.transportOffset)
    }
    write(octets, at: offset)
  }

  /// Whether the segment is UDP over IPv4 that was sent without a checksum (RFC 768).
  private var isWithoutChecksum: Bool {
    guard layout.transport == TransportProtocol.udp.rawValue, let sum = checksumOffset else {
      return false
    }
    return bytes[sum] == 0 && bytes[sum + 1] == 0
  }

  /// Brings a checksum up to date with bytes that are about to be written (RFC 1624).
  private mutating func replace(_ octets: [UInt8], at offset: Int, sumAt sum: Int, base: Int) {
    var total = UInt32(~(UInt16(bytes[sum]) << 8 | UInt16(bytes[sum + 1])))
    for (index, octet) in octets.enumerated() {
      // Octets at even places from the header on are the upper halves of their words.
      let isUpper = (offset + index - base) % 2 == 0
      let old = UInt32(bytes[offset + index]) << (isUpper ? 8 : 0)
      let new = UInt32(octet) << (isUpper ? 8 : 0)
      total += new + (0xFFFF - old)
    }
    while total > 0xFFFF { total = total & 0xFFFF + total >> 16 }
    let value = ~UInt16(total)
    bytes[sum] = UInt8(value >> 8)
    bytes[sum + 1] = UInt8(value & 0xFF)
  }

  /// Replaces the time to live, or the hop limit.
  mutating func setHopLimit(_ limit: UInt8) {
    writeNetwork([limit], at: layout.isIPv4 ? 8 : 7, isAddress: false)
  }

  /// Replaces the source or the destination address.
  mutating func setAddress(_ address: UInt128, isSource: Bool) {
    let count = layout.isIPv4 ? 4 : 16
    let offset = layout.isIPv4 ? (isSource ? 12 : 16) : (isSource ? 8 : 24)
    let octets = (0..<count).map {
      UInt8(truncatingIfNeeded: address >> UInt128(8 * (count - 1 - $0)))
    }
    writeNetwork(octets, at: offset, isAddress: true)
  }

  /// Replaces the source or the destination port, where the packet has ports.
  mutating func setPort(_ port: UInt16, isSource: Bool) {
    guard let transport = layout.transport, TransportProtocol(rawValue: transport).hasPorts,
      layout.fragmentOffset == 0, layout.transportOffset + 4 <= layout.byteCount
    else { return }
    writeTransport(
      [UInt8(port >> 8), UInt8(port & 0xFF)], at: layout.transportOffset + (isSource ? 0 : 2))
  }

  /// Replaces bits; whole octets around them are read, changed and written, as nft does it.
  ///
  /// - Parameters:
  ///   - value: The bits, least significant last.
  ///   - bitOffset: Where they go, from the IP header on.
  ///   - count: How many there are.
  ///   - isTransport: Whether they belong to the transport header.
  ///   - isSummed: Whether the checksum of the header is brought up to date.
  mutating func setBits(
    _ value: UInt128, at bitOffset: Int, count: Int, isTransport: Bool, isSummed: Bool
  ) {
    let first = bitOffset >> 3
    let octets = octets(replacing: value, at: bitOffset, count: count)
    if isTransport {
      if isSummed { writeTransport(octets, at: first) } else { write(octets, at: first) }
      return
    }
    let addresses = layout.isIPv4 ? 12..<20 : 8..<40
    let isAddress = isSummed && addresses.overlaps(first..<first + octets.count)
    if isSummed {
      writeNetwork(octets, at: first, isAddress: isAddress)
    } else {
      write(octets, at: first)
    }
  }

  /// Brings the IPv4 header's checksum up to date with bits of the header that are not written.
  mutating func sumBits(_ value: UInt128, at bitOffset: Int, count: Int) {
    let octets = octets(replacing: value, at: bitOffset, count: count)
    replace(octets, at: bitOffset >> 3, sumAt: 10, base: 0)
  }

  /// Whole octets with some of their bits replaced.
  private func octets(replacing value: UInt128, at bitOffset: Int, count: Int) -> [UInt8] {
    let first = bitOffset >> 3
    var octets = Array(bytes[first...(bitOffset + count - 1) >> 3])
    for bit in 0..<count {
      let position = bitOffset + bit - first * 8
      let mask: UInt8 = 0x80 >> UInt8(position & 7)
      let isSet = value >> UInt128(count - 1 - bit) & 1 != 0
      if isSet { octets[position >> 3] |= mask } else { octets[position >> 3] &= ~mask }
    }
    return octets
  }

  /// Whether a receiver would still find every part where it was.
  var isLaidOutAsBefore: Bool {
    do throws(PacketLayout.Malformation) {
      return try PacketLayout(reading: bytes) == layout
    } catch {
      return false
    }
  }
}

extension Packet {
  /// The same packet on the same devices, with other bytes.
  borrowing func carrying(_ content: PacketContent) -> Packet {
    Packet(content, like: self)
  }
}
