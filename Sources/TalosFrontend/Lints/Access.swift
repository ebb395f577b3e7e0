import Addresses
import Diagnostics

/// What the lints have in common that miss somebody at a port.
enum Access {
  /// A finding with the rule that is missing, or the rules that keep somebody out.
  static func finding(
    _ code: Diagnostic.Code, _ severity: Diagnostic.Severity, _ message: String,
    in subject: LintSubject, _ ports: PortRange, _ transport: TransportProtocol,
    missing: AddressSet, unknown: String, ruleName: String, notes: [String] = []
  ) -> Diagnostic {
    let rules = subject.rules(for: ports.lower, transport)
    let places = rules.map {
      LintSubject.place($0, subject.isBlocking ? "does not let them in" : "keeps them out")
    }
    let entries = RuleText.entries(missing, unknown: unknown)
    return Diagnostic(
      code, severity, message, at: places.first ?? subject.modePlace,
      secondary: Array(places.dropFirst()), notes: notes,
      help: help(rules, entries, ports, transport, ruleName, isBlocking: subject.isBlocking))
  }

  private static func help(
    _ rules: [NetworkRule], _ entries: [RuleText.Entry], _ ports: PortRange,
    _ transport: TransportProtocol, _ ruleName: String, isBlocking: Bool
  ) -> String {
    guard let rule = rules.first else {
      let text = RuleText(name: ruleName, ports: [ports], transport: transport, entries: entries)
      return "add\n---\n\(text.yaml)"
    }
    let lines = RuleText.lines(of: entries)
    let names = rules.map { "`\($0.name.value)`" }.joined(separator: ", ")
    let target =
      isBlocking || rules.count == 1 ? "`\(rule.name.value)`" : "each of the rules \(names)"
    return "add to `ingress` of \(target)\n" + lines.joined(separator: "\n")
  }
}

/// Addresses in messages.
enum AddressText {
  /// The first addresses or prefixes of a set, and how many there are besides.
  static func some(of addresses: AddressSet) -> String {
    let prefixes = addresses.prefixes
    let texts = prefixes.prefix(3).map { prefix in
      prefix.length == prefix.family.bitWidth ? "\(prefix.network)" : "\(prefix)"
    }
    let rest = prefixes.count - texts.count
    return texts.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
  }
}
