/// A line of the canonical form.
struct FormattedRow {
  /// Statements whose cells may stand below one another.
  enum CellKind {
    case host, group, service, firewall
    /// A scenario, or a line with `only`.
    case line
    case none

    /// - Parameter word: What a statement begins with.
    init(of word: String) {
      self =
        switch word {
        case "host": .host
        case "group": .group
        case "service": .service
        case "firewall": .firewall
        case "include", "defaults", "suite": .none
        default: .line
        }
    }

    /// Whether a word begins the next cell of a statement that has so many.
    func begins(with word: String, after count: Int) -> Bool {
      switch (self, count) {
      case (.host, 1), (.group, 1), (.service, 1), (.firewall, 1): word == "="
      case (.firewall, 2): word == "on" || word == "between"
      case (.firewall, 3): word == "with"
      case (.line, 1): Keyword.clauses.contains { $0.rawValue == word }
      case (.host, _), (.group, _), (.service, _), (.firewall, _), (.line, _), (.none, _): false
      }
    }
  }

  /// How far its text stands from the margin, in characters.
  var indentation = 0
  /// The text; statements that are alike have the beginnings of their cells below one another.
  var cells: [String] = [""]
  var comment: String?
  var hasBlankLineBefore = false
  /// Whether the statement goes on in the next line without a bracket that says so.
  var isContinued = false
  /// What the statement has its cells by.
  var kind = CellKind.none
  /// Whether a statement begins here.
  var beginsStatement = false

  /// The line without its comment.
  var text: String {
    String(repeating: " ", count: indentation) + cells.joined(separator: " ")
      + (isContinued ? " \\" : "")
  }

  /// Whether nothing but a comment stands here.
  var isComment: Bool { cells == [""] }

  /// Adds a word or a sign, with the blank that belongs before it.
  mutating func append(_ text: String, inNewCell: Bool = false) {
    let last = cells.count - 1
    if cells[last].isEmpty {
      cells[last] = text
    } else if inNewCell {
      cells.append(text)
    } else {
      let isTight =
        [",", "-", "/"].contains(text) || cells[last].hasSuffix("-")
        || cells[last].hasSuffix("/")
      cells[last] += (isTight ? "" : " ") + text
    }
  }
}
