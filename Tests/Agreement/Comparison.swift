import Addresses
import Diagnostics
import Foundation
import NftablesFrontend
import Proof
import Rulesets
import Simulation
import TestSupport

/// Asks both programs and counts what they say.
struct Comparison {
  let packetCount: Int
  let seed: UInt64
  private(set) var rulesets = 0
  private(set) var packets = 0
  /// Rulesets that no packet ever meets.
  private(set) var withoutHooks = 0
  private(set) var unknown = 0
  /// Packets that were found in the midst of a divided question, and those whose question was too
  /// wide to divide.
  private(set) var widened = 0
  private(set) var tooWide = 0
  /// Packets whose fate only one of the two programs knows.
  private(set) var knownToSimulator = 0
  private(set) var knownToProver = 0
  private(set) var disagreements = 0
  /// How many disagreements of one ruleset are printed.
  private let shown = 3

  init(packetCount: Int, seed: UInt64) {
    self.packetCount = packetCount
    self.seed = seed
  }

  mutating func compare(_ name: String, _ listing: Data) throws {
    var sources = SourceMap()
    let reading = NftablesReader.read([UInt8](listing), name: name, sources: &sources)
    guard let ruleset = reading.ruleset else { throw CocoaError(.fileReadCorruptFile) }
    rulesets += 1
    // A proof holds for every time, so what packets did to sets before is not known to either.
    var simulator = Simulator(Program(ruleset))
    simulator.doubtState()
    var walk = RulesetWalk(ruleset)
    var register = DimensionRegister()
    var source = PacketSource(
      constants: RulesetConstants(ruleset), random: SeededGenerator(seed: seed))
    var printed = 0
    for _ in 0..<packetCount {
      guard let drawn = source.draw() else {
        withoutHooks += 1
        return
      }
      let simulated = simulator.answer(at: drawn.question.hook, drawn.packet)
      var proved = walk.fate(of: drawn.question, &register)
      if packets % 10 == 0 {
        // Every tenth packet is asked about among others too, so that the division is held to it.
        let divided = walk.fate(of: drawn.question, isWidened: true, &register)
        if case .unknown("the question falls into too many pieces") = divided.fate {
          tooWide += 1
        } else {
          widened += 1
          if divided.fate != proved.fate { proved = divided }
        }
      }
      packets += 1
      if case .unknown = simulated.verdict { unknown += 1 }
      if agree(simulated.verdict, proved.fate) { continue }
      // One of the two may know more than the other.
      if case .unknown = proved.fate {
        knownToSimulator += 1
        continue
      }
      if case .unknown = simulated.verdict {
        knownToProver += 1
        continue
      }
      disagreements += 1
      printed += 1
      if printed <= shown {
        print(
          """
          \(name): \(drawn.question.hook.rawValue) \(drawn.question.family.rawValue) \
          in \(drawn.question.inputName?.description ?? "-") \
          out \(drawn.question.outputName?.description ?? "-") \
          state \(drawn.question.connectionState) \(hexadecimal(drawn.question.bytes))
            simulated \(simulated.verdict) \(text(simulated.decidedBy, ruleset)) \(simulated.reason ?? "")
            proved    \(proved.fate) \(text(proved.location, ruleset))
          """)
      }
    }
  }

  private func agree(_ simulated: PacketVerdict, _ proved: Leaf.Fate) -> Bool {
    switch (simulated, proved) {
    case (.accept, .accepted), (.drop, .dropped), (.unknown, .unknown): true
    case (.reject(let one), .rejected(let other)): one == other
    case (.accept, _), (.drop, _), (.reject, _), (.unknown, _): false
    }
  }

  private func text(_ location: RuleLocation?, _ ruleset: Ruleset) -> String {
    guard let location else { return "-" }
    let table = ruleset.tables[location.table]
    let chain = table.chains[location.chain]
    let rule = location.rule.map { RulePrinter(table).text(of: chain.rules[$0]) } ?? "policy"
    return "[\(table.family.rawValue) \(table.name) \(chain.name): \(rule)]"
  }

  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  var summary: String {
    let share = packets == 0 ? 0 : 100 * Double(unknown) / Double(packets)
    return
      "\(rulesets) rulesets (\(withoutHooks) that no packet meets), \(packets) packets, \(String(format: "%.1f", share)) % not known, "
      + "\(widened) of them divided out of a wide question (\(tooWide) too wide), "
      + "\(knownToSimulator) known to the simulator alone, \(knownToProver) to the prover alone, "
      + "\(disagreements) disagreements"
  }
}
