package import Addresses

/// An IPv4 header with its options.
///
/// Source: RFC 791 §3.1; DSCP and ECN: RFC 2474, RFC 3168.
package struct IPv4Header: Hashable, Sendable {
  package var dscp: UInt8
  package var ecn: UInt8
  /// Header and payload, in bytes.
  package var totalLength: UInt16
  package var identification: UInt16
  package var isReserved: Bool
  package var doesNotFragment: Bool
  package var hasMoreFragments: Bool
  /// In units of eight bytes.
  package var fragmentOffset: UInt16
  package var timeToLive: UInt8
  package var transport: TransportProtocol
  package var checksum: UInt16
  package var source: IPv4Address
  package var destination: IPv4Address
  /// The option bytes as they stand, padding included: a multiple of four, at most 40.
  package var options: [UInt8]

  package init(
    source: IPv4Address, destination: IPv4Address, transport: TransportProtocol,
    payloadByteCount: Int, timeToLive: UInt8 = 64, dscp: UInt8 = 0, ecn: UInt8 = 0,
    identification: UInt16 = 0, isReserved: Bool = false, doesNotFragment: Bool = false,
    hasMoreFragments: Bool = false, fragmentOffset: UInt16 = 0, options: [UInt8] = []
  ) {
    let padded = options.prefix(40)
    self.options = padded + Array(repeating: 0, count: (4 - padded.count % 4) % 4)
    self.dscp = dscp
    self.ecn = ecn
    totalLength = UInt16(truncatingIfNeeded: 20 + self.options.count + payloadByteCount)
    self.identification = identification
    self.isReserved = isReserved
    self.doesNotFragment = doesNotFragment
    self.hasMoreFragments = hasMoreFragments
    self.fragmentOffset = fragmentOffset
    self.timeToLive = timeToLive
    self.transport = transport
    checksum = 0
    self.source = source
    self.destination = destination
    checksum = expectedChecksum
  }

  /// Reads a header that starts at `offset` and moves `offset` past it and its options.
  ///
  /// The checksum is stored, not verified: see ``expectedChecksum``.
  ///
  /// - Throws: ``WireError`` if bytes are missing, the version is not 4, or a length is impossible.
  package init(reading bytes: [UInt8], at offset: inout Int) throws(WireError) {
    try bytes.require(20, at: offset, for: "IPv4 header")
    guard bytes[offset] >> 4 == 4 else {
      throw .badVersion(header: "IPv4 header", offset: offset, version: bytes[offset] >> 4)
    }
    let length = Int(bytes[offset] & 15) * 4
    guard length >= 20 else {
      throw .badLength(header: "IPv4 header", offset: offset, length: length)
    }
    try bytes.require(length, at: offset, for: "IPv4 header")
    totalLength = bytes.uint16(at: offset + 2)
    guard Int(totalLength) >= length else {
      throw .badLength(header: "IPv4 packet", offset: offset, length: Int(totalLength))
    }
    dscp = bytes[offset + 1] >> 2
    ecn = bytes[offset + 1] & 3
    identification = bytes.uint16(at: offset + 4)
    let fragment = bytes.uint16(at: offset + 6)
    isReserved = fragment & 0x8000 != 0
    doesNotFragment = fragment & 0x4000 != 0
    hasMoreFragments = fragment & 0x2000 != 0
    fragmentOffset = fragment & 0x1FFF
    timeToLive = bytes[offset + 8]
    transport = TransportProtocol(rawValue: bytes[offset + 9])
    checksum = bytes.uint16(at: offset + 10)
    source = IPv4Address(rawValue: bytes.uint32(at: offset + 12))
    destination = IPv4Address(rawValue: bytes.uint32(at: offset + 16))
    options = Array(bytes[offset + 20..<offset + length])
    offset += length
  }

  /// The header's length, in bytes.
  package var byteCount: Int { 20 + options.count }

  /// The checksum that the other fields call for.
  package var expectedChecksum: UInt16 {
    var copy = self
    copy.checksum = 0
    var bytes: [UInt8] = []
    copy.write(into: &bytes)
    var sum = InternetChecksum()
    sum.add(bytes, in: 0..<bytes.count)
    return sum.value
  }

  /// Appends the header as it stands, its checksum included.
  package func write(into bytes: inout [UInt8]) {
    bytes.append(0x40 | UInt8(byteCount / 4))
    bytes.append(dscp << 2 | ecn & 3)
    bytes.append(totalLength)
    bytes.append(identification)
    bytes.append(
      (isReserved ? 0x8000 : 0) | (doesNotFragment ? 0x4000 : 0)
        | (hasMoreFragments ? 0x2000 : 0) | fragmentOffset & 0x1FFF)
    bytes.append(timeToLive)
    bytes.append(transport.rawValue)
    bytes.append(checksum)
    bytes.append(source.rawValue)
    bytes.append(destination.rawValue)
    bytes += options
  }
}

extension IPv4Header: CustomStringConvertible {
  package var description: String {
    var text =
      "IPv4 \(source) > \(destination) \(transport) ttl \(timeToLive) length \(totalLength)"
    if hasMoreFragments || fragmentOffset > 0 { text += " fragment at \(Int(fragmentOffset) * 8)" }
    if !options.isEmpty { text += " options \(options.count) bytes" }
    return text
  }
}
