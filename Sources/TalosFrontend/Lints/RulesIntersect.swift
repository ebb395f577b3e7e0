import Addresses
import Diagnostics

/// In accept mode each rule drops everybody else: who is to get through must be in all of them.
enum RulesIntersect: Lint {
  static let code: Diagnostic.Code = "talos.rules-intersect"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    guard !subject.isBlocking else { return [] }
    let rules = subject.configuration.rules
    var findings: [Diagnostic] = []
    for (index, later) in rules.enumerated() {
      for earlier in rules[..<index] where earlier.sources != later.sources {
        guard let (port, transport) = shared(earlier, later) else { continue }
        let both = earlier.sources.intersection(later.sources)
        // What closes a port on purpose, alone, is another finding.
        guard !earlier.sources.isEmpty, !later.sources.isEmpty else { continue }
        let outcome =
          both.isEmpty ? "nobody gets through" : "only \(AddressText.some(of: both)) gets through"
        findings.append(
          Diagnostic(
            code, both.isEmpty ? .error : .warning,
            "`\(earlier.name.value)` and `\(later.name.value)` both restrict "
              + "\(port.text)/\(transport): \(outcome)",
            at: Diagnostic.Label(port.later, "again"),
            secondary: [Diagnostic.Label(port.earlier, "first here")],
            notes: ["in accept mode every rule drops whoever it does not name"],
            help: "give all sources in one rule, and remove the other\ningress:\n"
              + (earlier.ingress + later.ingress).map { "    - subnet: \($0.subnet.value)" }
              .joined(separator: "\n")))
      }
    }
    return findings
  }

  /// Ports that two rules name, and where.
  private struct Shared {
    var ports: PortRange
    var earlier: SourceSpan
    var later: SourceSpan

    var text: String { ports.text }
  }

  private static func shared(
    _ earlier: NetworkRule, _ later: NetworkRule
  ) -> (Shared, TransportProtocol)? {
    guard let transport = earlier.transport?.value, later.transport?.value == transport else {
      return nil
    }
    for one in earlier.ports {
      for other in later.ports {
        let lower = max(one.value.lower, other.value.lower)
        let upper = min(one.value.upper, other.value.upper)
        if lower <= upper {
          return (
            Shared(ports: PortRange(lower, upper), earlier: one.span, later: other.span), transport
          )
        }
      }
    }
    return nil
  }
}
