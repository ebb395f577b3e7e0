internal import Diagnostics
internal import Scenarios
internal import TalosFrontend

/// `lint`: reads scenario files, or machine configurations of Talos, and says what is wrong with them.
struct LintCommand {
  static let row = CommandRow(
    name: "lint", summary: "say what is wrong with scenario files, or with a firewall's own",
    operands: [.scenarios], options: [.from, .with], formats: [.terminal],
    examples: [
      ("portproof lint cluster.scn", "errors and warnings, all at once"),
      ("portproof lint --from talos controlplane.yaml", "what goes wrong with its firewall"),
      (
        "portproof lint --from talos worker.yaml --with admin=10.9.0.1 --with cni=cilium",
        "knowing more of the cluster"
      ),
    ])

  let arguments: ParsedArguments
  let console: Console

  func run() -> RunStatus {
    do throws(Stop) {
      guard let kind = arguments[.from] else { return try scenarios() }
      return try configurations(kind)
    } catch {
      return error.status
    }
  }

  private func scenarios() throws(Stop) -> RunStatus {
    guard arguments.all(.with).isEmpty else {
      throw console.stop(
        Diagnostic(
          "usage.with-without-from", .error, "--with says something of a firewall's files", at: nil,
          help: "say which kind they are with --from talos"))
    }
    var sources = SourceMap()
    let (plan, warnings) = try ScenarioLoading(console: console)
      .plan(arguments.operands, sources: &sources)
    try summarize("\(count(plan.flows.count, "line")), \(count(warnings, "warning"))")
    return .holds
  }

  /// Lints machine configurations, each by itself.
  private func configurations(_ kind: String) throws(Stop) -> RunStatus {
    guard kind == FirewallKind.talos.rawValue else {
      throw console.stop(
        Diagnostic(
          "usage.nothing-to-lint", .error,
          "nothing is known to go wrong with firewalls of kind '\(kind)'", at: nil,
          help: kind == FirewallKind.talosChains.rawValue
            ? "what they are made of is linted with --from talos"
            : "lint reads scenario files, and machine configurations with --from talos"))
    }
    var found: [Diagnostic.Severity: Int] = [:]
    for path in arguments.operands {
      var sources = SourceMap()
      for finding in try findings(path, &sources) {
        console.say(finding, sources: sources)
        found[finding.severity, default: 0] += 1
      }
    }
    let files = count(arguments.operands.count, "file")
    let errors = found[.error] ?? 0
    try summarize(
      "\(files), \(count(errors, "error")), \(count(found[.warning] ?? 0, "warning")), "
        + count(found[.note] ?? 0, "note"))
    return errors == 0 ? .holds : .broken
  }

  private func findings(_ path: String, _ sources: inout SourceMap) throws(Stop) -> [Diagnostic] {
    let cluster: ClusterDescription
    let options: [FirewallDeclaration.Option]
    let operand = FirewallOperand(.talos, path: path)
    do throws(Diagnostic) {
      let facts = try ClusterFact.cluster(from: arguments.all(.with))
      cluster = facts.cluster
      options = try WithOption.options(facts.rest, for: operand, &sources)
    } catch {
      throw console.stop(error)
    }
    let loading = FirewallLoading(console: console)
    let question = try operand.question(options, loading, sources)
    let configuration = try loading.machineConfiguration(question, sources: &sources).configuration
    return TalosLints.findings(in: configuration, options: question.options, cluster: cluster)
  }

  private func count(_ number: Int, _ word: String) -> String {
    number == 1 ? "1 \(word)" : "\(number) \(word)s"
  }

  private func summarize(_ text: String) throws(Stop) {
    guard !console.isQuiet else { return }
    do throws(Diagnostic) {
      try console.write(text + "\n")
    } catch {
      throw console.stop(error, .notKnown)
    }
  }
}
