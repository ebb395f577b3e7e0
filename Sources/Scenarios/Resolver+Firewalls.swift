import Addresses
import Diagnostics

/// A kind of firewall that the product reads.
enum FirewallKind: String, CaseIterable {
  case nft, live
  case talos
  case talosChains = "talos-chains"
  case terraform, aws, pfsense, opnsense, cisco, proxmox

  enum Support {
    case file
    case machine
    case notYet
  }

  var support: Support {
    switch self {
    case .nft: .file
    case .live: .machine
    case .talos, .talosChains, .terraform, .aws, .pfsense, .opnsense, .cisco, .proxmox: .notYet
    }
  }
}

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
    checkKind(syntax)
    guard let placement, diagnostics.count == before else { return nil }
    return FirewallDeclaration(
      name: syntax.name.text, kind: syntax.kind.key, kindSpan: syntax.kind.span,
      path: syntax.path?.text, pathSpan: syntax.path?.span, placement: placement, options: [],
      span: span)
  }

  private mutating func checkKind(_ syntax: FirewallSyntax) {
    guard let kind = FirewallKind(rawValue: syntax.kind.key) else {
      diagnostics.append(.unknownKind(syntax.kind))
      return
    }
    switch kind.support {
    case .notYet:
      diagnostics.append(.kindNotYet(syntax.kind))
      return
    case .file:
      if syntax.path == nil || syntax.path?.text.isEmpty == true {
        diagnostics.append(.firewallWithoutPath(syntax.kind))
      }
    case .machine:
      if let path = syntax.path { diagnostics.append(.pathUnexpected(path)) }
    }
    // Neither kind has options.
    for option in syntax.options {
      diagnostics.append(.unknownOption(option.name, kind: syntax.kind.key))
    }
  }
}

private let supported = FirewallKind.allCases.filter { $0.support != .notYet }
  .map { "`\($0.rawValue)`" }.joined(separator: " and ")

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

  fileprivate static func unknownOption(_ name: Word, kind: String) -> Diagnostic {
    Diagnostic(
      .unknownOption, "a firewall of kind `\(kind)` has no option `\(name.text)`", at: name.span,
      label: "it has none", help: "remove `with` and what follows it")
  }
}
