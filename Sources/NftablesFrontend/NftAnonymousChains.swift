internal import Diagnostics

/// Gives the chains inside a rule names: `tcp dport 22 jump { … }` becomes a jump to a chain.
///
/// nft's JSON has no form for a chain without a name, so what stands in braces is written as a chain
/// beside the rule, and listed as one.
struct NftAnonymousChains {
  /// A chain that had no name, and its rules in nft's words.
  struct NamedChain: Hashable {
    var name: String
    var rules: [String]
  }

  /// The chains in the order of their beginnings.
  private(set) var chains: [NamedChain] = []
  /// The rule with a name after each `jump` and `goto`, on one line.
  private(set) var rule = ""

  private let prefix: String
  private var reader: NftTokenReader

  /// Rewrites a rule, or a part of one; nil where the text ends inside braces, or goes on after it.
  ///
  /// - Parameters:
  ///   - text: One rule in nft's words.
  ///   - prefix: What the names of the chains begin with.
  init?(in text: String, prefix: String) {
    self.prefix = prefix
    reader = NftTokenReader(Array(text.utf8), file: 0)
    guard let rule = statement() else { return nil }
    self.rule = rule
    // Nothing but the end of the line may follow.
    while true {
      switch reader.next().kind {
      case .separator: continue
      case .end: return
      case .word, .string, .open, .close: return nil
      }
    }
  }

  /// One rule up to what ends it, which is left to be read; nil where braces are not closed.
  private mutating func statement() -> String? {
    var words: [String] = []
    var depth = 0
    while true {
      let token = reader.next()
      switch token.kind {
      case .end where depth > 0: return nil
      case .separator where depth > 0: continue
      case .close where depth > 0:
        depth -= 1
        words.append("}")
      case .end, .separator, .close:
        reader.putBack(token)
        return words.joined(separator: " ")
      case .open:
        if depth == 0, let last = words.last, last == "jump" || last == "goto" {
          guard let name = chain() else { return nil }
          words.append(name)
        } else {
          depth += 1
          words.append("{")
        }
      case .word, .string:
        words.append(String(decoding: reader.bytes(of: token), as: UTF8.self))
      }
    }
  }

  /// The rules up to the closing brace; nil where there is none.
  private mutating func chain() -> String? {
    let index = chains.count
    let name = "\(prefix)-\(index + 1)"
    chains.append(NamedChain(name: name, rules: []))
    while true {
      let token = reader.next()
      switch token.kind {
      case .close: return name
      case .end: return nil
      case .separator: continue
      case .word, .string, .open:
        reader.putBack(token)
        guard let rule = statement() else { return nil }
        chains[index].rules.append(rule)
      }
    }
  }
}
