package import Addresses

/// The fixed part of an IPv6 header.
///
/// Source: RFC 8200 §3.
package struct IPv6Header: Hashable, Sendable {
  package static let byteCount = 40

  package var dscp: UInt8
  package var ecn: UInt8
  /// 20 bits.
  package var flowLabel: UInt32
  /// What follows the fixed header, extension headers included, in bytes.
  package var payloadLength: UInt16
  package var nextHeader: UInt8
  package var hopLimit: UInt8
  package var source: IPv6Address
  package var destination: IPv6Address

  package init(
    source: IPv6Address, destination: IPv6Address, nextHeader: UInt8, payloadByteCount: Int,
    hopLimit: UInt8 = 64, dscp: UInt8 = 0, ecn: UInt8 = 0, flowLabel: UInt32 = 0
  ) {
    self.dscp = dscp
    self.ecn = ecn
    self.flowLabel = flowLabel
    payloadLength = UInt16(truncatingIfNeeded: payloadByteCount)
    self.nextHeader = nextHeader
    self.hopLimit = hopLimit
    self.source = source
    self.destination = destination
  }

  /// Reads a header that starts at `offset` and moves `offset` past it.
  ///
  /// - Throws: ``WireError`` if bytes are missing or the version is not 6.
  package init(reading bytes: [UInt8], at offset: inout Int) throws(WireError) {
    try bytes.require(Self.byteCount, at: offset, for: "IPv6 header")
    let first = bytes.uint32(at: offset)
    guard first >> 28 == 6 else {
      throw .badVersion(header: "IPv6 header", offset: offset, version: UInt8(first >> 28))
    }
    dscp = UInt8(truncatingIfNeeded: first >> 22 & 63)
    ecn = UInt8(truncatingIfNeeded: first >> 20 & 3)
    flowLabel = first & 0xFFFFF
    payloadLength = bytes.uint16(at: offset + 4)
    nextHeader = bytes[offset + 6]
    hopLimit = bytes[offset + 7]
    source = IPv6Address(rawValue: bytes.uint128(at: offset + 8))
    destination = IPv6Address(rawValue: bytes.uint128(at: offset + 24))
    offset += Self.byteCount
  }

  /// Appends the header.
  package func write(into bytes: inout [UInt8]) {
    bytes.append(
      UInt32(6) << 28 | UInt32(dscp & 63) << 22 | UInt32(ecn & 3) << 20 | flowLabel & 0xFFFFF)
    bytes.append(payloadLength)
    bytes.append(nextHeader)
    bytes.append(hopLimit)
    bytes.append(source.rawValue)
    bytes.append(destination.rawValue)
  }
}

extension IPv6Header: CustomStringConvertible {
  package var description: String {
    "IPv6 \(source) > \(destination) next header \(nextHeader) hop limit \(hopLimit) "
      + "payload \(payloadLength)"
  }
}

/// One extension header of an IPv6 packet.
///
/// Source: RFC 8200 §4; the authentication header is RFC 4302 §2.
package struct IPv6ExtensionHeader: Hashable, Sendable {
  /// The numbers that are extension headers and not the end of the chain.
  package enum Kind: UInt8, Hashable, Sendable, CaseIterable {
    case hopByHop = 0
    case routing = 43
    case fragment = 44
    case authentication = 51
    case destination = 60
  }

  package var kind: Kind
  package var nextHeader: UInt8
  /// Everything after the next-header octet; its length makes the header a multiple of eight bytes
  /// (of four for the authentication header).
  package var body: [UInt8]

  package init(kind: Kind, nextHeader: UInt8, body: [UInt8]) {
    self.kind = kind
    self.nextHeader = nextHeader
    self.body = body
  }

  /// Reads a header of a known kind that starts at `offset` and moves `offset` past it.
  ///
  /// - Throws: ``WireError/truncated(header:offset:needed:available:)``.
  package init(reading bytes: [UInt8], kind: Kind, at offset: inout Int) throws(WireError) {
    try bytes.require(2, at: offset, for: "IPv6 extension header")
    let length =
      switch kind {
      case .fragment: 8
      case .authentication: (Int(bytes[offset + 1]) + 2) * 4
      case .hopByHop, .routing, .destination: (Int(bytes[offset + 1]) + 1) * 8
      }
    try bytes.require(length, at: offset, for: "IPv6 extension header")
    self.kind = kind
    nextHeader = bytes[offset]
    body = Array(bytes[offset + 1..<offset + length])
    offset += length
  }

  /// Appends the header.
  package func write(into bytes: inout [UInt8]) {
    bytes.append(nextHeader)
    bytes += body
  }
}

extension IPv6ExtensionHeader: CustomStringConvertible {
  package var description: String {
    let name =
      switch kind {
      case .hopByHop: "hop-by-hop options"
      case .routing: "routing header"
      case .fragment: "fragment header"
      case .authentication: "authentication header"
      case .destination: "destination options"
      }
    return "IPv6 \(name) \(body.count + 1) bytes next header \(nextHeader)"
  }
}
