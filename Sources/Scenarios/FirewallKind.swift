package import Addresses

/// A kind of firewall, by the word that a `firewall` statement calls it.
package enum FirewallKind: String, Hashable, Sendable, CaseIterable {
  case nft, live
  case talos
  case talosChains = "talos-chains"
  case terraform, aws, pfsense, opnsense, cisco, proxmox

  package enum Support: Hashable, Sendable {
    case file
    case machine
    case notYet
  }

  package var support: Support {
    switch self {
    case .nft, .talos: .file
    case .live: .machine
    case .talosChains, .terraform, .aws, .pfsense, .opnsense, .cisco, .proxmox: .notYet
    }
  }

  /// Interfaces that the system itself trusts: tunnels of its own, whose far ends are known.
  ///
  /// Talos accepts whatever comes in by these before any rule of its configuration.
  package var trustedInterfaces: [InterfaceName] {
    switch self {
    case .talos, .talosChains: ["siderolink", "kubespan"].compactMap { InterfaceName($0) }
    case .nft, .live, .terraform, .aws, .pfsense, .opnsense, .cisco, .proxmox: []
    }
  }

  /// What may stand after `with`.
  package var options: [FirewallOption] {
    switch self {
    case .talos: [.version, .node, .patch]
    case .nft, .live, .talosChains, .terraform, .aws, .pfsense, .opnsense, .cisco, .proxmox: []
    }
  }
}

/// What a firewall's file does not say by itself.
package enum FirewallOption: String, Hashable, Sendable, CaseIterable {
  /// The version of the system that reads the file.
  case version
  /// The addresses of the machine that the firewall is on.
  case node
  /// A file that changes the first one.
  case patch

  package enum Value: Hashable, Sendable {
    case text
    case addresses
  }

  package var value: Value {
    switch self {
    case .version, .patch: .text
    case .node: .addresses
    }
  }

  package var isRepeatable: Bool {
    switch self {
    case .patch: true
    case .version, .node: false
    }
  }

  /// What the option takes, as a phrase.
  var takes: String {
    switch self {
    case .version: "a version in double quotes"
    case .node: "the node's addresses, or a host or group that has them"
    case .patch: "a file's path in double quotes"
    }
  }

  var example: String {
    switch self {
    case .version: "\"1.13\""
    case .node: "cp1"
    case .patch: "\"patch.yaml\""
    }
  }
}
