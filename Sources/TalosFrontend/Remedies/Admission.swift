import Addresses

/// A way to let sources in.
enum Admission {
  /// Block mode: the sources join the rules that have exactly these ports.
  case rulesOfThePorts
  /// Block mode: the ports join the rules that have exactly these sources.
  case rulesOfTheSources
  /// Block mode: a rule of its own.
  case newRules
  /// Accept mode: the sources join every rule of the ports, each of which keeps them out.
  case allRules
  /// The same, where an exception of the rule would keep them out.
  case withoutExcepts

  func edits(
    _ target: TalosRemedies.Target, _ sources: AddressSet, _ configuration: MachineConfiguration
  ) -> [ConfigurationEdit] {
    let concerned = configuration.rules.filter { $0.concerns(target) }
    switch self {
    case .rulesOfThePorts:
      guard let rule = concerned.first(where: { $0.portSet == target.ports }) else { return [] }
      let missing = sources.subtracting(rule.sources)
      return missing.isEmpty
        ? [] : [.addSources(missing.prefixes, rule: rule.name.value)]
    case .rulesOfTheSources:
      let rule = configuration.rules.first {
        $0.transport?.value == target.transport && $0.sources == sources
      }
      guard let rule else { return [] }
      let missing = target.ports.subtracting(rule.portSet)
      let ports = TalosRemedies.Target(target.transport, missing).ranges
      return ports.isEmpty ? [] : [.addPorts(ports, rule: rule.name.value)]
    case .newRules:
      return [
        .addRule(
          RuleText(
            name: configuration.freeName(for: target), ports: target.ranges,
            transport: target.transport,
            entries: sources.prefixes.map { RuleText.Entry("\($0)") }))
      ]
    case .allRules:
      return concerned.compactMap { rule in
        let missing = sources.subtracting(rule.sources)
        return missing.isEmpty
          ? nil : .addSources(missing.prefixes, rule: rule.name.value)
      }
    case .withoutExcepts:
      return concerned.compactMap { rule in
        guard !sources.isSubset(of: rule.sources) else { return nil }
        let wanted = rule.sources.union(sources)
        return .replaceSources(
          wanted.prefixes.map { RuleText.Entry("\($0)") }, rule: rule.name.value)
      }
    }
  }
}
