package import Diagnostics

/// Writes a file in its canonical form: one statement a line, suites indented, the cells of statements
/// that are alike below one another, words of the language in lower case, services and addresses as
/// ``Printer`` writes them.
///
/// Comments stay where they are, and so do single blank lines and the places where an author broke a
/// statement. Nothing is broken or joined to fit a width.
package enum Formatter {
  /// Formats a file.
  ///
  /// - Parameters:
  ///   - bytes: The text, in UTF-8.
  ///   - file: The number that spans carry.
  /// - Returns: The canonical text, nil where the file cannot be read as it is; and what is wrong with
  ///   it.
  package static func format(
    _ bytes: [UInt8], file: Int
  ) -> (text: String?, diagnostics: [Diagnostic]) {
    let (syntax, diagnostics) = Parser.parse(bytes, file: file)
    guard !diagnostics.contains(where: { $0.severity == .error }) else { return (nil, diagnostics) }
    let items = FormattedItems(bytes, syntax).items
    let text = FormattedRows(items).text
    precondition(says(text, items), "a formatted file says what it said before")
    return (text, diagnostics)
  }

  /// Whether a text reads as these words.
  private static func says(_ text: String, _ items: [FormattedItem]) -> Bool {
    let bytes = Array(text.utf8)
    let (syntax, diagnostics) = Parser.parse(bytes, file: 0)
    return !diagnostics.contains { $0.severity == .error }
      && FormattedItems(bytes, syntax).items.elementsEqual(items) { $0.says(theSameAs: $1) }
  }
}
