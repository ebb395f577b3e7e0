import Diagnostics

/// Addresses of load balancers that no interface of the node has are translated before any rule
/// for new connections sees them.
enum UnfilteredAddresses: Lint {
  static let code: Diagnostic.Code = "talos.load-balancer-addresses"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    guard subject.version >= TalosVersion(1, 10, 0, .alpha(2)),
      let (_, ports) = NodePorts.rule(in: subject)
    else { return [] }
    return [
      Diagnostic(
        code, .note,
        "connections to addresses that only a load balancer announces are not filtered",
        at: Diagnostic.Label(ports.span, "filters the node's own addresses"),
        notes: [
          "addresses of MetalLB, kube-vip in BGP mode or Cilium are on no interface: "
            + "prerouting accepts what is not for the node"
        ],
        help: "restrict such services with loadBalancerSourceRanges or a NetworkPolicy")
    ]
  }
}
