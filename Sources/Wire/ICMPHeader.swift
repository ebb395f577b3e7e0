/// The header of an ICMP or ICMPv6 message.
///
/// Source: RFC 792, RFC 4443 §2.1.
package struct ICMPHeader: Hashable, Sendable {
  package static let byteCount = 8

  package var type: UInt8
  package var code: UInt8
  package var checksum: UInt16
  /// The four bytes that the type gives a meaning: identifier and sequence of an echo, the MTU, ….
  package var rest: UInt32

  package init(type: UInt8, code: UInt8 = 0, rest: UInt32 = 0) {
    self.type = type
    self.code = code
    checksum = 0
    self.rest = rest
  }

  /// Reads a header that starts at `offset` and moves `offset` past it.
  ///
  /// - Throws: ``WireError/truncated(header:offset:needed:available:)``.
  package init(reading bytes: [UInt8], at offset: inout Int) throws(WireError) {
    try bytes.require(Self.byteCount, at: offset, for: "ICMP header")
    type = bytes[offset]
    code = bytes[offset + 1]
    checksum = bytes.uint16(at: offset + 2)
    rest = bytes.uint32(at: offset + 4)
    offset += Self.byteCount
  }

  /// Appends the header as it stands.
  package func write(into bytes: inout [UInt8]) {
    bytes.append(type)
    bytes.append(code)
    bytes.append(checksum)
    bytes.append(rest)
  }
}

extension ICMPHeader: CustomStringConvertible {
  package var description: String { "ICMP type \(type) code \(code)" }
}
