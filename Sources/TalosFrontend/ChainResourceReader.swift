package import Diagnostics
internal import Documents
internal import Rulesets

/// Reads the chains that a node of Talos wants: `talosctl get nftableschains -o yaml` or `-o json`.
///
/// ```swift
/// var sources = SourceMap()
/// let reading = TalosChainsReader.read(bytes, name: "chains.yaml", sources: &sources)
/// guard let chains = reading.chains else { … render reading.diagnostics … }
/// let ruleset = ChainLowering(version).ruleset(of: chains)
/// ```
///
/// Resources are what Talos wants: they are there also where the kernel refused them
/// (``ChainLowering/refusals(of:)``).
package enum TalosChainsReader {
  /// What the output does not say by itself.
  package struct Options: Hashable, Sendable {
    /// The node whose chains are meant, as the output names it; nil if the output is of one node.
    package var node: String?

    package init(node: String? = nil) { self.node = node }
  }

  /// What became of an output.
  package struct Reading: Sendable {
    /// The chains in the order of the text; nil if any diagnostic is an error.
    package let chains: [ChainSpecification]?
    /// The nodes of which the output has resources, in the order of the text.
    package let nodes: [String]
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
  ///   - options: which node is meant.
  ///   - sources: the map that the file is added to.
  /// - Returns: the chains, or diagnostics that say why there are none.
  package static func read(
    _ bytes: [UInt8], name: String, options: Options = Options(), sources: inout SourceMap
  ) -> Reading {
    let file = sources.add(SourceFile(name: name, bytes: bytes))
    let stream = ResourceStream(bytes, file: file)
    var reader = ChainResourceStream(file: file)
    reader.diagnostics = stream.diagnostics
    if reader.diagnostics.isEmpty { reader.read(stream.documents, of: options.node) }
    let isWrong = reader.diagnostics.contains { $0.severity == .error }
    return Reading(
      chains: isWrong ? nil : reader.chains, nodes: reader.nodes, diagnostics: reader.diagnostics)
  }
}

/// Picks a node's chains out of resources.
private struct ChainResourceStream {
  let file: Int
  var diagnostics: [Diagnostic] = []
  private(set) var nodes: [String] = []
  private(set) var chains: [ChainSpecification] = []

  init(file: Int) { self.file = file }

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

  mutating func read(_ documents: [YAMLValue], of wanted: String?) {
    let resources = documents.compactMap { resource($0) }
    guard !diagnostics.contains(where: { $0.severity == .error }) else { return }
    for resource in resources where !nodes.contains(resource.node) { nodes.append(resource.node) }
    guard let first = resources.first else {
      diagnostics.append(
        ChainResourceProblem.noChains.diagnostic(
          at: SourceSpan(file: file, lower: 0, upper: 0)))
      return
    }
    if let wanted {
      guard nodes.contains(wanted) else {
        diagnostics.append(
          ChainResourceProblem.nodeUnknown(wanted, nodes: nodes).diagnostic(at: nil))
        return
      }
    } else if nodes.count > 1 {
      let other = resources.first { $0.node == nodes[1] }
      diagnostics.append(
        ChainResourceProblem.severalNodes(nodes).diagnostic(
          at: other?.whole["node"]?.span(in: file), besides: first.whole["node"]?.span(in: file)))
      return
    }
    let node = wanted ?? nodes[0]
    for resource in last(of: resources.filter { $0.node == node }) { add(resource) }
    reportMissing()
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

  /// Packets pass `prerouting` and then `ingress`: one without the other may be half the answer.
  private mutating func reportMissing() {
    let names = ["ingress", "prerouting"]
    let missing = names.filter { name in !chains.contains { $0.name == name } }
    guard missing.count == 1, !diagnostics.contains(where: { $0.severity == .error }) else {
      return
    }
    diagnostics.append(
      ChainResourceProblem.chainMissing(missing[0]).diagnostic(
        at: SourceSpan(file: file, lower: 0, upper: 0)))
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
