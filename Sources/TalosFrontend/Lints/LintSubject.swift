import Addresses
import Diagnostics

/// A machine configuration under examination, and the questions that several lints ask of it.
struct LintSubject {
  let configuration: MachineConfiguration
  let version: TalosVersion
  let cluster: ClusterDescription
  /// What Talos makes of the configuration.
  let chains: [ChainSpecification]

  var isBlocking: Bool { configuration.action == .block }

  /// Whether Talos makes any chain.
  var hasFirewall: Bool { !chains.isEmpty }

  /// The node's part in the cluster, if it can be told.
  ///
  /// Documents alone tell it where a rule names a port that only control plane nodes listen on.
  var isControlPlane: Bool? {
    switch configuration.legacy?.machineType?.value ?? cluster.machineType {
    case .controlPlane, .initial: return true
    case .worker: return false
    case nil: break
    }
    let ports: [UInt16] = [2379, 2380, 6443, 50001]
    return ports.contains { !rules(for: $0, .tcp).isEmpty } ? true : nil
  }

  /// The network plugin, if it can be told: Talos brings Flannel unless it is told otherwise.
  var networkPlugin: NetworkPlugin? {
    if let plugin = cluster.networkPlugin { return plugin }
    if configuration.flannel != nil { return .flannel }
    switch configuration.legacy?.cniName?.value {
    case "flannel": return .flannel
    case nil: return configuration.legacy?.network == nil ? nil : .flannel
    default: return nil
    }
  }

  /// Pods' addresses, where the configuration names them.
  var podSubnets: [Located<ConfiguredPrefix>] {
    configuration.kubeNetwork?.podSubnets ?? configuration.legacy?.network?.podSubnets ?? []
  }

  var pods: AddressSet {
    podSubnets.reduce(.empty) { $0.union(AddressSet($1.value.network)) }
  }

  /// The rules that name a port.
  func rules(for port: UInt16, _ transport: TransportProtocol) -> [NetworkRule] {
    configuration.rules.filter { rule in
      rule.transport?.value == transport
        && rule.ports.contains { $0.value.lower <= port && port <= $0.value.upper }
    }
  }

  /// Who may open connections to a port of the node, over interfaces that Talos does not trust.
  ///
  /// In block mode every rule lets somebody in; in accept mode every rule keeps somebody out.
  func admitted(to port: UInt16, _ transport: TransportProtocol) -> AddressSet {
    let rules = rules(for: port, transport)
    guard isBlocking else { return rules.reduce(.any) { $0.intersection($1.sources) } }
    return rules.reduce(.empty) { $0.union($1.sources) }
  }

  /// Where the firewall's way with everything else is said.
  var modePlace: Diagnostic.Label? {
    if let ingress = configuration.defaultAction?.ingress {
      return Diagnostic.Label(
        ingress.span, isBlocking ? "what no rule allows is dropped" : "what no rule names passes")
    }
    return configuration.rules.first.map { Diagnostic.Label($0.name.span) }
  }

  /// The place of a rule: its name, which is what people look for.
  static func place(_ rule: NetworkRule, _ text: String = "") -> Diagnostic.Label {
    Diagnostic.Label(rule.name.span, text)
  }
}
