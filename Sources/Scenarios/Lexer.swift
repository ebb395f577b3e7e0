import Diagnostics

/// Cuts the text of a scenario file into tokens.
///
/// Line breaks separate statements, except inside brackets of a set or of services. The bracket of
/// a suite holds statements, so line breaks count there. The lexer tells the two apart by the word
/// that the statement began with.
package struct Lexer {
  let bytes: [UInt8]
  let file: Int
  var index = 0
  var result = LexedFile()
  private var brackets: [Bracket] = []
  private var isAtStatementStart = true
  private var isSuiteHeader = false
  private var line = 0
  private var firstTokenOfLine = 0

  private struct Bracket {
    let span: SourceSpan
    let holdsStatements: Bool
    let line: Int
  }

  private init(_ bytes: [UInt8], file: Int) {
    self.bytes = bytes
    self.file = file
  }

  /// Reads a whole file.
  ///
  /// - Parameters:
  ///   - bytes: The text, in UTF-8; a byte order mark at its beginning is passed over.
  ///   - file: The number that spans carry.
  /// - Returns: Tokens for everything, and a diagnostic for everything that is none.
  package static func tokens(of bytes: [UInt8], file: Int) -> LexedFile {
    var lexer = Lexer(bytes, file: file)
    lexer.run()
    return lexer.result
  }

  private mutating func run() {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    while index < bytes.count { next() }
    for bracket in brackets where !result.unclosed.contains(bracket.span.lower) {
      report(unclosed: bracket)
    }
    brackets.removeAll()
    separate(index..<index)
    result.tokens.append(Token(.end, span(index..<index)))
  }

  private mutating func next() {
    let start = index
    let byte = bytes[index]
    switch byte {
    case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
      index += 1
    case UInt8(ascii: "\n"):
      index += 1
      endLine(start..<index)
    case UInt8(ascii: ";"):
      index += 1
      if isInsideSet { closeSets() }
      separate(start..<index)
    case UInt8(ascii: "#"):
      while index < bytes.count, bytes[index] != UInt8(ascii: "\n") { index += 1 }
      let end = index > start && bytes[index - 1] == UInt8(ascii: "\r") ? index - 1 : index
      checkEncoding(start..<end)
      result.comments.append(span(start..<end))
    case UInt8(ascii: "\\"):
      continueLine()
    case UInt8(ascii: ","): sign(.comma, 1)
    case UInt8(ascii: "/"): sign(.slash, 1)
    case UInt8(ascii: "{"): sign(.openBrace, 1)
    case UInt8(ascii: "}"): sign(.closeBrace, 1)
    case UInt8(ascii: "-"):
      if peek(1) == UInt8(ascii: ">") { sign(.arrow, 2) } else { sign(.dash, 1) }
    case UInt8(ascii: "="):
      if peek(1) == UInt8(ascii: ">") {
        result.diagnostics.append(.unexpectedCharacter("=>", at: span(start..<start + 2)))
        sign(.arrow, 2)
      } else {
        sign(.equals, 1)
      }
    case UInt8(ascii: "\""):
      let kind = scanString()
      append(kind, start..<index)
    case UInt8(ascii: ":") where peek(1) == UInt8(ascii: ":"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
      let kind = scanWord()
      append(kind, start..<index)
    case 0xE2 where peek(1) == 0x86 && peek(2) == 0x92:  // →
      sign(.arrow, 3)
    case 0x80...:
      if letterLength(at: index) != nil {
        let kind = scanWord()
        append(kind, start..<index)
      } else {
        foreign()
      }
    default:
      foreign()
    }
  }

  func peek(_ distance: Int) -> UInt8? {
    index + distance < bytes.count ? bytes[index + distance] : nil
  }

  func span(_ range: Range<Int>) -> SourceSpan {
    SourceSpan(file: file, lower: range.lowerBound, upper: range.upperBound)
  }

  func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  private mutating func sign(_ kind: Token.Kind, _ length: Int) {
    append(kind, index..<index + length)
    index += length
  }

  private var isInsideSet: Bool { brackets.last?.holdsStatements == false }

  private mutating func append(_ kind: Token.Kind, _ range: Range<Int>) {
    if isInsideSet, kind.neverStandsInSets { closeSets() }
    if isAtStatementStart {
      isSuiteHeader = kind == .keyword(.suite)
      isAtStatementStart = false
    }
    if kind == .openBrace {
      brackets.append(Bracket(span: span(range), holdsStatements: isSuiteHeader, line: line))
      if isSuiteHeader { isAtStatementStart = true }
      isSuiteHeader = false
    } else if kind == .closeBrace {
      if brackets.last?.holdsStatements == true { separate(range.lowerBound..<range.lowerBound) }
      isAtStatementStart = false
      isSuiteHeader = false
      _ = brackets.popLast()
    }
    result.tokens.append(Token(kind, span(range)))
  }

  /// Ends the statement, unless there is none.
  private mutating func separate(_ range: Range<Int>) {
    if result.tokens.last?.kind != .separator {
      result.tokens.append(Token(.separator, span(range)))
    }
    isAtStatementStart = true
    isSuiteHeader = false
  }

  private mutating func endLine(_ range: Range<Int>) {
    line += 1
    if !isInsideSet { separate(range) }
    firstTokenOfLine = result.tokens.count
  }

  /// Closes brackets that a new statement, or the rest of a line, shows to be unclosed.
  private mutating func closeSets() {
    let first = brackets.last?.line ?? line
    while let bracket = brackets.last, !bracket.holdsStatements {
      report(unclosed: bracket)
      brackets.removeLast()
    }
    guard first < line else { return }
    // The tokens of this line so far belong to the new statement.
    let at = firstTokenOfLine
    let lower = at < result.tokens.count ? result.tokens[at].span.lower : index
    result.tokens.insert(Token(.separator, span(lower..<lower)), at: at)
    isAtStatementStart = at + 1 == result.tokens.count
    isSuiteHeader = false
  }

  private mutating func report(unclosed bracket: Bracket) {
    result.unclosed.insert(bracket.span.lower)
    result.diagnostics.append(.unclosedBracket(at: bracket.span))
  }

  /// Passes over a backslash at the end of a line, and the line's end.
  private mutating func continueLine() {
    var end = index + 1
    while end < bytes.count, [0x20, 0x09, 0x0D].contains(bytes[end]) { end += 1 }
    if end >= bytes.count {
      index = end
    } else if bytes[end] == UInt8(ascii: "\n") {
      line += 1
      index = end + 1
    } else {
      foreign()
    }
  }

  /// Complains about a character that begins nothing.
  private mutating func foreign() {
    let start = index
    if bytes[index] >= 0x80, scalarLength(at: index) == nil {
      skipInvalidBytes()
    } else {
      index += scalarLength(at: index) ?? 1
      result.diagnostics.append(
        .unexpectedCharacter(text(start..<index), at: span(start..<index)))
    }
    append(.invalid, start..<index)
  }
}

extension Diagnostic {
  fileprivate static func unclosedBracket(at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .unclosedBracket, "this bracket is never closed", at: span, label: "opened here",
      help: "write the `}` that belongs to it")
  }

  fileprivate static func unexpectedCharacter(_ text: String, at span: SourceSpan) -> Diagnostic {
    let shown = text.unicodeScalars.contains { $0.properties.generalCategory == .control }
    let help: String? =
      switch text {
      case "=>", ">", "⇒", "⟶", "➔", "–", "—": "an arrow is written `->` or `→`"
      case "'", "‘", "’", "“", "”": "text stands in plain double quotes: `\"…\"`"
      case "\\": "a backslash continues a line only as the line's last character"
      case "[", "]", "(", ")": "sets and lists of services stand in braces: `{ a, b }`"
      case ":", "%": "an address has no zone and no port: write the port after the destination"
      default: nil
      }
    return Diagnostic(
      .unexpectedCharacter,
      shown
        ? "a control character has no meaning here" : "the character `\(text)` has no meaning here",
      at: span, help: help)
  }
}
