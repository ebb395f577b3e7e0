import Diagnostics
import NftablesFrontend
import Rulesets
import TestSupport
import Testing

@Suite("Printing and reading back")
struct RoundTripTests {
  enum Outcome: Hashable {
    case same
    case exempt(String)
    case refused(String)
    case different(String)
  }

  @Test(
    .enabled(if: Corpus.isHere, "needs ../shared/corpora beside the repository"),
    .enabled(if: Kernel.isUsable, "needs network namespaces"))
  func `what nft loads of a printed ruleset is the ruleset`() throws {
    var counts: [String: Int] = [:]
    for name in Corpus.vectorFiles {
      let ruleset = try #require(try Corpus.vectorRuleset(name).ruleset)
      switch try outcome(ruleset) {
      case .same: counts["same", default: 0] += 1
      case .exempt(let reason): counts["exempt: \(reason)", default: 0] += 1
      case .refused(let message): Issue.record("\(name): nft refuses the text: \(message)")
      case .different(let what): Issue.record("\(name): \(what)")
      }
    }
    for (what, count) in counts.sorted(by: { $0.value > $1.value }) { print("  \(count)  \(what)") }
    #expect(counts["same", default: 0] > 90)
  }

  func outcome(_ ruleset: Ruleset) throws -> Outcome {
    if let gap = RulesetPrinter.gaps(in: ruleset).first { return .exempt(gap.reason) }
    let text = RulesetPrinter().text(of: ruleset)
    let listing: [UInt8]
    do {
      listing = try Kernel.listing(of: text)
    } catch let failure as Kernel.Failure {
      return .refused(failure.description)
    }
    var sources = SourceMap()
    let reading = NftablesReader.read(listing, name: "listed.json", sources: &sources)
    guard let listed = reading.ruleset else { return .different("\(reading.diagnostics)") }
    return difference(ruleset.normalised, listed.normalised).map { .different($0) } ?? .same
  }

  /// The first rule or set that differs.
  private func difference(_ left: Ruleset, _ right: Ruleset) -> String? {
    guard left.tables.count == right.tables.count else { return "the number of tables differs" }
    for (first, second) in zip(left.tables, right.tables) {
      // Names of sets may come in another order, and rules hold indices into it.
      let printers = (RulePrinter(first), RulePrinter(second))
      for set in first.sets {
        guard let other = second.sets.first(where: { $0.name == set.name }) else {
          return "set \(set.name) is gone"
        }
        guard set.contents == other.contents else {
          return "set \(set.name): \(set.contents) became \(other.contents)"
        }
      }
      guard first.chains.map(\.name) == second.chains.map(\.name) else {
        return "chains differ: \(first.chains.map(\.name)) \(second.chains.map(\.name))"
      }
      for (chain, other) in zip(first.chains, second.chains) {
        var base = chain.base
        // nft 1.0.6 does not list the device of an ingress chain.
        if other.base?.devices == nil { base?.devices = nil }
        guard base == other.base else { return "\(chain.name): \(String(describing: chain.base))" }
        guard chain.rules.count == other.rules.count else { return "\(chain.name): rules are gone" }
        for (rule, copy) in zip(chain.rules, other.rules)
        where rule != copy {
          return """
            \(chain.name): \(printers.0.text(of: rule)) became \(printers.1.text(of: copy))
            """
        }
      }
    }
    return nil
  }
}
