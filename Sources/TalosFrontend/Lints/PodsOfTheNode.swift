import Addresses
import Diagnostics

/// A pod that connects to the address of its own node comes with the pod's address: metrics-server
/// to the kubelet, Prometheus to an exporter.
///
/// Source: github.com/siderolabs/talos/issues/8945.
enum PodsOfTheNode: Lint {
  static let code: Diagnostic.Code = "talos.pod-subnets-missing"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    let users: [(port: UInt16, text: String)] = [
      (10250, "the kubelet (metrics-server, Prometheus)"), (9100, "node-exporter (Prometheus)"),
      (6443, "the Kubernetes API"),
    ]
    return users.compactMap { user in
      guard let rule = subject.rules(for: user.port, .tcp).first else { return nil }
      let missing = subject.pods.subtracting(subject.admitted(to: user.port, .tcp))
      guard !missing.isEmpty else { return nil }
      let subnets = subject.podSubnets.filter {
        !AddressSet($0.value.network).intersection(missing).isEmpty
      }
      return Diagnostic(
        code, .warning,
        "pods of this node cannot reach \(user.text) on \(user.port)/tcp of their node",
        at: LintSubject.place(rule),
        secondary: subnets.first.map { [Diagnostic.Label($0.span, "their addresses")] } ?? [],
        notes: ["whoever can send with a pod's address gets in as well"],
        help: "add to `ingress` of `\(rule.name.value)`\n"
          + subnets.map { "    - subnet: \($0.value)" }.joined(separator: "\n"))
    }
  }
}
