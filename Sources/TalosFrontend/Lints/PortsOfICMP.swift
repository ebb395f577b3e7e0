import Addresses
import Diagnostics

/// ICMP has no ports: where they would be is the checksum.
///
/// Source: github.com/siderolabs/talos/issues/14070.
enum PortsOfICMP: Lint {
  static let code: Diagnostic.Code = "talos.icmp-with-ports"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    subject.configuration.rules.compactMap { rule in
      guard let transport = rule.transport, [.icmp, .icmpv6].contains(transport.value) else {
        return nil
      }
      let already =
        subject.isBlocking
        ? "in block mode Talos lets in five packets of it a second by itself"
        : "in accept mode it passes by itself"
      return Diagnostic(
        code, .error,
        "\(transport.value) has no ports: rule `\(rule.name.value)` tests the checksum",
        at: Diagnostic.Label(transport.span, "has no ports"),
        secondary: rule.ports.first.map { [Diagnostic.Label($0.span, "compared with a checksum")] }
          ?? [],
        notes: [already], help: "remove the document `\(rule.name.value)`")
    }
  }
}
