package import Diagnostics

/// One word or sign of a scenario file.
package struct Token: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case keyword(Keyword)
    case name
    case integer
    /// `500ms`, `2s`, `1m`.
    case duration
    case string
    /// Looks like an address; whether it is one is for the parser to say.
    case address
    /// An address, a slash and a length, without blanks.
    case prefix
    case arrow
    case equals
    case comma
    case slash
    case dash
    case openBrace
    case closeBrace
    /// The end of a line, or `;`.
    case separator
    /// Something the lexer has already complained about.
    case invalid
    case end

    /// Whether the token shows that the brackets around it should have been closed.
    var neverStandsInSets: Bool {
      if case .keyword(let keyword) = self { return keyword == .expect || keyword.beginsStatement }
      return self == .arrow
    }
  }

  package let kind: Kind
  package let span: SourceSpan

  package init(_ kind: Kind, _ span: SourceSpan) {
    self.kind = kind
    self.span = span
  }
}

/// What the lexer made of one file.
package struct LexedFile: Sendable {
  /// The tokens; the last two are a separator and the end.
  package var tokens: [Token] = []
  /// The comments, from `#` to the end of their line.
  package var comments: [SourceSpan] = []
  package var diagnostics: [Diagnostic] = []
  /// Where the brackets stand that the lexer had to close itself.
  package var unclosed: Set<Int> = []
}
