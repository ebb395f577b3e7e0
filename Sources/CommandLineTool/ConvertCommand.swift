internal import Diagnostics
internal import Rulesets
internal import Scenarios

/// `convert`: any firewall as text that `nft -f` loads.
struct ConvertCommand {
  static let row = CommandRow(
    name: "convert", summary: "print a firewall of any kind as nft text that loads",
    operands: [
      .init(
        name: "PATH", value: .file, isRequired: true, isRepeatable: false,
        help: "the file of the firewall")
    ],
    options: [.from, .with], formats: [.terminal],
    examples: [
      (
        "portproof convert --from talos controlplane.yaml --with version=1.13 --with node=10.0.0.1",
        "what a node loads of a machine configuration"
      ),
      ("portproof convert --from nft listing.json", "a listing in JSON as text"),
    ])

  let arguments: ParsedArguments
  let console: Console

  /// Runs the command.
  ///
  /// - Returns: The exit status: 3 where the text does not say all that the firewall does.
  /// - Throws: A diagnostic where a word of the command line is wrong, or the text cannot be written.
  func run() throws(Diagnostic) -> RunStatus {
    let operand = try FirewallOperand.ofKindNamed(
      in: arguments, for: Self.row, help: "--from KIND, for example --from talos")
    var sources = SourceMap()
    let options = try WithOption.options(arguments.all(.with), for: operand, &sources)
    let ruleset: Ruleset
    do throws(Stop) {
      var loading = FirewallLoading(console: console)
      ruleset = try operand.ruleset(options, &loading, &sources)
    } catch {
      return error.status
    }
    try console.write(RulesetPrinter().text(of: ruleset))
    var isWhole = true
    for gap in RulesetPrinter.gaps(in: ruleset) {
      isWhole = false
      console.say(
        Diagnostic(
          "convert.gap", .warning, "\(gap.place) is not told in full: \(gap.reason)", at: nil))
    }
    for table in ruleset.tables {
      for chain in table.chains {
        for rule in chain.rules {
          guard case .possible(let reason) = rule.certainty else { continue }
          isWhole = false
          console.say(
            Diagnostic(
              "convert.possible", .warning,
              "whether a rule of \(table.name) \(chain.name) is in force is not known: \(reason)",
              at: rule.provenance.span.map { Diagnostic.Label($0) }), sources: sources)
        }
      }
    }
    return isWhole ? .holds : .notKnown
  }
}
