import Addresses
import Diagnostics

/// Somebody must be able to reach Talos' API, and Kubernetes' on control plane nodes.
///
/// Nothing is opened by itself: without a rule for apid a node in block mode can only be reset at
/// its console.
enum AdministratorAccess: Lint {
  static let code: Diagnostic.Code = "talos.lock-out"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    var findings: [Diagnostic] = []
    // Workers are administered through the control plane: who must reach them is a peer.
    let reach = subject.isControlPlane == false ? .empty : subject.cluster.administrators
    findings += finding(
      in: subject, 50000, "apid", "no talosctl reaches the node", reach, "apid-ingress")
    if subject.isControlPlane == true {
      findings += finding(
        in: subject, 6443, "the Kubernetes API", "no kubectl reaches the cluster here", reach,
        "kubernetes-api-ingress")
    }
    return findings
  }

  private static func finding(
    in subject: LintSubject, _ port: UInt16, _ what: String, _ consequence: String,
    _ administrators: AddressSet, _ ruleName: String
  ) -> [Diagnostic] {
    let admitted = subject.admitted(to: port, .tcp)
    let missing = administrators.subtracting(admitted)
    guard admitted.isEmpty || !missing.isEmpty else { return [] }
    let who =
      admitted.isEmpty ? "nobody" : "not every administrator (\(AddressText.some(of: missing)))"
    return [
      Access.finding(
        code, .error,
        "\(who) can reach \(what) on \(port)/tcp" + (admitted.isEmpty ? ": \(consequence)" : ""),
        in: subject, PortRange(port), .tcp, missing: missing, unknown: "$ADMINISTRATORS",
        ruleName: ruleName)
    ]
  }
}
