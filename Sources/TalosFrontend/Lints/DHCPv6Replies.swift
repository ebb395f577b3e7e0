import Addresses
import Diagnostics

/// The answer to a DHCPv6 request comes from another address than the group that was asked, so it
/// belongs to no connection.
enum DHCPv6Replies: Lint {
  static let code: Diagnostic.Code = "talos.dhcpv6-dropped"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    let document = subject.configuration.others.first { $0.kind == "DHCPv6Config" }
    let place = document?.span ?? subject.configuration.legacy?.usesDHCPv6?.span
    let isMissing = subject.admitted(to: 546, .udp).ipv6.isEmpty
    guard let place, subject.isBlocking, isMissing else { return [] }
    let text = RuleText(
      name: "dhcpv6-ingress", ports: [PortRange(546)], transport: .udp,
      entries: [RuleText.Entry("fe80::/10")])
    return [
      Diagnostic(
        code, .error, "answers of DHCPv6 servers are dropped: no rule lets them in on 546/udp",
        at: Diagnostic.Label(place, "asks for an address"),
        help: "add\n---\n\(text.yaml)")
    ]
  }
}
