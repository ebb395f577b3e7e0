import Diagnostics
import Foundation
import Scenarios
import TestSupport
import Testing

/// The grammar of the language over the lexer's tokens.
///
/// It derives the language of the specification's EBNF, which says three things twice; each is
/// said once here, because two ways to read one text are no LALR(1) grammar:
/// - after `except`, a list in braces is an atom already (an atom may be a set in braces);
/// - after `with NAME`, a bare name is a set already, and the option tells which is meant;
/// - after `proto/`, a port may be a range already.
///
/// Kinds, severities and states are names here; which there are is not for the grammar to say. The
/// kind `live` and the option `group` are spelt like keywords.
private let ebnf = """
  file      = { [ statement ] SEPARATOR } ;
  statement = include | host | group | service | firewall | defaults | suite | scenario | only ;
  include   = "include" STRING ;
  host      = "host" NAME "=" ADDRESS { "," ADDRESS } { "iface" NAME | "agent" STRING } ;
  group     = "group" NAME "=" set ;
  service   = "service" NAME "=" svc { "," svc } ;
  firewall  = "firewall" NAME "=" kind [ STRING ] ( "on" set | "between" set "and" set )
              { "with" ( NAME | "group" ) ( STRING | INT | set | STRING "=" set ) } ;
  kind      = NAME | "live" ;
  defaults  = "defaults" clause { clause } ;
  suite     = "suite" STRING { clause } "{" file "}" ;
  scenario  = set "->" set what "expect" verdict { clause } ;
  only      = "only" set "->" set what { clause } ;
  what      = svc | "{" svc { "," svc } "}" ;
  svc       = ( ports proto | proto "/" port | proto | NAME
              | ( "icmp" | "icmpv6" ) [ "type" ( NAME | INT ) [ "code" INT ] ] | "any" )
              [ "one-way" ] ;
  proto     = "tcp" | "udp" | "sctp" | "proto" INT ;
  ports     = port { "," port } ;
  port      = INT | INT "-" INT ;
  set       = atom { "," atom } [ "except" atom ] ;
  atom      = NAME | PREFIX | ADDRESS "-" ADDRESS | ADDRESS | "any" | "self" | "{" set "}" ;
  verdict   = "allow" | "deny" | "drop"
            | "reject" [ "with" ( "tcp-reset" | "port-unreachable" | "host-unreachable" | "no-route"
                                | "admin-prohibited" ) ] ;
  clause    = "in" NAME | "from" "port" ports | "family" ( "ipv4" | "ipv6" ) | "state" NAME
            | "severity" NAME | "tag" NAME { "," NAME } | "because" STRING | "id" NAME
            | "skip" STRING | "xfail" STRING | "timeout" DURATION | "retries" INT | "static"
            | "live" ;
  """

private let grammar = ContextFreeGrammar(ebnf, start: "file")
private let automaton = Automaton(grammar)

extension Token.Kind {
  /// The terminal of the grammar, or nil for the end and for what no grammar knows.
  fileprivate var terminal: String? {
    switch self {
    case .keyword(let keyword): keyword.rawValue
    case .name: "NAME"
    case .integer: "INT"
    case .duration: "DURATION"
    case .string: "STRING"
    case .address: "ADDRESS"
    case .prefix: "PREFIX"
    case .arrow: "->"
    case .equals: "="
    case .comma: ","
    case .slash: "/"
    case .dash: "-"
    case .openBrace: "{"
    case .closeBrace: "}"
    case .separator: "SEPARATOR"
    case .invalid, .end: nil
    }
  }
}

/// What the two readers say of a text; nil where the lexer already refuses it.
private func verdicts(on text: String) -> (automaton: Bool, parser: Bool, complaints: String)? {
  let bytes = Array(text.utf8)
  let lexed = Lexer.tokens(of: bytes, file: 0)
  guard lexed.diagnostics.isEmpty else { return nil }
  let terminals = lexed.tokens.compactMap { $0.kind.terminal.flatMap { grammar.terminal($0) } }
  let diagnostics = Parser.parse(bytes, file: 0).diagnostics
  let errors = diagnostics.filter {
    ScenarioCode(rawValue: $0.code.rawValue)?.isSyntax ?? true
  }
  return (
    automaton.accepts(terminals), errors.isEmpty,
    errors.map { "\($0.code.rawValue): \($0.message)" }.joined(separator: "; ")
  )
}

/// Derives random sentences.
private struct SentenceGenerator {
  var random: SeededGenerator
  /// The productions that have been used, to see that none is left out.
  var used: Set<Int> = []

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  mutating func sentence() -> [String] {
    var words: [String] = []
    expand(grammar.productions[0].right[0], depth: 0, into: &words)
    return words
  }

  private mutating func expand(_ symbol: Int, depth: Int, into words: inout [String]) {
    if grammar.isTerminal(symbol) {
      words.append(word(for: grammar.names[symbol]))
      return
    }
    let choices = grammar.byLeft[symbol] ?? []
    // Deep down, the alternative that ends soonest: rules put theirs first or need no other.
    let isList = grammar.names[symbol].hasPrefix("list")
    let production: Int
    if isList {
      let limit = depth == 1 ? 8 : 3
      let count = depth > 14 ? 0 : Int.random(in: 0...limit, using: &random)
      let element = grammar.productions[choices[1]].right[1]
      used.formUnion(count == 0 ? choices.prefix(1) : choices.dropFirst())
      for _ in 0..<count { expand(element, depth: depth + 1, into: &words) }
      return
    } else if depth > 14 {
      production = choices[0]
    } else {
      production = choices.randomElement(using: &random) ?? choices[0]
    }
    used.insert(production)
    for next in grammar.productions[production].right {
      expand(next, depth: depth + 1, into: &words)
    }
  }

  private mutating func word(for terminal: String) -> String {
    func any(_ words: [String]) -> String { words.randomElement(using: &random) ?? words[0] }
    return switch terminal {
    case "NAME": any(["cp", "Worker-1", "etcd", "x.y_z", "größe", "info", "new", "fd"])
    case "INT": any(["0", "8", "443", "65535", "50001"])
    case "DURATION": any(["500ms", "2s", "1M"])
    case "STRING": any(["\"\"", "\"a \\\"b\\\"\"", "\"r→.json\""])
    case "ADDRESS": any(["10.0.0.1", "fd00::1", "::", "2001:db8:0:1:2:3:4:5", "::ffff:1.2.3.4"])
    case "PREFIX": any(["10.0.0.0/8", "fd00::/64", "::/0"])
    case "->": any(["->", "→"])
    case "SEPARATOR": any(["\n", "\n", " # note → \"\n", ";"])
    default: Bool.random(using: &random) ? terminal : terminal.uppercased()
    }
  }
}

@Suite("The grammar")
struct GrammarTests {
  @Test func `is LALR(1) without conflicts`() {
    #expect(automaton.conflicts == [])
    #expect(automaton.stateCount > 150)
  }

  @Test func `would show a conflict if it had one`() {
    let ambiguous = ContextFreeGrammar("a = a \"+\" a | INT ;", start: "a")
    #expect(!Automaton(ambiguous).conflicts.isEmpty)
    let twice = ContextFreeGrammar("a = b | c ; b = NAME ; c = NAME ;", start: "a")
    #expect(!Automaton(twice).conflicts.isEmpty)
  }

  @Test func `knows every keyword`() {
    #expect(Keyword.allCases.allSatisfy { grammar.terminal($0.rawValue) != nil })
  }

  @Test(.enabled(if: Repository.hasSpecification, "needs the specification beside the repository"))
  func `has the words of the specification's`() throws {
    let page = try String(contentsOf: Repository.specification, encoding: .utf8)
    let block = page.components(separatedBy: "```ebnf\n")[1].components(separatedBy: "```")[0]
    let text = block.replacing(/\(\*.*?\*\)/, with: "")
    let quoted = text.components(separatedBy: "\"").enumerated()
    let words = quoted.filter { !$0.offset.isMultiple(of: 2) }.map(\.element)
    // The other arrow and `;` are tokens that the grammar has under one name.
    let own = (1..<grammar.terminalCount).map { grammar.names[$0] }
      .filter { $0.lowercased() == $0 }
    #expect(Set(words).subtracting(["→", ";"]) == Set(own))
  }

  @Test(.enabled(if: Repository.hasSpecification, "needs the specification beside the repository"))
  func `derives the sample of the specification`() throws {
    let verdict = try #require(verdicts(on: try Repository.sample()))
    #expect(verdict.automaton)
    #expect(verdict.complaints == "")
  }

  @Test func `derives every fixture`() throws {
    for name in try Repository.fixtureNames() {
      let text = String(decoding: try Repository.fixture(name), as: UTF8.self)
      #expect(verdicts(on: text)?.automaton == true, "\(name)")
    }
  }

  @Test func `derives nothing that the parser refuses`() throws {
    var generator = SentenceGenerator(seed: 1)
    for _ in 0..<3_000 {
      let text = generator.sentence().joined(separator: " ")
      let verdict = try #require(verdicts(on: text), "the lexer refuses:\n\(text)")
      #expect(verdict.automaton, "\(text)")
      #expect(verdict.parser, "\(verdict.complaints) in:\n\(text)")
    }
    // All but the goal itself.
    #expect(generator.used.count == grammar.productions.count - 1)
  }

  @Test func `and the parser refuses the same mutants`() {
    var generator = SentenceGenerator(seed: 2)
    var random = SeededGenerator(seed: 3)
    var accepted = 0
    var refused = 0
    for _ in 0..<4_000 {
      var words = generator.sentence()
      let others = generator.sentence()
      guard let other = others.randomElement(using: &random),
        let index = words.indices.randomElement(using: &random)
      else { continue }
      switch Int.random(in: 0..<4, using: &random) {
      case 0: words.remove(at: index)
      case 1: words.insert(other, at: index)
      case 2: words[index] = other
      default: words.swapAt(index, words.indices.randomElement(using: &random) ?? index)
      }
      let text = words.joined(separator: " ")
      guard let verdict = verdicts(on: text) else { continue }
      #expect(verdict.automaton == verdict.parser, "\(verdict.complaints) in:\n\(text)")
      if verdict.automaton { accepted += 1 } else { refused += 1 }
    }
    // Both kinds are there in numbers, or the comparison says nothing.
    #expect(accepted > 300)
    #expect(refused > 1_000)
  }
}
