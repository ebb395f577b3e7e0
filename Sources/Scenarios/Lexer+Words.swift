import Diagnostics

extension Lexer {
  /// Scans a name, a number, a duration, an address or a prefix.
  mutating func scanWord() -> Token.Kind {
    let start = index
    scanRun(withColons: true)
    let first = bytes[start]
    if bytes[start..<index].contains(UInt8(ascii: ":")) {
      return finishPrefix(.address)
    }
    if isDigit(first) { return scanNumber(from: start) }
    while peek(0) == UInt8(ascii: "-"), let after = peek(1),
      isWordByte(after) || letterLength(at: index + 1) != nil
    {
      index += 1
      scanRun(withColons: false)
    }
    if let keyword = Keyword(spelling: bytes[start..<index]) { return .keyword(keyword) }
    return .name
  }

  /// Moves past letters, digits, `_`, and dots that stand between them.
  private mutating func scanRun(withColons: Bool) {
    while index < bytes.count {
      let byte = bytes[index]
      if isWordByte(byte) || withColons && byte == UInt8(ascii: ":") {
        index += 1
      } else if byte == UInt8(ascii: "."), let after = peek(1), isWordByte(after) {
        index += 1
      } else if byte >= 0x80, let length = letterLength(at: index) {
        index += length
      } else {
        return
      }
    }
  }

  private mutating func scanNumber(from start: Int) -> Token.Kind {
    let word = bytes[start..<index]
    let unit = word.drop(while: isDigit)
    if unit.isEmpty { return .integer }
    if word.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: ".") }) { return finishPrefix(.address) }
    switch text(unit.startIndex..<index).lowercased() {
    case "ms", "s", "m": return .duration
    default:
      result.diagnostics.append(.wordInvalid(text(start..<index), at: span(start..<index)))
      return .invalid
    }
  }

  /// Takes `/24` along where it follows an address at once.
  private mutating func finishPrefix(_ kind: Token.Kind) -> Token.Kind {
    guard peek(0) == UInt8(ascii: "/"), let after = peek(1), isWordByte(after) else { return kind }
    index += 1
    scanRun(withColons: true)
    return .prefix
  }

  /// Scans a string up to its closing quote, or to the end of the line.
  mutating func scanString() -> Token.Kind {
    let start = index
    index += 1
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "\""):
        index += 1
        checkEncoding(start..<index)
        return .string
      case UInt8(ascii: "\n"):
        return unterminated(from: start)
      case UInt8(ascii: "\\") where peek(1) != nil && peek(1) != UInt8(ascii: "\n"):
        checkEscape()
      default:
        index += 1
      }
    }
    return unterminated(from: start)
  }

  private mutating func unterminated(from start: Int) -> Token.Kind {
    if bytes[index - 1] == UInt8(ascii: "\r") { index -= 1 }
    checkEncoding(start..<index)
    result.diagnostics.append(.unterminatedString(at: span(start..<start + 1)))
    return .invalid
  }

  /// Moves past a backslash and what it escapes.
  private mutating func checkEscape() {
    let start = index
    let length = scalarLength(at: index + 1) ?? 1
    index += 1 + length
    if StringLiteral.escapes[bytes[start + 1]] == nil {
      result.diagnostics.append(.escapeUnknown(text(start..<index), at: span(start..<index)))
    }
  }

  /// Complains about bytes of `range` that are not UTF-8.
  mutating func checkEncoding(_ range: Range<Int>) {
    let resume = index
    index = range.lowerBound
    while index < range.upperBound {
      if bytes[index] < 0x80 {
        index += 1
      } else if let length = scalarLength(at: index) {
        index += length
      } else {
        skipInvalidBytes()
      }
    }
    index = resume
  }

  mutating func skipInvalidBytes() {
    let start = index
    while index < bytes.count, bytes[index] >= 0x80, scalarLength(at: index) == nil { index += 1 }
    result.diagnostics.append(.encodingInvalid(at: span(start..<index)))
  }

  /// How many bytes the character at `offset` has, or nil where the bytes are not UTF-8.
  ///
  /// Source: RFC 3629 §4, the table of well-formed sequences.
  func scalarLength(at offset: Int) -> Int? {
    guard offset < bytes.count else { return nil }
    let first = bytes[offset]
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch first {
    case ..<0x80: return 1
    case 0xC2...0xDF: length = 2
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: length = 3
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    case 0xF1...0xF3: length = 4
    default: return nil
    }
    guard offset + length <= bytes.count, second.contains(bytes[offset + 1]),
      bytes[(offset + 2)..<(offset + length)].allSatisfy(isContinuation)
    else { return nil }
    return length
  }

  /// How many bytes the letter at `offset` has, or nil where no letter beyond ASCII stands there.
  func letterLength(at offset: Int) -> Int? {
    guard offset < bytes.count, bytes[offset] >= 0x80, let length = scalarLength(at: offset),
      let scalar = text(offset..<offset + length).unicodeScalars.first,
      scalar.properties.isAlphabetic
    else { return nil }
    return length
  }
}

private func isDigit(_ byte: UInt8) -> Bool {
  (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

private func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

/// Whether a byte is a letter of ASCII, a digit or `_`.
private func isWordByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
    true
  default: false
  }
}

extension Diagnostic {
  fileprivate static func encodingInvalid(at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .encodingInvalid, "the file is not UTF-8", at: span, label: "no character begins like this",
      help: "save the file as UTF-8")
  }

  fileprivate static func escapeUnknown(_ text: String, at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .escapeUnknown, "`\(text)` is no escape", at: span,
      help: "a string knows `\\\"`, `\\\\`, `\\n` and `\\t`; write `\\\\` for a backslash")
  }

  fileprivate static func unterminatedString(at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .unterminatedString, "the string does not end on its line", at: span,
      label: "opened here", help: "write the closing `\"`")
  }

  fileprivate static func wordInvalid(_ word: String, at span: SourceSpan) -> Diagnostic {
    let digits = word.prefix { $0.isASCII && $0.isNumber }
    let unit = word.dropFirst(digits.count).lowercased()
    let isProtocol = ["tcp", "udp", "sctp"].contains(unit)
    return Diagnostic(
      .wordInvalid, "`\(word)` is neither a number nor a name", at: span,
      help: isProtocol
        ? "write `\(digits) \(unit)`"
        : "names begin with a letter; durations are written `500ms`, `2s` or `1m`")
  }
}
