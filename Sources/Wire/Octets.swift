// Numbers in network byte order inside a byte array. The caller has checked the bounds; an index
// past the end is our own mistake and traps in the subscript.
extension [UInt8] {
  func uint16(at offset: Int) -> UInt16 {
    UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
  }

  func uint32(at offset: Int) -> UInt32 {
    UInt32(uint16(at: offset)) << 16 | UInt32(uint16(at: offset + 2))
  }

  func uint48(at offset: Int) -> UInt64 {
    UInt64(uint16(at: offset)) << 32 | UInt64(uint32(at: offset + 2))
  }

  func uint128(at offset: Int) -> UInt128 {
    (0..<4).reduce(0) { $0 << 32 | UInt128(uint32(at: offset + 4 * $1)) }
  }

  mutating func append(_ number: UInt16) {
    append(UInt8(truncatingIfNeeded: number >> 8))
    append(UInt8(truncatingIfNeeded: number))
  }

  mutating func append(_ number: UInt32) {
    append(UInt16(truncatingIfNeeded: number >> 16))
    append(UInt16(truncatingIfNeeded: number))
  }

  mutating func append(_ number: UInt128) {
    for shift in stride(from: UInt128(96), through: 0, by: -32) {
      append(UInt32(truncatingIfNeeded: number >> shift))
    }
  }

  mutating func store(_ number: UInt16, at offset: Int) {
    self[offset] = UInt8(truncatingIfNeeded: number >> 8)
    self[offset + 1] = UInt8(truncatingIfNeeded: number)
  }

  /// Throws unless `needed` bytes stand at `offset`.
  func require(_ needed: Int, at offset: Int, for header: String) throws(WireError) {
    guard offset >= 0, count - offset >= needed else {
      throw .truncated(
        header: header, offset: offset, needed: needed, available: Swift.max(0, count - offset))
    }
  }
}
