/// The CRC32c that SCTP guards its packets with.
///
/// Source: RFC 9260 §6.8 and appendix A; the polynomial is 0x1EDC6F41, reflected.
package enum CastagnoliChecksum {
  /// The number that stands in the header, whose octets are least significant first.
  ///
  /// - Parameter bytes: The whole packet from the SCTP header on, with a checksum of zero.
  /// - Returns: The checksum.
  package static func value(of bytes: some Sequence<UInt8>) -> UInt32 {
    var remainder: UInt32 = .max
    for byte in bytes {
      remainder ^= UInt32(byte)
      for _ in 0..<8 {
        remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0x82F6_3B78 : remainder >> 1
      }
    }
    return ~remainder
  }
}
