import Addresses
import Diagnostics

extension Parser {
  /// `what = svc | "{" svc { "," svc } "}"`.
  mutating func what() throws(Abandoned) -> [ServiceSyntax] {
    guard take(.openBrace) else { return [try serviceSyntax()] }
    var services = [try serviceSyntax()]
    while take(.comma) { services.append(try serviceSyntax()) }
    try expect(.closeBrace, "`,` or `}`")
    return services
  }

  /// One service, with `one-way` where it stands.
  mutating func serviceSyntax() throws(Abandoned) -> ServiceSyntax {
    let start = token.span
    var protocolSpan: SourceSpan?
    let kind = try serviceKind(&protocolSpan)
    let kindSpan = span(from: start)
    let oneWay = token.kind == .keyword(.oneWay) ? token.span : nil
    if oneWay != nil { advance() }
    return ServiceSyntax(
      kind: kind, kindSpan: kindSpan, protocolSpan: protocolSpan, oneWay: oneWay,
      span: span(from: start))
  }

  private mutating func serviceKind(
    _ protocolSpan: inout SourceSpan?
  ) throws(Abandoned) -> ServiceSyntax.Kind {
    let first = token
    switch first.kind {
    case .name:
      advance()
      return .name(text(first.span))
    case .keyword(.any):
      advance()
      return .any
    case .keyword(.icmp):
      return try icmp(.ipv4)
    case .keyword(.icmpv6):
      return try icmp(.ipv6)
    case .integer:
      let ports = try self.ports()
      guard let (number, span) = try transport() else {
        throw complain(missingProtocol(after: span(from: first.span)))
      }
      protocolSpan = span
      return withPorts(ports, number, span)
    case .keyword(.tcp), .keyword(.udp), .keyword(.sctp), .keyword(.proto):
      guard let (number, span) = try transport() else { return .invalid }
      protocolSpan = span
      guard take(.slash) else {
        guard let number else { return .invalid }
        return .transport(number)
      }
      let port = try self.port()
      return withPorts(port.map { [$0] } ?? [], number, span)
    case .keyword, .duration, .string, .address, .prefix, .arrow, .equals, .comma, .slash, .dash,
      .openBrace, .closeBrace, .separator, .invalid, .end:
      throw unexpected(
        "a service", help: "for example `443 tcp`, `tcp/443`, `icmp`, `any` or a service's name")
    }
  }

  private mutating func withPorts(
    _ ports: [Located<Interval>], _ number: TransportProtocol?, _ span: SourceSpan
  ) -> ServiceSyntax.Kind {
    guard let number, !ports.isEmpty else { return .invalid }
    guard number.hasPorts else {
      diagnostics.append(.protocolWithoutPorts(number, at: span))
      return .invalid
    }
    return .ports(ports, number)
  }

  /// `proto = "tcp" | "udp" | "sctp" | "proto" INT`, or nil where none of them is next.
  private mutating func transport() throws(Abandoned) -> (TransportProtocol?, SourceSpan)? {
    let start = token.span
    if take(.tcp) { return (.tcp, start) }
    if take(.udp) { return (.udp, start) }
    if take(.sctp) { return (.sctp, start) }
    guard take(.proto) else { return nil }
    guard token.kind == .integer else {
      let help =
        token.kind == .name
        ? TransportProtocol(text(token.span)).map { "write `proto \($0.rawValue)`" } : nil
      throw unexpected("the protocol's number", help: help)
    }
    let number = integer(upTo: 255, named: "a protocol's number")
    return (number.map { TransportProtocol(rawValue: UInt8($0)) }, span(from: start))
  }

  /// `ports = port { "," port }`; ports that are wrong are complained about and left out.
  mutating func ports() throws(Abandoned) -> [Located<Interval>] {
    var ports: [Located<Interval>] = []
    repeat {
      if let port = try port() { ports.append(port) }
    } while take(.comma)
    return ports
  }

  /// `port = INT | INT "-" INT`.
  private mutating func port() throws(Abandoned) -> Located<Interval>? {
    let start = token.span
    guard token.kind == .integer else { throw unexpected("a port") }
    let lower = portNumber()
    guard take(.dash) else {
      return lower.map { Located(value: Interval(UInt128($0)), span: start) }
    }
    guard token.kind == .integer else {
      throw complain(.emptyRange(span(from: start), text(start), missing: "port"))
    }
    let upper = portNumber()
    let span = span(from: start)
    guard let lower, let upper else { return nil }
    guard lower <= upper else {
      diagnostics.append(.reversedRange("\(upper)-\(lower)", at: span))
      return nil
    }
    return Located(value: Interval(UInt128(lower), UInt128(upper)), span: span)
  }

  private mutating func portNumber() -> Int? {
    let span = token.span
    advance()
    let digits = text(span)
    if let number = Int(digits), number <= 65535 { return number }
    diagnostics.append(.portOutOfRange(digits, at: span))
    return nil
  }

  /// Reads the integer that is next, or complains that it is too large and returns nil.
  mutating func integer(upTo highest: Int, named what: String) -> Int? {
    let span = token.span
    advance()
    let digits = text(span)
    if let number = Int(digits), number <= highest { return number }
    diagnostics.append(.numberOutOfRange(digits, what, highest: highest, at: span))
    return nil
  }

  /// `("icmp"|"icmpv6") [ "type" (NAME|INT) [ "code" INT ] ]`.
  private mutating func icmp(_ family: IPFamily) throws(Abandoned) -> ServiceSyntax.Kind {
    advance()
    guard take(.kind) else {
      if case .name = token.kind, ICMPTypeName.number(of: text(token.span), family) != nil {
        throw unexpected("`type` before the type's name")
      }
      return .icmp(family, type: nil, code: nil)
    }
    var type: UInt8?
    var isWrong = false
    switch token.kind {
    case .integer:
      type = integer(upTo: 255, named: "a type").map { UInt8($0) }
      isWrong = type == nil
    case .name:
      let name = text(token.span)
      type = ICMPTypeName.number(of: name, family)
      if type == nil {
        isWrong = true
        diagnostics.append(.unknownICMPType(name, family, at: token.span))
      }
      advance()
    case .keyword, .duration, .string, .address, .prefix, .arrow, .equals, .comma, .slash, .dash,
      .openBrace, .closeBrace, .separator, .invalid, .end:
      throw unexpected("the name or the number of a type", help: "for example `echo-request`")
    }
    var code: UInt8?
    if take(.code) {
      guard token.kind == .integer else { throw unexpected("the number of a code") }
      code = integer(upTo: 255, named: "a code").map { UInt8($0) }
      isWrong = isWrong || code == nil
    }
    return isWrong ? .invalid : .icmp(family, type: type, code: code)
  }

  private func missingProtocol(after ports: SourceSpan) -> Diagnostic {
    let written = text(ports)
    let help = "write `\(written) tcp`, `\(written) udp` or `\(written) sctp`"
    switch token.kind {
    case .name:
      let word = text(token.span)
      if let number = TransportProtocol(word)?.rawValue {
        return .missingProtocol(
          "`\(word)` is no word of the language", at: token.span,
          label: "write `proto \(number)`", help: nil)
      }
      let suggestion = Suggestion.nearest(to: word, among: Keyword.protocols.map(\.rawValue))
      return .missingProtocol(
        "there is no protocol `\(word)`", at: token.span, label: question(suggestion), help: help)
    case .slash:
      let name = text(peek(1).span)
      let help =
        peek(1).kind == .keyword(.tcp) || peek(1).kind == .keyword(.udp)
        ? "write `\(written) \(name)` or `\(name)/\(written)`" : help
      return .missingProtocol(
        "a slash stands between a protocol and its port", at: token.span,
        label: "the protocol comes first, or after a blank", help: help)
    case .keyword, .integer, .duration, .string, .address, .prefix, .arrow, .equals, .comma,
      .dash, .openBrace, .closeBrace, .separator, .invalid, .end:
      return .missingProtocol(
        "a port needs a protocol", at: ports, label: "of which protocol?", help: help)
    }
  }
}

extension Diagnostic {
  fileprivate static func missingProtocol(
    _ message: String, at span: SourceSpan, label: String, help: String?
  ) -> Diagnostic {
    Diagnostic(.missingProtocol, message, at: span, label: label, help: help)
  }

  fileprivate static func numberOutOfRange(
    _ digits: String, _ what: String, highest: Int, at span: SourceSpan
  ) -> Diagnostic {
    Diagnostic(
      .numberOutOfRange, "\(what) cannot be \(digits)", at: span, label: "0 to \(highest)")
  }

  fileprivate static func portOutOfRange(_ digits: String, at span: SourceSpan) -> Diagnostic {
    Diagnostic(.portOutOfRange, "there is no port \(digits)", at: span, label: "0 to 65535")
  }

  fileprivate static func protocolWithoutPorts(
    _ number: TransportProtocol, at span: SourceSpan
  ) -> Diagnostic {
    Diagnostic(
      .protocolWithoutPorts, "protocol \(number.rawValue) has no ports", at: span,
      help: "write `proto \(number.rawValue)` without a port")
  }

  fileprivate static func unknownICMPType(
    _ name: String, _ family: IPFamily, at span: SourceSpan
  ) -> Diagnostic {
    let names = ICMPTypeName.names(family)
    let other = ICMPTypeName.number(of: name, family == .ipv4 ? .ipv6 : .ipv4) != nil
    let suggestion = Suggestion.nearest(to: name, among: names)
    return Diagnostic(
      .unknownICMPType,
      "\(family == .ipv4 ? "icmp" : "icmpv6") has no type called `\(name)`", at: span,
      label: other && suggestion == nil
        ? "a type of \(family == .ipv4 ? "icmpv6" : "icmp")" : question(suggestion),
      help: "types are called as nft calls them; a number from 0 to 255 will do too")
  }
}
