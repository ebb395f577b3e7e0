/// Why a text is no JSON, and where.
package struct JSONError: Error, Hashable, Sendable {
  package enum Problem: Hashable, Sendable {
    /// Something else must stand here.
    case expected(String)
    case controlCharacter(UInt8)
    /// A `\u` escape that is half of a pair.
    case loneSurrogate
    case notUTF8
    case tooDeep(limit: Int)
    case tooManyValues(limit: Int)
    case tooManyBytes(limit: Int)
  }

  package let problem: Problem
  /// In bytes from the beginning of the text.
  package let offset: Int
  /// Counted from 1.
  package let line: Int
  /// Counted from 1, in Unicode scalars.
  package let column: Int
  /// What stands at the place: a byte as written, or nil at the end of the text.
  package let found: UInt8?

  init(_ problem: Problem, at offset: Int, in bytes: [UInt8]) {
    self.problem = problem
    self.offset = offset
    found = offset < bytes.count ? bytes[offset] : nil
    var line = 1
    var lineStart = 0
    for (index, byte) in bytes[..<offset].enumerated() where byte == UInt8(ascii: "\n") {
      line += 1
      lineStart = index + 1
    }
    self.line = line
    column = bytes[lineStart..<offset].count { $0 & 0xC0 != 0x80 } + 1
  }
}

extension JSONError: CustomStringConvertible {
  /// What is wrong, in one phrase.
  package var description: String {
    switch problem {
    case .expected(let what): "expected \(what), found \(foundText)"
    case .controlCharacter(let byte):
      "a control character (0x\(String(byte, radix: 16))) inside a string must be escaped"
    case .loneSurrogate: "this escape is half of a surrogate pair"
    case .notUTF8: "this is not UTF-8"
    case .tooDeep(let limit): "lists and objects nest deeper than \(limit) levels"
    case .tooManyValues(let limit): "there are more than \(limit) values and names"
    case .tooManyBytes(let limit): "the text has more than \(limit) bytes"
    }
  }

  private var foundText: String {
    guard let found else { return "the end of the text" }
    return 0x21..<0x7F ~= found
      ? "`\(Character(Unicode.Scalar(found)))`" : "the byte 0x\(String(found, radix: 16))"
  }
}
