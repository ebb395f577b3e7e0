import Addresses
import Diagnostics

/// An exception that lies in no subnet of its rule excepts nothing.
enum ExceptWithoutEffect: Lint {
  static let code: Diagnostic.Code = "talos.except-outside"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    subject.configuration.rules.flatMap { rule in
      rule.ingress.compactMap { entry in
        guard let except = entry.except else { return nil }
        let subnet = AddressSet(entry.subnet.value.network)
        let excepted = AddressSet(except.value.network)
        guard excepted.intersection(subnet).isEmpty else { return nil }
        let whole = rule.ingress.reduce(AddressSet.empty) {
          $0.union(AddressSet($1.subnet.value.network))
        }
        let isElsewhere = !excepted.intersection(whole).isEmpty
        return Diagnostic(
          code, .warning,
          "\(except.value) is not within \(entry.subnet.value): "
            + (isElsewhere ? "it is excepted from another entry" : "it excepts nothing"),
          at: Diagnostic.Label(except.span, "outside"),
          secondary: [Diagnostic.Label(entry.subnet.span, "of this")],
          help: "remove the `except`, or write it at the subnet that it belongs to")
      }
    }
  }
}
