import Addresses
import Diagnostics

/// In block mode all ICMPv6 together, neighbour discovery with it, has five packets a second.
///
/// Source: github.com/siderolabs/talos/issues/11546.
enum OnlyFiveEchoes: Lint {
  static let code: Diagnostic.Code = "talos.icmp-budget"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    let usesIPv6 =
      !subject.pods.ipv6.isEmpty || !subject.cluster.otherNodes.ipv6.isEmpty
      || !subject.cluster.own.ipv6.isEmpty
    guard subject.isBlocking, usesIPv6 else { return [] }
    return [
      Diagnostic(
        code, .note,
        "in block mode ICMPv6 passes five packets a second, all senders together",
        at: subject.modePlace,
        notes: ["neighbour discovery lives off the same five: a flood of pings can cut IPv6 off"])
    ]
  }
}
