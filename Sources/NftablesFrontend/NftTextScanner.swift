internal import Diagnostics
internal import Rulesets

/// Follows nft text from statement to statement and keeps the account of every chain's rules.
///
/// Source: nft 1.0.6, src/parser_bison.y; nft(8).
struct NftTextScanner {
  /// Gives the bytes of included files and their numbers in the map of sources.
  typealias Loading = (_ path: String) -> [(bytes: [UInt8], file: Int)]?
  typealias ChainName = NftTextRules.ChainName
  typealias TextRule = NftTextRules.TextRule
  typealias Kind = NftTokenReader.Kind

  var rules = NftTextRules()
  var reader: NftTokenReader
  private var includedCount = 0

  /// Files that include themselves come to an end.
  private static let mostIncludes = 4096

  init(_ bytes: [UInt8], file: Int) { reader = NftTokenReader(bytes, file: file) }

  /// What a statement stands in: what is not known if it cannot be followed.
  enum Scope {
    case file
    case table(ChainName)
    case chain(ChainName)
  }

  mutating func scan(including loading: Loading) {
    while true {
      let token = reader.next()
      switch token.kind {
      case .end: return
      case .separator: continue
      case .word: command(reader.text(of: token), loading)
      case .string, .open, .close: rules.isUnknown = true
      }
    }
  }

  /// The word that comes next, if one does.
  mutating func word() -> String? {
    let token = reader.next()
    guard token.kind == .word else {
      reader.putBack(token)
      return nil
    }
    return reader.text(of: token)
  }

  /// Whether a block begins here; its brace is taken.
  mutating func opensBlock() -> Bool {
    let token = reader.next()
    if token.kind == .open { return true }
    reader.putBack(token)
    return false
  }

  /// Leaves out the rest of a statement, up to what ends it.
  mutating func skipStatement() {
    var depth = 0
    while true {
      let token = reader.next()
      switch token.kind {
      case .word, .string: continue
      case .open: depth += 1
      case .separator where depth > 0: continue
      case .close where depth > 0: depth -= 1
      case .close, .separator, .end:
        reader.putBack(token)
        return
      }
    }
  }

  mutating func lose(_ scope: Scope) {
    switch scope {
    case .file: rules.isUnknown = true
    case .table(let name): rules.unknownTables.insert(name)
    case .chain(let name): rules.unknownChains.insert(name)
    }
  }

  /// `include "file"`, or a pattern for files, which comes next.
  mutating func include(in scope: Scope, _ loading: Loading) {
    let token = reader.next()
    guard token.kind == .string else {
      reader.putBack(token)
      return lose(scope)
    }
    let path = reader.text(of: token)
    // The statement ends before the file begins.
    let end = reader.next()
    guard end.kind == .separator || end.kind == .end, includedCount < Self.mostIncludes,
      let included = loading(path)
    else {
      if end.kind != .separator { reader.putBack(end) }
      return lose(scope)
    }
    includedCount += max(1, included.count)
    // The one that is entered last is read first.
    for (bytes, file) in included.reversed() { reader.enter(bytes, file: file) }
  }
}

// Blocks.
extension NftTextScanner {
  /// What stands between the braces of a table.
  mutating func tableBlock(_ family: Family, _ table: String, _ loading: Loading) {
    let scope = ChainName(family: family, table: table, chain: "")
    while true {
      let token = reader.next()
      switch token.kind {
      case .close: return
      case .end: return lose(.table(scope))
      case .separator: continue
      case .string, .open:
        lose(.table(scope))
        reader.putBack(token)
        // Takes a brace with all that is inside it.
        skipStatement()
      case .word:
        switch reader.text(of: token) {
        case "include": include(in: .table(scope), loading)
        case "chain":
          if let chain = word() {
            let name = ChainName(family: family, table: table, chain: chain)
            if opensBlock() { chainBlock(name, loading) }
          } else {
            lose(.table(scope))
          }
          skipStatement()
        default: skipStatement()
        }
      }
    }
  }

  /// What stands between the braces of a chain.
  mutating func chainBlock(_ name: ChainName, _ loading: Loading) {
    while true {
      let token = reader.next()
      switch token.kind {
      case .close: return
      case .end: return lose(.chain(name))
      case .separator: continue
      case .string, .open:
        lose(.chain(name))
        reader.putBack(token)
        skipStatement()
      case .word:
        switch reader.text(of: token) {
        case "include": include(in: .chain(name), loading)
        // What says something about the chain; no rule begins so.
        case "type", "policy", "flags", "comment", "device", "devices", "define", "redefine",
          "undefine":
          skipStatement()
        default: append(rule(from: token), to: name)
        }
      }
    }
  }

  mutating func append(_ rule: TextRule?, to name: ChainName) {
    if let rule {
      rules.chains[name, default: []].append(rule)
    } else {
      lose(.chain(name))
    }
  }

  /// One rule, from its first word to its last; the rules of a chain without a name inside it
  /// (`jump { … }`) are part of it.
  ///
  /// - Returns: The rule; nil where it does not end in the file that it begins in.
  mutating func rule(from first: NftTokenReader.Token) -> TextRule? {
    var rule = TextRule(span: first.span)
    var isWhole = true
    var depth = 0
    var token = first
    var followsComment = false
    var followsJump = false
    while true {
      let beginsBlock = followsJump && depth == 0 && token.kind == .open
      followsJump = isJump(token)
      switch token.kind {
      case .separator where depth > 0: break
      case .close where depth > 0: depth -= 1
      case .close, .separator, .end:
        reader.putBack(token)
        return isWhole ? rule : nil
      case .open where beginsBlock:
        guard let (rules, end) = block() else {
          isWhole = false
          break
        }
        rule.blocks.append(rules)
        token = end
      case .open: depth += 1
      case .word, .string:
        guard depth == 0 else { break }
        if followsComment {
          rule.comment = reader.text(of: token)
          followsComment = false
        } else if token.kind == .word {
          followsComment = note(token, in: &rule)
        }
      }
      if token.kind != .separator {
        if token.span.file == first.span.file {
          rule.span = rule.span.joined(with: token.span)
        } else {
          isWhole = false
        }
      }
      token = reader.next()
    }
  }

  private func isJump(_ token: NftTokenReader.Token) -> Bool {
    guard token.kind == .word else { return false }
    let bytes = reader.bytes(of: token)
    return bytes.elementsEqual("jump".utf8) || bytes.elementsEqual("goto".utf8)
  }

  /// The rules of a chain without a name, and its closing brace; nil where that is missing or a rule
  /// cannot be followed.
  private mutating func block() -> ([TextRule], NftTokenReader.Token)? {
    var rules: [TextRule] = []
    while true {
      let token = reader.next()
      switch token.kind {
      case .close: return (rules, token)
      case .end: return nil
      case .separator: continue
      case .string, .open: return nil
      case .word:
        guard let rule = rule(from: token) else { return nil }
        rules.append(rule)
      }
    }
  }

  /// Takes note of a word of a rule.
  ///
  /// - Returns: Whether the rule's comment comes next.
  private func note(_ token: NftTokenReader.Token, in rule: inout TextRule) -> Bool {
    let bytes = reader.bytes(of: token)
    guard 4...8 ~= bytes.count else { return false }
    switch bytes.count {
    case 4:
      if bytes.elementsEqual("drop".utf8) { rule.verdicts.insert(.drop) }
      if bytes.elementsEqual("jump".utf8) { rule.verdicts.insert(.jump) }
      if bytes.elementsEqual("goto".utf8) { rule.verdicts.insert(.goto) }
    case 6:
      if bytes.elementsEqual("accept".utf8) { rule.verdicts.insert(.accept) }
      if bytes.elementsEqual("return".utf8) { rule.verdicts.insert(.return) }
      if bytes.elementsEqual("reject".utf8) { rule.verdicts.insert(.reject) }
    case 7: return bytes.elementsEqual("comment".utf8)
    default:
      if bytes.elementsEqual("continue".utf8) { rule.verdicts.insert(.continue) }
    }
    return false
  }
}
