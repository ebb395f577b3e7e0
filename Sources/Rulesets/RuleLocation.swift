/// Where in a ruleset something was decided, as indices.
package struct RuleLocation: Hashable, Sendable {
  /// An index into ``Ruleset/tables``.
  package var table: Int
  /// An index into ``Table/chains``.
  package var chain: Int
  /// An index into ``Chain/rules``; nil where the chain's policy decided.
  package var rule: Int?

  package init(table: Int, chain: Int, rule: Int?) {
    self.table = table
    self.chain = chain
    self.rule = rule
  }
}
