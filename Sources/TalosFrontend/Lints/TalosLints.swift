package import Diagnostics

/// A check of a machine configuration: each in a file of its own in this folder.
protocol Lint: SendableMetatype {
  /// The codes that its findings carry.
  static var codes: [Diagnostic.Code] { get }
  static func findings(in subject: LintSubject) -> [Diagnostic]
}

/// Everything that is known to go wrong with Talos' ingress firewall.
///
/// An error says that something does not work or that everybody is let in where nobody should be,
/// a warning that it is probably not meant so, and a note what Talos does without being asked.
package enum TalosLints {
  private static let all: [any Lint.Type] = [
    AdministratorAccess.self, PeerAccess.self, KubeSpanAccess.self, OverlayAccess.self,
    AdjacentPorts.self, ManyRules.self, MissingProtocol.self,
    PortsOfICMP.self, EmptyIngress.self, RepliesDropped.self, RulesIntersect.self,
    ExceptWithoutEffect.self, ExceptAcrossEntries.self, HostBits.self, OneFamily.self,
    PodsOfTheNode.self, HostDNSCutOff.self, EtcdOverHTTP.self, NodePorts.self,
    UnfilteredAddresses.self, DHCPv6Replies.self, OnlyFiveEchoes.self, ProtocolsWithoutPorts.self,
  ]

  /// The stable codes of all findings.
  package static var codes: [Diagnostic.Code] { all.flatMap { $0.codes } }

  /// What is wrong, or surprising, in the order of the places in the files, errors first.
  package static func findings(
    in configuration: MachineConfiguration, options: TalosReader.Options,
    cluster: ClusterDescription = ClusterDescription()
  ) -> [Diagnostic] {
    let subject = LintSubject(
      configuration: configuration, version: options.version, cluster: cluster,
      chains: TalosReader.chains(of: configuration, options: options))
    guard subject.hasFirewall else { return [] }
    let found = all.flatMap { $0.findings(in: subject) }
    return found.enumerated()
      .sorted { rank($0.element, $0.offset) < rank($1.element, $1.offset) }
      .map(\.element)
  }

  private static func rank(_ finding: Diagnostic, _ number: Int) -> (Int, Int, Int, Int) {
    let severity =
      switch finding.severity {
      case .error: 0
      case .warning: 1
      case .note: 2
      }
    let span = finding.primary?.span
    return (severity, span?.file ?? .max, span?.lower ?? .max, number)
  }
}
