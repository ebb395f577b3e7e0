import Addresses
import Diagnostics

extension Parser {
  /// `statement = include | host | group | service | firewall | defaults | suite | scenario | only`.
  mutating func statement() throws(Abandoned) -> StatementSyntax.Kind {
    switch token.kind {
    case .keyword(.include): return try include()
    case .keyword(.host): return try host()
    case .keyword(.group): return try group()
    case .keyword(.service): return try service()
    case .keyword(.firewall): return try firewall()
    case .keyword(.suite): return try suite()
    case .keyword(.only): return try only()
    case .keyword(.defaults):
      advance()
      var clauses = [try clause()]
      while token.kind != .separator { clauses.append(try clause()) }
      return .defaults(clauses)
    case .name, .address, .prefix, .openBrace, .keyword(.any), .keyword(.this):
      return try scenario()
    case .keyword, .integer, .duration, .string, .arrow, .equals, .comma, .slash, .dash,
      .closeBrace, .separator, .invalid, .end:
      throw unexpected(
        "a statement",
        help: "a line is a scenario, `SOURCE -> DESTINATION SERVICE expect allow`, or begins with "
          + Keyword.statements.map { "`\($0.rawValue)`" }.joined(separator: ", "))
    }
  }

  private mutating func include() throws(Abandoned) -> StatementSyntax.Kind {
    advance()
    return .include(path: try string("the file's path"))
  }

  private mutating func host() throws(Abandoned) -> StatementSyntax.Kind {
    advance()
    let name = try name("a name for the host")
    try expect(.equals, "`=` and the host's addresses")
    var addresses: [Located<IPAddress>] = []
    repeat {
      guard token.kind == .address else {
        throw unexpected("an address", help: "a host has addresses; a `group` may have networks")
      }
      if let address = address() { addresses.append(address) }
    } while take(.comma)
    var interface: Word?
    var agent: Word?
    while true {
      let keyword = token
      if take(.iface) {
        let word = try self.name("the name of an interface")
        if interface != nil { diagnostics.append(.repeated("iface", at: keyword.span)) }
        checkInterface(word)
        interface = word
      } else if take(.agent) {
        let word = try string("the agent's name")
        if agent != nil { diagnostics.append(.repeated("agent", at: keyword.span)) }
        agent = word
      } else {
        break
      }
    }
    return .host(HostSyntax(name: name, addresses: addresses, interface: interface, agent: agent))
  }

  private mutating func group() throws(Abandoned) -> StatementSyntax.Kind {
    advance()
    let name = try name("a name for the group")
    try expect(.equals, "`=` and the group's members")
    return .group(name: name, set: try set())
  }

  private mutating func service() throws(Abandoned) -> StatementSyntax.Kind {
    advance()
    let name = try name("a name for the service")
    try expect(.equals, "`=` and what the service is")
    var services = [try serviceSyntax()]
    while take(.comma) { services.append(try serviceSyntax()) }
    return .service(name: name, services: services)
  }

  /// `firewall NAME = KIND [ STRING ] ( on set | between set and set ) { option }`.
  private mutating func firewall() throws(Abandoned) -> StatementSyntax.Kind {
    advance()
    let name = try name("a name for the firewall")
    try expect(.equals, "`=` and the kind of firewall")
    let kind = Word(text: text(token.span).lowercased(), span: token.span)
    if !take(.live) { _ = try self.name("a kind of firewall") }
    let path = token.kind == .string ? try string("the file's path") : nil
    let placement: FirewallSyntax.Placement
    if take(.on) {
      placement = .on(try set())
    } else if take(.between) {
      let first = try set()
      try expect(.keyword(.and), "`and` and the other side")
      placement = .between(first, try set())
    } else {
      throw unexpected(
        path == nil ? "a file's path in double quotes, `on` or `between`" : "`on` or `between`",
        help: "`on SET` guards the hosts of a set, `between A and B` stands on the way")
    }
    var options: [OptionSyntax] = []
    while token.kind == .keyword(.with) { options.append(try option()) }
    return .firewall(
      FirewallSyntax(name: name, kind: kind, path: path, placement: placement, options: options))
  }

  /// `with NAME ( STRING | INT | set | STRING = set )`; a bare name is a set of one.
  private mutating func option() throws(Abandoned) -> OptionSyntax {
    let start = token.span
    advance()
    let name: Word
    if token.kind == .keyword(.group) {
      name = Word(text: text(token.span), span: token.span)
      advance()
    } else {
      name = try self.name("the name of an option")
    }
    let value: OptionSyntax.Value
    switch token.kind {
    case .string:
      let text = try string("the option's value")
      value = take(.equals) ? .named(text, try set()) : .text(text)
    case .integer:
      let span = token.span
      value = .number(
        Located(value: integer(upTo: Int(Int32.max), named: "the option's value") ?? 0, span: span))
    case .name, .address, .prefix, .openBrace, .keyword(.any), .keyword(.this):
      value = .set(try set())
    case .keyword, .duration, .arrow, .equals, .comma, .slash, .dash, .closeBrace, .separator,
      .invalid, .end:
      throw unexpected("the option's value")
    }
    return OptionSyntax(name: name, value: value, span: span(from: start))
  }

  private mutating func suite() throws(Abandoned) -> StatementSyntax.Kind {
    advance()
    var name = Word(text: "", span: token.span)
    var clauses: [ClauseSyntax] = []
    do throws(Abandoned) {
      name = try string("the suite's name")
      while token.kind != .openBrace {
        guard token.kind != .separator else { throw unexpected("`{` and the suite's lines") }
        clauses.append(try clause())
      }
    } catch {
      // The lines of the suite are still worth reading.
      while token.kind != .openBrace, token.kind != .separator { advance() }
      guard token.kind == .openBrace else { throw error }
    }
    advance()
    try enter()
    let statements = statements(isSuite: true)
    leave()
    // Without a brace this is the end of the file, and the lexer has said so.
    guard take(.closeBrace) else { throw Abandoned() }
    return .suite(SuiteSyntax(name: name, clauses: clauses, statements: statements))
  }

  /// `only set arrow set what { clause }`.
  private mutating func only() throws(Abandoned) -> StatementSyntax.Kind {
    let start = token.span
    advance()
    let (sources, destinations, services) = try question()
    if token.kind == .keyword(.expect) {
      throw complain(.expectAfterOnly(at: token.span))
    }
    return .line(
      LineSyntax(
        sources: sources, destinations: destinations, services: services, claim: .only(start),
        clauses: try clauses()))
  }

  /// `set arrow set what expect verdict { clause }`.
  private mutating func scenario() throws(Abandoned) -> StatementSyntax.Kind {
    if let misspelt = misspeltStatement() { throw complain(misspelt) }
    let (sources, destinations, services) = try question()
    guard token.kind == .keyword(.expect) else {
      if case .name = token.kind {
        let suggestion = Suggestion.nearest(to: text(token.span), among: ["expect"])
        throw complain(.missingExpect(at: token.span, suggestion: suggestion))
      }
      throw complain(.missingExpect(at: here, suggestion: nil))
    }
    advance()
    let start = token.span
    let expectation = try verdict()
    return .line(
      LineSyntax(
        sources: sources, destinations: destinations, services: services,
        claim: .expect(Located(value: expectation, span: span(from: start))),
        clauses: try clauses()))
  }

  /// `set arrow set what`.
  private mutating func question() throws(Abandoned) -> (SetSyntax, SetSyntax, [ServiceSyntax]) {
    let sources = try set()
    guard take(.arrow) else { throw complain(.missingArrow(at: here)) }
    let destinations = try set()
    return (sources, destinations, try what())
  }

  private mutating func clauses() throws(Abandoned) -> [ClauseSyntax] {
    var clauses: [ClauseSyntax] = []
    while token.kind != .separator { clauses.append(try clause()) }
    return clauses
  }

  /// A first word that is near to a keyword and is followed as that keyword would be.
  private func misspeltStatement() -> Diagnostic? {
    guard token.kind == .name else { return nil }
    switch peek(1).kind {
    case .name, .string:
      let word = text(token.span)
      let keywords = Keyword.statements.map(\.rawValue)
      guard let nearest = Suggestion.nearest(to: word, among: keywords) else { return nil }
      return .unknownStatement(word, nearest, at: token.span)
    case .keyword, .integer, .duration, .address, .prefix, .arrow, .equals, .comma, .slash, .dash,
      .openBrace, .closeBrace, .separator, .invalid, .end:
      return nil
    }
  }

  /// `allow | deny | drop | reject [ with REASON ]`.
  private mutating func verdict() throws(Abandoned) -> Flow.Expectation {
    let word = token
    if take(.allow) { return .allow }
    if take(.deny) { return .deny }
    if take(.drop) { return .drop }
    if take(.reject) {
      guard take(.with) else { return .reject(nil) }
      let reason = text(token.span).lowercased()
      if case .keyword = token.kind, let reason = Flow.RejectReason(rawValue: reason) {
        advance()
        return .reject(reason)
      }
      let reasons = Flow.RejectReason.allCases.map(\.rawValue)
      throw unexpected(
        "a way to reject",
        help: help(Suggestion.nearest(to: reason, among: reasons), among: reasons))
    }
    switch word.kind {
    case .name:
      let written = text(word.span)
      if written.lowercased() == "accept" { throw complain(.acceptForAllow(at: word.span)) }
      throw complain(.unknownVerdict(written, at: word.span))
    case .keyword, .integer, .duration, .string, .address, .prefix, .arrow, .equals, .comma,
      .slash, .dash, .openBrace, .closeBrace, .separator, .invalid, .end:
      throw unexpected("`allow`, `deny`, `drop` or `reject`")
    }
  }
}

/// One likely spelling, or else all of them.
func help(_ suggestion: String?, among all: [String]) -> String {
  suggestion.map { "did you mean `\($0)`?" }
    ?? "one of " + all.map { "`\($0)`" }.joined(separator: ", ")
}

extension Diagnostic {
  fileprivate static func acceptForAllow(at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .acceptForAllow, "`accept` is a firewall's word, not an expectation", at: span,
      label: "write `allow`", help: "`allow` means that the connection works, answer included")
  }

  fileprivate static func expectAfterOnly(at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .unexpectedToken, "a line with `only` expects nothing else", at: span,
      label: "remove this and the word after it",
      help: "`only A -> B SERVICE` already says: allow from A, deny from everyone else")
  }

  fileprivate static func missingArrow(at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .missingArrow, "the arrow between source and destination is missing", at: span,
      label: "expected `->`", help: "a line reads `SOURCE -> DESTINATION SERVICE expect allow`")
  }

  fileprivate static func missingExpect(at span: SourceSpan, suggestion: String?) -> Diagnostic {
    Diagnostic(
      .missingExpect, "the line does not say what it expects", at: span,
      label: suggestion == nil ? "expected `expect`" : question(suggestion),
      help: "end the line with `expect allow`, `expect deny`, `expect drop` or `expect reject`")
  }

  static func repeated(_ word: String, at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .clauseRepeated, "`\(word)` is said twice", at: span, label: "said again",
      help: "keep one of them")
  }

  fileprivate static func unknownStatement(
    _ word: String, _ nearest: String, at span: SourceSpan
  ) -> Diagnostic {
    Diagnostic(
      .unknownStatement, "no statement begins with `\(word)`", at: span, label: question(nearest))
  }

  fileprivate static func unknownVerdict(_ word: String, at span: SourceSpan) -> Diagnostic {
    let meant: String? =
      switch word.lowercased() {
      case "permit", "pass", "ok", "open", "yes": "allow"
      case "block", "refuse", "closed", "no", "denied": "deny"
      default: Suggestion.nearest(to: word, among: Keyword.verdicts.map(\.rawValue))
      }
    return Diagnostic(
      .unknownVerdict, "`\(word)` is no expectation", at: span, label: question(meant),
      help: "a line expects `allow`, `deny`, `drop` or `reject`")
  }
}
