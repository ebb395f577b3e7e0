internal import Diagnostics
internal import Documents

extension NftLowering {
  /// What can be wrong with a listing that is JSON.
  enum Problem {
    case foreign(String)
    case lacks(String)
    case missing(String)
    case newerSchema(String)
    case repeated(String)
    case unknownName(String, String, [String])
    case unknownObject(String, isCommand: Bool)
    case unreadable(String)
    case unreadableFlags(String)
    case unlistedExtensions(ruleCount: Int)
  }

  mutating func report(_ problem: Problem, at node: JSONDocument.Node) {
    report(problem, at: span(of: node))
  }

  mutating func report(_ problem: Problem, at span: SourceSpan) {
    diagnostics.append(Self.diagnostic(problem, at: Diagnostic.Label(span)))
  }

  private static func diagnostic(_ problem: Problem, at place: Diagnostic.Label) -> Diagnostic {
    switch problem {
    case .foreign(let what):
      Diagnostic(
        "nft.foreign", .error, "this is no nftables listing: \(what)", at: place, help: listingHelp)
    case .lacks(let name):
      Diagnostic("nft.member-missing", .error, "`\(name)` is missing here", at: place)
    case .missing(let what):
      Diagnostic(
        "nft.not-listed", .error, "the listing does not hold the \(what)", at: place,
        help: "list the whole ruleset: `nft -j list ruleset`")
    case .newerSchema(let version):
      Diagnostic(
        "nft.newer-schema", .warning,
        "the listing has schema version \(version), which is newer than 1", at: place,
        notes: ["constructs that are not known make answers not known"])
    case .repeated(let what):
      Diagnostic("nft.repeated", .error, "the \(what) is listed twice", at: place)
    case .unknownName(let what, let name, let known):
      Diagnostic(
        "nft.unknown-name", .error, "no \(what) is called `\(name)`", at: place,
        notes: ["nftables has: \(known.joined(separator: ", "))"],
        help: Suggestion.nearest(to: name, among: known).map { "did you mean `\($0)`?" })
    case .unknownObject(let name, let isCommand):
      isCommand
        ? Diagnostic(
          "nft.command", .error, "`\(name)` is a command, and this must be a listing", at: place,
          help: "load the commands and list the ruleset: `nft -j list ruleset`")
        : Diagnostic(
          "nft.unknown-object", .warning, "objects of kind `\(name)` are not known", at: place,
          notes: ["a rule that uses one is not covered, and says so"])
    case .unreadableFlags(let flags):
      Diagnostic(
        "nft.table-flags", .warning, "`\(flags)` is no flag of a table", at: place,
        notes: [
          "nft 1.0.6 lists the wrong text where a table has one flag, so that the table may be dormant",
          "answers that rest on the table's base chains are not known",
        ],
        help: "list with a newer nft, or remove the table's flag")
    case .unlistedExtensions(let count):
      Diagnostic(
        "nft.xtables", .warning,
        "nft's JSON does not list the parameters of xtables extensions", at: place,
        notes: [
          count == 1
            ? "this rule is not covered for it"
            : "\(count) rules are not covered for it; this is the first"
        ],
        help: "run on that host with --live, or give the text that `nft list ruleset` prints there")
    case .unreadable(let what):
      Diagnostic("nft.unreadable", .error, "\(what) cannot be read here", at: place)
    }
  }

  static let listingHelp = "make the listing with `nft -j list ruleset`"
}
