import Addresses

/// A way to keep sources out.
enum Refusal {
  /// The rules of the ports except them.
  case byExceptions
  /// The rules of the ports name what is left.
  case bySubnets
  /// Accept mode: rules that everybody else is named in.
  case byNewRules

  func edits(
    _ target: TalosRemedies.Target, _ sources: AddressSet, _ configuration: MachineConfiguration
  ) -> [ConfigurationEdit] {
    switch self {
    case .byExceptions, .bySubnets:
      return configuration.rules.filter { rule in
        rule.concerns(target) && !rule.sources.intersection(sources).isEmpty
      }.flatMap { edits(of: $0, target, sources, configuration) }
    case .byNewRules:
      guard !configuration.rules.contains(where: { $0.concerns(target) }) else { return [] }
      let entries =
        Self.excepting(sources, from: ["0.0.0.0/0", "::/0"].compactMap { ConfiguredPrefix($0) })
        ?? AddressSet.any.subtracting(sources).prefixes.map { RuleText.Entry("\($0)") }
      return [
        .addRule(
          RuleText(
            name: configuration.freeName(for: target), ports: target.ranges,
            transport: target.transport, entries: entries))
      ]
    }
  }

  /// Takes sources out of a rule, or its ports out of it into a rule without them.
  private func edits(
    of rule: NetworkRule, _ target: TalosRemedies.Target, _ sources: AddressSet,
    _ configuration: MachineConfiguration
  ) -> [ConfigurationEdit] {
    let left = rule.sources.subtracting(sources)
    let entries = left.isEmpty ? [] : entries(of: rule, without: sources, left)
    let others = rule.portSet.subtracting(target.ports)
    if others.isEmpty {
      return left.isEmpty && configuration.action == .block
        ? [.removeRule(rule.name.value)]
        : [.replaceSources(entries, rule: rule.name.value)]
    }
    let concerned = TalosRemedies.Target(
      target.transport, rule.portSet.intersection(target.ports), service: target.service)
    let remaining = TalosRemedies.Target(target.transport, others)
    let narrowed = ConfigurationEdit.replacePorts(remaining.ranges, rule: rule.name.value)
    if left.isEmpty, configuration.action == .block { return [narrowed] }
    return [
      narrowed,
      .addRule(
        RuleText(
          name: configuration.freeName(for: concerned), ports: concerned.ranges,
          transport: target.transport, entries: entries)),
    ]
  }

  private func entries(
    of rule: NetworkRule, without sources: AddressSet, _ left: AddressSet
  ) -> [RuleText.Entry] {
    let plain = left.prefixes.map { RuleText.Entry("\($0)") }
    guard case .byExceptions = self, rule.ingress.allSatisfy({ $0.except == nil }) else {
      return plain
    }
    return Self.excepting(sources, from: rule.ingress.map(\.subnet.value)) ?? plain
  }

  /// Subnets with exceptions: one to a subnet, each for the whole rule.
  ///
  /// - Returns: Nil where there are more exceptions than subnets to write them at.
  private static func excepting(
    _ sources: AddressSet, from subnets: [ConfiguredPrefix]
  ) -> [RuleText.Entry]? {
    let kept = subnets.filter { !AddressSet($0.network).isSubset(of: sources) }
    let whole = kept.reduce(AddressSet.empty) { $0.union(AddressSet($1.network)) }
    var exceptions = sources.intersection(whole).prefixes
    var entries: [RuleText.Entry] = []
    for subnet in kept {
      var entry = RuleText.Entry("\(subnet)")
      if let index = exceptions.firstIndex(where: {
        !AddressSet($0).intersection(AddressSet(subnet.network)).isEmpty
      }) {
        entry.except = "\(exceptions.remove(at: index))"
      }
      entries.append(entry)
    }
    return exceptions.isEmpty ? entries : nil
  }
}
