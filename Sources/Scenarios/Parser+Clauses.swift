import Addresses
import Diagnostics

extension Parser {
  /// One clause; the next token should be the word it begins with.
  mutating func clause() throws(Abandoned) -> ClauseSyntax {
    let start = token.span
    guard case .keyword(let keyword) = token.kind, Keyword.clauses.contains(keyword) else {
      if token.kind == .name { throw complain(.unknownClause(text(start), at: start)) }
      throw unexpected("a clause", help: "a clause begins with " + clauseWords)
    }
    advance()
    let kind = try clauseKind(keyword)
    return ClauseSyntax(
      kind: kind, keyword: keyword, keywordSpan: start, span: span(from: start))
  }

  private mutating func clauseKind(_ keyword: Keyword) throws(Abandoned) -> ClauseSyntax.Kind {
    if keyword == .in {
      let word = try name("the name of an interface")
      checkInterface(word)
      return .interface(word)
    }
    if keyword == .from {
      try expect(.keyword(.port), "`port`", help: "a source port is written `from port 53`")
      let ports = try ports()
      return ports.isEmpty ? .invalid : .sourcePorts(ports)
    }
    if keyword == .family {
      if take(.ipv4) { return .family(.ipv4) }
      if take(.ipv6) { return .family(.ipv6) }
      throw unexpected("`ipv4` or `ipv6`")
    }
    if keyword == .state { return .state(try name("a connection state")) }
    if keyword == .severity { return .severity(try name("a severity")) }
    if keyword == .because { return .because(try string("the reason")) }
    if keyword == .id { return .id(try name("an id")) }
    if keyword == .skip { return .skip(try string("the reason")) }
    if keyword == .xfail { return .expectedFailure(try string("the reason")) }
    if keyword == .static { return .static }
    if keyword == .live { return .live }
    if keyword == .tag {
      var tags = [try name("a tag")]
      while take(.comma) { tags.append(try name("a tag")) }
      return .tags(tags)
    }
    if keyword == .retries {
      guard token.kind == .integer else { throw unexpected("how many retries") }
      let count = integer(upTo: 100, named: "the number of retries")
      return count.map { .retries($0) } ?? .invalid
    }
    guard token.kind == .duration else {
      throw unexpected("a duration", help: "for example `500ms`, `2s` or `1m`")
    }
    return duration()
  }

  private mutating func duration() -> ClauseSyntax.Kind {
    let span = token.span
    let written = text(span)
    advance()
    let digits = written.prefix { $0.isNumber }
    let scale: Double =
      switch written.dropFirst(digits.count).lowercased() {
      case "ms": 0.001
      case "m": 60
      default: 1
      }
    guard let count = Int(digits), count > 0, Double(count) * scale <= 3600 else {
      diagnostics.append(.durationOutOfRange(written, at: span))
      return .invalid
    }
    return .timeout(seconds: Double(count) * scale)
  }

  /// Complains about a name that no interface can have.
  mutating func checkInterface(_ word: Word) {
    if InterfaceName(word.text) == nil { diagnostics.append(.interfaceInvalid(word)) }
  }
}

private let clauseWords = Keyword.clauses.map { "`\($0.rawValue)`" }.joined(separator: ", ")

extension Diagnostic {
  fileprivate static func durationOutOfRange(_ text: String, at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .numberOutOfRange, "a timeout cannot be \(text)", at: span, label: "1ms to 60m")
  }

  fileprivate static func interfaceInvalid(_ word: Word) -> Diagnostic {
    Diagnostic(
      .interfaceInvalid, "no interface can be called `\(word.text)`", at: word.span,
      label: "at most \(InterfaceName.longest) bytes")
  }

  fileprivate static func unknownClause(_ word: String, at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .unknownClause, "there is no clause `\(word)`", at: span,
      label: question(
        Suggestion.nearest(to: word, among: Keyword.clauses.map(\.rawValue))),
      help: "a clause begins with " + clauseWords)
  }
}
