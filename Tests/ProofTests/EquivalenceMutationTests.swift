import Addresses
import Proof
import Rulesets
import Simulation
import TestSupport
import Testing

/// Drawn rulesets, one change each, and the simulator as the judge.
@Suite("Two rulesets, one change")
struct EquivalenceMutationTests {
  private typealias Build = RulesetBuilder

  private static let prefixes = [
    "10.0.0.0/8", "10.0.0.0/9", "10.1.0.0/16", "10.1.2.0/24", "11.0.0.0/8", "10.1.2.3/32",
    "0.0.0.0/0",
  ]
  private static let ports: [ClosedRange<UInt16>] = [
    22...22, 80...80, 80...90, 443...443, 0...1_023, 1_000...2_000, 85...443,
  ]

  /// A random ruleset and what may be changed of it.
  private struct Draw {
    var random: SeededGenerator

    mutating func pick<Element>(_ elements: [Element]) -> Element {
      guard let element = elements.randomElement(using: &random) else {
        preconditionFailure("something is drawn from nothing")
      }
      return element
    }

    mutating func verdict(mayCall: Bool) -> Statement {
      switch Int.random(in: 0..<10, using: &random) {
      case 0...4: .verdict(.accept)
      case 5...7: .verdict(.drop)
      case 8: .reject(.icmpx(code: UInt8.random(in: 0...3, using: &random)), requiring: [])
      default: mayCall ? .verdict(.jump(chain: 1)) : .verdict(.return)
      }
    }

    mutating func rule(mayCall: Bool) -> Rule {
      var statements: [Statement] = []
      if Int.random(in: 0..<3, using: &random) > 0 {
        let prefixes = Set(
          (0..<Int.random(in: 1...3, using: &random)).map { _ in
            pick(EquivalenceMutationTests.prefixes)
          })
        statements.append(
          Build.addresses(
            Bool.random(using: &random), prefixes.sorted(),
            isNegated: Int.random(in: 0..<4, using: &random) == 0))
      }
      if Int.random(in: 0..<3, using: &random) > 0 {
        let ports = Set(
          (0..<Int.random(in: 1...2, using: &random)).map { _ in
            pick(EquivalenceMutationTests.ports)
          })
        statements.append(
          Build.port(ports.sorted { $0.lowerBound < $1.lowerBound }, pick([6, 17])))
      }
      switch Int.random(in: 0..<6, using: &random) {
      case 0: statements.append(Build.input(pick(["eth0", "lo"])))
      case 1: statements.append(Build.state(pick([2, 6, 8, 1])))
      case 2: statements.append(Build.meta(.nfproto, [pick([2, 10])]))
      default: break
      }
      statements.append(verdict(mayCall: mayCall))
      return Rule(statements: statements)
    }

    mutating func ruleset() -> Ruleset {
      let rules = (0..<Int.random(in: 2...10, using: &random)).map { _ in rule(mayCall: true) }
      let others = (0..<Int.random(in: 1...3, using: &random)).map { _ in rule(mayCall: false) }
      return Build.ruleset(
        hook: .input, policy: pick([.accept, .drop]), rules, calling: others)
    }

    /// The ruleset with one rule changed, removed, added or moved.
    mutating func changed(_ ruleset: Ruleset) -> Ruleset {
      var ruleset = ruleset
      let chain = pick([0, 0, 0, 1])
      var rules = ruleset.tables[0].chains[chain].rules
      let index = rules.indices.randomElement(using: &random) ?? 0
      switch Int.random(in: 0..<5, using: &random) {
      case 0: rules.remove(at: index)
      case 1: rules.insert(rule(mayCall: chain == 0), at: index)
      case 2: rules[index] = rule(mayCall: chain == 0)
      case 3: rules.swapAt(index, rules.indices.randomElement(using: &random) ?? 0)
      default:
        let last = rules[index].statements.count - 1
        rules[index].statements[last] = verdict(mayCall: chain == 0)
      }
      ruleset.tables[0].chains[chain].rules = rules
      return ruleset
    }
  }

  @Test("the answer is the simulator's, whatever one rule is changed to", arguments: 0..<8)
  func mutations(_ seed: UInt64) throws {
    var draw = Draw(random: SeededGenerator(seed: 1_000 + seed))
    var packets = EdgePackets(
      random: SeededGenerator(seed: seed),
      addresses: [
        0x0A00_0000, 0x0AFF_FFFF, 0x0A7F_FFFF, 0x0A01_0000, 0x0A01_FFFF, 0x0A01_0200, 0x0A01_02FF,
        0x0A01_0203, 0x0B00_0000,
      ],
      ports: [22, 80, 90, 443, 1_023, 1_000, 2_000, 85])
    var tally = (equivalent: 0, different: 0)
    for _ in 0..<25 {
      let old = draw.ruleset()
      let new = draw.changed(old)
      let answer = EquivalenceTests.compare(old, new)
      var one = Simulator(Program(old))
      var other = Simulator(Program(new))
      switch answer {
      case .equivalent:
        tally.equivalent += 1
        for _ in 0..<400 {
          guard let packet = packets.draw() else { continue }
          let left = one.answer(at: .input, packet).verdict
          let right = other.answer(at: .input, packet).verdict
          #expect(left == right, "\(packet)\n\(text(old))\n\(text(new))")
        }
      case .different(let difference):
        tally.different += 1
        #expect(old != new)
        guard let left = try difference.verdict(under: old),
          let right = try difference.verdict(under: new)
        else {
          // No host sends such a packet, so nobody is asked about it.
          continue
        }
        #expect(difference.old.fate.isLike(left), "\(left) \(difference)\n\(text(old))")
        #expect(difference.new.fate.isLike(right), "\(right) \(difference)\n\(text(new))")
        #expect(left != right, "\(difference)\n\(text(old))\n\(text(new))")
      case .notKnown(let reasons):
        Issue.record("nothing is unknown here, but \(reasons)\n\(text(old))\n\(text(new))")
      }
      // The other way round the answer is the same.
      #expect(EquivalenceTests.compare(new, old).isEquivalent == answer.isEquivalent)
    }
    #expect(tally.equivalent > 0 && tally.different > 0, "\(tally)")
  }

  private func text(_ ruleset: Ruleset) -> String { RulesetPrinter().text(of: ruleset) }
}
