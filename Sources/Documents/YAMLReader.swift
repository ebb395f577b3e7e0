/// How much a text may ask for.
package struct YAMLLimits: Sendable {
  /// How deep lists and mappings may nest, also through aliases; libyaml looks at every level again
  /// for each of its tokens.
  package var depth: Int
  /// How many keys and values there may be in all documents, those that aliases repeat included.
  package var nodeCount: Int
  /// How many bytes one scalar may have after its escapes are resolved.
  package var scalarByteCount: Int
  package var byteCount: Int
  /// How many lines may begin with `%`: libyaml compares each `%TAG` with all before it.
  package var directiveCount: Int

  package init(
    depth: Int = 128, nodeCount: Int = 1 << 22, scalarByteCount: Int = 1 << 24,
    byteCount: Int = 1 << 26, directiveCount: Int = 64
  ) {
    self.depth = depth
    self.nodeCount = nodeCount
    self.scalarByteCount = scalarByteCount
    self.byteCount = byteCount
    self.directiveCount = directiveCount
  }
}

/// Reads YAML as programs written in Go do.
///
/// Source: YAML 1.1 as libyaml 0.2.5 reads it; scalars, merge keys and repeated keys as
/// gopkg.in/yaml.v3 v3.0.1 treats them.
package enum YAMLReader {
  /// Reads all documents of a stream.
  ///
  /// Anchors are known within their document.
  ///
  /// - Throws: ``YAMLError`` at the first place that is not YAML, or where a limit is passed.
  /// - Complexity: O(n) in the number of bytes. What aliases repeat is counted, not copied.
  package static func documents(
    of bytes: [UInt8], limits: YAMLLimits = YAMLLimits()
  ) throws(YAMLError) -> [YAMLValue] {
    try check(bytes, limits)
    let start = byteOrderMark(of: bytes)
    var builder = YAMLTreeBuilder(bytes: bytes, from: start, limits: limits)
    try builder.read()
    return builder.documents
  }

  private static func check(_ bytes: [UInt8], _ limits: YAMLLimits) throws(YAMLError) {
    guard bytes.count <= limits.byteCount else {
      throw YAMLError(.tooManyBytes(limit: limits.byteCount), at: 0, in: bytes)
    }
    // Every text begins with an ASCII character or has a byte order mark.
    let isUTF16 =
      bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
      || bytes.count > 1 && (bytes[0] == 0) != (bytes[1] == 0)
    guard !isUTF16 else { throw YAMLError(.isUTF16, at: 0, in: bytes) }
    var count = 0
    for offset in bytes.indices
    where bytes[offset] == UInt8(ascii: "%") && isLineStart(offset, in: bytes) {
      count += 1
      guard count <= limits.directiveCount else {
        throw YAMLError(.tooManyDirectives(limit: limits.directiveCount), at: offset, in: bytes)
      }
    }
  }

  /// Whether a byte begins a line; YAML 1.1 also breaks lines at U+0085, U+2028 and U+2029.
  private static func isLineStart(_ offset: Int, in bytes: [UInt8]) -> Bool {
    guard offset > 0 else { return true }
    switch bytes[offset - 1] {
    case 0x0A, 0x0D: return true
    case 0x85: return offset >= 2 && bytes[offset - 2] == 0xC2
    case 0xA8, 0xA9: return offset >= 3 && bytes[offset - 2] == 0x80 && bytes[offset - 3] == 0xE2
    default: return false
    }
  }
}
