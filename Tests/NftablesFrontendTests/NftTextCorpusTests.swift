import Diagnostics
import Foundation
import NftablesFrontend
import Rulesets
import TestSupport
import Testing

/// The texts that are shipped, each beside what a kernel listed of it.
@Suite("Rules of the shipped texts")
struct NftTextCorpusTests {
  static let texts: [String] = ["Scenarios", "Tests/Fixtures"].flatMap { folder in
    let all = FileManager.default.enumerator(atPath: Corpus.root.appending(path: folder).path)
    return (all?.compactMap { $0 as? String } ?? []).filter { $0.hasSuffix(".nft") }.sorted()
      .map { "\(folder)/\($0)" }
  }

  static func bytes(_ path: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: Corpus.root.appending(path: path)))
  }

  /// The ruleset of the listing with the places of the text, which is file 0.
  static func cited(_ path: String, _ sources: inout SourceMap) throws -> Ruleset {
    let file = sources.add(SourceFile(name: path, bytes: try bytes(path)))
    let rules = NftTextRules(inFile: file, of: &sources) { _ in nil }
    let listing = String(path.dropLast("nft".count)) + "json"
    let reading = NftablesReader.read(try bytes(listing), name: listing, sources: &sources)
    var ruleset = try #require(reading.ruleset)
    rules.cite(in: &ruleset)
    return ruleset
  }

  @Test func `are there`() {
    #expect(Self.texts.count { $0.hasPrefix("Scenarios/") } >= 20)
  }

  @Test(arguments: texts) func `all have their places in the text`(path: String) throws {
    var sources = SourceMap()
    for table in try Self.cited(path, &sources).tables {
      for chain in table.chains {
        for rule in chain.rules {
          let span = try #require(rule.provenance.span)
          #expect(span.file == 0, "\(chain.name): \(RulePrinter(table).text(of: rule))")
        }
      }
    }
  }

  /// The words of a rule that text and listing write alike: those of matches and verdicts, without
  /// the braces and the order of sets.
  private static func words(_ text: String) -> [String] {
    var words = text.replacing("ipv6-icmp", with: "icmpv6")
      .split { " \n,{}\"".contains($0) }.map(String.init)
    words.removeAll { ["meta", "packets", "burst", "state"].contains($0) }
    return words.sorted()
  }

  @Test(arguments: texts.filter { $0.hasPrefix("Scenarios/") })
  func `say what the rules say`(path: String) throws {
    var sources = SourceMap()
    var neighbours = 0
    var unlike = 0
    for table in try Self.cited(path, &sources).tables {
      for chain in table.chains {
        let texts = try chain.rules.map {
          Self.words(sources.text(of: try #require($0.provenance.span)))
        }
        let printed = chain.rules.map { Self.words(RulePrinter(table).text(of: $0)) }
        for (text, rule) in zip(texts, printed) { #expect(text == rule, "\(chain.name)") }
        // What is compared tells rules apart: no rule looks like the one after it.
        for (text, next) in zip(texts, printed.dropFirst()) {
          neighbours += 1
          if text != next { unlike += 1 }
        }
      }
    }
    #expect(neighbours > 5)
    #expect(unlike == neighbours)
  }

  @Test(arguments: texts) func `are looked for in damaged texts without a trap`(path: String) throws
  {
    let original = try Self.bytes(path)
    var generator = SeededGenerator(seed: UInt64(original.count))
    let pieces = [
      "{", "}", "\"", ";", "\n", "#", "\\\n", "include \"x\"\n", "chain c {", "add rule t c ",
    ]
    var found = 0
    for _ in 0..<100 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        let end = min(bytes.count, place + Int.random(in: 0...8, using: &generator))
        let piece = pieces.randomElement(using: &generator) ?? ""
        bytes.replaceSubrange(place..<end, with: Array(piece.utf8))
      }
      var sources = SourceMap()
      let file = sources.add(SourceFile(name: path, bytes: bytes))
      var depth = 0
      let rules = NftTextRules(inFile: file, of: &sources) { name in
        depth += 1
        return depth < 4 ? [SourceFile(name: name, bytes: bytes)] : nil
      }
      for name in [
        "inet talos ingress", "inet filter input", "ip t c", "inet statements input", "inet t c",
      ] {
        for span in NftTextRulesTests.spans(name, rules) ?? [] {
          found += 1
          #expect(0 <= span.lower && span.lower < span.upper)
          #expect(span.upper <= sources[span.file].bytes.count)
        }
      }
    }
    if path.hasPrefix("Scenarios/") { #expect(found > 100) }
  }

  @Test(.enabled(if: Kernel.isUsable, "needs network namespaces"), arguments: 0..<24)
  func `are those of the listing, whatever the commands`(seed: Int) throws {
    var script = RandomScript(seed: UInt64(seed))
    let text = script.text()
    var sources = SourceMap()
    let rules = NftTextRulesTests.rules(text, &sources)
    let reading = NftablesReader.read(
      try Kernel.listing(of: text), name: "listing", sources: &sources)
    var ruleset = try #require(reading.ruleset)
    rules.cite(in: &ruleset)
    var count = 0
    for rule in ruleset.tables.flatMap(\.chains).flatMap(\.rules) {
      let comment = try #require(rule.comment)
      let span = try #require(rule.provenance.span)
      count += 1
      #expect(span.file == 0, "\(comment)\n\(text)")
      #expect(sources.text(of: span).hasSuffix("comment \"\(comment)\""), "\(text)")
    }
    #expect(count == ruleset.ruleCount)
    #expect(count > 10)
  }
}

/// Commands and blocks in any order, every rule with a comment of its own.
private struct RandomScript {
  private var generator: SeededGenerator
  private var ruleCount = 0

  init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  mutating func text() -> String {
    var text = pick(["flush ruleset\n", "# { a comment\n", ""])
    for table in tables {
      text += "add table \(table)\n"
      for chain in chains { text += "add chain \(table) \(chain)\n" }
    }
    for _ in 0..<30 { text += command() }
    // What was flushed last would leave too little to look at.
    for table in tables { text += block(table) }
    return text
  }

  private let tables = ["inet t", "ip t", "ip6 u"]
  private let chains = ["a", "b", "c"]

  private mutating func pick<T>(_ values: [T]) -> T {
    values[Int.random(in: 0..<values.count, using: &generator)]
  }

  private mutating func command() -> String {
    let chain = "\(pick(tables)) \(pick(chains))"
    switch Int.random(in: 0..<12, using: &generator) {
    case 0...2: return "add rule \(chain) \(rule())\(end())"
    case 3: return "insert rule \(chain) \(rule())\(end())"
    case 4: return "\(pick(["rule ", "add ", ""]))\(chain) \(rule())\(end())"
    case 5: return "flush chain \(chain)\n"
    case 6: return "chain \(chain) {\n\(statements())}\n"
    case 7: return "define x\(Int.random(in: 0..<1000, using: &generator)) = { 1,\n 2 }\n"
    case 8: return pick(["flush table ip6 u\n", "\n", "flush ruleset arp\n", ";\n"])
    default: return block(pick(tables))
    }
  }

  private mutating func block(_ table: String) -> String {
    var text = "table \(table) {\n"
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      text += "\(pick(["", "\t# chain c {\n"]))  chain \(pick(chains)) {\n\(statements())  }\n"
    }
    return text + "}\n"
  }

  private mutating func statements() -> String {
    var text = ""
    for _ in 0..<Int.random(in: 1...4, using: &generator) { text += "    \(rule())\(end())" }
    return text
  }

  private mutating func end() -> String { pick(["\n", ";\n", " ; # drop\n", "\n\n", "# } x\n"]) }

  private mutating func rule() -> String {
    ruleCount += 1
    let match = pick([
      "", "tcp dport 22 ", "tcp dport {\n 22, # x }\n 80 } ", "udp sport 5 \\\n ",
      "iifname \"a;b\" ",
      "log prefix \"x } drop ; # \" ", "ct state vmap { new : drop,\n invalid : accept } ",
    ])
    let verdict = pick(["accept", "drop", "return", "counter", "continue", "jump { accept; }"])
    return "\(match)\(verdict) comment \"r\(ruleCount)\""
  }
}
