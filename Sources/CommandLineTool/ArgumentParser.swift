internal import Diagnostics

/// A command line that the tables allow.
struct ParsedArguments {
  fileprivate(set) var operands: [String] = []
  private var values: [OptionName: [String]] = [:]

  /// Whether the option is there.
  func has(_ option: OptionName) -> Bool { values[option] != nil }

  /// The value of an option; of several the last.
  subscript(option: OptionName) -> String? { values[option]?.last }

  /// All values of an option that may be repeated, in order.
  func all(_ option: OptionName) -> [String] { values[option] ?? [] }

  fileprivate mutating func add(_ value: String, to option: OptionName) {
    values[option, default: []].append(value)
  }
}

/// What a command line asks for.
enum Request {
  case overview
  case help(CommandRow)
  case version
  case run(CommandName, ParsedArguments)
}

/// Reads command lines by the tables of commands and options.
enum ArgumentParser {
  /// What `arguments` ask for.
  ///
  /// - Parameter arguments: The words after the program's name.
  /// - Returns: The request.
  /// - Throws: The first thing that is wrong, with what was probably meant.
  static func parse(_ arguments: [String]) throws(Diagnostic) -> Request {
    guard let first = arguments.first else { throw missingCommand }
    switch first {
    case "--help", "-h": return .overview
    case "--version": return .version
    case "help":
      guard arguments.count > 1 else { return .overview }
      return .help(try command(arguments[1]).row)
    default: break
    }
    if first.hasPrefix("-") { throw optionBeforeCommand(first) }
    let command = try command(first)
    guard let parsed = try parse(arguments.dropFirst(), of: command.row) else {
      return .help(command.row)
    }
    return .run(command, parsed)
  }

  private static func command(_ word: String) throws(Diagnostic) -> CommandName {
    guard let command = CommandName(rawValue: word) else { throw unknownCommand(word) }
    return command
  }

  /// The options and operands of one command.
  ///
  /// - Parameters:
  ///   - words: What stands after the command.
  ///   - row: The command.
  /// - Returns: Options and operands; nil where help is asked for, whatever else is on the line.
  /// - Throws: The first thing that is wrong, with what was probably meant.
  static func parse(
    _ words: ArraySlice<String>, of row: CommandRow
  ) throws(Diagnostic) -> ParsedArguments? {
    var parsed = ParsedArguments()
    var rest = words
    var isOptionAllowed = true
    let beforeEnd = words.prefix { $0 != "--" }
    if beforeEnd.contains("--help") || beforeEnd.contains("-h") { return nil }
    while let word = rest.popFirst() {
      if isOptionAllowed, word == "--" {
        isOptionAllowed = false
      } else if isOptionAllowed, word.hasPrefix("-"), word != "-" {
        let (option, attached) = try option(word, of: row)
        let value = try value(of: option, attached: attached, rest: &rest, in: row)
        guard option.isRepeatable || !parsed.has(option.name) else { throw repeated(option) }
        parsed.add(value, to: option.name)
      } else {
        parsed.operands.append(word)
      }
    }
    if let option = row.optionInPlaceOfOperands, parsed.has(option) {
      if let word = parsed.operands.first { throw superfluousOperand(word, of: row) }
    } else {
      try checkOperands(parsed.operands, of: row)
    }
    return parsed
  }

  private static func option(
    _ word: String, of row: CommandRow
  ) throws(Diagnostic) -> (OptionRow, attached: String?) {
    let sign = word.firstIndex(of: "=")
    let name = String(word[..<(sign ?? word.endIndex)])
    guard name.hasPrefix("--"), let option = OptionName(rawValue: String(name.dropFirst(2))),
      row.allOptions.contains(option)
    else { throw unknownOption(name, of: row) }
    return (row.form(of: option), sign.map { String(word[word.index(after: $0)...]) })
  }

  private static func value(
    of option: OptionRow, attached: String?, rest: inout ArraySlice<String>, in row: CommandRow
  ) throws(Diagnostic) -> String {
    if option.value == .none {
      if let attached { throw superfluousValue(option, attached) }
      return ""
    }
    guard let value = attached ?? rest.popFirst() else { throw missingValue(option, in: row) }
    if case .number(let range) = option.value {
      guard let number = Int(value), range.contains(number) else {
        throw wrongNumber(option, value, range)
      }
    }
    guard let allowed = option.value.words(in: row) else { return value }
    let word: String
    if option.value == .formatAndFile {
      let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[1].isEmpty else { throw missingFile(option, value, in: row) }
      word = String(parts[0])
    } else {
      word = value
    }
    guard allowed.contains(word) else { throw wrongValue(option, word, allowed) }
    return value
  }

  private static func checkOperands(
    _ operands: [String], of row: CommandRow
  ) throws(Diagnostic) {
    let required = row.operands.count { $0.isRequired }
    guard operands.count >= required else {
      throw missingOperand(row.operands[operands.count].name, of: row)
    }
    if row.operands.last?.isRepeatable != true, operands.count > row.operands.count {
      throw superfluousOperand(operands[row.operands.count], of: row)
    }
    for (operand, word) in zip(row.operands, operands) {
      guard let allowed = operand.value.words(in: row), !allowed.contains(word) else { continue }
      throw wrongOperand(operand.name, word, allowed)
    }
  }
}

extension ValueKind {
  /// The words that are allowed, or that have to stand before `=`; nil for free text.
  func words(in row: CommandRow) -> [String]? {
    switch self {
    case .none, .file, .folder, .number, .text: nil
    case .oneOf(let words): words
    case .format, .formatAndFile: row.formats.map(\.rawValue)
    }
  }

  /// How the value is called in the help; nil where there is none.
  func placeholder(in row: CommandRow) -> String? {
    switch self {
    case .none: nil
    case .file: "FILE"
    case .folder: "DIR"
    case .number: "N"
    case .oneOf(let words): words.joined(separator: "|")
    case .format: row.formats.map(\.rawValue).joined(separator: "|")
    case .formatAndFile: "FORMAT=FILE"
    case .text(let name): name
    }
  }
}

private func missingFile(
  _ option: OptionRow, _ value: String, in row: CommandRow
) -> Diagnostic {
  Diagnostic(
    "usage.missing-file", .error, "'--\(option.name.rawValue) \(value)' names no file", at: nil,
    help: "write --\(option.name.rawValue) FORMAT=FILE, for example "
      + "--\(option.name.rawValue) \(row.formats.last?.rawValue ?? "json")=report")
}

private var missingCommand: Diagnostic {
  Diagnostic(
    "usage.missing-command", .error, "no command is given", at: nil,
    help: "one of \(quoted(CommandName.allCases.map(\.rawValue))); `portproof --help` tells more")
}

private func missingOperand(_ name: String, of row: CommandRow) -> Diagnostic {
  Diagnostic(
    "usage.missing-operand", .error, "'\(row.name)' needs \(name)", at: nil,
    help: "portproof \(row.usage)")
}

private func missingValue(_ option: OptionRow, in row: CommandRow) -> Diagnostic {
  Diagnostic(
    "usage.missing-value", .error, "'--\(option.name.rawValue)' needs a value", at: nil,
    help: "--\(option.name.rawValue) \(option.value.placeholder(in: row) ?? "")")
}

private func optionBeforeCommand(_ word: String) -> Diagnostic {
  Diagnostic(
    "usage.missing-command", .error, "the option '\(word)' stands before any command", at: nil,
    help: "portproof COMMAND \(word)")
}

private func repeated(_ option: OptionRow) -> Diagnostic {
  Diagnostic(
    "usage.repeated-option", .error, "'--\(option.name.rawValue)' is given twice", at: nil,
    help: "give it once")
}

private func superfluousOperand(_ word: String, of row: CommandRow) -> Diagnostic {
  Diagnostic(
    "usage.superfluous-operand", .error, "'\(row.name)' has no use for '\(word)'", at: nil,
    help: "portproof \(row.usage)")
}

private func superfluousValue(_ option: OptionRow, _ value: String) -> Diagnostic {
  Diagnostic(
    "usage.superfluous-value", .error, "'--\(option.name.rawValue)' takes no value, not '\(value)'",
    at: nil, help: "--\(option.name.rawValue)")
}

private func unknownCommand(_ word: String) -> Diagnostic {
  let names = CommandName.allCases.map(\.rawValue)
  return Diagnostic(
    "usage.unknown-command", .error, "there is no command '\(word)'", at: nil,
    help: Suggestion.nearest(to: word, among: names).map { "did you mean '\($0)'?" }
      ?? "one of \(quoted(names))")
}

private func unknownOption(_ name: String, of row: CommandRow) -> Diagnostic {
  let names = row.allOptions.map { "--" + $0.rawValue }
  return Diagnostic(
    "usage.unknown-option", .error, "'\(row.name)' has no option '\(name)'", at: nil,
    help: Suggestion.nearest(to: name, among: names).map { "did you mean '\($0)'?" }
      ?? "`portproof \(row.name) --help` lists them")
}

private func wrongOperand(_ name: String, _ word: String, _ allowed: [String]) -> Diagnostic {
  Diagnostic(
    "usage.wrong-value", .error, "\(name) cannot be '\(word)'", at: nil, help: choice(word, allowed)
  )
}

private func wrongValue(_ option: OptionRow, _ word: String, _ allowed: [String]) -> Diagnostic {
  Diagnostic(
    "usage.wrong-value", .error, "'--\(option.name.rawValue)' cannot be '\(word)'", at: nil,
    help: choice(word, allowed))
}

private func wrongNumber(
  _ option: OptionRow, _ word: String, _ range: ClosedRange<Int>
) -> Diagnostic {
  Diagnostic(
    "usage.wrong-value", .error, "'--\(option.name.rawValue)' cannot be '\(word)'", at: nil,
    help: "a whole number from \(range.lowerBound) to \(range.upperBound)")
}

private func choice(_ word: String, _ allowed: [String]) -> String {
  Suggestion.nearest(to: word, among: allowed).map { "did you mean '\($0)'?" }
    ?? "one of \(quoted(allowed))"
}

private func quoted(_ words: [String]) -> String {
  words.map { "'\($0)'" }.joined(separator: ", ")
}
