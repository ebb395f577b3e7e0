import Addresses
import Diagnostics

/// Pods of different nodes talk through tunnels, whose packets each node must let in.
enum OverlayAccess: Lint {
  static let missing: Diagnostic.Code = "talos.overlay-unreachable"
  static let other: Diagnostic.Code = "talos.overlay-of-other-plugin"
  static var codes: [Diagnostic.Code] { [missing, other] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    guard let plugin = subject.networkPlugin else { return unknownPlugin(subject) }
    let port = subject.configuration.flannel?.backendPort?.value ?? plugin.tunnelPort
    let admitted = subject.admitted(to: port, .udp)
    let left = subject.cluster.otherNodes.subtracting(admitted)
    guard admitted.isEmpty || !left.isEmpty else { return [] }
    // The tunnel of another plugin is what was copied from elsewhere.
    let others = NetworkPlugin.allCases.filter { $0.tunnelPort != port }
    let wrong = others.lazy.flatMap { other in
      subject.rules(for: other.tunnelPort, .udp).map { (rule: $0, plugin: other) }
    }.first
    if subject.isBlocking, let wrong, subject.rules(for: port, .udp).isEmpty {
      return [
        Diagnostic(
          other, .error,
          "\(plugin.name) tunnels on \(port)/udp, and the rules let in "
            + "\(wrong.plugin.tunnelPort)/udp, which is \(wrong.plugin.name)'s",
          at: LintSubject.place(wrong.rule),
          help: "replace the port in `\(wrong.rule.name.value)`\n"
            + "portSelector:\n    ports:\n        - \(port)\n    protocol: udp")
      ]
    }
    let who = left.isEmpty ? "no node" : "not every node (\(AddressText.some(of: left)))"
    return [
      Access.finding(
        missing, subject.configuration.isKubeSpanEnabled?.value == true ? .warning : .error,
        "\(who) can reach the tunnels of \(plugin.name) on \(port)/udp", in: subject,
        PortRange(port), .udp, missing: left, unknown: "$CLUSTER_SUBNET", ruleName: "cni-vxlan")
    ]
  }

  /// Which plugin there is cannot be told; that no tunnel at all is let in can.
  private static func unknownPlugin(_ subject: LintSubject) -> [Diagnostic] {
    let tunnels: [UInt16] = [4789, 8472, 6081, 51871]
    guard subject.isBlocking, tunnels.allSatisfy({ subject.rules(for: $0, .udp).isEmpty })
    else { return [] }
    return [
      Diagnostic(
        missing, .note, "no rule lets in the tunnels of a network plugin", at: subject.modePlace,
        notes: [
          "Flannel and Calico tunnel on 4789/udp, Cilium on 8472/udp or 6081/udp, "
            + "its WireGuard on 51871/udp"
        ],
        help: "say which plugin it is with --with cni=flannel, calico or cilium; "
          + "without tunnels, nothing is amiss")
    ]
  }
}
