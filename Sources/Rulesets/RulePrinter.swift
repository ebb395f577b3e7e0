package enum RulePrinter {
  package static func text(of statement: Statement, in table: Table) -> String { "\(statement)" }
  package static func text(of rule: Rule, in table: Table) -> String { "\(rule.statements)" }
}
