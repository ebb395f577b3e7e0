import Diagnostics
import Outcomes
import Proof
import Rulesets
import Scenarios
import TalosFrontend
import Testing

/// A line of a scenario, and what is proved of it on the ruleset of a configuration.
struct Question: Sendable, CustomTestStringConvertible {
  let configuration: Configuration
  let line: String
  /// The outcome and its code.
  let answer: String

  var testDescription: String { "\(configuration.title): \(line)" }

  init(_ configuration: Configuration, _ line: String, _ answer: String) {
    self.configuration = configuration
    self.line = line
    self.answer = answer
  }

  private static let known = Configuration(
    "block", ["control-plane", "node"], "1.13", ["172.20.0.2"])
  private static let notKnown = Configuration(
    "block, addresses not known", ["control-plane", "node"], "1.13", nil)
  private static let accepting = Configuration(
    "accept, addresses not known", ["kubelet", "node"], "1.13", nil)
  private static let refused = Configuration(
    "refused", ["block", "everywhere"], "1.12.4", ["172.20.0.2"])

  static let all = [
    Question(
      known, "172.20.0.9 -> 172.20.0.2 10250 tcp expect allow in eth0", "passed verdict.allow"),
    Question(known, "any -> 172.20.0.2 22 tcp expect drop in eth0", "passed verdict.drop"),
    Question(
      known, "10.244.0.5 -> 169.254.116.108 53 udp expect allow in cni0", "passed verdict.allow"),
    // Both with the rule that passes what is for others and without it.
    Question(
      notKnown, "172.20.0.9 -> 172.20.0.2 10250 tcp expect allow in eth0", "passed verdict.allow"),
    Question(notKnown, "any -> 172.20.0.2 22 tcp expect drop in eth0", "passed verdict.drop"),
    Question(
      notKnown, "any except 172.20.0.0/24 -> 172.20.0.2 10250 tcp expect drop in eth0",
      "passed verdict.drop"),
    Question(notKnown, "any -> 172.20.0.2 22 tcp expect allow in eth0", "failed verdict.drop"),
    // Pods reach the host's resolver only where its address is not the node's own.
    Question(
      notKnown, "10.244.0.5 -> 169.254.116.108 53 udp expect allow in cni0",
      "unknown unknown.unmodelled"),
    Question(
      accepting, "8.8.8.8 -> 172.20.0.2 10250 tcp expect drop in eth0", "passed verdict.drop"),
    Question(
      accepting, "8.8.8.8 -> 172.20.0.2 10251 tcp expect allow in eth0", "passed verdict.allow"),
    Question(
      refused, "10.0.0.1 -> 172.20.0.2 22 tcp expect allow in eth0", "unknown unknown.unmodelled"),
    Question(
      refused, "10.0.0.1 -> 172.20.0.2 22 udp expect drop in eth0", "unknown unknown.unmodelled"),
  ]
}

@Suite("What is proved of configurations")
struct AnswerTests {
  @Test(arguments: Question.all)
  func `is known only where it does not rest on what is not`(question: Question) throws {
    let text = """
      group hosts = 172.20.0.2, 169.254.116.108
      firewall fw = nft "config.yaml" on hosts
      \(question.line)
      """
    var sources = SourceMap()
    let (plan, diagnostics) = ScenarioReader.read(
      path: "test.scn", bytes: Array(text.utf8), sources: &sources,
      loading: { _ in .success([]) })
    let known = try #require(plan, "\(diagnostics)")
    let ruleset = try #require(try question.configuration.reading().ruleset)
    let declaration = try #require(known.firewalls.first)
    var prover = Prover(
      firewalls: [
        Firewall(name: declaration.name, ruleset: ruleset, placement: declaration.placement)
      ], interfaces: known.interfaces, hosts: known.hosts.map(\.addresses))
    let outcome = prover.outcome(of: try #require(known.flows.first), sources: sources)
    #expect("\(outcome.status) \(outcome.code)" == question.answer, "\(outcome)")
  }
}
