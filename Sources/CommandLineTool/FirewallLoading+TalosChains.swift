internal import Addresses
internal import Diagnostics
internal import Rulesets
internal import Scenarios
internal import TalosFrontend

/// What to read of chains that talosctl prints, and how.
struct TalosChainsQuestion: Hashable {
  var file: NamedFile
  var options = TalosChainsReader.Options()

  init(_ file: NamedFile) { self.file = file }

  /// Takes what stands after `with`.
  ///
  /// - Throws: ``Stop`` where a version is none, which has been told.
  mutating func take(
    _ option: FirewallDeclaration.Option, _ console: Console, _ sources: SourceMap
  ) throws(Stop) {
    switch (FirewallOption(rawValue: option.name), option.value) {
    case (.version, .text(let text)):
      options.version = try TalosVersion(text, said: option.span, console, sources)
    case (.node, .text(let name)): options.node = .named(name)
    case (.node, .addresses(let addresses)): options.node = .addressed(addresses)
    case (.version, _), (.patch, _), (.node, _), (nil, _):
      preconditionFailure("the resolver lets no option through that a kind does not have")
    }
  }
}

extension FirewallLoading {
  /// Chains that talosctl printed of a node.
  ///
  /// - Returns: The ruleset, and the part of it that the file tells.
  /// - Throws: ``Stop`` where the file cannot be read or is wrong, which has been told.
  mutating func talosChains(
    _ question: TalosChainsQuestion, sources: inout SourceMap
  ) throws(Stop) -> (reading: Reading, told: Ruleset) {
    let reading = TalosChainsReader.read(
      try bytes(of: question.file, sources), name: question.file.path, options: question.options,
      sources: &sources)
    for diagnostic in reading.diagnostics { console.say(diagnostic, sources: sources) }
    guard let ruleset = reading.ruleset, let chains = reading.chains else {
      throw Stop(status: .unusable, reason: "cannot make sense of '\(question.file.path)'")
    }
    return (
      Reading(
        ruleset: ruleset, original: Array(RulesetPrinter().text(of: ruleset).utf8)),
      ChainLowering(question.options.version).ruleset(of: chains)
    )
  }

  /// The chains of the node that a firewall stands on.
  ///
  /// - Throws: ``Stop``, which has been told.
  mutating func talosChains(
    _ file: NamedFile, of declaration: FirewallDeclaration, on hosts: [HostDeclaration],
    sources: inout SourceMap
  ) throws(Stop) -> Reading {
    var question = TalosChainsQuestion(file)
    if case .on(let placed) = declaration.placement {
      let standing = hosts.filter { !$0.addresses.intersection(placed).isEmpty }
      // A host is called by any of its addresses, whichever of them the firewall stands on.
      question.options.node = .standing(
        standing.reduce(placed) { $0.union($1.addresses) })
      if standing.count > 1 {
        let names = standing.map(\.name).joined(separator: ", ")
        console.say(
          Diagnostic(
            "talos.one-node", .warning,
            "'\(declaration.name)' stands on \(names), and holds the chains of one node",
            at: Diagnostic.Label(declaration.span),
            notes: ["of packets to node ports, each node judges those to its own addresses"],
            help: "declare a firewall for each node"), sources: sources)
      }
    }
    for option in declaration.options { try question.take(option, console, sources) }
    let key = "talos-chains:\(file.path) \(question.options)"
    if let reading = read[key] { return reading }
    let reading = try talosChains(question, sources: &sources).reading
    read[key] = reading
    return reading
  }
}
