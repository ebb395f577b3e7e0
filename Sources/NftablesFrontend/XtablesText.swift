package import Rulesets

/// Saved text listings of hosts of iptables-nft.
///
/// What libxtables has no words for is left out of such a text without a trace, so that a rule can
/// say less than the kernel tests. Of a live host that shows in the JSON beside it; of a saved text
/// only the forms are known that translations take which are not exact.
package enum XtablesText {
  /// The tables of a ruleset that iptables-nft has made, as far as it shows in the text that was
  /// loaded: `ip filter`.
  ///
  /// nft warns of such tables, in some versions in the text and in others beside it. Without the
  /// warning a text is taken for a listing where its counters have counted, and a table for one of
  /// iptables-nft by its name and those of its chains.
  package static func tables(of ruleset: Ruleset, in text: [UInt8]) -> [String] {
    let text = String(decoding: text, as: UTF8.self)
    let isListing = text.contains("counter packets ")
    var names: [String] = []
    for table in ruleset.tables {
      let name = "\(table.family.rawValue) \(table.name)"
      let warning = "# Warning: table \(name) is managed by iptables-nft, do not touch!"
      if isListing && hasNamesOfIptables(table) || text.contains(warning) { names.append(name) }
    }
    return names
  }

  private static func hasNamesOfIptables(_ table: Table) -> Bool {
    guard table.family == .ip || table.family == .ip6,
      ["filter", "nat", "mangle", "raw", "security"].contains(table.name)
    else { return false }
    let bases = table.chains.filter { $0.base != nil }
    return !bases.isEmpty && bases.allSatisfy { $0.base?.hook.rawValue.uppercased() == $0.name }
  }

  /// Makes what may be less than iptables loaded into such tables not covered.
  ///
  /// - Parameters:
  ///   - tables: What ``tables(of:in:)`` found.
  ///   - ruleset: What was loaded of the text.
  package static func doubt(tables: [String], in ruleset: inout Ruleset) {
    for index in ruleset.tables.indices {
      let table = ruleset.tables[index]
      guard tables.contains("\(table.family.rawValue) \(table.name)") else { continue }
      let printer = RulePrinter(table)
      for chain in table.chains.indices {
        for (position, rule) in table.chains[chain].rules.enumerated() {
          let doubt = Statement.unmodelled(
            Unmodelled(text: printer.text(of: rule), reason: reason))
          var statements = rule.statements.map { statement in
            XtablesTranslation.isDoubtful(statement, family: table.family) ? doubt : statement
          }
          if !XtablesTranslation.hasEnd(statements) { statements.append(doubt) }
          ruleset.tables[index].chains[chain].rules[position].statements = statements
        }
      }
    }
  }

  private static let reason = "nft's text of a rule of iptables like this one may lack a part of it"
}
