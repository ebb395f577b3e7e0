internal import Diagnostics

/// What can be wrong with an output of `talosctl get nftableschains`, sorted by name.
enum ChainResourceProblem {
  case chainMissing(String)
  case chainTwice(String)
  case errored
  case eventUnknown(String)
  case fieldMissing(String, of: String)
  case fieldTwice(String)
  case fieldUnknown(String, of: String)
  case matchUnknown(String)
  case noChains
  case noResource
  case nodeElsewhere(String, isError: Bool)
  case nodeUnknown(String, nodes: [String])
  case otherResource(String)
  case phaseUnknown(String)
  case severalNodes([String])
  case syntax(String)
  case tearingDown(String)
  case topFieldUnknown(String)
  case valueUnknown(String, of: String)
  case wrongShape(String, should: String)

  func diagnostic(at span: SourceSpan?, besides other: SourceSpan? = nil) -> Diagnostic {
    let words = self.words
    return Diagnostic(
      words.code, words.severity, words.message, at: span.map { Diagnostic.Label($0) },
      secondary: other.map { [Diagnostic.Label($0, "the first one")] } ?? [], notes: words.notes,
      help: words.help)
  }

  private struct Words {
    var code: Diagnostic.Code
    var severity: Diagnostic.Severity = .error
    var message: String
    var notes: [String] = []
    var help: String?

    init(
      _ code: Diagnostic.Code, _ message: String, severity: Diagnostic.Severity = .error,
      notes: [String] = [], help: String? = nil
    ) {
      self.code = code
      self.severity = severity
      self.message = message
      self.notes = notes
      self.help = help
    }
  }

  private static let command = "talosctl get nftableschains -o yaml"

  private var words: Words {
    switch self {
    case .chainMissing(let name):
      Words(
        "talos.chain-missing", "the chain `\(name)` is not in it", severity: .warning,
        notes: [
          "Talos makes `ingress` and, since 1.10, `prerouting`, which packets pass first",
          "what it would drop is not known",
        ],
        help: "print all chains: \(Self.command)")
    case .chainTwice(let name):
      Words(
        "talos.chain-twice", "the chain `\(name)` is there twice",
        help: "keep the output of one command")
    case .errored:
      Words(
        "talos.watch-error", "talosctl reports that watching failed",
        help: "print them once: \(Self.command)")
    case .eventUnknown(let text):
      Words("talos.event-unknown", "what the event `\(text)` does to a chain is not known")
    case .fieldMissing(let name, let whole):
      Words("talos.field-missing", "\(whole) has no `\(name)`")
    case .fieldTwice(let name): Words("talos.field-twice", "`\(name)` is there twice")
    case .fieldUnknown(let name, let whole):
      Words(
        "talos.field-unknown", "what `\(name)` means for \(whole) is not known",
        notes: ["an answer without it could be wrong"])
    case .matchUnknown(let name):
      Words(
        "talos.match-unknown", "what `\(name)` asks of a packet is not known", severity: .warning,
        notes: ["the rule is taken to match or not to match"])
    case .noChains:
      Words(
        "talos.no-chains", "there is no chain in it",
        notes: ["a node without a firewall has none"], help: "print them: \(Self.command)")
    case .noResource:
      Words("talos.no-resource", "this is no resource of Talos", help: "print it: \(Self.command)")
    case .nodeElsewhere(let name, let isError):
      Words(
        "talos.node-elsewhere", "the chains are of the node `\(name)`, which is not the one meant",
        severity: isError ? .error : .warning,
        notes: ["none of the addresses of the one meant is `\(name)`"],
        help: isError
          ? "print its chains: \(Self.command) -n ADDRESS"
          : "if it has this address too, say so: with node \"\(name)\"")
    case .nodeUnknown(let name, let nodes):
      Words(
        "talos.node-unknown", "nothing is of the node `\(name)`",
        notes: ["it is of \(nodes.map { "`\($0)`" }.joined(separator: ", "))"],
        help: Suggestion.nearest(to: name, among: nodes).map { "did you mean `\($0)`?" })
    case .otherResource(let type):
      Words(
        "talos.other-resource", "`\(type)` is no chain and has no part in this", severity: .warning)
    case .phaseUnknown(let text):
      Words("talos.phase-unknown", "the phase `\(text)` of a resource is not known")
    case .severalNodes(let nodes):
      Words(
        "talos.several-nodes",
        "these are the chains of several nodes: \(nodes.map { "`\($0)`" }.joined(separator: ", "))",
        help: "say which node is meant: with node \"\(nodes[0])\"")
    case .syntax(let words): Words("talos.resource-syntax", words)
    case .tearingDown(let name):
      Words(
        "talos.chain-ending", "the chain `\(name)` is about to be removed", severity: .warning,
        notes: ["its rules are taken to be there or not"])
    case .topFieldUnknown(let name):
      Words("talos.resource-field", "`\(name)` is no field of a resource", severity: .warning)
    case .valueUnknown(let text, let name):
      Words("talos.value-unknown", "`\(text)` is no value of `\(name)` that is known")
    case .wrongShape(let name, let should):
      Words("talos.field-shape", "`\(name)` should be \(should)")
    }
  }
}
