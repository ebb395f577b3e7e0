/// One thing the tool has to say about its input.
package struct Diagnostic: Hashable, Sendable, Error {
  package enum Severity: String, Sendable, CaseIterable {
    case error
    case warning
    case note
  }

  /// The stable identity of a kind of diagnostic, for example `scenario.unknown-name`.
  ///
  /// The wording of a message may change; its code does not.
  package struct Code: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
    package init(stringLiteral value: String) { rawValue = value }
  }

  /// A place and what is there.
  package struct Label: Hashable, Sendable {
    package var span: SourceSpan
    /// What the span is, or empty.
    package var text: String

    package init(_ span: SourceSpan, _ text: String = "") {
      self.span = span
      self.text = text
    }
  }

  package var code: Code
  package var severity: Severity
  /// What is wrong, in one phrase, lower case, without a full stop.
  package var message: String
  /// The narrowest place that is known; nil where the trouble has none (a file that is not there).
  package var primary: Label?
  package var secondary: [Label]
  /// Facts worth knowing beside the message.
  package var notes: [String]
  /// What the reader can do.
  package var help: String?

  package init(
    _ code: Code, _ severity: Severity = .error, _ message: String, at primary: Label?,
    secondary: [Label] = [], notes: [String] = [], help: String? = nil
  ) {
    self.code = code
    self.severity = severity
    self.message = message
    self.primary = primary
    self.secondary = secondary
    self.notes = notes
    self.help = help
  }
}
