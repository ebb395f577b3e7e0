/// A UDP or UDP-Lite header.
///
/// Source: RFC 768; RFC 3828 §3.1, where ``length`` is the checksum's coverage.
package struct UDPHeader: Hashable, Sendable {
  package static let byteCount = 8

  package var sourcePort: UInt16
  package var destinationPort: UInt16
  /// Header and payload, in bytes; in UDP-Lite how much of them the checksum covers (0: all).
  package var length: UInt16
  package var checksum: UInt16

  package init(sourcePort: UInt16, destinationPort: UInt16, payloadByteCount: Int) {
    self.sourcePort = sourcePort
    self.destinationPort = destinationPort
    length = UInt16(truncatingIfNeeded: Self.byteCount + payloadByteCount)
    checksum = 0
  }

  /// Reads a header that starts at `offset` and moves `offset` past it.
  ///
  /// - Throws: ``WireError`` if bytes are missing or the length is neither 0 nor at least 8.
  package init(reading bytes: [UInt8], at offset: inout Int) throws(WireError) {
    try bytes.require(Self.byteCount, at: offset, for: "UDP header")
    sourcePort = bytes.uint16(at: offset)
    destinationPort = bytes.uint16(at: offset + 2)
    length = bytes.uint16(at: offset + 4)
    checksum = bytes.uint16(at: offset + 6)
    guard length == 0 || length >= 8 else {
      throw .badLength(header: "UDP header", offset: offset, length: Int(length))
    }
    offset += Self.byteCount
  }

  /// Appends the header as it stands.
  package func write(into bytes: inout [UInt8]) {
    bytes.append(sourcePort)
    bytes.append(destinationPort)
    bytes.append(length)
    bytes.append(checksum)
  }
}

extension UDPHeader: CustomStringConvertible {
  package var description: String { "UDP \(sourcePort) > \(destinationPort) length \(length)" }
}
