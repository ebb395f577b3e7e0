import Diagnostics
import Rulesets
import TalosFrontend
import TestSupport
import Testing

@Suite("Damaged configurations")
struct DamagedConfigurationTests {
  private static let words = [
    "~", "\"\"", "[]", "{}", "-1", "65535", "0-0", "9-8", "::/0", "0.0.0.0/0", "$patch: delete",
    "- ", "ports", "---", "|", "255.255.255.255/32", "icmp", "&a", "*a", "accept", "50000-65535",
  ]

  @Test(arguments: ["control-plane", "dns-and-web", "dual-stack-node", "global-except"])
  func `end in a ruleset or in diagnostics, never in a trap`(name: String) throws {
    let original = try Repository.fixture("\(name).yaml")
    let versions = [
      TalosVersion(1, 6), TalosVersion(1, 7, 5), TalosVersion(1, 12, 4), TalosVersion(1, 15),
    ]
    var generator = SeededGenerator(seed: 0x7A105)
    var readable = 0
    for round in 0..<1_000 {
      let mutant = mutated(original, using: &generator)
      let patch = round % 3 == 0 ? mutated(original, using: &generator) : nil
      let files = [("config.yaml", mutant)] + (patch.map { [("patch.yaml", $0)] } ?? [])
      var sources = SourceMap()
      let reading = TalosReader.read(
        files, options: .init(version: versions[round % versions.count]), sources: &sources)
      let renderer = DiagnosticRenderer(sources: sources, style: .plain)
      for diagnostic in reading.diagnostics { _ = renderer.render(diagnostic) }
      if let ruleset = reading.ruleset {
        readable += 1
        _ = RulesetPrinter().text(of: ruleset)
        _ = ChainLowering(versions[round % versions.count]).messageCount(of: reading.chains)
      } else {
        #expect(reading.diagnostics.contains { $0.severity == .error })
      }
    }
    #expect(readable > 60)
  }

  /// A word put in another's place, a line doubled or removed, or bytes flipped.
  private func mutated(
    _ bytes: [UInt8], using generator: inout SeededGenerator
  ) -> [UInt8] {
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .map(Array.init)
    let line = Int.random(in: 0..<lines.count, using: &generator)
    switch Int.random(in: 0..<5, using: &generator) {
    case 0, 1:
      let word = Array(Self.words[Int.random(in: Self.words.indices, using: &generator)].utf8)
      let start = lines[line].lastIndex(of: UInt8(ascii: " ")).map { $0 + 1 } ?? 0
      lines[line].replaceSubrange(start..., with: word)
    case 2: lines.remove(at: line)
    case 3: lines.insert(lines[line], at: Int.random(in: 0..<lines.count, using: &generator))
    default:
      if !lines[line].isEmpty {
        let index = Int.random(in: 0..<lines[line].count, using: &generator)
        lines[line][index] = UInt8.random(in: 0x20...0x7E, using: &generator)
      }
    }
    return Array(lines.joined(separator: [UInt8(ascii: "\n")]))
  }
}
