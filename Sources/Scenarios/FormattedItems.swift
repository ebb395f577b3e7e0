import Addresses
import Diagnostics

/// Takes a file apart for the formatter: nothing but white space is lost.
struct FormattedItems {
  private let bytes: [UInt8]
  private var services: [Int: (end: Int, text: String)] = [:]
  private var comments: ArraySlice<(lower: Int, upper: Int)>
  private(set) var items: [FormattedItem] = []
  /// Where the last item ends.
  private var end = 0
  private var isAtStatementStart = true
  private var isSuiteHeader = false
  /// For each open brace: whether it is that of a suite.
  private var braces: [Bool] = []

  /// - Parameters:
  ///   - bytes: A file that is read without errors.
  ///   - syntax: What was read.
  init(_ bytes: [UInt8], _ syntax: FileSyntax) {
    self.bytes = bytes
    comments = syntax.comments.map { ($0.lower, $0.upper) }[...]
    collectServices(of: syntax.statements)
    for token in Lexer.tokens(of: bytes, file: 0).tokens {
      takeComments(before: token.span.lower)
      take(token)
    }
    takeComments(before: bytes.count + 1)
  }

  private func text(_ lower: Int, _ upper: Int) -> String {
    String(decoding: bytes[lower..<upper], as: UTF8.self)
  }

  private mutating func append(
    _ kind: FormattedItem.Kind, _ text: String, _ lower: Int, _ upper: Int
  ) {
    let gap = bytes[min(end, lower)..<lower]
    items.append(
      FormattedItem(
        kind: kind, text: text, beginsStatement: isAtStatementStart,
        lineBreaks: gap.count { $0 == UInt8(ascii: "\n") }))
    end = upper
  }

  private mutating func takeComments(before limit: Int) {
    while let (lower, upper) = comments.first, lower < limit {
      comments.removeFirst()
      guard lower >= end else { continue }
      var text = text(lower, upper)
      while let last = text.last, last == " " || last == "\t" { text.removeLast() }
      append(.comment, text, lower, upper)
    }
  }

  private mutating func take(_ token: Token) {
    let (lower, upper) = (token.span.lower, token.span.upper)
    switch token.kind {
    case .separator:
      isAtStatementStart = true
      isSuiteHeader = false
      return
    case .end:
      return
    case .openBrace where isSuiteHeader:
      append(.suiteOpening, "{", lower, upper)
      braces.append(true)
      isSuiteHeader = false
      isAtStatementStart = true
      return
    case .openBrace:
      append(.opening, "{", lower, upper)
      braces.append(false)
      isAtStatementStart = false
      return
    case .closeBrace:
      append(braces.popLast() == true ? .suiteClosing : .closing, "}", lower, upper)
      isAtStatementStart = false
      return
    case .keyword, .name, .integer, .duration, .string, .address, .prefix, .arrow, .equals, .comma,
      .slash, .dash, .invalid:
      break
    }
    if isAtStatementStart { isSuiteHeader = token.kind == .keyword(.suite) }
    if lower < end { return }
    if let service = services[lower] {
      append(.word, service.text, lower, service.end)
    } else {
      append(.word, canonical(token), lower, upper)
    }
    isAtStatementStart = false
  }

  private func canonical(_ token: Token) -> String {
    let written = text(token.span.lower, token.span.upper)
    switch token.kind {
    case .keyword(let keyword): return keyword.rawValue
    case .duration: return written.lowercased()
    case .address: return IPAddress(written)?.description ?? written
    case .prefix: return (try? IPPrefix(reading: written))?.description ?? written
    case .arrow: return "->"
    case .name, .integer, .string, .equals, .comma, .slash, .dash, .openBrace, .closeBrace,
      .separator, .invalid, .end:
      return written
    }
  }

  /// Finds the services that stand on one line: they have a form of their own.
  private mutating func collectServices(of statements: [StatementSyntax]) {
    for statement in statements {
      switch statement.kind {
      case .service(_, let services): collect(services)
      case .line(let line): collect(line.services)
      case .suite(let suite): collectServices(of: suite.statements)
      case .include, .host, .group, .firewall, .defaults: break
      }
    }
  }

  private mutating func collect(_ services: [ServiceSyntax]) {
    for service in services {
      let span = service.kindSpan
      guard !bytes[span.lower..<span.upper].contains(UInt8(ascii: "\n")) else { continue }
      self.services[span.lower] = (span.upper, Printer.text(of: service.kind))
    }
  }
}
