package import Diagnostics

/// A rule, or a chain's policy, that decided something.
package struct RuleCitation: Hashable, Sendable {
  /// The firewall's name in the scenario file, or the ruleset's.
  package var firewall: String
  /// The table's family, `inet`.
  package var family: String
  package var table: String
  package var chain: String
  /// The kernel's handle of the rule; nil for a policy, or where the listing has none.
  package var handle: Int?
  /// The rule as nft writes it, or `policy drop`.
  package var text: String
  package var isPolicy: Bool
  /// `file:line:column` of the rule in the user's file.
  package var source: String?
  package var span: SourceSpan?

  package init(
    firewall: String, family: String, table: String, chain: String, handle: Int?, text: String,
    isPolicy: Bool, source: String? = nil, span: SourceSpan? = nil
  ) {
    self.firewall = firewall
    self.family = family
    self.table = table
    self.chain = chain
    self.handle = handle
    self.text = text
    self.isPolicy = isPolicy
    self.source = source
    self.span = span
  }
}

/// One step of a packet's way: a rule that matched, or a chain that ended.
package struct TraceStep: Hashable, Sendable {
  /// The hook whose base chain was running: `prerouting`.
  package var hook: String
  package var rule: RuleCitation
  /// `accept`, `drop`, `reject`, `continue`, `jump NAME`, `goto NAME`, `return`, `policy accept`, ….
  package var verdict: String

  package init(hook: String, rule: RuleCitation, verdict: String) {
    self.hook = hook
    self.rule = rule
    self.verdict = verdict
  }
}
