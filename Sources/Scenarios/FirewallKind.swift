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
    case .nft, .talos, .talosChains: .file
    case .live: .machine
    case .terraform, .aws, .pfsense, .opnsense, .cisco, .proxmox: .notYet
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
    case .talosChains: [.version, .node]
    case .nft, .live, .terraform, .aws, .pfsense, .opnsense, .cisco, .proxmox: []
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
    /// Addresses, or a name that only the file knows.
    case addressesOrText
  }

  /// What the option takes where a firewall of `kind` has it.
  package func value(of kind: FirewallKind) -> Value {
    switch self {
    case .version, .patch: .text
    // What talosctl prints of several nodes calls each by what it was asked for.
    case .node: kind == .talosChains ? .addressesOrText : .addresses
    }
  }

  package var isRepeatable: Bool {
    switch self {
    case .patch: true
    case .version, .node: false
    }
  }

  /// What the option takes where a firewall of `kind` has it, as a phrase.
  func takes(of kind: FirewallKind) -> String {
    switch (self, value(of: kind)) {
    case (.version, _): "a version in double quotes"
    case (.node, .addressesOrText):
      "the node's addresses, a host that has them, or the node's name in double quotes"
    case (.node, _): "the node's addresses, or a host or group that has them"
    case (.patch, _): "a file's path in double quotes"
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
