import Addresses
import Diagnostics

/// KubeSpan is WireGuard between all nodes, and no rule of the documentation's lets it in.
enum KubeSpanAccess: Lint {
  static let code: Diagnostic.Code = "talos.kubespan-unreachable"
  static var codes: [Diagnostic.Code] { [code] }

  /// constants.KubeSpanDefaultPort.
  private static let port: UInt16 = 51820

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    guard let enabled = subject.configuration.isKubeSpanEnabled, enabled.value else { return [] }
    let admitted = subject.admitted(to: port, .udp)
    let missing = subject.cluster.otherNodes.subtracting(admitted)
    guard admitted.isEmpty || !missing.isEmpty else { return [] }
    let who = missing.isEmpty ? "no node" : "not every node (\(AddressText.some(of: missing)))"
    var finding = Access.finding(
      code, .error, "KubeSpan is on, and \(who) can reach it on \(port)/udp", in: subject,
      PortRange(port), .udp, missing: missing, unknown: "$CLUSTER_SUBNET",
      ruleName: "kubespan-ingress")
    finding.secondary.append(Diagnostic.Label(enabled.span, "switched on here"))
    return [finding]
  }
}
