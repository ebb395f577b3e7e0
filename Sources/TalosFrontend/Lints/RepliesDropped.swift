import Addresses
import Diagnostics

/// In accept mode Talos does not track connections before 1.15: a rule for a port that the node
/// itself connects from drops the answers.
///
/// Source: github.com/siderolabs/talos/issues/13926.
enum RepliesDropped: Lint {
  static let code: Diagnostic.Code = "talos.replies-dropped"
  static var codes: [Diagnostic.Code] { [code] }

  /// net.ipv4.ip_local_port_range as Linux has it.
  private static let ephemeral = PortRange(32768, 60999)

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    guard !subject.isBlocking, subject.version < TalosVersion(1, 15, 0, .alpha(0)) else {
      return []
    }
    return subject.configuration.rules.compactMap { rule in
      guard let transport = rule.transport?.value, [.tcp, .udp].contains(transport),
        rule.sources != .any,
        let ports = rule.ports.first(where: {
          $0.value.lower <= ephemeral.upper && $0.value.upper >= ephemeral.lower
        })
      else { return nil }
      let isSingle = ports.value.lower == ports.value.upper
      let which = isSingle ? "port \(ports.value.lower)" : "ports \(ports.value)"
      return Diagnostic(
        code, isSingle ? .warning : .error,
        "\(which): answers to connections that the node opens from there are dropped before Talos 1.15",
        at: Diagnostic.Label(ports.span, "Linux connects from \(ephemeral)"),
        notes: [
          "in accept mode there is no rule for established connections; DNS, time, image pulls "
            + "and the control plane's own connections fail now and then"
        ],
        help: "use block mode, which lets answers in\n"
          + MachineConfiguration.DefaultAction.block.yaml)
    }
  }
}
