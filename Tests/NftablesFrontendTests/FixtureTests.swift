import Diagnostics
import Foundation
import NftablesFrontend
import Rulesets
import TestSupport
import Testing

/// Rulesets written for these tests, as nft text and as nft 1.0.6 lists them.
enum Fixtures {
  static let folder = Corpus.root.appending(path: "Tests/Fixtures/NftablesFrontend")
  static let names = ["operators", "statements", "translation", "families"]

  static func bytes(_ file: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: folder.appending(path: file)))
  }

  static func ruleset(_ file: String) throws -> Ruleset {
    var sources = SourceMap()
    let reading = NftablesReader.read(try bytes(file), name: file, sources: &sources)
    #expect(reading.diagnostics.isEmpty, "\(file): \(reading.diagnostics)")
    return try #require(reading.ruleset)
  }
}

@Suite("Listings of nft 1.0.6")
struct FixtureTests {
  @Test(arguments: Fixtures.names)
  func `symbols and numbers give the same ruleset`(name: String) throws {
    let symbolic = try Fixtures.ruleset("\(name).json").normalised
    let numeric = try Fixtures.ruleset("\(name).numeric.json").normalised
    for (table, other) in zip(symbolic.tables, numeric.tables) {
      for (set, copy) in zip(table.sets, other.sets) { #expect(set == copy) }
      for (chain, copy) in zip(table.chains, other.chains) {
        #expect(chain.base == copy.base)
        #expect(chain.rules.count == copy.rules.count)
        for (rule, same) in zip(chain.rules, copy.rules) {
          #expect(rule == same, "\(RulePrinter(table).text(of: rule))")
        }
      }
    }
    #expect(symbolic == numeric)
  }

  @Test(arguments: Fixtures.names)
  func `everything is covered but what diverts packets`(name: String) throws {
    let ruleset = try Fixtures.ruleset("\(name).json")
    #expect(ruleset.unmodelled.filter { !$0.text.hasPrefix("fwd") } == [])
  }

  @Test(arguments: Fixtures.names)
  func `rules print as nft text`(name: String) throws {
    let text = RulesetPrinter().text(of: try Fixtures.ruleset("\(name).json"))
    try expectGolden("NftablesFrontend/\(name).nft", text)
  }

  @Test(
    .enabled(if: Kernel.isUsable, "needs network namespaces"), arguments: Fixtures.names)
  func `what nft loads of the printed text is the ruleset`(name: String) throws {
    var ruleset = try Fixtures.ruleset("\(name).json")
    // nft 1.0.6 does not list the device of an ingress chain.
    for table in ruleset.tables.indices where ruleset.tables[table].family == .netdev {
      for chain in ruleset.tables[table].chains.indices {
        ruleset.tables[table].chains[chain].base?.devices = ["lo"]
      }
    }
    let outcome = try RoundTripTests().outcome(ruleset)
    #expect(outcome == .same)
  }

  @Test func `a rule knows its place in the file`() throws {
    var sources = SourceMap()
    let bytes = try Fixtures.bytes("families.json")
    let reading = NftablesReader.read(bytes, name: "families.json", sources: &sources)
    for table in try #require(reading.ruleset).tables {
      for rule in table.chains.flatMap(\.rules) {
        let text = sources.text(of: try #require(rule.provenance.span))
        #expect(text.hasPrefix("{\"family\": \"\(table.family.rawValue)\""))
        #expect(text.contains("\"handle\": \(try #require(rule.handle))"))
        #expect(text.hasSuffix("}"))
      }
    }
  }
}

/// Holds `text` against a recorded file; `RECORD_GOLDEN=1` writes the file and fails.
func expectGolden(_ name: String, _ text: String) throws {
  let file = Corpus.root.appending(path: "Tests/Golden/\(name)")
  if ProcessInfo.processInfo.environment["RECORD_GOLDEN"] == "1" {
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try text.write(to: file, atomically: true, encoding: .utf8)
    Issue.record("recorded \(name)")
    return
  }
  #expect(text == (try String(contentsOf: file, encoding: .utf8)))
}
