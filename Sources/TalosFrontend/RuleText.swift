package import Addresses

/// A `NetworkRuleConfig` to be written: what a remedy proposes.
package struct RuleText: Hashable, Sendable {
  package var name: String
  package var ports: [PortRange]
  package var transport: TransportProtocol
  package var entries: [Entry]

  package struct Entry: Hashable, Sendable {
    /// The prefix, or a word in its place that is to be replaced.
    package var subnet: String
    package var except: String?
    /// What the entry is for.
    package var comment: String?

    package init(_ subnet: String, except: String? = nil, comment: String? = nil) {
      self.subnet = subnet
      self.except = except
      self.comment = comment
    }
  }

  package init(
    name: String, ports: [PortRange], transport: TransportProtocol, entries: [Entry]
  ) {
    self.name = name
    self.ports = ports
    self.transport = transport
    self.entries = entries
  }

  /// The document, as Talos itself writes it: keys in its order, four spaces to a level.
  ///
  /// Source: pkg/machinery/config/types/network/testdata/ruleconfig.yaml.
  package var yaml: String {
    var lines = [
      "apiVersion: v1alpha1", "kind: NetworkRuleConfig", "name: \(name)", "portSelector:",
      "    ports:",
    ]
    lines += Self.lines(of: ports)
    lines += ["    protocol: \(transport)", "ingress:"]
    lines += Self.lines(of: entries)
    return lines.joined(separator: "\n")
  }

  /// The items of `portSelector.ports`.
  static func lines(of ports: [PortRange]) -> [String] {
    ports.map { "        - \($0.text)" }
  }

  /// The items of `ingress`.
  static func lines(of entries: [Entry]) -> [String] {
    entries.flatMap { entry in
      let comment = entry.comment.map { " # \($0)" } ?? ""
      return ["    - subnet: \(entry.subnet)\(comment)"]
        + (entry.except.map { ["      except: \($0)"] } ?? [])
    }
  }

  /// Entries for a set of addresses, or for one that is not known and to be filled in.
  static func entries(_ addresses: AddressSet, unknown word: String) -> [Entry] {
    addresses.isEmpty
      ? [Entry(word, comment: "to be replaced")] : addresses.prefixes.map { Entry("\($0)") }
  }
}
