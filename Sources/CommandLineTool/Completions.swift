/// The shells that completions can be printed for.
enum Shell: String, Hashable, Sendable, CaseIterable {
  case bash, zsh, fish

  /// The script, made from the tables.
  var completions: String {
    switch self {
    case .bash: bashCompletions
    case .zsh: zshCompletions
    case .fish: fishCompletions
    }
  }
}

private let rows = CommandName.allCases.map(\.row)

private func words(_ row: CommandRow) -> String {
  row.allOptions.map { "--" + $0.rawValue }.joined(separator: " ")
}

private var commandWords: String { rows.map(\.name).joined(separator: " ") }

// bash

private var bashCompletions: String {
  var text = """
    _portproof() {
      local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
      local command=${COMP_WORDS[1]}
      COMPREPLY=()
      if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "\(commandWords) --help --version" -- "$current"))
        return
      fi
      case $command in

    """
  for row in rows {
    text += "    \(row.name))\n      case $previous in\n"
    for name in row.allOptions {
      switch row.form(of: name).value {
      case .none: continue
      case .oneOf, .format:
        let words = row.form(of: name).value.words(in: row) ?? []
        text += "        --\(name.rawValue)) COMPREPLY=($(compgen -W "
        text += "\"\(words.joined(separator: " "))\" -- \"$current\")); return ;;\n"
      case .file:
        text += "        --\(name.rawValue)) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
      case .folder:
        text += "        --\(name.rawValue)) COMPREPLY=($(compgen -d -- \"$current\")); return ;;\n"
      case .formatAndFile, .number, .text: text += "        --\(name.rawValue)) return ;;\n"
      }
    }
    text += "      esac\n      case $current in\n        -*) COMPREPLY=($(compgen -W "
    text += "\"\(words(row))\" -- \"$current\")) ;;\n"
    for operand in row.operands.prefix(1) {
      if let words = operand.value.words(in: row) {
        text += "        *) COMPREPLY=($(compgen -W \"\(words.joined(separator: " "))\""
        text += " -- \"$current\")) ;;\n"
      } else if operand.value == .file {
        text += "        *) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n"
      }
    }
    text += "      esac\n      ;;\n"
  }
  return text + "  esac\n}\ncomplete -o filenames -F _portproof portproof\n"
}

// zsh

private var zshCompletions: String {
  var text = "#compdef portproof\n\n_portproof() {\n  if (( CURRENT == 2 )); then\n"
  text += "    local -a commands=(\n"
  for row in rows { text += "      \(zshQuoted("\(row.name):\(row.summary)"))\n" }
  text += "    )\n    _describe command commands\n"
  text += "    _arguments '--help[show help]' '--version[show the version]'\n    return\n  fi\n"
  text += "  local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n  case $command in\n"
  for row in rows {
    text += "    \(row.name))\n      _arguments"
    for name in row.allOptions {
      let option = row.form(of: name)
      var specification = (option.isRepeatable ? "*" : "") + "--\(name.rawValue)"
      specification += "[\(zshEscaped(option.help))]" + zshValue(option.value, row)
      text += " \\\n        \(zshQuoted(specification))"
    }
    for operand in row.operands {
      let position = operand.isRepeatable ? "*" : operand.isRequired ? "" : ":"
      text += " \\\n        \(zshQuoted(position + zshValue(operand.value, row, operand.name)))"
    }
    text += "\n      ;;\n"
  }
  return text + "  esac\n}\n\ncompdef _portproof portproof\n"
}

private func zshValue(_ value: ValueKind, _ row: CommandRow, _ name: String? = nil) -> String {
  let name = name ?? value.placeholder(in: row) ?? ""
  switch value {
  case .none: return ""
  case .file: return ":\(name):_files"
  case .oneOf, .format:
    return ":value:(\((value.words(in: row) ?? []).joined(separator: " ")))"
  case .folder: return ":\(name):_files -/"
  case .formatAndFile, .number, .text: return ":\(zshEscaped(name)): "
  }
}

private func zshEscaped(_ text: String) -> String {
  var escaped = ""
  for character in text {
    if ":[]".contains(character) { escaped += "\\" }
    escaped.append(character)
  }
  return escaped
}

private func zshQuoted(_ text: String) -> String {
  "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
    + "'"
}

// fish

private var fishCompletions: String {
  var text = "complete -c portproof -f\n"
  text += "complete -c portproof -n __fish_use_subcommand -l help -d 'show help'\n"
  text += "complete -c portproof -n __fish_use_subcommand -l version -d 'show the version'\n"
  for row in rows {
    text += "complete -c portproof -n __fish_use_subcommand -a \(row.name) "
    text += "-d \(fishQuoted(row.summary))\n"
    let condition = "-n '__fish_seen_subcommand_from \(row.name)'"
    for name in row.allOptions {
      text += "complete -c portproof \(condition) -l \(name.rawValue)"
      text +=
        fishValue(row.form(of: name).value, row) + " -d \(fishQuoted(row.form(of: name).help))\n"
    }
    for operand in row.operands {
      if let words = operand.value.words(in: row) {
        text += "complete -c portproof \(condition) -a '\(words.joined(separator: " "))'\n"
      } else if operand.value == .file {
        text += "complete -c portproof \(condition) -F\n"
      }
    }
  }
  return text
}

private func fishValue(_ value: ValueKind, _ row: CommandRow) -> String {
  switch value {
  case .none: ""
  case .file: " -r -F"
  case .oneOf, .format:
    " -x -a '\((value.words(in: row) ?? []).joined(separator: " "))'"
  case .folder: " -x -a '(__fish_complete_directories)'"
  case .formatAndFile, .number, .text: " -x"
  }
}

private func fishQuoted(_ text: String) -> String {
  var quoted = "'"
  for character in text {
    if "'\\".contains(character) { quoted += "\\" }
    quoted.append(character)
  }
  return quoted + "'"
}
