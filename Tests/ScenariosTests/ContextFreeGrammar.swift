/// A grammar read from EBNF: rules, each a list of alternatives, over numbered symbols.
///
/// Repetitions, options and parentheses become rules of their own. Words in quotes and words in
/// capitals are terminals.
struct ContextFreeGrammar {
  struct Production {
    let left: Int
    let right: [Int]
  }

  /// Names of all symbols; terminals first, the end of the text before all.
  private(set) var names: [String] = ["end"]
  private(set) var productions: [Production] = []
  private(set) var terminalCount = 0
  private(set) var byLeft: [Int: [Int]] = [:]
  private(set) var start = 0

  private var numbers: [String: Int] = ["end": 0]

  init(_ ebnf: String, start: String) {
    let words = Self.words(of: ebnf)
    // Terminals get the low numbers.
    for word in words where word.hasPrefix("\"") || word.isTerminalClass {
      _ = number(word.unquoted)
    }
    terminalCount = names.count
    self.start = number("goal of the grammar")
    productions.append(Production(left: self.start, right: [number("rule \(start)")]))
    var reader = Reader(words: words)
    while reader.index < words.count {
      let left = number("rule \(reader.next())")
      reader.expect("=")
      readAlternatives(of: left, &reader, until: ";")
    }
    for (index, production) in productions.enumerated() {
      byLeft[production.left, default: []].append(index)
    }
    precondition(
      (terminalCount..<names.count).allSatisfy { byLeft[$0] != nil }, "a rule has no definition")
  }

  func isTerminal(_ symbol: Int) -> Bool { symbol < terminalCount }

  func terminal(_ name: String) -> Int? { numbers[name].flatMap { isTerminal($0) ? $0 : nil } }

  private mutating func number(_ name: String) -> Int {
    if let number = numbers[name] { return number }
    names.append(name)
    numbers[name] = names.count - 1
    return names.count - 1
  }

  private struct Reader {
    let words: [String]
    var index = 0

    mutating func next() -> String {
      index += 1
      return words[index - 1]
    }

    mutating func expect(_ word: String) {
      let found = next()
      precondition(found == word, "expected \(word), found \(found)")
    }
  }

  private mutating func readAlternatives(of left: Int, _ reader: inout Reader, until end: String) {
    var right: [Int] = []
    while true {
      let word = reader.next()
      switch word {
      case end, "|":
        productions.append(Production(left: left, right: right))
        right = []
        if word == end { return }
      case "(":
        let group = number("group \(names.count)")
        readAlternatives(of: group, &reader, until: ")")
        right.append(group)
      case "[":
        let option = number("option \(names.count)")
        productions.append(Production(left: option, right: []))
        readAlternatives(of: option, &reader, until: "]")
        right.append(option)
      case "{":
        let element = number("element \(names.count)")
        readAlternatives(of: element, &reader, until: "}")
        let list = number("list \(names.count)")
        productions.append(Production(left: list, right: []))
        productions.append(Production(left: list, right: [list, element]))
        right.append(list)
      default:
        let isTerminal = word.hasPrefix("\"") || word.isTerminalClass
        right.append(number(isTerminal ? word.unquoted : "rule \(word)"))
      }
    }
  }

  private static func words(of ebnf: String) -> [String] {
    var words: [String] = []
    var word = ""
    var isQuoted = false
    for character in ebnf {
      if character == "\"" {
        word.append(character)
        if isQuoted {
          words.append(word)
          word = ""
        }
        isQuoted.toggle()
      } else if !isQuoted, character.isWhitespace || "=;|()[]{}".contains(character) {
        if !word.isEmpty { words.append(word) }
        word = ""
        if !character.isWhitespace { words.append(String(character)) }
      } else {
        word.append(character)
      }
    }
    return words
  }
}

extension String {
  fileprivate var isTerminalClass: Bool { allSatisfy { $0.isUppercase } && !isEmpty }

  fileprivate var unquoted: String { hasPrefix("\"") ? String(dropFirst().dropLast()) : self }
}

/// The LALR(1) automaton of a grammar, with the conflicts found while it was made.
///
/// States are sets of items with the same core; where two ways lead to one core their lookaheads
/// are joined, and the state is visited again until nothing changes.
struct Automaton {
  private struct Item: Hashable {
    let production: Int
    let dot: Int
  }

  private enum Action: Equatable {
    case shift(Int)
    case reduce(Int)
    case accept
  }

  private struct State {
    var kernel: [Item: UInt128]
    var actions: [Int: Action] = [:]
    var gotos: [Int: Int] = [:]
  }

  private let grammar: ContextFreeGrammar
  private var states: [State] = []
  private(set) var conflicts: [String] = []
  private var nullable: Set<Int> = []
  private var firsts: [UInt128]

  var stateCount: Int { states.count }

  /// - Precondition: the grammar has at most 128 terminals.
  init(_ grammar: ContextFreeGrammar) {
    precondition(grammar.terminalCount <= 128, "lookaheads are kept in 128 bits")
    self.grammar = grammar
    firsts = grammar.names.indices.map { grammar.isTerminal($0) ? 1 << UInt128($0) : 0 }
    findFirsts()
    build()
    for index in states.indices { fillActions(of: index) }
  }

  private mutating func findFirsts() {
    var isChanged = true
    while isChanged {
      isChanged = false
      for production in grammar.productions {
        let (first, isEmpty) = first(of: production.right[...])
        if firsts[production.left] | first != firsts[production.left] {
          firsts[production.left] |= first
          isChanged = true
        }
        if isEmpty, nullable.insert(production.left).inserted { isChanged = true }
      }
    }
  }

  private func first(of symbols: ArraySlice<Int>) -> (terminals: UInt128, isEmpty: Bool) {
    var terminals: UInt128 = 0
    for symbol in symbols {
      terminals |= firsts[symbol]
      if !nullable.contains(symbol) { return (terminals, false) }
    }
    return (terminals, true)
  }

  private func closure(of kernel: [Item: UInt128]) -> [Item: UInt128] {
    var items = kernel
    var work = Array(kernel.keys)
    while let item = work.popLast() {
      let right = grammar.productions[item.production].right
      guard item.dot < right.count, !grammar.isTerminal(right[item.dot]) else { continue }
      let (terminals, isEmpty) = first(of: right[(item.dot + 1)...])
      let lookahead = terminals | (isEmpty ? items[item] ?? 0 : 0)
      for production in grammar.byLeft[right[item.dot]] ?? [] {
        let next = Item(production: production, dot: 0)
        let known = items[next]
        if known == nil || known.map({ $0 | lookahead != $0 }) == true {
          items[next] = (known ?? 0) | lookahead
          work.append(next)
        }
      }
    }
    return items
  }

  private mutating func build() {
    var indices: [Set<Item>: Int] = [:]
    let start = [Item(production: 0, dot: 0): UInt128(1)]
    states.append(State(kernel: start))
    indices[Set(start.keys)] = 0
    var work = [0]
    while let index = work.popLast() {
      var moves: [Int: [Item: UInt128]] = [:]
      for (item, lookahead) in closure(of: states[index].kernel) {
        let right = grammar.productions[item.production].right
        guard item.dot < right.count else { continue }
        moves[right[item.dot], default: [:]][
          Item(production: item.production, dot: item.dot + 1)] = lookahead
      }
      for (symbol, kernel) in moves {
        let target: Int
        if let known = indices[Set(kernel.keys)] {
          target = known
          var isChanged = false
          for (item, lookahead) in kernel {
            let before = states[known].kernel[item] ?? 0
            states[known].kernel[item] = before | lookahead
            isChanged = isChanged || before | lookahead != before
          }
          if isChanged { work.append(known) }
        } else {
          target = states.count
          states.append(State(kernel: kernel))
          indices[Set(kernel.keys)] = target
          work.append(target)
        }
        states[index].gotos[symbol] = target
      }
    }
  }

  private mutating func fillActions(of index: Int) {
    for (symbol, target) in states[index].gotos where grammar.isTerminal(symbol) {
      states[index].actions[symbol] = .shift(target)
    }
    for (item, lookahead) in closure(of: states[index].kernel) {
      let production = grammar.productions[item.production]
      guard item.dot == production.right.count else { continue }
      let action = item.production == 0 ? Action.accept : .reduce(item.production)
      for terminal in 0..<grammar.terminalCount where lookahead >> UInt128(terminal) & 1 == 1 {
        if let other = states[index].actions[terminal], other != action {
          conflicts.append(
            "on `\(grammar.names[terminal])` after "
              + "`\(grammar.names[production.left])`: \(other) or \(action)")
        }
        states[index].actions[terminal] = action
      }
    }
  }

  /// Whether the grammar derives the terminals; the end is not among them.
  func accepts(_ terminals: [Int]) -> Bool {
    var stack = [0]
    var position = 0
    while let top = stack.last {
      let next = position < terminals.count ? terminals[position] : 0
      switch states[top].actions[next] {
      case .shift(let target):
        stack.append(target)
        position += 1
      case .reduce(let index):
        let production = grammar.productions[index]
        stack.removeLast(production.right.count)
        guard let below = stack.last, let target = states[below].gotos[production.left] else {
          return false
        }
        stack.append(target)
      case .accept: return true
      case nil: return false
      }
    }
    return false
  }
}
