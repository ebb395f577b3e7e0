import Diagnostics

/// What is neither TCP, UDP nor ICMP cannot be let in by any rule.
///
/// Source: github.com/siderolabs/talos/issues/14070.
enum ProtocolsWithoutPorts: Lint {
  static let code: Diagnostic.Code = "talos.protocols-without-ports"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    guard subject.isBlocking else { return [] }
    let plugin: String
    switch subject.networkPlugin {
    case .calico: plugin = "Calico's IP-in-IP (protocol 4) is dropped; its VXLAN is not"
    case .cilium: plugin = "Cilium's IPsec (ESP, protocol 50) is dropped; its WireGuard is not"
    case .flannel, nil: return []
    }
    return [
      Diagnostic(
        code, .note, "in block mode no rule can let in a protocol without ports",
        at: subject.modePlace, notes: [plugin])
    ]
  }
}
