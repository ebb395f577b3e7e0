import Diagnostics

/// Before 1.7.6 the second of two ports in a row was left out of the set.
///
/// Source: github.com/siderolabs/talos/issues/9009.
enum AdjacentPorts: Lint {
  static let code: Diagnostic.Code = "talos.adjacent-ports"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    guard subject.version < TalosVersion(1, 7, 6) else { return [] }
    return subject.configuration.rules.compactMap { rule in
      let ports = rule.ports
      for later in ports {
        let earlier = ports.first {
          $0.value.upper < .max && $0.value.upper + 1 == later.value.lower
        }
        guard let earlier else { continue }
        return Diagnostic(
          code, .error,
          "before Talos 1.7.6 port \(later.value.lower) is not matched after \(earlier.value.upper)",
          at: Diagnostic.Label(later.span, "follows on"),
          secondary: [Diagnostic.Label(earlier.span, "this")],
          help: "write them as one range:\nports:\n    - "
            + "\(earlier.value.lower)-\(later.value.upper)")
      }
      return nil
    }
  }
}
