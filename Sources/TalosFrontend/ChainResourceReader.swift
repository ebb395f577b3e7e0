package import Addresses
package import Diagnostics
internal import Documents
package import Rulesets

/// Reads the chains that a node of Talos wants: `talosctl get nftableschains -o yaml` or `-o json`.
///
/// ```swift
/// var sources = SourceMap()
/// let reading = TalosChainsReader.read(bytes, name: "chains.yaml", sources: &sources)
/// guard let ruleset = reading.ruleset else { … render reading.diagnostics … }
/// ```
///
/// Resources are what Talos wants: they are there also where the kernel refused them
/// (``ChainLowering/refusals(of:)``).
package enum TalosChainsReader {
  /// What the output does not say by itself.
  package struct Options: Hashable, Sendable {
    package var version: TalosVersion
    package var node: NodeChoice

    package init(version: TalosVersion = .standard, node: NodeChoice = .only) {
      self.version = version
      self.node = node
    }
  }

  /// The node whose chains are meant.
  package enum NodeChoice: Hashable, Sendable {
    /// The one that there is; several are an error.
    case only
    /// The one that the output calls so.
    case named(String)
    /// The one that the output calls by one of these addresses; any other address is an error.
    case addressed(AddressSet)
    /// Likewise, but a single node that is called by any other address may have this one too: that
    /// is a warning.
    case standing(AddressSet)
  }

  /// What became of an output.
  package struct Reading: Sendable {
    /// The chains in the order of the text; nil if any diagnostic is an error.
    package let chains: [ChainSpecification]?
    /// The nodes of which the output has resources, in the order of the text.
    package let nodes: [String]
    /// What the kernel holds; nil if any diagnostic is an error.
    ///
    /// In the place of a chain that Talos makes and the output leaves out stands one that may drop
    /// anything. ``ChainLowering/ruleset(of:)`` makes the ruleset of no more than what is told.
    package let ruleset: Ruleset?
    package let diagnostics: [Diagnostic]
  }

  /// Reads an output and adds it to `sources`, so that every rule's provenance points into it.
  ///
  /// A match that is not known makes its rule a possible one, with a warning. Anything else that is
  /// not known and may change what the chain does is an error.
  ///
  /// - Parameters:
  ///   - bytes: YAML documents, or JSON objects one after the other.
  ///   - name: the file's name, for diagnostics.
  ///   - options: the version of Talos, and which node is meant.
  ///   - sources: the map that the file is added to.
  /// - Returns: chains and ruleset, or diagnostics that say why there are none.
  package static func read(
    _ bytes: [UInt8], name: String, options: Options = Options(), sources: inout SourceMap
  ) -> Reading {
    let file = sources.add(SourceFile(name: name, bytes: bytes))
    let stream = ResourceStream(bytes, file: file)
    var reader = ChainResourceStream(file: file, version: options.version)
    if !options.version.isKnown {
      reader.diagnostics.append(TalosProblem.versionUnknown(options.version).diagnostic(at: nil))
    }
    reader.diagnostics += stream.diagnostics
    if stream.diagnostics.isEmpty { reader.read(stream.documents, of: options.node) }
    guard !reader.diagnostics.contains(where: { $0.severity == .error }) else {
      return Reading(
        chains: nil, nodes: reader.nodes, ruleset: nil, diagnostics: reader.diagnostics)
    }
    return Reading(
      chains: reader.chains, nodes: reader.nodes,
      ruleset: ChainLowering(options.version).ruleset(of: reader.chains + reader.doubtfulChains),
      diagnostics: reader.diagnostics)
  }
}

/// Picks a node's chains out of resources.
private struct ChainResourceStream {
  let file: Int
  private let version: TalosVersion
  private let features: FirewallFeatures
  var diagnostics: [Diagnostic] = []
  private(set) var nodes: [String] = []
  private(set) var chains: [ChainSpecification] = []
  /// Stand for chains that should be there and are not.
  private(set) var doubtfulChains: [ChainSpecification] = []

  init(file: Int, version: TalosVersion) {
    self.file = file
    self.version = version
    features = FirewallFeatures(version)
  }

  /// A chain's resource as it is printed.
  private struct Resource {
    var node: String
    var event: String?
    var name: String
    var isEnding: Bool
    var whole: YAMLValue
    /// Where the name stands.
    var place: YAMLValue
  }

  mutating func read(
    _ documents: [YAMLValue], of choice: TalosChainsReader.NodeChoice
  ) {
    let resources = documents.compactMap { resource($0) }
    guard !diagnostics.contains(where: { $0.severity == .error }) else { return }
    for resource in resources where !nodes.contains(resource.node) { nodes.append(resource.node) }
    guard !resources.isEmpty else {
      diagnostics.append(
        ChainResourceProblem.noChains.diagnostic(
          at: SourceSpan(file: file, lower: 0, upper: 0)))
      return
    }
    guard let node = node(choice, in: resources) else { return }
    for resource in last(of: resources.filter { $0.node == node }) { add(resource) }
    guard !diagnostics.contains(where: { $0.severity == .error }) else { return }
    reportRefused()
    reportMissing()
  }

  /// The node that is meant; nil where it is none of those that there are.
  private mutating func node(
    _ choice: TalosChainsReader.NodeChoice, in resources: [Resource]
  ) -> String? {
    func span(of node: String) -> SourceSpan? {
      resources.first { $0.node == node }?.whole["node"]?.span(in: file)
    }
    func several(_ nodes: [String]) -> Diagnostic {
      ChainResourceProblem.severalNodes(nodes).diagnostic(
        at: span(of: nodes[1]), besides: span(of: nodes[0]))
    }
    switch choice {
    case .only:
      if nodes.count == 1 { return nodes[0] }
      diagnostics.append(several(nodes))
      return nil
    case .named(let name):
      if nodes.contains(name) { return name }
      diagnostics.append(
        ChainResourceProblem.nodeUnknown(name, nodes: nodes).diagnostic(at: nil))
      return nil
    case .addressed(let addresses), .standing(let addresses):
      let called = nodes.filter { IPAddress($0).map(addresses.contains) ?? false }
      if called.count == 1 { return called[0] }
      guard called.isEmpty, nodes.count == 1 else {
        diagnostics.append(several(called.isEmpty ? nodes : called))
        return nil
      }
      // A node that is called by a name may have any address.
      guard IPAddress(nodes[0]) != nil else { return nodes[0] }
      let isSure: Bool
      if case .addressed = choice { isSure = true } else { isSure = false }
      diagnostics.append(
        ChainResourceProblem.nodeElsewhere(nodes[0], isError: isSure).diagnostic(
          at: span(of: nodes[0])))
      return isSure ? nil : nodes[0]
    }
  }

  private mutating func resource(_ value: YAMLValue) -> Resource? {
    var decoder = ChainResourceDecoder(file: file)
    defer { diagnostics += decoder.diagnostics }
    guard let metadata = value["metadata"], let type = metadata["type"]?.scalar?.text else {
      switch value["event"]?.scalar?.text {
      // All that was there has been told; the event has no resource.
      case "bootstrapped": break
      case "errored":
        diagnostics.append(ChainResourceProblem.errored.diagnostic(at: value.span(in: file)))
      default:
        diagnostics.append(ChainResourceProblem.noResource.diagnostic(at: value.span(in: file)))
      }
      return nil
    }
    guard type == "NfTablesChains.net.talos.dev" else {
      diagnostics.append(
        ChainResourceProblem.otherResource(type).diagnostic(at: metadata["type"]?.span(in: file)))
      return nil
    }
    guard
      let fields = decoder.fields(
        of: value, called: "the resource", known: ["node", "event", "metadata", "spec"]),
      let (place, name) = decoder.fields(
        of: metadata, called: "metadata",
        known: ["id", "phase"]
      ).flatMap({ decoder.word($0, "id", in: metadata, called: "metadata") })
    else { return nil }
    for name in fields.unknown {
      diagnostics.append(
        ChainResourceProblem.topFieldUnknown(name.scalar?.text ?? "").diagnostic(
          at: name.span(in: file)))
    }
    let phase = metadata["phase"]
    let isEnding: Bool
    switch phase?.scalar?.text ?? "running" {
    case "running": isEnding = false
    case "tearingDown": isEnding = true
    case let text:
      decoder.refuse(phase ?? metadata, .phaseUnknown(text))
      return nil
    }
    return Resource(
      node: fields["node"]?.scalar?.text ?? "", event: fields["event"]?.scalar?.text, name: name,
      isEnding: isEnding, whole: value, place: place)
  }

  /// What is there after all events; without events every chain is printed once.
  private mutating func last(of resources: [Resource]) -> [Resource] {
    var last: [Resource] = []
    for resource in resources {
      let index = last.firstIndex { $0.name == resource.name }
      switch resource.event {
      case nil:
        if let index {
          diagnostics.append(
            ChainResourceProblem.chainTwice(resource.name).diagnostic(
              at: resource.place.span(in: file), besides: last[index].place.span(in: file)))
        } else {
          last.append(resource)
        }
      // `bootstrapped` and `noop` say that nothing has changed, `errored` that no more will come.
      case "created", "updated":
        if let index { last[index] = resource } else { last.append(resource) }
      case "destroyed": if let index { last.remove(at: index) }
      case "bootstrapped", "noop": break
      case "errored":
        diagnostics.append(
          ChainResourceProblem.errored.diagnostic(at: resource.whole["event"]?.span(in: file)))
      case let event?:
        diagnostics.append(
          ChainResourceProblem.eventUnknown(event).diagnostic(
            at: resource.whole["event"]?.span(in: file)))
      }
    }
    return last
  }

  private mutating func add(_ resource: Resource) {
    var decoder = ChainResourceDecoder(file: file)
    defer { diagnostics += decoder.diagnostics }
    guard let specification = resource.whole["spec"] else {
      decoder.refuse(resource.whole, .fieldMissing("spec", of: "the resource"))
      return
    }
    guard var chain = decoder.chain(named: resource.name, specification) else { return }
    if resource.isEnding {
      decoder.refuse(resource.place, .tearingDown(resource.name))
      chain.doubtAll(at: resource.place.span(in: file))
    }
    chains.append(chain)
  }

  /// Says which rules the kernel does not take from this version; both chains have most of them.
  private mutating func reportRefused() {
    let refusals = ChainLowering(version).refusals(of: chains)
    for refusal in refusals where refusal.chain == refusals[0].chain {
      diagnostics.append(
        TalosProblem.rangeRefused(refusal.range, version: version).diagnostic(
          at: chains[refusal.chain].rules[refusal.rule].provenance.span))
    }
  }

  /// Packets pass `prerouting` and then `ingress`: one without the other may be half the answer.
  ///
  /// Without either there is no firewall; KubeSpan's chains may be there still.
  private mutating func reportMissing() {
    let expected = [
      ChainSpecification(name: "ingress", hook: .input, priority: features.ingressPriority),
      ChainSpecification(name: "prerouting", hook: .prerouting, priority: -110),
    ]
    let missing = expected.filter { chain in !chains.contains { $0.name == chain.name } }
    guard missing.count == 1, var chain = missing.first,
      chain.hook != .prerouting || features.hasPrerouting
    else { return }
    diagnostics.append(
      ChainResourceProblem.chainMissing(chain.name).diagnostic(
        at: SourceSpan(file: file, lower: 0, upper: 0)))
    chain.rules = [
      ChainRuleSpecification(
        decision: .drop,
        certainty: .possible(reason: "the chain `\(chain.name)` is not in what was printed"),
        provenance: Provenance(vendorText: "Talos' chain \(chain.name), which is not told"))
    ]
    doubtfulChains = [chain]
  }
}

extension ChainSpecification {
  /// Leaves open whether the chain is there.
  fileprivate mutating func doubtAll(at span: SourceSpan) {
    let reason = "the chain `\(name)` is about to be removed"
    for index in rules.indices { rules[index].certainty = .possible(reason: reason) }
    guard policy == .drop else { return }
    policy = .accept
    rules.append(
      ChainRuleSpecification(
        decision: .drop, certainty: .possible(reason: reason),
        provenance: Provenance(span: span, vendorText: "the policy of Talos' chain \(name)")))
  }
}
