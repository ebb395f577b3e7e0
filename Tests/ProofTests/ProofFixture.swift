import Diagnostics
import Foundation
import NftablesFrontend
import Outcomes
import Proof
import Rulesets
import Scenarios
import Testing

/// Rulesets that a kernel held and listed, and lines asked of them.
enum ProofFixture {
  static var folder: URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/Proof")
  }

  static func ruleset(_ name: String, _ sources: inout SourceMap) throws -> Ruleset {
    let bytes = [UInt8](try Data(contentsOf: folder.appending(path: "\(name).json")))
    let reading = NftablesReader.read(bytes, name: "\(name).json", sources: &sources)
    return try #require(reading.ruleset, "\(reading.diagnostics)")
  }

  /// The outcomes of scenario lines, with `rulesets` named by the lines' firewall statements.
  static func outcomes(_ text: String) throws -> [ClaimOutcome] {
    var sources = SourceMap()
    let (plan, diagnostics) = ScenarioReader.read(
      path: "test.scn", bytes: Array(text.utf8), sources: &sources,
      loading: { _ in .success([]) })
    let known = try #require(plan, "\(diagnostics)")
    var firewalls: [Firewall] = []
    var rulesets: [String: Ruleset] = [:]
    for declaration in known.firewalls {
      let name = try #require(declaration.path)
      let ruleset = try rulesets[name] ?? ruleset(name, &sources)
      rulesets[name] = ruleset
      firewalls.append(
        Firewall(name: declaration.name, ruleset: ruleset, placement: declaration.placement))
    }
    var prover = Prover(
      firewalls: firewalls, interfaces: known.interfaces,
      hosts: known.hosts.map(\.addresses))
    return known.flows.map { prover.outcome(of: $0, sources: sources) }
  }

  /// What one line comes to: `passed`, or its status and code.
  static func answer(_ line: String, on ruleset: String, placed: String = "on hosts") throws
    -> ClaimOutcome
  {
    let text = """
      group hosts = 10.0.0.1, 172.20.0.2, fd00::1
      group inside = 10.0.0.0/24
      group outside = any except inside
      firewall fw = nft "\(ruleset)" \(placed)
      \(line)
      """
    let outcomes = try outcomes(text)
    return try #require(outcomes.first)
  }
}
