package import Addresses

/// What is known of a cluster beside a node's machine configuration.
///
/// Sets that are empty are not known: lints then ask only whether anybody at all gets through.
package struct ClusterDescription: Hashable, Sendable {
  /// The addresses of the control plane nodes.
  package var controlPlanes: AddressSet
  package var workers: AddressSet
  /// Where talosctl and kubectl are used.
  package var administrators: AddressSet
  /// The addresses of the node that is configured: it never crosses its own firewall.
  package var own: AddressSet
  /// The node's part, where its configuration does not say.
  package var machineType: MachineConfiguration.MachineType?
  /// The network plugin, where the configuration does not say.
  package var networkPlugin: NetworkPlugin?

  package init(
    controlPlanes: AddressSet = .empty, workers: AddressSet = .empty,
    administrators: AddressSet = .empty, own: AddressSet = .empty,
    machineType: MachineConfiguration.MachineType? = nil, networkPlugin: NetworkPlugin? = nil
  ) {
    self.controlPlanes = controlPlanes
    self.workers = workers
    self.administrators = administrators
    self.own = own
    self.machineType = machineType
    self.networkPlugin = networkPlugin
  }

  /// Every node but the one that is configured.
  var otherNodes: AddressSet { controlPlanes.union(workers).subtracting(own) }
}

/// A network plugin whose traffic between nodes is known.
package enum NetworkPlugin: String, Hashable, Sendable, CaseIterable {
  case flannel, calico, cilium

  /// The UDP port that its tunnels are received on as it comes.
  ///
  /// Source: Talos' constants.FlannelDefaultBackendPort; Calico's `vxlanPort`; Cilium's
  /// `tunnel-port`.
  var tunnelPort: UInt16 {
    switch self {
    case .flannel, .calico: 4789
    case .cilium: 8472
    }
  }

  var name: String {
    switch self {
    case .flannel: "Flannel"
    case .calico: "Calico"
    case .cilium: "Cilium"
    }
  }
}
