import Addresses
import Diagnostics

extension Parser {
  /// `set = atom { "," atom } [ "except" ( atom | "{" atom { "," atom } "}" ) ]`.
  ///
  /// The braces after `except` are an atom already, since an atom may be a set in braces.
  mutating func set() throws(Abandoned) -> SetSyntax {
    let start = token.span
    var atoms = [try atom()]
    while take(.comma) { atoms.append(try atom()) }
    var exception: AtomSyntax?
    if take(.except) {
      exception = try atom()
      if token.kind == .comma {
        throw unexpected(
          "the end of the set",
          help: "several exceptions stand in braces: "
            + "`except { a, b }`")
      }
    }
    return SetSyntax(atoms: atoms, exception: exception, span: span(from: start))
  }

  private mutating func atom() throws(Abandoned) -> AtomSyntax {
    let start = token.span
    let kind = try atomKind()
    return AtomSyntax(kind: kind, span: span(from: start))
  }

  private mutating func atomKind() throws(Abandoned) -> AtomSyntax.Kind {
    let first = token
    switch first.kind {
    case .name:
      advance()
      return .name(text(first.span))
    case .keyword(.any):
      advance()
      return .any
    case .keyword(.this):
      advance()
      return .this
    case .prefix:
      advance()
      return prefix(first.span)
    case .address:
      let lower = address()
      guard take(.dash) else { return lower.map { .address($0.value) } ?? .invalid }
      guard token.kind == .address else {
        throw complain(
          .emptyRange(span(from: first.span), text(first.span), missing: "address"))
      }
      let upper = address()
      guard let lower, let upper else { return .invalid }
      return range(lower, upper)
    case .openBrace:
      advance()
      try enter()
      defer { leave() }
      let inner = try set()
      try expect(
        .closeBrace, "`,` or `}`",
        help: token.kind == .arrow ? "close the set before the arrow" : nil)
      return .braces(inner)
    case .keyword, .integer, .duration, .string, .arrow, .equals, .comma, .slash, .dash,
      .closeBrace, .separator, .invalid, .end:
      if case .keyword = first.kind, peek(1).kind == .arrow || peek(1).kind == .comma {
        throw complain(.keywordAsHost(text(first.span), at: first.span))
      }
      throw unexpected("a name, an address or `any`")
    }
  }

  /// Reads an address, which is the next token, or complains about it and returns nil.
  mutating func address() -> Located<IPAddress>? {
    let span = token.span
    let written = text(span)
    advance()
    if let address = IPAddress(written) { return Located(value: address, span: span) }
    diagnostics.append(.addressInvalid(written, at: span))
    return nil
  }

  private mutating func range(
    _ lower: Located<IPAddress>, _ upper: Located<IPAddress>
  ) -> AtomSyntax.Kind {
    let span = lower.span.joined(with: upper.span)
    guard lower.value.family == upper.value.family else {
      diagnostics.append(.mixedRange(at: span))
      return .invalid
    }
    guard lower.value <= upper.value else {
      diagnostics.append(.reversedRange("\(upper.value)-\(lower.value)", at: span))
      return .invalid
    }
    return .range(lower.value, upper.value)
  }

  private mutating func prefix(_ span: SourceSpan) -> AtomSyntax.Kind {
    let written = text(span)
    do throws(IPPrefix.Problem) {
      return .prefix(try IPPrefix(reading: written))
    } catch {
      diagnostics.append(.prefix(written, error, at: span))
      return .invalid
    }
  }
}

extension Diagnostic {
  fileprivate static func addressInvalid(_ text: String, at span: SourceSpan) -> Diagnostic {
    let parts = text.split(separator: ".")
    let hasLeadingZero = parts.contains { $0.first == "0" && $0.utf8.count > 1 }
    let help =
      text.contains(":")
      ? "an IPv6 address has eight groups, or fewer and `::` once"
      : hasLeadingZero
        ? "write the numbers without leading zeros"
        : "an IPv4 address has four numbers from 0 to 255"
    return Diagnostic(.addressInvalid, "`\(text)` is not an address", at: span, help: help)
  }

  static func emptyRange(_ span: SourceSpan, _ first: String, missing: String) -> Diagnostic {
    Diagnostic(
      .emptyRange, "the range has no end", at: span, label: "expected the last \(missing)",
      help: "write `\(first)` for one \(missing), or the last one after the `-`")
  }

  fileprivate static func keywordAsHost(_ word: String, at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .reservedWord, "`\(word)` is a word of the language and cannot name a host or a group",
      at: span, label: "expected a name, an address or `any`")
  }

  fileprivate static func mixedRange(at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .mixedRange, "a range cannot begin in IPv4 and end in IPv6, or the reverse", at: span,
      help: "write one range for each family")
  }

  fileprivate static func prefix(
    _ text: String, _ problem: IPPrefix.Problem, at span: SourceSpan
  ) -> Diagnostic {
    switch problem {
    case .hostBitsSet(let network, let host):
      Diagnostic(
        .hostBits, "`\(text)` has bits set after its prefix", at: span,
        label: "the network or the host?",
        help: "write `\(network)` for the network or `\(host)` for the host")
    case .lengthTooLong(let widest):
      Diagnostic(
        .prefixInvalid, "the prefix of `\(text)` is too long", at: span,
        label: "at most /\(widest)")
    case .notAPrefix:
      Diagnostic(
        .prefixInvalid, "`\(text)` is not a network", at: span,
        help: "a network is written `10.0.0.0/24` or `fd00::/64`")
    }
  }

  static func reversedRange(_ turned: String, at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .reversedRange, "the range ends before it begins", at: span,
      help: "write `\(turned)`")
  }
}
