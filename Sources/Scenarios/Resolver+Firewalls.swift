import Addresses
import Diagnostics

extension Resolver {
  /// What a `firewall` statement comes to, or nil where something is wrong with it.
  mutating func firewall(_ syntax: FirewallSyntax, _ span: SourceSpan) -> FirewallDeclaration? {
    let before = diagnostics.count
    let placement: FirewallDeclaration.Placement?
    switch syntax.placement {
    case .on(let set): placement = addresses(set).map { .on($0) }
    case .between(let first, let second):
      let one = addresses(first)
      let other = addresses(second)
      if let one, let other { placement = .between(one, other) } else { placement = nil }
    }
    let options = options(of: syntax)
    guard let placement, diagnostics.count == before else { return nil }
    return FirewallDeclaration(
      name: syntax.name.text, kind: syntax.kind.key, kindSpan: syntax.kind.span,
      path: syntax.path?.text, pathSpan: syntax.path?.span, placement: placement, options: options,
      span: span)
  }

  /// The options of a statement whose kind, path and options have been looked at.
  private mutating func options(of syntax: FirewallSyntax) -> [FirewallDeclaration.Option] {
    guard let kind = FirewallKind(rawValue: syntax.kind.key) else {
      diagnostics.append(.unknownKind(syntax.kind))
      return []
    }
    switch kind.support {
    case .notYet:
      diagnostics.append(.kindNotYet(syntax.kind))
      return []
    case .file:
      if syntax.path == nil || syntax.path?.text.isEmpty == true {
        diagnostics.append(.firewallWithoutPath(syntax.kind))
      }
    case .machine:
      if let path = syntax.path { diagnostics.append(.pathUnexpected(path)) }
    }
    var options: [FirewallDeclaration.Option] = []
    for option in syntax.options {
      guard let known = FirewallOption(rawValue: option.name.key),
        kind.options.contains(known)
      else {
        diagnostics.append(.unknownOption(option.name, kind: kind))
        continue
      }
      if !known.isRepeatable, options.contains(where: { $0.name == known.rawValue }) {
        diagnostics.append(.repeated("with \(known.rawValue)", at: option.name.span))
        continue
      }
      guard let value = value(of: option, for: known, kind) else { continue }
      options.append(
        FirewallDeclaration.Option(name: known.rawValue, value: value, span: option.span))
    }
    return options
  }

  private mutating func value(
    of option: OptionSyntax, for known: FirewallOption, _ kind: FirewallKind
  ) -> FirewallDeclaration.Option.Value? {
    switch (known.value(of: kind), option.value) {
    case (.text, .text(let word)), (.addressesOrText, .text(let word)):
      if !word.text.isEmpty { return .text(word.text) }
    case (.addresses, .set(let set)), (.addressesOrText, .set(let set)):
      return addresses(set).map { .addresses($0) }
    case (.text, .number), (.text, .set), (.text, .named), (.addresses, .text),
      (.addresses, .number), (.addresses, .named), (.addressesOrText, .number),
      (.addressesOrText, .named):
      break
    }
    diagnostics.append(.optionValue(option, known, kind))
    return nil
  }
}

private let supported = list(
  FirewallKind.allCases.filter { $0.support != .notYet }.map { "`\($0.rawValue)`" })

/// `a`, `a and b`, `a, b and c`.
private func list(_ words: [String]) -> String {
  guard let last = words.last, words.count > 1 else { return words.first ?? "" }
  return words.dropLast().joined(separator: ", ") + " and " + last
}

extension Diagnostic {
  fileprivate static func firewallWithoutPath(_ kind: Word) -> Diagnostic {
    Diagnostic(
      .firewallWithoutPath, "a firewall of kind `\(kind.text)` is read from a file", at: kind.span,
      label: "expected the file's path after this",
      help: "write `\(kind.text) \"ruleset.json\"`; the path is relative to this file's folder")
  }

  fileprivate static func kindNotYet(_ kind: Word) -> Diagnostic {
    Diagnostic(
      .kindNotYet, "firewalls of kind `\(kind.text)` cannot be read yet", at: kind.span,
      help: "this version reads \(supported)")
  }

  fileprivate static func pathUnexpected(_ path: Word) -> Diagnostic {
    Diagnostic(
      .pathUnexpected, "a firewall of kind `live` has no file", at: path.span,
      help: "remove the path, or write `nft` before it")
  }

  fileprivate static func unknownKind(_ kind: Word) -> Diagnostic {
    let kinds = FirewallKind.allCases.map(\.rawValue)
    return Diagnostic(
      .unknownKind, "there is no kind of firewall called `\(kind.text)`", at: kind.span,
      label: question(
        kind.key.hasPrefix("nft") ? "nft" : Suggestion.nearest(to: kind.text, among: kinds)),
      help: "this version reads \(supported)")
  }

  fileprivate static func unknownOption(_ name: Word, kind: FirewallKind) -> Diagnostic {
    let names = kind.options.map(\.rawValue)
    guard !names.isEmpty else {
      return Diagnostic(
        .unknownOption, "a firewall of kind `\(kind.rawValue)` has no option `\(name.text)`",
        at: name.span, label: "it has none", help: "remove `with` and what follows it")
    }
    return Diagnostic(
      .unknownOption, "a firewall of kind `\(kind.rawValue)` has no option `\(name.text)`",
      at: name.span, label: question(Suggestion.nearest(to: name.text, among: names)),
      help: "it has " + list(names.map { "`\($0)`" }))
  }

  fileprivate static func optionValue(
    _ option: OptionSyntax, _ known: FirewallOption, _ kind: FirewallKind
  ) -> Diagnostic {
    Diagnostic(
      .optionValue, "the option `\(known.rawValue)` takes \(known.takes(of: kind))",
      at: option.span,
      help: "for example `with \(known.rawValue) \(known.example)`")
  }
}
