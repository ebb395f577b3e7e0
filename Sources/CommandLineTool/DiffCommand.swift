internal import Diagnostics
internal import Outcomes
internal import Proof
internal import Reports
internal import Scenarios

/// `diff`: what two rulesets differ in, rule by rule, and whether packets notice.
struct DiffCommand {
  static let row = CommandRow(
    name: "diff", summary: "say how two rulesets differ, and whether any packet notices",
    operands: [
      .init(
        name: "OLD", value: .text("OLD"), isRequired: true, isRepeatable: false,
        help: "a ruleset's file, KIND:PATH, or live: what should be"),
      .init(
        name: "NEW", value: .text("NEW"), isRequired: true, isRepeatable: false,
        help: "likewise: what is"),
    ],
    options: [.with], formats: [.terminal, .json],
    examples: [
      (
        "portproof diff talos:controlplane.yaml talos-chains:chains.yaml --with version=1.13",
        "whether a node holds what its configuration says"
      ),
      (
        "portproof diff talos:controlplane.yaml node.json --with old.node=10.0.0.1",
        "likewise, by what its kernel lists (`nft -j list ruleset`)"
      ),
      ("portproof diff before.nft after.nft", "what a change of a ruleset changes"),
      ("portproof diff /etc/nftables.conf live", "whether this machine has drifted"),
    ])

  let arguments: ParsedArguments
  let console: Console

  /// Runs the command.
  ///
  /// - Returns: The exit status: 0 in sync, 1 drift, 3 not known.
  /// - Throws: A diagnostic where a word of the command line is wrong, or the answer cannot be
  ///   written.
  func run() throws(Diagnostic) -> RunStatus {
    let operands = (
      old: try FirewallOperand(arguments.operands[0]),
      new: try FirewallOperand(arguments.operands[1])
    )
    var sources = SourceMap()
    let words = try Self.divided(arguments.all(.with), operands.old, operands.new)
    let options = (
      old: try WithOption.options(words.old, for: operands.old, &sources),
      new: try WithOption.options(words.new, for: operands.new, &sources)
    )
    let names = Self.names(operands.old, operands.new)
    var reading = DriftReading(console: console)
    let sides: (old: DriftComparison.Side, new: DriftComparison.Side)
    do throws(Stop) {
      sides = try reading.sides(
        .init(operand: operands.old, name: names.old, options: options.old),
        .init(operand: operands.new, name: names.new, options: options.new), &sources)
    } catch {
      return error.status
    }
    let comparison = DriftComparison(old: sides.old, new: sides.new, notes: reading.notes)
    let outcome = comparison.outcome(sources: sources)
    switch arguments[.format].flatMap(Format.init) ?? .terminal {
    case .json: try console.write(JSONDriftReport.render(outcome))
    case .terminal, .junit:
      if !console.isQuiet || outcome.status != .inSync {
        try console.write(
          DriftReport(sources: sources, style: console.outputStyle).render(outcome))
      }
    }
    switch outcome.status {
    case .inSync: return .holds
    case .drift: return .broken
    case .unknown: return .notKnown
    }
  }

  /// What the sides are called: their files' names, or, where these are one, `old` and `new`.
  private static func names(
    _ old: FirewallOperand, _ new: FirewallOperand
  ) -> (old: String, new: String) {
    old.name == new.name ? ("old", "new") : (old.name, new.name)
  }

  /// The options by side: `old.NAME=VALUE`, `new.NAME=VALUE`, or `NAME=VALUE` for every side whose
  /// kind has such an option.
  private static func divided(
    _ words: [String], _ old: FirewallOperand, _ new: FirewallOperand
  ) throws(Diagnostic) -> (old: [String], new: [String]) {
    var sides: (old: [String], new: [String]) = ([], [])
    for word in words {
      if word.hasPrefix("old.") {
        sides.old.append(String(word.dropFirst(4)))
      } else if word.hasPrefix("new.") {
        sides.new.append(String(word.dropFirst(4)))
      } else {
        let name = word.split(separator: "=").first.map(String.init) ?? ""
        let takers = [old, new].map { $0.kind.options.contains { $0.rawValue == name } }
        // Where no side has it, the first says so.
        if takers[0] || !takers[1] { sides.old.append(word) }
        if takers[1] { sides.new.append(word) }
      }
    }
    return sides
  }
}

extension FirewallKind {
  /// Whether the system owns some tables of its hosts and leaves the others to others.
  var isOneOfSeveral: Bool {
    switch self {
    case .talos, .talosChains: true
    case .nft, .live, .terraform, .aws, .pfsense, .opnsense, .cisco, .proxmox: false
    }
  }
}
