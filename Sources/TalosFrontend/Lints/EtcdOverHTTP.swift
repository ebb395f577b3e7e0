import Addresses
import Diagnostics

/// Since 1.14 etcd serves HTTP on a port of its own, which a rule for 2379 does not cover.
///
/// Source: Talos 1.14 release notes.
enum EtcdOverHTTP: Lint {
  static let code: Diagnostic.Code = "talos.etcd-http-open"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    guard subject.version >= TalosVersion(1, 14, 0, .alpha(0)), !subject.isBlocking,
      let rule = subject.rules(for: 2379, .tcp).first, !rule.sources.isEmpty,
      subject.rules(for: 2383, .tcp).isEmpty, subject.admitted(to: 2379, .tcp) != .any
    else { return [] }
    return [
      Diagnostic(
        code, .warning, "etcd also listens on 2383/tcp since Talos 1.14, which stays open",
        at: LintSubject.place(rule, "restricts 2379/tcp"),
        help: "add the port to `\(rule.name.value)`\nportSelector:\n    ports:\n"
          + RuleText.lines(of: rule.ports.map(\.value) + [PortRange(2383)])
          .joined(separator: "\n"))
    ]
  }
}
