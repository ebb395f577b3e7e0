import Diagnostics

/// Talos clears the host bits of a subnet without a word: `10.0.0.5/24` is the whole network.
enum HostBits: Lint {
  static let code: Diagnostic.Code = "talos.host-bits"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    subject.configuration.rules.flatMap { rule in
      rule.ingress.flatMap { [$0.subnet, $0.except].compactMap(\.self) }
        .filter(\.value.hasHostBits)
        .map { prefix in
          Diagnostic(
            code, .warning, "\(prefix.value) stands for the whole network \(prefix.value.network)",
            at: Diagnostic.Label(prefix.span, "host bits are cleared"),
            help: "write \(prefix.value.network), or "
              + "\(ConfiguredPrefix(prefix.value.address)) for the one address")
        }
    }
  }
}
