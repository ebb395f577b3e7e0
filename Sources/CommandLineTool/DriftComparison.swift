internal import Diagnostics
internal import Outcomes
internal import Proof
internal import Rulesets

/// Holds two rulesets against each other, for `diff`.
struct DriftComparison {
  struct Side {
    var name: String
    var ruleset: Ruleset
    /// Whether the ruleset is all that its host holds.
    var isWhole: Bool
  }

  private let old: Side
  private let new: Side
  private var notes: [String] = []
  private var untold: [String] = []

  /// Takes two sides, and what was done to them before.
  init(old: Side, new: Side, notes told: [String] = []) {
    notes = told
    var left = Self.cut(old, besides: new, &notes)
    var right = Self.cut(new, besides: old, &notes)
    let artefacts = (
      old: ListingArtefacts(left.ruleset, like: right.ruleset),
      new: ListingArtefacts(right.ruleset, like: left.ruleset)
    )
    left.ruleset = artefacts.old.ruleset
    right.ruleset = artefacts.new.ruleset
    self.old = left
    self.new = right
    for (side, artefacts) in [(left, artefacts.old), (right, artefacts.new)] {
      notes += artefacts.notes.map { "\(side.name): \($0)" }
      let hidden = artefacts.untold.map { "\(side.name): \($0)" }
      // A system that writes its rules itself writes each in one way only.
      if left.isWhole, right.isWhole { untold += hidden } else { notes += hidden }
    }
  }

  /// The side without tables that the other side's system knows nothing of: they are no drift of it.
  private static func cut(_ side: Side, besides other: Side, _ notes: inout [String]) -> Side {
    guard side.isWhole, !other.isWhole else { return side }
    var cut = side
    cut.ruleset.tables = side.ruleset.tables.filter { other.ruleset.holds($0) }
    let left = side.ruleset.tables.filter { !other.ruleset.holds($0) }
    if !left.isEmpty {
      let names = left.map { "\($0.family.rawValue) \($0.name)" }.joined(separator: ", ")
      notes.append(
        "tables of \(side.name) that \(other.name) says nothing of are left out: \(names)")
    }
    return cut
  }

  /// What differs, and whether packets notice.
  func outcome(sources: SourceMap) -> DriftOutcome {
    let drift = RulesetDrift(from: old.ruleset, to: new.ruleset)
    var outcome = DriftOutcome(
      old: old.name, new: new.name, entries: [], untold: drift.untold + untold, notes: notes,
      equivalence: .notAsked)
    outcome.entries = drift.entries.map { entry in
      DriftOutcome.Entry(
        change: entry.change.rawValue, subject: entry.subject.word,
        old: entry.old.map { old.citation(of: $0, entry.subject, sources) },
        new: entry.new.map { new.citation(of: $0, entry.subject, sources) })
    }
    guard !drift.isInSync else { return outcome }
    var comparison = RulesetComparison(old.ruleset, new.ruleset)
    switch comparison.result() {
    case .equivalent:
      outcome.equivalence = untold.isEmpty ? .equivalent : .notKnown(reasons: untold)
    case .notKnown(let reasons): outcome.equivalence = .notKnown(reasons: reasons)
    case .different(let difference):
      outcome.equivalence = .different(
        DriftOutcome.Witness(
          hook: difference.hook.rawValue, packet: difference.packet,
          oldVerdict: difference.old.verdict, newVerdict: difference.new.verdict,
          oldRule: difference.old.location.map { old.citation(of: $0, .rule, sources) },
          newRule: difference.new.location.map { new.citation(of: $0, .rule, sources) },
          conditions: difference.conditions))
    }
    return outcome
  }
}

extension DriftComparison.Side {
  fileprivate func citation(
    of location: RuleLocation, _ subject: RulesetDrift.Subject, _ sources: SourceMap
  ) -> RuleCitation {
    let table = ruleset.tables[location.table]
    var citation = RuleCitation(
      firewall: name, family: table.family.rawValue, table: table.name, chain: "", handle: nil,
      text: "", isPolicy: false)
    switch subject {
    case .table:
      citation.handle = table.handle
      citation.text = "table \(table.family.rawValue) \(table.name)"
      if table.isDormant { citation.text += ", dormant" }
      return citation
    case .object(let object):
      citation.text = object
      return citation
    case .chain, .rule: break
    }
    let chain = table.chains[location.chain]
    citation.chain = chain.name
    guard let index = location.rule else {
      citation.isPolicy = subject == .rule
      switch subject {
      case .rule: citation.text = "policy \(chain.base?.policy.rawValue ?? "none")"
      case .chain, .table, .object:
        citation.handle = chain.handle
        citation.text =
          "chain \(chain.name)" + (chain.base.map { ": \(RulesetPrinter().text(of: $0))" } ?? "")
      }
      return citation
    }
    let rule = chain.rules[index]
    citation.handle = rule.handle
    citation.text = RulePrinter(table).text(of: rule)
    citation.source = rule.provenance.span.map { sources.location(of: $0) }
    citation.span = rule.provenance.span
    return citation
  }
}

extension RulesetDrift.Subject {
  fileprivate var word: String {
    switch self {
    case .table: "table"
    case .chain: "chain"
    case .rule: "rule"
    case .object(let name): name
    }
  }
}

extension Ruleset {
  fileprivate func holds(_ table: Table) -> Bool {
    tables.contains { $0.family == table.family && $0.name == table.name }
  }
}
