import Foundation

/// What a run came to.
struct Tally {
  var rulesets = 0
  var notLoaded = 0
  var refusedRules = 0
  var rules = 0
  var packets = 0
  var verdicts = 0
  var unknown: [String: Int] = [:]
  var proved = 0
  var provedUnknown = 0
  var disagreements = 0
  /// Rulesets with a disagreement.
  var disagreeing = 0
  var failures: [String: Int] = [:]
  var refused: [String: Int] = [:]

  mutating func add(_ other: Tally) {
    rulesets += other.rulesets
    notLoaded += other.notLoaded
    refusedRules += other.refusedRules
    rules += other.rules
    packets += other.packets
    verdicts += other.verdicts
    for (reason, count) in other.unknown { unknown[Self.kind(of: reason), default: 0] += count }
    proved += other.proved
    provedUnknown += other.provedUnknown
    disagreements += other.disagreements
    disagreeing += other.disagreeing
    failures.merge(other.failures, uniquingKeysWith: +)
    refused.merge(other.refused, uniquingKeysWith: +)
  }

  /// A reason without the text of the rule that it is about.
  private static func kind(of reason: String) -> String {
    var kind = String(reason.prefix { $0 != "{" && $0 != "`" }).filter { !$0.isNumber }
    if kind.hasSuffix(": ") { kind.removeLast(2) }
    return kind.isEmpty ? reason.filter { !$0.isNumber } : kind
  }

  var unknownTotal: Int { unknown.values.reduce(0, +) }

  func summary(seconds: Double) -> String {
    func percent(_ part: Int, of whole: Int) -> String {
      String(format: "%.2f %%", whole == 0 ? 0 : 100 * Double(part) / Double(whole))
    }
    var lines = [
      "rulesets        \(rulesets) (\(rules) rules; \(refusedRules) more that nft refused; \(notLoaded) rulesets not loaded)",
      "packets         \(packets), \(Int(Double(packets) / max(seconds, 0.001))) a second",
      "verdicts        \(verdicts) of the kernel compared with the simulator's, \(proved) with the prover's",
      "not known       \(unknownTotal), \(percent(unknownTotal, of: unknownTotal + verdicts)); to the prover \(provedUnknown), \(percent(provedUnknown, of: provedUnknown + proved))",
    ]
    for (reason, count) in unknown.sorted(by: { $0.value > $1.value }).prefix(25) {
      lines.append("  \(percent(count, of: unknownTotal + verdicts))  \(count)  \(reason)")
    }
    for (failure, count) in failures.sorted(by: { $0.value > $1.value }).prefix(10) {
      lines.append("failed          \(count)  \(failure)")
    }
    lines.append("disagreements   \(disagreements), in \(disagreeing) rulesets")
    return lines.joined(separator: "\n")
  }
}
