import Diagnostics

/// Talos takes a rule without a protocol, and looks for protocol 0 then.
enum MissingProtocol: Lint {
  static let code: Diagnostic.Code = "talos.missing-protocol"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    subject.configuration.rules.filter { $0.transport == nil }.map { rule in
      Diagnostic(
        code, .error, "rule `\(rule.name.value)` names no protocol and matches no packet",
        at: LintSubject.place(rule),
        notes: ["Talos accepts the document and tests for protocol 0"],
        help: "say which it is\nportSelector:\n    protocol: tcp")
    }
  }
}
