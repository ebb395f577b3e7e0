import Addresses
import Diagnostics

/// A rule without sources: closes its ports in accept mode, does nothing in block mode.
///
/// Source: github.com/siderolabs/talos/issues/12955.
enum EmptyIngress: Lint {
  static let code: Diagnostic.Code = "talos.empty-ingress"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    subject.configuration.rules.filter { $0.sources.isEmpty }.map { rule in
      let why =
        rule.ingress.isEmpty ? "names no source" : "excepts every source that it names"
      return Diagnostic(
        code, .warning,
        "rule `\(rule.name.value)` \(why): "
          + (subject.isBlocking
            ? "in block mode it does nothing" : "in accept mode it closes its ports for everybody"),
        at: rule.ingressSpan.map { Diagnostic.Label($0) } ?? LintSubject.place(rule),
        help: subject.isBlocking
          ? "remove the document, or name who may connect:\ningress:\n    - subnet: $CLUSTER_SUBNET"
          : "if everybody may connect, remove the document, or write\n"
            + "ingress:\n    - subnet: 0.0.0.0/0\n    - subnet: ::/0")
    }
  }
}
