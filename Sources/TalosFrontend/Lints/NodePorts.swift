import Addresses
import Diagnostics

/// NodePorts are filtered since 1.10, and only where kube-proxy serves them.
///
/// Source: github.com/siderolabs/talos/pull/10437, issues/12955.
enum NodePorts: Lint {
  static let code: Diagnostic.Code = "talos.node-ports"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    guard let (_, ports) = rule(in: subject) else { return [] }
    if subject.version < TalosVersion(1, 10, 0, .alpha(2)) {
      return [
        Diagnostic(
          code, .warning, "before Talos 1.10 NodePorts pass whatever a rule says of them",
          at: Diagnostic.Label(ports.span, "NodePorts"),
          notes: ["kube-proxy translates them before the chain at hook input sees them"],
          help: "use Talos 1.10 or newer")
      ]
    }
    let disabled = subject.configuration.legacy?.isKubeProxyDisabled.flatMap { $0.value ? $0 : nil }
    guard subject.networkPlugin == .cilium || disabled != nil else { return [] }
    return [
      Diagnostic(
        code, .warning,
        "where Cilium serves NodePorts in place of kube-proxy, no rule filters them",
        at: Diagnostic.Label(ports.span, "NodePorts"),
        secondary: disabled.map { [Diagnostic.Label($0.span, "kube-proxy is off")] } ?? [],
        notes: ["Cilium's eBPF programs take these packets before nftables sees them"],
        help: "restrict them with a CiliumClusterwideNetworkPolicy of the host firewall")
    ]
  }

  /// A rule that names ports of kube-apiserver's --service-node-port-range.
  static func rule(in subject: LintSubject) -> (NetworkRule, Located<PortRange>)? {
    for rule in subject.configuration.rules {
      if let transport = rule.transport?.value, [.tcp, .udp].contains(transport),
        let ports = rule.ports.first(where: { $0.value.lower <= 32767 && $0.value.upper >= 30000 })
      {
        return (rule, ports)
      }
    }
    return nil
  }
}
