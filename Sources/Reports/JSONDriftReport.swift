internal import Documents
package import Outcomes

/// Two rulesets side by side, as `portproof.diff/1`.
package enum JSONDriftReport {
  package static let schema = "portproof.diff/1"

  /// The whole document, ending in a line break.
  package static func render(_ outcome: DriftOutcome) -> String {
    var writer = JSONWriter(.indented)
    writer.object { writer in
      writer.member("schema", schema)
      writer.member("status", outcome.status.rawValue)
      writer.member("old", outcome.old)
      writer.member("new", outcome.new)
      writer.array("changes") { changes in
        for entry in outcome.entries { changes.object { write(entry, to: &$0) } }
      }
      writer.strings("notes", outcome.notes)
      writer.strings("untold", outcome.untold)
      switch outcome.equivalence {
      case .notAsked: writer.null("equivalence")
      case .equivalent: writer.object("equivalence") { $0.member("answer", "equivalent") }
      case .notKnown(let reasons):
        writer.object("equivalence") {
          $0.member("answer", "unknown")
          $0.strings("reasons", reasons)
        }
      case .different(let witness):
        writer.object("equivalence") {
          $0.member("answer", "different")
          write(witness, to: &$0)
        }
      }
    }
    return writer.text + "\n"
  }

  private static func write(_ entry: DriftOutcome.Entry, to writer: inout JSONWriter) {
    writer.member("change", entry.change)
    writer.member("subject", entry.subject)
    write(entry.old, as: "old", to: &writer)
    write(entry.new, as: "new", to: &writer)
  }

  private static func write(_ witness: DriftOutcome.Witness, to writer: inout JSONWriter) {
    writer.member("hook", witness.hook)
    writer.object("packet") { JSONReport.write(witness.packet, to: &$0) }
    writer.strings("conditions", witness.conditions)
    for (name, verdict, rule) in [
      ("old", witness.oldVerdict, witness.oldRule), ("new", witness.newVerdict, witness.newRule),
    ] {
      writer.object(name) {
        $0.member("verdict", verdict)
        write(rule, as: "decided_by", to: &$0)
      }
    }
  }

  private static func write(
    _ rule: RuleCitation?, as name: String, to writer: inout JSONWriter
  ) {
    if let rule {
      writer.object(name) { JSONReport.write(rule, to: &$0) }
    } else {
      writer.null(name)
    }
  }
}
