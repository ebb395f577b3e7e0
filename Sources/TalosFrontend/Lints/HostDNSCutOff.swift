import Addresses
import Diagnostics

/// In accept mode there is no exception for what CoreDNS asks of the host: a rule for port 53 cuts
/// the pods off.
enum HostDNSCutOff: Lint {
  static let code: Diagnostic.Code = "talos.host-dns-cut-off"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    guard !subject.isBlocking, subject.version >= TalosVersion(1, 8, 0) else { return [] }
    for transport in [TransportProtocol.udp, .tcp] {
      guard let rule = subject.rules(for: 53, transport).first else { continue }
      let missing = subject.pods.subtracting(subject.admitted(to: 53, transport))
      guard subject.pods.isEmpty ? rule.sources != .any : !missing.isEmpty else { continue }
      let subnets = subject.podSubnets.map { "    - subnet: \($0.value)" }
      return [
        Diagnostic(
          code, .warning, "in accept mode this rule keeps CoreDNS from asking the host's DNS",
          at: LintSubject.place(rule),
          notes: ["pods ask 169.254.116.108, which is the node's own and is filtered like it"],
          help: "add the pods to `ingress` of `\(rule.name.value)`\n"
            + (subnets.isEmpty ? ["    - subnet: $POD_SUBNET"] : subnets).joined(separator: "\n"))
      ]
    }
    return []
  }
}
