package import Addresses
import Diagnostics

/// One change of the documents of a machine configuration.
package enum ConfigurationEdit: Hashable, Sendable {
  /// A new document.
  case addRule(RuleText)
  /// More sources for a rule.
  case addSources([IPPrefix], rule: String)
  /// The rule's list `ingress`, written anew.
  case replaceSources([RuleText.Entry], rule: String)
  /// More ports for a rule.
  case addPorts([PortRange], rule: String)
  /// The rule's list `portSelector.ports`, written anew.
  case replacePorts([PortRange], rule: String)
  case removeRule(String)
}

extension ConfigurationEdit {
  /// How many lines of YAML come or go: what makes one change smaller than another.
  package var size: Int {
    switch self {
    // A new document brings its head as well.
    case .addRule(let rule): 7 + rule.ports.count + rule.entries.count
    case .addSources(let prefixes, _): prefixes.count
    case .replaceSources(let entries, _): 1 + entries.count
    case .addPorts(let ports, _): ports.count
    case .replacePorts(let ports, _): 1 + ports.count
    case .removeRule: 1
    }
  }

  /// What is to be done, and the YAML of it.
  package var text: String {
    switch self {
    case .addRule(let rule): "add\n---\n\(rule.yaml)"
    case .addSources(let prefixes, let rule):
      "add to `ingress` of `\(rule)`\n"
        + prefixes.map { "    - subnet: \($0)" }.joined(separator: "\n")
    case .replaceSources(let entries, let rule):
      "replace `ingress` of `\(rule)` by\n"
        + (["ingress:"] + RuleText.lines(of: entries)).joined(separator: "\n")
    case .addPorts(let ports, let rule):
      "add to `portSelector.ports` of `\(rule)`\n"
        + RuleText.lines(of: ports).joined(separator: "\n")
    case .replacePorts(let ports, let rule):
      "replace `portSelector.ports` of `\(rule)` by\n"
        + (["    ports:"] + RuleText.lines(of: ports)).joined(separator: "\n")
    case .removeRule(let rule): "remove the document `\(rule)`"
    }
  }
}

extension MachineConfiguration {
  /// Makes a change.
  ///
  /// New values stand where the document stands that they would be written into, or for a new
  /// document where the default action is said.
  mutating func apply(_ edit: ConfigurationEdit) {
    switch edit {
    case .addRule(let text):
      let place =
        defaultAction?.span ?? rules.last?.span ?? SourceSpan(file: 0, lower: 0, upper: 0)
      rules.append(NetworkRule(text, at: place))
    case .addSources(let prefixes, let name):
      change(name) { rule in
        rule.ingress += prefixes.map { NetworkRule.Entry(ConfiguredPrefix($0), at: rule.span) }
      }
    case .replaceSources(let entries, let name):
      change(name) { rule in
        rule.ingress = entries.compactMap { NetworkRule.Entry($0, at: rule.span) }
      }
    case .addPorts(let ports, let name):
      change(name) { rule in rule.ports += ports.map { Located($0, at: rule.span) } }
    case .replacePorts(let ports, let name):
      change(name) { rule in rule.ports = ports.map { Located($0, at: rule.span) } }
    case .removeRule(let name): rules.removeAll { $0.name.value == name }
    }
  }

  private mutating func change(_ name: String, _ body: (inout NetworkRule) -> Void) {
    guard let index = rules.firstIndex(where: { $0.name.value == name }) else { return }
    body(&rules[index])
  }
}

extension NetworkRule {
  fileprivate init(_ text: RuleText, at span: SourceSpan) {
    self.init(
      name: Located(text.name, at: span), ports: text.ports.map { Located($0, at: span) },
      transport: Located(text.transport, at: span),
      ingress: text.entries.compactMap { Entry($0, at: span) }, ingressSpan: span, span: span)
  }
}

extension NetworkRule.Entry {
  fileprivate init(_ prefix: ConfiguredPrefix, at span: SourceSpan) {
    self.init(subnet: Located(prefix, at: span), except: nil, span: span)
  }

  /// An entry as a document would have it; nil where a word stands for the prefix.
  fileprivate init?(_ text: RuleText.Entry, at span: SourceSpan) {
    guard let subnet = ConfiguredPrefix(text.subnet) else { return nil }
    self.init(
      subnet: Located(subnet, at: span),
      except: text.except.flatMap { ConfiguredPrefix($0) }.map { Located($0, at: span) },
      span: span)
  }
}
