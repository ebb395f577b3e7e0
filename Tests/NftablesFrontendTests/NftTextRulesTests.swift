import Diagnostics
import Foundation
import NftablesFrontend
import Rulesets
import TestSupport
import Testing

/// nft text whose rules stand between `‹` and `›`.
struct MarkedRules {
  let text: String
  /// The places of the marked rules, in the order of the text.
  private(set) var ranges: [Range<Int>] = []

  init(_ marked: String) {
    var plain: [UInt8] = []
    var start = 0
    for character in marked {
      switch character {
      case "‹": start = plain.count
      case "›": ranges.append(start..<plain.count)
      default: plain += Array(String(character).utf8)
      }
    }
    text = String(decoding: plain, as: UTF8.self)
  }
}

@Suite("Rules in nft text")
struct NftTextRulesTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let marked: String
    /// For each chain the numbers of its rules, from 1 in the order of the text; nil where the
    /// places must not be known.
    let chains: [String: [Int]?]
    /// Whether the text stands for itself, so that nft can say what it makes of it.
    var loads = true

    init(_ name: String, _ marked: String, _ chains: [String: [Int]?], loads: Bool = true) {
      testDescription = name
      self.marked = marked
      self.chains = chains
      self.loads = loads
    }
  }

  static let cases = [
    Case(
      "blocks, one rule a line",
      """
      # A comment { with a brace
      table inet t { # another }
        comment "not; a { rule"
        chain c {
          type filter hook input priority filter - 5; policy drop;
          comment "no rule"

          ‹tcp dport 22 accept›
          ‹tcp dport 23 counter drop›   # trailing { comment
        }
        chain d {
          ‹return›
        }
      }
      """, ["inet t c": [1, 2], "inet t d": [3], "ip t c": []]),
    Case(
      "several rules in a line",
      "table t {\n\tchain c { type filter hook input priority 0; ‹accept› ; ‹drop›; ;‹return›;\n}\n}\n",
      ["ip t c": [1, 2, 3]]),
    Case(
      "all in one line", "table ip6 t { chain c { ‹accept›; ‹drop›; }; chain d { ‹drop›; }; }",
      ["ip6 t c": [1, 2], "ip6 t d": [3]]),
    Case(
      "rules over several lines",
      """
      table inet t {
        chain c {
          ‹tcp dport {
            22, # ssh, not 23; }
            80,
            443
          } accept›
          ‹ip saddr 10.0.0.1 \\
            tcp dport 22 \\
            drop›
          ‹ct state vmap { established : accept,
            invalid : drop }›
        }
      }
      """, ["inet t c": [1, 2, 3]]),
    Case(
      "sets, maps and objects with elements over several lines",
      """
      table inet t {
        flags dormant
        set s {
          type ipv4_addr; flags interval
          elements = {
            10.0.0.1,
            10.0.0.5-10.0.0.9,
          }
        }
        map m {
          type inet_service : verdict
          elements = { 22 : accept,
                       80 : jump c }
        }
        counter hits { packets 0 bytes 0; }
        limit slow { rate 5/second }
        ct helper ftp { type "ftp" protocol tcp; }
        chain c {
          ‹counter name "hits" accept›
        }
        chain d { type filter hook input priority 0
          policy drop
          ‹ip saddr @s drop›
          ‹tcp dport vmap @m›
        }
      }
      """, ["inet t c": [1], "inet t d": [2, 3], "inet t s": []]),
    Case(
      "definitions",
      """
      define ports = { 22,
        80 }
      define target = c
      redefine ports = { 23 }
      table inet t {
        define lan = 10.0.0.0/8
        chain c {
          define wan = 192.0.2.1
          ‹ip saddr $lan tcp dport $ports accept›
          ‹ip saddr $wan drop›
        }
        chain d {
          ‹jump $target›
        }
      }
      """, ["inet t c": [1, 2], "inet t d": [3]]),
    Case(
      "quoted braces, separators and hashes",
      """
      table inet t {
        chain c {
          ‹log prefix "drop; } # { " counter drop comment "a } b; # c"›
          ‹iifname "x#{" accept comment bare› # comment "no"
        }
      }
      """, ["inet t c": [1, 2]]),
    Case(
      "chains without a name",
      """
      table inet t {
        chain c {
          ‹tcp dport 22 jump {
            ip saddr 10.0.0.1 accept comment "inner"
            accept; drop
          }›
          ‹goto { accept; } comment "outer"›
          ‹drop›
        }
      }
      """, ["inet t c": [1, 2, 3]]),
    Case(
      "a chain in several blocks, of a table in several blocks",
      """
      table inet t {
        chain c { ‹accept›; }
        chain c { ‹drop›; }
      }
      table inet t {
        chain d { ‹return›; }
        chain c { ‹continue›; }
      }
      chain inet t c { ‹reject›; }
      """, ["inet t c": [1, 2, 4, 5], "inet t d": [3]]),
    Case(
      "commands",
      """
      flush ruleset
      add table inet t
      create table ip u
      add chain inet t c { type filter hook input priority 0; policy accept; }
      create chain inet t d
      add chain u c
      add set inet t s { type ipv4_addr; elements = { 10.0.0.1,
        10.0.0.2 }; }
      add element inet t s { 10.0.0.3 }
      add rule inet t c ‹tcp dport 22 accept›
      insert rule inet t c ‹ip saddr @s drop› # before it
      rule inet t c ‹tcp dport { 1,
        2 } return›; inet t d ‹drop›
      add inet t d ‹accept comment "last"›
      add rule u c ‹continue›
      """, ["inet t c": [2, 1, 3], "inet t d": [4, 5], "ip u c": [6]]),
    Case(
      "what is emptied or gone",
      """
      table inet t {
        chain c { ‹accept›; }
        chain d { ‹accept›; }
        chain e { ‹accept›; }
      }
      table ip t {
        chain c { ‹accept›; }
      }
      table ip u {
        chain c { ‹accept›; }
      }
      flush chain inet t c
      delete chain inet t e
      add rule inet t c ‹drop›
      flush table ip t
      add rule t c ‹return›
      delete table ip u
      table ip u { chain c { ‹continue›; }; }
      """, ["inet t c": [6], "inet t d": [2], "inet t e": [], "ip t c": [7], "ip u c": [8]]),
    Case(
      "a ruleset that begins anew",
      """
      table inet t { chain c { ‹accept›; }; }
      table ip t { chain c { ‹accept›; }; }
      flush ruleset ip
      table ip t { chain c { ‹drop›; }; }
      """, ["inet t c": [1], "ip t c": [3]]),
    Case(
      "rules by number",
      """
      table inet t {
        chain c { accept; }
        chain d { ‹drop›; }
      }
      add rule inet t c index 0 drop
      """, ["inet t c": nil, "inet t d": [1]]),
    Case(
      "rules by handle, and other names",
      """
      add rule inet t a handle 5 drop
      insert rule inet t b position 5 drop
      replace rule inet t c handle 5 drop
      delete rule inet t d handle 5
      rename chain inet t e f
      add rule inet t f drop
      add rule inet t g ‹drop›
      """,
      [
        "inet t a": nil, "inet t b": nil, "inet t c": nil,
        "inet t d": nil, "inet t e": nil, "inet t f": nil, "inet t g": [1],
      ], loads: false),
    Case(
      "a chain deleted by handle",
      "add rule t c drop\nadd rule u c ‹drop›\ndelete chain t handle 5",
      ["ip t c": nil, "ip u c": [1]], loads: false),
    Case(
      "a table deleted by handle", "add rule t c drop\ndelete table ip handle 5",
      ["ip t c": nil], loads: false),
    Case(
      "a chain without an end", "table t {\nchain c {\naccept\n", ["ip t c": nil],
      loads: false),
    Case(
      "a brace too many", "table t { chain c { accept; }; }\n}\n", ["ip t c": nil],
      loads: false),
    Case("no text", "", ["ip t c": []]),
  ]

  @Test(arguments: cases) func `are found where they stand`(case: Case) {
    let marked = MarkedRules(`case`.marked)
    var sources = SourceMap()
    let rules = Self.rules(marked.text, &sources)
    for (name, numbers) in `case`.chains {
      let spans = Self.spans(name, rules)
      #expect(
        spans.map { $0.map { sources.text(of: $0) } }
          == numbers.map { $0.map { Self.text(marked, $0) } }, "\(name)")
      #expect(
        spans.map { $0.map { $0.lower..<$0.upper } }
          == numbers.map { $0.map { marked.ranges[$0 - 1] } },
        "\(name)")
    }
  }

  @Test(
    .enabled(if: Kernel.isUsable, "needs network namespaces"),
    arguments: cases.filter(\.loads))
  func `are the rules that nft lists`(case: Case) throws {
    let marked = MarkedRules(`case`.marked)
    var sources = SourceMap()
    let rules = Self.rules(marked.text, &sources)
    let listing = NftablesReader.read(
      try Kernel.listing(of: marked.text), name: "listing", sources: &sources)
    let listed = try #require(listing.ruleset)
    var cited = listed
    rules.cite(in: &cited)
    for (name, numbers) in `case`.chains {
      let chain = Self.chain(name, cited)
      let spans = chain?.rules.filter { $0.handle != nil }.map(\.provenance.span) ?? []
      if let numbers {
        #expect(
          spans.map { $0.map { $0.file == 0 ? $0.lower..<$0.upper : 0..<0 } }
            == numbers.map { marked.ranges[$0 - 1] }, "\(name)")
      } else {
        #expect(chain == Self.chain(name, listed), "\(name)")
      }
    }
  }

  static func rules(_ text: String, _ sources: inout SourceMap) -> NftTextRules {
    let file = sources.add(SourceFile(name: "fw.nft", bytes: Array(text.utf8)))
    return NftTextRules(inFile: file, of: &sources) { _ in nil }
  }

  private static func text(_ marked: MarkedRules, _ number: Int) -> String {
    String(decoding: Array(marked.text.utf8)[marked.ranges[number - 1]], as: UTF8.self)
  }

  static func spans(_ name: String, _ rules: NftTextRules) -> [SourceSpan]? {
    let words = name.split(separator: " ").map(String.init)
    return Family(rawValue: words[0]).flatMap {
      rules.spans(family: $0, table: words[1], chain: words[2])
    }
  }

  private static func chain(_ name: String, _ ruleset: Ruleset) -> Chain? {
    let words = name.split(separator: " ").map(String.init)
    return ruleset.tables.first { $0.family.rawValue == words[0] && $0.name == words[1] }?
      .chains.first { $0.name == words[2] }
  }
}

@Suite("Rules in included nft text")
struct IncludedNftTextTests {
  private func read(_ files: [String: String]) -> (NftTextRules, SourceMap) {
    var sources = SourceMap()
    let main = Array((files["main"] ?? "").utf8)
    let file = sources.add(SourceFile(name: "main", bytes: main))
    let rules = NftTextRules(inFile: file, of: &sources) { path in
      let names = path.hasSuffix("*") ? files.keys.sorted() : [path]
      let found = names.filter { !path.hasSuffix("*") || $0.hasPrefix(path.dropLast()) }
      guard found.allSatisfy({ files[$0] != nil }) else { return nil }
      return found.map { SourceFile(name: $0, bytes: Array((files[$0] ?? "").utf8)) }
    }
    return (rules, sources)
  }

  private func places(_ name: String, _ reading: (NftTextRules, SourceMap)) -> [String]? {
    NftTextRulesTests.spans(name, reading.0)?.map {
      "\(reading.1.location(of: $0)) \(reading.1.text(of: $0))"
    }
  }

  @Test func `are found in their files, in the order of the includes`() {
    let reading = read([
      "main": """
      include "one"
      table inet t {
        include "two"
        chain c {
          drop
          include "three"
          accept
        }
      }
      """,
      "one": "table inet t { chain c { return; }; }\n",
      "two": "chain d {\n  accept\n}\n",
      "three": "ip saddr 10.0.0.1 continue\n",
    ])
    #expect(
      places("inet t c", reading) == [
        "one:1:26 return", "main:5:5 drop", "three:1:1 ip saddr 10.0.0.1 continue",
        "main:7:5 accept",
      ])
    #expect(places("inet t d", reading) == ["two:2:3 accept"])
  }

  @Test func `by a pattern are read one after the other`() {
    let reading = read([
      "main": "include \"none*\"\ninclude \"d*\"\nadd rule t c drop\n",
      "d1": "add table t\nadd chain t c\nadd rule t c accept\n", "d2": "insert rule t c return\n",
      "d3": "add rule t c continue\n",
    ])
    #expect(
      places("ip t c", reading)
        == ["d2:1:17 return", "d1:3:14 accept", "d3:1:14 continue", "main:3:14 drop"])
  }

  @Test func `that cannot be read leave open what they could change, and no more`() {
    let inChain = read([
      "main": "table t {\nchain c {\naccept\ninclude \"x\"\n}\nchain d { drop; }\n}\n"
    ])
    #expect(places("ip t c", inChain) == nil)
    #expect(places("ip t d", inChain) == ["main:6:11 drop"])
    let inTable = read([
      "main": "table t {\nchain c {\naccept\n}\ninclude \"x\"\n}\ntable u { chain d { drop; }; }\n"
    ])
    #expect(places("ip t c", inTable) == nil)
    #expect(places("ip u d", inTable) == ["main:7:21 drop"])
    let outside = read(["main": "include \"x\"\ntable t { chain c { drop; }; }\n"])
    #expect(places("ip t c", outside) == nil)
  }

  @Test func `that include themselves come to an end`() {
    let reading = read(["main": "table t { chain c { accept; }; }\ninclude \"main\"\n"])
    #expect(places("ip t c", reading) == nil)
    let twice = read(["main": "include \"main\"\ninclude \"main\"\n"])
    #expect(places("ip t c", twice) == nil)
  }

  @Test func `and run on into the file that includes them have no place`() {
    let reading = read([
      "main": "table t {\nchain c {\ninclude \"x\"\naccept\n}\n}\n", "x": "tcp dport 22",
    ])
    #expect(places("ip t c", reading) == nil)
  }
}

@Suite("Citing nft text")
struct NftTextCitationTests {
  /// A listing of one chain.
  private func ruleset(_ rules: [Rule]) -> Ruleset {
    Ruleset(tables: [Table(family: .inet, name: "t", chains: [Chain(name: "c", rules: rules)])])
  }

  private func rule(_ verdict: Verdict, handle: Int? = 1, comment: String? = nil) -> Rule {
    Rule(
      handle: handle, comment: comment, statements: [.verdict(verdict)],
      provenance: Provenance(span: SourceSpan(file: 1, lower: 7, upper: 9)))
  }

  struct Case: Sendable {
    let text: String
    let isCited: Bool
  }

  private func isCited(_ text: String, _ rules: [Rule]) -> Bool {
    var sources = SourceMap()
    let found = NftTextRulesTests.rules("table inet t {\nchain c {\n\(text)\n}\n}\n", &sources)
    let before = ruleset(rules)
    var after = before
    found.cite(in: &after)
    let spans = after.tables[0].chains[0].rules.filter { $0.handle != nil }.map(\.provenance.span)
    let isCited = spans.allSatisfy { $0?.file == 0 }
    if !isCited { #expect(after == before) }
    return isCited
  }

  @Test(arguments: [
    Case(text: "accept\ndrop comment \"x\"", isCited: true),
    Case(text: "accept", isCited: false),
    Case(text: "accept\ndrop comment \"x\"\ndrop", isCited: false),
    Case(text: "accept\ndrop comment \"y\"", isCited: false),
    Case(text: "accept\ndrop", isCited: false),
    Case(text: "accept comment \"x\"\ndrop comment \"x\"", isCited: false),
    Case(text: "drop\naccept comment \"x\"", isCited: false),
    Case(text: "tcp dport vmap { 22 : accept }\ndrop comment \"x\"", isCited: false),
  ])
  func `is done where rules, comments and verdicts agree, and else not at all`(case: Case) {
    #expect(isCited(`case`.text, [rule(.accept), rule(.drop, comment: "x")]) == `case`.isCited)
  }

  @Test func `passes over doubts that are no rules of the listing`() {
    #expect(isCited("accept", [rule(.continue, handle: nil), rule(.accept)]))
  }

  @Test func `believes a rule that is not covered`() {
    let strange = Rule(
      handle: 3, statements: [.unmodelled(Unmodelled(text: "jump {", reason: "not covered"))])
    #expect(isCited("jump { accept; }", [strange]))
  }
}
