/// Finds bytes by the number of Unicode scalars before them.
struct YAMLOffsets {
  /// How many scalars lie between two entries of the table.
  private static let stride = 32

  /// Where a table's first scalar begins, in bytes.
  let start: Int
  private let bytes: [UInt8]
  /// The offset of every 32nd scalar; empty if every scalar is one byte.
  private let table: [Int]

  /// - Complexity: O(n) in the number of bytes; a quarter of a byte of memory per byte, and none
  ///   where the text is ASCII.
  init(of bytes: [UInt8], from start: Int) {
    self.bytes = bytes
    self.start = start
    guard !bytes.allSatisfy({ $0 < 0x80 }) else {
      table = []
      return
    }
    var table: [Int] = []
    var count = 0
    for offset in start..<bytes.count where bytes[offset] & 0xC0 != 0x80 {
      if count % Self.stride == 0 { table.append(offset) }
      count += 1
    }
    self.table = table
  }

  /// The offset of a scalar in bytes, or the end of the text if it has fewer.
  func offset(ofScalar index: Int) -> Int {
    guard !table.isEmpty else { return min(start + index, bytes.count) }
    guard index / Self.stride < table.count else { return bytes.count }
    var offset = table[index / Self.stride]
    for _ in 0..<index % Self.stride {
      guard offset < bytes.count else { break }
      offset += 1
      while offset < bytes.count, bytes[offset] & 0xC0 == 0x80 { offset += 1 }
    }
    return offset
  }
}
