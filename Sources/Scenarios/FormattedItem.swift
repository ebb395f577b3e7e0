/// A word, a sign or a comment of a scenario file, as the canonical form has it.
struct FormattedItem {
  enum Kind: Hashable {
    case word
    /// A brace of a set or of services.
    case opening
    case closing
    /// A brace that statements stand behind.
    case suiteOpening
    case suiteClosing
    case comment
  }

  var kind: Kind
  var text: String
  /// Whether a statement begins here.
  var beginsStatement: Bool
  /// How many line breaks stand between this and what is before it.
  var lineBreaks: Int

  /// Whether both say the same, wherever their lines break.
  func says(theSameAs other: FormattedItem) -> Bool {
    kind == other.kind && text == other.text
      && (kind == .comment || beginsStatement == other.beginsStatement)
  }
}
