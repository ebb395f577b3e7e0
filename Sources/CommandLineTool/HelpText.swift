/// Help, made from the tables.
enum HelpText {
  /// What `portproof --help` prints.
  static var overview: String {
    let commands = CommandName.allCases.map { ($0.row.usage, $0.row.summary) }
    return """
      portproof proves which connections a firewall allows.

      Usage: portproof COMMAND [options]

      Commands:
      \(columns(commands))
      Options:
      \(columns([
        ("--help", "show this help; after a command, that command's"),
        ("--version", OptionName.version.row.help),
      ]))
      Exit status: 0 every expectation holds · 1 one does not · 2 usage, scenario or input error ·
      3 not known, or the environment failed · 4 a bug in portproof · 130 interrupted

      """
  }

  /// What `portproof COMMAND --help` prints.
  static func command(_ row: CommandRow) -> String {
    var text = "portproof \(row.name): \(row.summary)\n\n"
    text += "Usage: portproof \(row.usage) [options]\n\n"
    if !row.operands.isEmpty {
      text +=
        columns(
          row.operands.map { operand in
            let words = operand.value.words(in: row).map { ": " + $0.joined(separator: ", ") } ?? ""
            return (operand.name, operand.help + words)
          }) + "\n"
    }
    text += "Options:\n"
    text += columns(
      row.allOptions.map { name in
        let option = row.form(of: name)
        let value = option.value.placeholder(in: row).map { " " + $0 } ?? ""
        return (
          "--\(name.rawValue)\(value)",
          option.help + (option.isRepeatable ? " (repeatable)" : "")
        )
      })
    guard !row.examples.isEmpty else { return text }
    text += "\nExamples:\n"
    for example in row.examples { text += "  \(example.command)\n      \(example.purpose)\n" }
    return text
  }

  /// Two columns; what is too wide for the left one has a line of its own.
  private static func columns(_ rows: [(left: String, right: String)]) -> String {
    let width = min(30, rows.map(\.left.count).max() ?? 0)
    var text = ""
    for row in rows {
      text += "  " + row.left
      if row.left.count > width {
        text += "\n" + String(repeating: " ", count: width + 4)
      } else {
        text += String(repeating: " ", count: width - row.left.count + 2)
      }
      text += row.right + "\n"
    }
    return text
  }
}
