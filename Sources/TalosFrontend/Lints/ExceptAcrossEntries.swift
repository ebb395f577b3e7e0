import Addresses
import Diagnostics

/// What one entry excepts is excepted from all entries of the rule.
enum ExceptAcrossEntries: Lint {
  static let code: Diagnostic.Code = "talos.except-shared"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    subject.configuration.rules.flatMap { rule in
      rule.ingress.enumerated().flatMap { index, entry -> [Diagnostic] in
        guard let except = entry.except else { return [] }
        let excepted = AddressSet(except.value.network)
        return rule.ingress.enumerated().compactMap { other, otherEntry in
          let lost = AddressSet(otherEntry.subnet.value.network).intersection(excepted)
          // What the other entry excepts as well was meant to go.
          let meant = otherEntry.except.map { AddressSet($0.value.network) } ?? .empty
          guard other != index, !lost.isSubset(of: meant) else { return nil }
          return Diagnostic(
            code, .warning,
            "\(except.value) is excepted from the whole rule: "
              + "\(AddressText.some(of: lost.subtracting(meant))) is lost from "
              + "\(otherEntry.subnet.value)",
            at: Diagnostic.Label(except.span, "for all entries"),
            secondary: [Diagnostic.Label(otherEntry.subnet.span, "loses it as well")],
            help: "put \(otherEntry.subnet.value) into a rule of its own\n---\n"
              + split(rule, otherEntry))
        }
      }
    }
  }

  private static func split(_ rule: NetworkRule, _ entry: NetworkRule.Entry) -> String {
    RuleText(
      name: "\(rule.name.value)-2", ports: rule.ports.map(\.value),
      transport: rule.transport?.value ?? .tcp,
      entries: [
        RuleText.Entry("\(entry.subnet.value)", except: entry.except.map { "\($0.value)" })
      ]
    ).yaml
  }
}
