/// How a piece of a diagnostic is meant, so that colour is chosen in one place.
package enum Emphasis: Sendable {
  case error
  case warning
  case note
  case success
  case frame
  case strong
}

/// Draws emphasis: with terminal colours, or not at all.
package enum TextStyle: Sendable {
  case plain
  case ansi

  package func styled(_ text: String, _ emphasis: Emphasis) -> String {
    guard self == .ansi, !text.isEmpty else { return text }
    let code =
      switch emphasis {
      case .error: "1;31"
      case .warning: "1;33"
      case .note: "1;36"
      case .success: "32"
      case .frame: "34"
      case .strong: "1"
      }
    return "\u{1B}[\(code)m\(text)\u{1B}[0m"
  }
}

/// Draws diagnostics, and everything else that ends at a line of the user's file, as text.
///
/// ```
/// error[scenario.unknown-name]: no host, group or service is called `wroker`
///   --> prod.scn:7:1
///    |
///  7 | wroker -> cp 50001 tcp expect allow
///    | ^^^^^^ did you mean `worker` (inventory.scn:4:7)?
/// ```
package struct DiagnosticRenderer: Sendable {
  private let sources: SourceMap
  private let style: TextStyle

  package init(sources: SourceMap, style: TextStyle) {
    self.sources = sources
    self.style = style
  }

  /// The whole block, ending in a line break.
  package func render(_ diagnostic: Diagnostic) -> String {
    let emphasis: Emphasis =
      switch diagnostic.severity {
      case .error: .error
      case .warning: .warning
      case .note: .note
      }
    let title = "\(diagnostic.severity.rawValue)[\(diagnostic.code.rawValue)]"
    var text =
      style.styled(title, emphasis) + style.styled(": \(diagnostic.message)", .strong) + "\n"
    let labels = (diagnostic.primary.map { [$0] } ?? []) + diagnostic.secondary
    let gutter = gutterWidth(of: labels.map(\.span))
    for (index, label) in labels.enumerated() {
      text += snippet(
        label, gutter: gutter, emphasis: index == 0 ? emphasis : .note,
        arrow: index == 0 ? "-->" : ":::")
    }
    let indent = String(repeating: " ", count: labels.isEmpty ? 2 : gutter + 1)
    for note in diagnostic.notes { text += remark("note", note, indent) }
    if let help = diagnostic.help { text += remark("help", help, indent) }
    return text
  }

  /// A remark, whose further lines stand under its first.
  private func remark(_ word: String, _ text: String, _ indent: String) -> String {
    let margin = "\n" + indent + String(repeating: " ", count: word.count + 4)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      .joined(separator: margin)
    return indent + style.styled("= ", .frame) + "\(word): \(lines)\n"
  }

  /// How wide the column of line numbers must be for all of `spans`.
  package func gutterWidth(of spans: [SourceSpan]) -> Int {
    let widest = spans.map { sources.position(of: $0).line }.max() ?? 0
    return max(2, String(widest).count + 1)
  }

  /// The arrow line, the source line and the carets under the label's span.
  package func snippet(
    _ label: Diagnostic.Label, gutter: Int, emphasis: Emphasis, arrow: String = "-->"
  ) -> String {
    let file = sources[label.span.file]
    let position = file.position(of: label.span.lower)
    let lineStart = file.start(ofLine: position.line)
    let lineEnd = lineStart + file.line(position.line).count
    let from = min(max(label.span.lower, lineStart), lineEnd)
    let shown = Self.part(of: file.bytes, lineStart..<lineEnd, around: from)
    let line =
      (shown.lowerBound > lineStart ? "…" : "")
      + String(decoding: file.bytes[shown], as: UTF8.self)
      + (shown.upperBound < lineEnd ? "…" : "")
    let margin = String(repeating: " ", count: gutter)
    let bar = style.styled("|", .frame)

    // Tabs stay tabs, so that carets stand under their text whatever the tab width.
    let before = String(decoding: file.bytes[shown.lowerBound..<from], as: UTF8.self)
    let leading =
      (shown.lowerBound > lineStart ? " " : "")
      + before.unicodeScalars.map { $0 == "\t" ? "\t" : " " }.joined()
    let covered = file.bytes[from..<min(max(label.span.upper, from), shown.upperBound)]
    let carets = max(1, covered.count { $0 & 0xC0 != 0x80 })
    let number = String(position.line)
    let padding = String(repeating: " ", count: gutter - number.count)

    let mark = style.styled(String(repeating: "^", count: carets), emphasis)
    let words = label.text.isEmpty ? "" : " " + style.styled(label.text, emphasis)
    return """
      \(margin)\(style.styled(arrow, .frame)) \(sources.location(of: label.span))
      \(margin) \(bar)
      \(padding)\(style.styled(number, .frame)) \(bar) \(visible(line))
      \(margin) \(bar) \(leading)\(mark)\(words)

      """
  }

  /// The bytes of a line that are shown: all, or those around a place where the line is so long
  /// that the place would be lost in it, as in a listing that is one line of JSON.
  private static func part(of bytes: [UInt8], _ line: Range<Int>, around place: Int) -> Range<Int> {
    guard line.count > 240 else { return line }
    let isWithin = { (index: Int) in bytes[index] & 0xC0 == 0x80 }
    var lower = max(line.lowerBound, place - 60)
    while lower > line.lowerBound, lower < line.upperBound, isWithin(lower) { lower -= 1 }
    var upper = min(line.upperBound, place + 100)
    while upper < line.upperBound, isWithin(upper) { upper += 1 }
    return lower..<upper
  }

  /// Control characters of the user's text never reach the terminal as such.
  private func visible(_ line: String) -> String {
    var text = ""
    for scalar in line.unicodeScalars {
      if scalar != "\t", scalar.properties.generalCategory == .control {
        text += "\u{FFFD}"
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
