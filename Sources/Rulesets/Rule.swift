package import Diagnostics

/// One rule: statements that run in order until one does not match or decides.
package struct Rule: Hashable, Sendable {
  package var handle: Int?
  package var comment: String?
  package var statements: [Statement]
  /// Whether the rule is in force, or only may be.
  package var certainty: Certainty
  package var provenance: Provenance

  package init(
    handle: Int? = nil, comment: String? = nil, statements: [Statement],
    certainty: Certainty = .certain, provenance: Provenance = Provenance()
  ) {
    self.handle = handle
    self.comment = comment
    self.statements = statements
    self.certainty = certainty
    self.provenance = provenance
  }
}

/// How sure it is that a rule is in force as it stands.
///
/// `allow` is proved only from certain accepts that no possible drop precedes, `deny` only where no
/// possible accept remains.
package enum Certainty: Hashable, Sendable {
  case certain
  case possible(reason: String)
}

/// The place in the user's file that a rule came from.
package struct Provenance: Hashable, Sendable {
  /// Where; nil for a rule that no file of the user's holds (a live ruleset).
  package var span: SourceSpan?
  /// The rule in the words of the source system, where these are not nftables'.
  package var vendorText: String?

  package init(span: SourceSpan? = nil, vendorText: String? = nil) {
    self.span = span
    self.vendorText = vendorText
  }
}

/// A construct that the model does not cover, kept with its text.
///
/// It makes an answer *not known* wherever it can change that answer, and is never dropped.
package struct Unmodelled: Hashable, Sendable {
  /// The construct as the source wrote it.
  package var text: String
  /// Why it is not covered, as a phrase: `parameters of xt matches are not listed`.
  package var reason: String

  package init(text: String, reason: String) {
    self.text = text
    self.reason = reason
  }
}
