/// The common header of an SCTP packet.
///
/// Source: RFC 9260 §3.1. The checksum is CRC32c and is stored, not computed.
package struct SCTPHeader: Hashable, Sendable {
  package static let byteCount = 12

  package var sourcePort: UInt16
  package var destinationPort: UInt16
  package var verificationTag: UInt32
  package var checksum: UInt32

  package init(
    sourcePort: UInt16, destinationPort: UInt16, verificationTag: UInt32 = 0, checksum: UInt32 = 0
  ) {
    self.sourcePort = sourcePort
    self.destinationPort = destinationPort
    self.verificationTag = verificationTag
    self.checksum = checksum
  }

  /// Reads a header that starts at `offset` and moves `offset` past it.
  ///
  /// - Throws: ``WireError/truncated(header:offset:needed:available:)``.
  package init(reading bytes: [UInt8], at offset: inout Int) throws(WireError) {
    try bytes.require(Self.byteCount, at: offset, for: "SCTP header")
    sourcePort = bytes.uint16(at: offset)
    destinationPort = bytes.uint16(at: offset + 2)
    verificationTag = bytes.uint32(at: offset + 4)
    checksum = bytes.uint32(at: offset + 8)
    offset += Self.byteCount
  }

  /// Appends the header as it stands.
  package func write(into bytes: inout [UInt8]) {
    bytes.append(sourcePort)
    bytes.append(destinationPort)
    bytes.append(verificationTag)
    bytes.append(checksum)
  }
}

extension SCTPHeader: CustomStringConvertible {
  package var description: String {
    "SCTP \(sourcePort) > \(destinationPort) tag \(verificationTag)"
  }
}
