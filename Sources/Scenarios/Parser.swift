package import Diagnostics

/// Reads tokens into a tree, one function for each production of the grammar.
///
/// A statement that cannot be read is complained about once and passed over, so that all errors
/// of a file are found at once.
package struct Parser {
  /// A complaint has been made, and the statement is given up.
  struct Abandoned: Error {}

  let bytes: [UInt8]
  private let tokens: [Token]
  private let unclosed: Set<Int>
  private var position = 0
  private var openBraces: [Int] = []
  /// How many of the open braces belong to the suites around the statement.
  private var outerBraces = 0
  private var depth = 0
  var diagnostics: [Diagnostic]
  private var broken: Set<String> = []

  /// How deep sets and suites may stand in one another.
  static let deepest = 64

  private init(_ lexed: LexedFile, bytes: [UInt8]) {
    tokens = lexed.tokens
    unclosed = lexed.unclosed
    diagnostics = lexed.diagnostics
    self.bytes = bytes
  }

  /// Reads a whole file.
  ///
  /// - Parameters:
  ///   - bytes: The text, in UTF-8.
  ///   - file: The number that spans carry.
  /// - Returns: The tree of all that could be read, and what the lexer and the parser complain about.
  package static func parse(
    _ bytes: [UInt8], file: Int
  ) -> (syntax: FileSyntax, diagnostics: [Diagnostic]) {
    let lexed = Lexer.tokens(of: bytes, file: file)
    var parser = Parser(lexed, bytes: bytes)
    let statements = parser.statements(isSuite: false)
    return (
      FileSyntax(statements: statements, comments: lexed.comments, broken: parser.broken),
      parser.diagnostics
    )
  }

  var token: Token { tokens[position] }

  func peek(_ distance: Int) -> Token { tokens[min(position + distance, tokens.count - 1)] }

  mutating func advance() {
    if token.kind == .openBrace { openBraces.append(token.span.lower) }
    if token.kind == .closeBrace { _ = openBraces.popLast() }
    if position < tokens.count - 1 { position += 1 }
  }

  /// Moves past a token of this kind, if it is next.
  mutating func take(_ kind: Token.Kind) -> Bool {
    guard token.kind == kind else { return false }
    advance()
    return true
  }

  mutating func take(_ keyword: Keyword) -> Bool { take(.keyword(keyword)) }

  mutating func expect(_ kind: Token.Kind, _ what: String, help: String? = nil) throws(Abandoned) {
    guard take(kind) else { throw unexpected(what, help: help) }
  }

  func text(_ span: SourceSpan) -> String {
    String(decoding: bytes[span.lower..<span.upper], as: UTF8.self)
  }

  /// The span from `start` to the end of the token before the next.
  func span(from start: SourceSpan) -> SourceSpan {
    start.joined(with: position > 0 ? tokens[position - 1].span : start)
  }

  /// A name, or the end of the statement if a keyword stands in its place.
  mutating func name(_ what: String) throws(Abandoned) -> Word {
    let word = Word(text: text(token.span), span: token.span)
    switch token.kind {
    case .name:
      advance()
      return word
    case .keyword:
      throw complain(.reservedWord(word.text, what, at: word.span))
    case .integer, .duration, .string, .address, .prefix, .arrow, .equals, .comma, .slash, .dash,
      .openBrace, .closeBrace, .separator, .invalid, .end:
      throw unexpected(what)
    }
  }

  /// A string, with what it stands for.
  mutating func string(_ what: String) throws(Abandoned) -> Word {
    guard token.kind == .string else { throw unexpected("\(what) in double quotes") }
    let span = token.span
    advance()
    return Word(text: StringLiteral.value(of: bytes[span.lower..<span.upper]), span: span)
  }

  /// Adds a complaint; the caller throws what it returns.
  mutating func complain(_ diagnostic: Diagnostic) -> Abandoned {
    // Where the lexer closed a bracket itself, all that follows from it has been said.
    if token.kind != .invalid, !openBraces[outerBraces...].contains(where: unclosed.contains) {
      diagnostics.append(diagnostic)
    }
    return Abandoned()
  }

  mutating func unexpected(_ expected: String, help: String? = nil) -> Abandoned {
    let found: String? =
      switch token.kind {
      case .separator, .end: nil
      case .keyword, .name, .integer, .duration, .string, .address, .prefix, .arrow, .equals,
        .comma, .slash, .dash, .openBrace, .closeBrace, .invalid:
        text(token.span)
      }
    return complain(.unexpectedToken(found, expected, at: visible(token.span), help: help))
  }

  /// A place on the line that just ended, rather than at the line break after blanks.
  private func visible(_ span: SourceSpan) -> SourceSpan {
    guard token.kind == .separator || token.kind == .end, position > 0 else { return span }
    let end = tokens[position - 1].span.upper
    return SourceSpan(file: span.file, lower: end, upper: end)
  }

  /// Where the end of the statement stands, or the next token.
  var here: SourceSpan { visible(token.span) }

  /// Goes one level deeper into brackets, unless that is too deep.
  mutating func enter() throws(Abandoned) {
    guard depth < Self.deepest else { throw complain(.nestedTooDeeply(at: token.span)) }
    depth += 1
  }

  /// Comes back from what ``enter()`` began.
  mutating func leave() { depth -= 1 }

  /// Statements up to the end of the file, or to the brace that closes a suite.
  mutating func statements(isSuite: Bool) -> [StatementSyntax] {
    var statements: [StatementSyntax] = []
    let outer = outerBraces
    outerBraces = openBraces.count
    defer { outerBraces = outer }
    while true {
      switch token.kind {
      case .separator:
        advance()
        continue
      case .end:
        return statements
      case .closeBrace where isSuite:
        return statements
      case .keyword, .name, .integer, .duration, .string, .address, .prefix, .arrow, .equals,
        .comma, .slash, .dash, .openBrace, .closeBrace, .invalid:
        break
      }
      let start = position
      do {
        let kind = try statement()
        statements.append(StatementSyntax(kind: kind, span: span(from: tokens[start].span)))
        guard token.kind == .separator else { throw unexpected(Self.afterStatement(kind)) }
      } catch {
        noteBroken(from: start)
        passOver()
      }
      if position == start { advance() }
    }
  }

  private static func afterStatement(_ kind: StatementSyntax.Kind) -> String {
    switch kind {
    case .include, .suite: "the end of the line"
    case .host: "`,`, `iface`, `agent` or the end of the line"
    case .group: "`,`, `except` or the end of the line"
    case .service: "`,`, `one-way` or the end of the line"
    case .firewall: "`with` or the end of the line"
    case .defaults, .line: "a clause or the end of the line"
    }
  }

  /// Remembers the name of a declaration that could not be read, its first word perhaps misspelt.
  private mutating func noteBroken(from start: Int) {
    let mayDeclare: [Token.Kind] =
      [.keyword(.host), .keyword(.group), .keyword(.service), .name]
    guard mayDeclare.contains(tokens[start].kind), start + 1 < tokens.count,
      tokens[start + 1].kind == .name
    else { return }
    broken.insert(text(tokens[start + 1].span).lowercased())
  }

  /// Moves to the end of the statement.
  mutating func passOver() {
    while true {
      switch token.kind {
      case .separator, .end:
        openBraces.removeLast(max(0, openBraces.count - outerBraces))
        return
      case .closeBrace where openBraces.count == outerBraces && outerBraces > 0:
        return
      case .keyword, .name, .integer, .duration, .string, .address, .prefix, .arrow, .equals,
        .comma, .slash, .dash, .openBrace, .closeBrace, .invalid:
        advance()
      }
    }
  }
}

extension Diagnostic {
  fileprivate static func nestedTooDeeply(at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .nestedTooDeeply, "brackets stand in one another more than \(Parser.deepest) deep", at: span,
      help: "give the inner sets names with `group`")
  }

  fileprivate static func reservedWord(
    _ word: String, _ what: String, at span: SourceSpan
  ) -> Diagnostic {
    Diagnostic(
      .reservedWord, "`\(word)` is a word of the language and cannot be \(what)", at: span,
      label: "expected \(what)",
      help: "choose another name, for example `\(word.lowercased())-1`")
  }

  fileprivate static func unexpectedToken(
    _ found: String?, _ expected: String, at span: SourceSpan, help: String?
  ) -> Diagnostic {
    let what = found.map { "`\($0)`" } ?? "the end of the line"
    return Diagnostic(
      .unexpectedToken, "expected \(expected), found \(what)", at: span, help: help)
  }
}
