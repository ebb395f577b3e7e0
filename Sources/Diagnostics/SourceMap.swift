/// One text that diagnostics may point into.
package struct SourceFile: Sendable {
  /// The name as the user wrote it: a path, or `<command line>`.
  package let name: String
  /// The text, in UTF-8.
  package let bytes: [UInt8]
  /// The offset at which each line begins.
  private let lineStarts: [Int]

  package init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
    var starts = [0]
    for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
      starts.append(offset + 1)
    }
    lineStarts = starts
  }

  /// A place as people count it: lines and columns from 1, columns in Unicode scalars.
  package struct Position: Hashable, Sendable {
    package let line: Int
    package let column: Int
  }

  /// The line and the column of a byte offset; offsets past the end mean the end.
  ///
  /// - Complexity: O(log n) in the number of lines, plus the length of the line.
  package func position(of offset: Int) -> Position {
    let offset = min(max(offset, 0), bytes.count)
    var low = 0
    var high = lineStarts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if lineStarts[middle] <= offset { low = middle } else { high = middle }
    }
    // Continuation bytes of UTF-8 do not begin a character.
    let before = bytes[lineStarts[low]..<offset].count { $0 & 0xC0 != 0x80 }
    return Position(line: low + 1, column: before + 1)
  }

  /// The bytes of a line, counted from 1, without its line break.
  package func line(_ number: Int) -> ArraySlice<UInt8> {
    guard lineStarts.indices.contains(number - 1) else { return [] }
    let start = lineStarts[number - 1]
    var end = number < lineStarts.count ? lineStarts[number] - 1 : bytes.count
    if end > start, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    return bytes[start..<end]
  }

  /// The offset at which a line, counted from 1, begins.
  package func start(ofLine number: Int) -> Int { lineStarts[number - 1] }
}

/// Bytes of one file of a ``SourceMap``.
package struct SourceSpan: Hashable, Sendable {
  /// Which file of the map.
  package let file: Int
  /// Byte offsets: the first byte, and the one after the last.
  package let lower: Int
  package let upper: Int

  package init(file: Int, lower: Int, upper: Int) {
    self.file = file
    self.lower = lower
    self.upper = upper
  }

  /// The span from the beginning of this one to the end of `other`, in the same file.
  package func joined(with other: SourceSpan) -> SourceSpan {
    SourceSpan(file: file, lower: min(lower, other.lower), upper: max(upper, other.upper))
  }
}

/// The files of one run, so that a span is three numbers.
package struct SourceMap: Sendable {
  package private(set) var files: [SourceFile] = []

  package init() {}

  /// Adds a file and returns the number that its spans carry.
  package mutating func add(_ file: SourceFile) -> Int {
    files.append(file)
    return files.count - 1
  }

  package subscript(file: Int) -> SourceFile { files[file] }

  package func position(of span: SourceSpan) -> SourceFile.Position {
    files[span.file].position(of: span.lower)
  }

  /// The text that a span covers.
  package func text(of span: SourceSpan) -> String {
    let bytes = files[span.file].bytes
    let lower = min(max(span.lower, 0), bytes.count)
    return String(decoding: bytes[lower..<min(max(span.upper, lower), bytes.count)], as: UTF8.self)
  }

  /// `file:line:column` of the beginning of a span.
  package func location(of span: SourceSpan) -> String {
    let position = position(of: span)
    return "\(files[span.file].name):\(position.line):\(position.column)"
  }
}
