/// Lays the words of a file out in lines.
struct FormattedRows {
  private(set) var rows: [FormattedRow] = []
  /// How many suites, and how many brackets of a statement, are open.
  private var suites = 0
  private var brackets = 0
  /// Whether the statement before has come to its end.
  private var isBetweenStatements = true
  private var previous: FormattedItem.Kind?

  init(_ items: [FormattedItem]) {
    for item in items { take(item) }
    alignCells()
    alignComments()
  }

  /// The whole file.
  var text: String {
    rows.map { row in
      let blank = row.hasBlankLineBefore ? "\n" : ""
      guard let comment = row.comment else { return "\(blank)\(row.text)\n" }
      let gap = row.isComment ? "" : "  "
      return "\(blank)\(row.text)\(gap)\(comment)\n"
    }.joined()
  }

  private static let step = 2
  private static let continuation = 4

  private mutating func take(_ item: FormattedItem) {
    if item.beginsStatement { isBetweenStatements = true }
    switch item.kind {
    case .comment: takeComment(item)
    case .suiteClosing:
      suites -= 1
      begin(item, at: suites * Self.step)
      rows[rows.count - 1].hasBlankLineBefore = false
      append(item)
    case .suiteOpening:
      continueStatement(item)
      append(item)
      suites += 1
      isBetweenStatements = true
    case .opening:
      continueStatement(item)
      append(item)
      brackets += 1
    case .closing:
      continueStatement(item)
      brackets -= 1
      append(item)
    case .word:
      continueStatement(item)
      append(item)
    }
    previous = item.kind
  }

  private mutating func takeComment(_ item: FormattedItem) {
    let endsStatement = item.lineBreaks == 0 || !isBetweenStatements && brackets == 0
    if endsStatement, let last = rows.indices.last, rows[last].comment == nil {
      rows[last].comment = item.text
    } else {
      begin(item, at: (suites + brackets) * Self.step)
      rows[rows.count - 1].comment = item.text
    }
  }

  /// Begins a line where a statement begins, or where its author broke it.
  private mutating func continueStatement(_ item: FormattedItem) {
    if isBetweenStatements {
      begin(item, at: suites * Self.step)
      rows[rows.count - 1].beginsStatement = true
      rows[rows.count - 1].kind = FormattedRow.CellKind(of: item.text)
      isBetweenStatements = false
    } else if item.lineBreaks > 0 {
      let kind = rows.last?.kind ?? .none
      if brackets == 0 {
        rows[rows.count - 1].isContinued = true
        begin(item, at: suites * Self.step + Self.continuation)
        rows[rows.count - 1].hasBlankLineBefore = false
      } else {
        begin(item, at: (suites + brackets - (item.kind == .closing ? 1 : 0)) * Self.step)
      }
      rows[rows.count - 1].kind = kind
    }
  }

  private mutating func begin(_ item: FormattedItem, at indentation: Int) {
    var row = FormattedRow()
    row.indentation = indentation
    switch previous {
    case nil, .opening, .suiteOpening: break
    case .word, .closing, .suiteClosing, .comment:
      row.hasBlankLineBefore =
        item.lineBreaks > 1 && item.kind != .closing && item.kind != .suiteClosing
    }
    rows.append(row)
  }

  private mutating func append(_ item: FormattedItem) {
    let last = rows.count - 1
    let row = rows[last]
    rows[last].append(
      item.text,
      inNewCell: row.beginsStatement && brackets == 0
        && row.kind.begins(with: item.text, after: row.cells.count))
  }

  // MARK: - Columns

  /// The most characters of a line that is made longer.
  private static let width = 120

  /// Puts the cells of statements below one another that are alike and follow each other without a
  /// gap, unless a line becomes too long by that.
  private mutating func alignCells() {
    for run in runs(where: { $0.kind == $1.kind && $1.kind != .none }) {
      var aligned = rows[run]
      for column in 0..<3 {
        let cells = aligned.indices.filter {
          aligned[$0].beginsStatement && aligned[$0].cells.count > column + 1
        }
        let width = cells.map { aligned[$0].cells[column].count }.max() ?? 0
        for row in cells {
          let missing = width - aligned[row].cells[column].count
          aligned[row].cells[column] += String(repeating: " ", count: missing)
        }
      }
      let isTooLong = run.contains { row in
        aligned[row].text.count > max(Self.width, rows[row].text.count)
      }
      if !isTooLong { rows.replaceSubrange(run, with: aligned) }
    }
  }

  /// Puts comments at the ends of lines below one another.
  private mutating func alignComments() {
    for run in runs(where: { before, row in
      before.comment != nil && row.comment != nil && !before.isComment && !row.isComment
        && before.indentation == row.indentation
    }) where run.allSatisfy({ rows[$0].comment != nil && !rows[$0].isComment }) {
      let width = run.map { rows[$0].text.count }.max() ?? 0
      for row in run {
        let last = rows[row].cells.count - 1
        rows[row].cells[last] += String(repeating: " ", count: width - rows[row].text.count)
      }
    }
  }

  /// The lines in runs: `belongs` says of a line whether it goes on with the line before.
  private func runs(where belongs: (FormattedRow, FormattedRow) -> Bool) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    var start = 0
    for row in rows.indices.dropFirst()
    where rows[row].hasBlankLineBefore || !belongs(rows[row - 1], rows[row]) {
      runs.append(start..<row)
      start = row
    }
    if !rows.isEmpty { runs.append(start..<rows.count) }
    return runs
  }
}
