import Diagnostics
import NftablesFrontend
import Rulesets
import TalosFrontend
import TestSupport
import Testing

@Suite("Rulesets derived from Talos' source")
struct DerivedRulesetTests {
  @Test(
    .enabled(if: DerivedRulesets.areHere, "needs ../shared/corpora beside the repository"),
    arguments: Configuration.derived)
  func `a configuration becomes exactly its ruleset`(configuration: Configuration) throws {
    let reading = try configuration.reading()
    #expect(reading.diagnostics == [])
    let derived = try #require(try DerivedRulesets.tables()[configuration.title])
    let printed = RulesetPrinter().text(of: try #require(reading.ruleset))
    #expect(comparable(printed) == comparable(derived))
  }

  @Test(arguments: Configuration.derived)
  func `a configuration keeps its ruleset`(configuration: Configuration) throws {
    let name = configuration.title.prefix { $0 != "(" && $0 != "," }
      .split(separator: " ").joined(separator: "-").lowercased()
    let suffix = configuration.title.hasSuffix(" 2") ? "-block" : ""
    let ruleset = try #require(try configuration.reading().ruleset)
    try expectGolden("rulesets/\(name)\(suffix).nft", RulesetPrinter().text(of: ruleset))
  }

  @Test(.enabled(if: DerivedRulesets.areHere, "needs ../shared/corpora beside the repository"))
  func `every derived ruleset is compared`() throws {
    #expect(Set(try DerivedRulesets.tables().keys) == Set(Configuration.derived.map(\.title)))
  }

  @Test(
    .enabled(if: DerivedRulesets.areHere, "needs ../shared/corpora beside the repository"),
    .enabled(if: Kernel.isUsable, "needs network namespaces"),
    arguments: Configuration.derived)
  func `the kernel lists what was derived as the ruleset`(configuration: Configuration) throws {
    let ruleset = try #require(try configuration.reading().ruleset)
    let derived = try #require(try DerivedRulesets.tables()[configuration.title])
    #expect(try Listed.tables(of: derived) == ruleset.tables.map { CanonicalTable($0) })
  }

  @Test(
    .enabled(if: Kernel.isUsable, "needs network namespaces"),
    arguments: Configuration.derived)
  func `the kernel takes a ruleset and lists it again`(configuration: Configuration) throws {
    let ruleset = try #require(try configuration.reading().ruleset)
    #expect(RulesetPrinter.gaps(in: ruleset).isEmpty)
    let text = RulesetPrinter().text(of: ruleset)
    #expect(try Listed.tables(of: text) == ruleset.tables.map { CanonicalTable($0) })
  }
}

/// What nft makes of a text.
enum Listed {
  static func tables(of text: String) throws -> [CanonicalTable] {
    var sources = SourceMap()
    let reading = NftablesReader.read(
      try Kernel.listing(of: text), name: "listed.json", sources: &sources)
    return try #require(reading.ruleset, "\(reading.diagnostics)").tables.map { CanonicalTable($0) }
  }
}
