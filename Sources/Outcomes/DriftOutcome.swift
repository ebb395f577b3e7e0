/// What holding two rulesets against each other came to.
package struct DriftOutcome: Hashable, Sendable {
  /// One thing that is not on both sides, or not the same there.
  package struct Entry: Hashable, Sendable {
    /// `missing`, `extra`, `changed`, `moved`: seen from the first ruleset.
    package var change: String
    /// `rule`, `chain`, `table`, or what a changing set or named object is called.
    package var subject: String
    package var old: RuleCitation?
    package var new: RuleCitation?

    package init(change: String, subject: String, old: RuleCitation?, new: RuleCitation?) {
      self.change = change
      self.subject = subject
      self.old = old
      self.new = new
    }
  }

  /// Whether packets notice.
  package enum Equivalence: Hashable, Sendable {
    /// Nothing differs, so nobody was asked.
    case notAsked
    case equivalent
    case different(Witness)
    case notKnown(reasons: [String])
  }

  /// A packet that the two rulesets treat differently.
  package struct Witness: Hashable, Sendable {
    package var hook: String
    package var packet: PacketDescription
    package var oldVerdict: String
    package var newVerdict: String
    package var oldRule: RuleCitation?
    package var newRule: RuleCitation?
    /// What else must be so: `limit … exceeded`.
    package var conditions: [String]

    package init(
      hook: String, packet: PacketDescription, oldVerdict: String, newVerdict: String,
      oldRule: RuleCitation?, newRule: RuleCitation?, conditions: [String]
    ) {
      self.hook = hook
      self.packet = packet
      self.oldVerdict = oldVerdict
      self.newVerdict = newVerdict
      self.oldRule = oldRule
      self.newRule = newRule
      self.conditions = conditions
    }
  }

  package enum Status: String, Hashable, Sendable {
    case inSync = "in-sync"
    case drift
    /// Nothing differs as far as the listings tell, and they do not tell all.
    case unknown
  }

  /// What the two rulesets are called.
  package var old: String
  package var new: String
  package var entries: [Entry]
  /// What listings keep to themselves.
  package var untold: [String]
  /// What was read in another way than it is written, and what was left out.
  package var notes: [String]
  package var equivalence: Equivalence

  package init(
    old: String, new: String, entries: [Entry], untold: [String], notes: [String],
    equivalence: Equivalence
  ) {
    self.old = old
    self.new = new
    self.entries = entries
    self.untold = untold
    self.notes = notes
    self.equivalence = equivalence
  }

  package var status: Status {
    if !entries.isEmpty { return .drift }
    return untold.isEmpty ? .inSync : .unknown
  }
}
