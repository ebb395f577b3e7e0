/// The sum that guards an SCTP packet: CRC32c over the whole segment (RFC 9260 appendix A).
enum SCTPChecksum {
  /// Whether the sum in the header, least significant octet first, is that of the segment.
  static func isValid(_ segment: ArraySlice<UInt8>) -> Bool {
    let start = segment.startIndex
    guard segment.count >= 12 else { return false }
    var remainder = UInt32.max
    for (offset, octet) in segment.enumerated() {
      remainder ^= UInt32((8..<12).contains(offset) ? 0 : octet)
      for _ in 0..<8 {
        remainder = remainder & 1 != 0 ? remainder >> 1 ^ 0x82F6_3B78 : remainder >> 1
      }
    }
    let sum = (0..<4).reduce(UInt32(0)) { $0 | UInt32(segment[start + 8 + $1]) << UInt32(8 * $1) }
    return sum == ~remainder
  }
}
