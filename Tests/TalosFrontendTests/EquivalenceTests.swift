import Diagnostics
import NftablesFrontend
import Proof
import Rulesets
import TalosFrontend
import TestSupport
import Testing

@Suite("Derived rulesets as the kernel holds them")
struct EquivalenceTests {
  @Test(
    .enabled(if: DerivedRulesets.areHere, "needs ../shared/corpora beside the repository"),
    .enabled(if: Kernel.isUsable, "needs network namespaces"),
    arguments: Configuration.derived)
  func `treat every packet as the compiled ruleset does`(configuration: Configuration) throws {
    let compiled = try #require(try configuration.reading().ruleset)
    // Talos tests the protocol and not the family; nft's `icmp type` alone tests both.
    let derived = try #require(try DerivedRulesets.tables()[configuration.title])
      .replacing("icmp type {", with: "meta l4proto icmp icmp type {")
    var sources = SourceMap()
    let reading = NftablesReader.read(
      try Kernel.listing(of: derived), name: "listed.json", sources: &sources,
      bytecode: try Kernel.listing(of: derived, options: "--debug=netlink"))
    let listed = try #require(reading.ruleset, "\(reading.diagnostics)")
    var comparison = RulesetComparison(listed, compiled)
    let result = comparison.result()
    #expect(result.isEquivalent, "\(result)")
  }

  @Test
  func `a rule that is missing is a packet that is treated differently`() throws {
    let compiled = try #require(try Configuration.derived[2].reading().ruleset)
    var other = compiled
    other.tables[0].chains[0].rules.removeLast()
    var comparison = RulesetComparison(compiled, other)
    guard case .different(let difference) = comparison.result() else {
      Issue.record("no difference is found")
      return
    }
    #expect(difference.old.verdict == "accept")
  }
}
