import Diagnostics
import NftablesFrontend
import Rulesets
import Testing

@Suite("Rulesets of the corpus")
struct CorpusTests {
  @Test(
    .enabled(if: Corpus.isHere, "needs ../shared/corpora beside the repository"))
  func `every ruleset is read without an error, and what is not covered is counted`() throws {
    #expect(Corpus.vectorFiles.count > 100)
    var reasons: [String: Int] = [:]
    var rules = 0
    for name in Corpus.vectorFiles {
      let reading = try Corpus.vectorRuleset(name)
      // One listing has a table with a flag, which nft 1.0.6 prints wrongly.
      let others = reading.diagnostics.filter { $0.code != "nft.table-flags" }
      #expect(others.isEmpty, "\(name): \(others)")
      let ruleset = try #require(reading.ruleset, "\(name)")
      rules += ruleset.ruleCount
      for unmodelled in ruleset.unmodelled { reasons[unmodelled.reason, default: 0] += 1 }
    }
    for (name, reading) in try Corpus.traps() {
      #expect(reading.diagnostics.isEmpty, "\(name): \(reading.diagnostics)")
      let ruleset = try #require(reading.ruleset, "\(name)")
      rules += ruleset.ruleCount
      for unmodelled in ruleset.unmodelled { reasons[unmodelled.reason, default: 0] += 1 }
    }
    print("\(rules) rules; not covered: \(reasons.values.reduce(0, +))")
    for (reason, count) in reasons.sorted(by: { $0.value > $1.value }) {
      print("  \(count)  \(reason)")
    }
  }
}
