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
      "apiVersion: v1alpha1", "kind: NetworkRuleConfig", "name: \(Self.scalar(name))",
      "portSelector:",
      "    ports:",
    ]
    lines += Self.lines(of: ports)
    lines += ["    protocol: \(transport)", "ingress:"]
    lines += Self.lines(of: entries)
    return lines.joined(separator: "\n")
  }

  /// A text as a YAML scalar: between quotes where it could be read as anything else.
  ///
  /// Source: yaml.org/spec/1.2.2, §5.7 (escapes), §7.3.3 (plain scalars) and §10.3.2 (words that are
  /// no texts); yaml.org/type/bool.html for those that older readers take for truth values.
  static func scalar(_ text: String) -> String {
    let isPlain =
      text.first.map { $0.isASCII && $0.isLetter } ?? false
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
          UInt8(ascii: "_"), UInt8(ascii: "/"):
          true
        default: false
        }
      }
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
    if isPlain, !words.contains(text.lowercased()) { return text }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\\(scalar)"
      case "\n": quoted += "\\n"
      case "\t": quoted += "\\t"
      default:
        if scalar.value < 0x20 || scalar.properties.generalCategory == .control
          || [0x2028, 0x2029, 0xFEFF].contains(scalar.value)
        {
          let digits = String(scalar.value, radix: 16)
          quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        } else {
          quoted.unicodeScalars.append(scalar)
        }
      }
    }
    return quoted + "\""
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
