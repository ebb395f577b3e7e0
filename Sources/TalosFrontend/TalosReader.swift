package import Diagnostics
package import Rulesets

/// Reads machine configurations of Talos and makes the ruleset that a node loads.
///
/// ```swift
/// var sources = SourceMap()
/// let reading = TalosReader.read(
///   [("controlplane.yaml", bytes), ("patch.yaml", patch)],
///   options: TalosReader.Options(version: .standard, nodeAddresses: .known([address])),
///   sources: &sources)
/// guard let ruleset = reading.ruleset else { … render reading.diagnostics … }
/// ```
package enum TalosReader {
  /// What the configuration does not say by itself.
  package struct Options: Hashable, Sendable {
    package var version: TalosVersion
    package var nodeAddresses: NodeAddresses

    package init(version: TalosVersion = .standard, nodeAddresses: NodeAddresses = .notKnown) {
      self.version = version
      self.nodeAddresses = nodeAddresses
    }
  }

  /// What became of the files.
  package struct Reading: Sendable {
    /// The configuration after all patches; nil if any diagnostic is an error.
    package let configuration: MachineConfiguration?
    /// The chains that Talos wants; none if any diagnostic is an error.
    package let chains: [ChainSpecification]
    /// What the kernel holds; nil if any diagnostic is an error.
    package let ruleset: Ruleset?
    package let diagnostics: [Diagnostic]
  }

  /// Reads files and adds them to `sources`, so that every rule's provenance points into them.
  ///
  /// - Parameters:
  ///   - files: the configuration, and patches in the order in which they apply. The first may also
  ///     be what `talosctl get machineconfig -o yaml` prints.
  ///   - options: the version of Talos and the node's addresses.
  ///   - sources: the map that the files are added to.
  /// - Returns: configuration, chains and ruleset, or diagnostics that say why there are none.
  package static func read(
    _ files: [(name: String, bytes: [UInt8])], options: Options, sources: inout SourceMap
  ) -> Reading {
    let features = FirewallFeatures(options.version)
    var diagnostics: [Diagnostic] = []
    if !options.version.isKnown {
      diagnostics.append(TalosProblem.versionUnknown(options.version).diagnostic(at: nil))
    }
    var patches: ConfigurationPatches?
    for (name, bytes) in files {
      let file = sources.add(SourceFile(name: name, bytes: bytes))
      let stream = ConfigurationStream(bytes, file: file)
      diagnostics += stream.diagnostics
      if patches == nil {
        diagnostics += duplicates(in: stream.documents, sources)
        if stream.documents.isEmpty, stream.diagnostics.isEmpty {
          diagnostics.append(
            TalosProblem.noDocuments.diagnostic(at: SourceSpan(file: file, lower: 0, upper: 0)))
        }
        patches = ConfigurationPatches(stream.documents, features: features)
      } else {
        for document in stream.documents { patches?.apply(document) }
      }
    }
    diagnostics += patches?.diagnostics ?? []
    var decoder = ConfigurationDecoder(features: features)
    decoder.decode(patches?.documents ?? [])
    diagnostics += decoder.diagnostics
    guard !diagnostics.contains(where: { $0.severity == .error }) else {
      return Reading(configuration: nil, chains: [], ruleset: nil, diagnostics: diagnostics)
    }
    let configuration = decoder.configuration
    let chains = chains(of: configuration, options: options)
    let lowering = ChainLowering(options.version)
    for refusal in lowering.refusals(of: chains) where refusal.chain == 0 {
      diagnostics.append(
        TalosProblem.rangeRefused(refusal.range, version: options.version).diagnostic(
          at: chains[refusal.chain].rules[refusal.rule].provenance.span))
    }
    return Reading(
      configuration: configuration, chains: chains, ruleset: lowering.ruleset(of: chains),
      diagnostics: diagnostics)
  }

  /// Documents of one stream that are the same one; patches may repeat themselves.
  private static func duplicates(
    in documents: [ConfigurationDocument], _ sources: SourceMap
  ) -> [Diagnostic] {
    var first: [ConfigurationDocument.Identity: SourceSpan] = [:]
    var diagnostics: [Diagnostic] = []
    for document in documents {
      let place = document.root["name"]?.span ?? document.root.mapping?.first?.nameSpan
      guard let span = place else { continue }
      if let other = first[document.identity] {
        let kind = document.kind.isEmpty ? "v1alpha1" : document.kind
        let line = sources.position(of: document.root.span).line
        diagnostics.append(
          TalosProblem.duplicateDocument(
            "\(document.apiVersion)/\(kind)/\(document.name)", line: line
          ).diagnostic(at: span, besides: other))
      } else {
        first[document.identity] = span
      }
    }
    return diagnostics
  }
}

extension TalosReader {
  /// The chains that Talos wants of a configuration that is already read.
  package static func chains(
    of configuration: MachineConfiguration, options: Options
  ) -> [ChainSpecification] {
    FirewallChains(version: options.version, nodeAddresses: options.nodeAddresses)
      .chains(of: configuration)
  }

  /// What a node loads of a configuration that is already read.
  package static func ruleset(
    of configuration: MachineConfiguration, options: Options
  ) -> Ruleset {
    ChainLowering(options.version).ruleset(of: chains(of: configuration, options: options))
  }
}
