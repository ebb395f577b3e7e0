import Addresses
import Diagnostics
import Foundation
import Proof
import Rulesets
import Simulation
import Testing

@Suite("Two rulesets, every packet")
struct EquivalenceTests {
  private typealias Build = RulesetBuilder

  static func compare(_ old: Ruleset, _ new: Ruleset) -> Equivalence {
    var comparison = RulesetComparison(old, new)
    return comparison.result()
  }

  private static let accept = Statement.verdict(.accept)
  private static let drop = Statement.verdict(.drop)

  private static func ssh(_ prefixes: String...) -> Rule {
    Build.rule(Build.addresses(true, prefixes), Build.port([22...22], 6), accept)
  }

  private static let web = Build.rule(Build.port([80...80, 443...443], 6), accept)
  private static let established = Build.rule(Build.state(6), accept)
  private static let ping = Build.rule(
    Build.meta(.l4proto, [1]), Build.limit(5), accept)
  private static let ping6 = Build.rule(
    Build.meta(.l4proto, [58]), Build.limit(5), accept)

  /// One ruleset in two shapes.
  private static let alike: [(what: String, old: Ruleset, new: Ruleset)] = [
    (
      "rules that no packet meets both of, in another order",
      Build.ruleset([established, ssh("10.0.0.0/8"), web]),
      Build.ruleset([established, web, ssh("10.0.0.0/8")])
    ),
    (
      "two prefixes, and the one that they make",
      Build.ruleset([ssh("10.0.0.0/8", "11.0.0.0/8")]), Build.ruleset([ssh("10.0.0.0/7")])
    ),
    (
      "a set, and a rule for each element",
      Build.ruleset([web]),
      Build.ruleset([
        Build.rule(Build.port([80...80], 6), accept),
        Build.rule(Build.port([443...443], 6), accept),
      ])
    ),
    (
      "a chain that is called, and its rules in place",
      Build.ruleset([ssh("10.0.0.0/8"), web]),
      Build.ruleset(
        [Build.rule(Build.meta(.l4proto, [6]), .verdict(.jump(chain: 1)))],
        calling: [ssh("10.0.0.0/8"), web])
    ),
    (
      "a rule that an earlier one leaves nothing for",
      Build.ruleset([ssh("10.0.0.0/8"), ssh("10.1.0.0/16")]), Build.ruleset([ssh("10.0.0.0/8")])
    ),
    (
      "a negated match, and an exception before it",
      Build.ruleset(
        policy: .accept,
        [
          Build.rule(
            Build.addresses(true, ["10.0.0.0/8"], isNegated: true), Build.port([22...22], 6), drop)
        ]),
      Build.ruleset(
        policy: .accept,
        [
          ssh("10.0.0.0/8"),
          Build.rule(
            Build.meta(.nfproto, [2]), Build.port([22...22], 6), drop),
        ])
    ),
    (
      "limits on packets that are apart, in another order",
      Build.ruleset([ping, ping6, web]), Build.ruleset([web, ping6, ping])
    ),
    (
      "an empty chain that accepts, and none",
      Build.ruleset(policy: .accept, []), Ruleset()
    ),
    (
      "the same at another priority",
      Build.ruleset([web]), Build.ruleset(priority: -140, [web])
    ),
  ]

  @Test("rulesets of one meaning are equivalent, whatever their shape", arguments: alike.indices)
  func equivalent(_ index: Int) {
    let (what, old, new) = Self.alike[index]
    for (one, other) in [(old, new), (new, old), (old, old)] {
      let answer = Self.compare(one, other)
      #expect(answer.isEquivalent, "\(what): \(answer)")
    }
  }

  /// Rulesets of two meanings, with a rule that tells them apart on each side.
  private static let apart: [(what: String, old: Ruleset, new: Ruleset)] = [
    ("one address more", Build.ruleset([ssh("10.0.0.0/8")]), Build.ruleset([ssh("10.0.0.0/7")])),
    (
      "a rule less",
      Build.ruleset([established, ssh("10.0.0.0/8"), web]), Build.ruleset([established, web])
    ),
    (
      "rules that both take some packets, in another order",
      Build.ruleset([Build.rule(Build.addresses(true, ["10.1.0.0/16"]), drop), ssh("10.0.0.0/8")]),
      Build.ruleset([ssh("10.0.0.0/8"), Build.rule(Build.addresses(true, ["10.1.0.0/16"]), drop)])
    ),
    ("another policy", Build.ruleset([web]), Build.ruleset(policy: .accept, [web])),
    ("another hook", Build.ruleset([web]), Build.ruleset(hook: .forward, [web])),
    (
      "another answer",
      Build.ruleset([Build.rule(Build.port([22...22], 6), drop)]),
      Build.ruleset([
        Build.rule(
          Build.port([22...22], 6), .reject(.tcpReset, requiring: [.transport(6)]))
      ])
    ),
    (
      "an interface less",
      Build.ruleset([Build.rule(Build.input("lo", "kubespan"), accept)]),
      Build.ruleset([Build.rule(Build.input("lo"), accept)])
    ),
    (
      "a limit, and none: nobody asks when it is reached",
      Build.ruleset([ping]), Build.ruleset([])
    ),
    (
      "a state less",
      Build.ruleset([Build.rule(Build.state(6), accept)]),
      Build.ruleset([Build.rule(Build.state(2), accept)])
    ),
  ]

  @Test(
    "rulesets of two meanings are told apart by a packet that the simulator treats so",
    arguments: apart.indices)
  func different(_ index: Int) throws {
    let (what, old, new) = Self.apart[index]
    for (one, other) in [(old, new), (new, old)] {
      guard case .different(let difference) = Self.compare(one, other) else {
        Issue.record("\(what): \(Self.compare(one, other))")
        continue
      }
      #expect(difference.bytes != nil, "\(what): \(difference.packet)")
      let left = try #require(try difference.verdict(under: one))
      let right = try #require(try difference.verdict(under: other))
      #expect(difference.old.fate.isLike(left), "\(what): \(left), \(difference.old)")
      #expect(difference.new.fate.isLike(right), "\(what): \(right), \(difference.new)")
      #expect(left != right)
    }
  }

  /// What a model that keeps no time cannot tell.
  private static let open: [(what: String, old: Ruleset, new: Ruleset)] = [
    (
      "two rates", Build.ruleset([ping]),
      Build.ruleset([Build.rule(Build.meta(.l4proto, [1]), Build.limit(9), accept)])
    ),
    (
      "one limit for more packets",
      Build.ruleset([Build.rule(Build.meta(.l4proto, [1]), Build.limit(5), accept)]),
      Build.ruleset([
        Build.rule(Build.meta(.l4proto, [1, 2]), Build.limit(5), accept)
      ])
    ),
    (
      "a statement that nobody knows",
      Build.ruleset([
        Build.rule(.unmodelled(Unmodelled(text: "xt match recent", reason: "?")), drop), web,
      ]),
      Build.ruleset([
        Build.rule(.unmodelled(Unmodelled(text: "xt match recent", reason: "?")), drop), web,
      ])
    ),
  ]

  @Test("what rests on something unmodelled is never called equivalent", arguments: open.indices)
  func unknown(_ index: Int) {
    let (what, old, new) = Self.open[index]
    for (one, other) in [(old, new), (new, old)] {
      let answer = Self.compare(one, other)
      #expect(!answer.isEquivalent, "\(what): \(answer)")
      if what != "one limit for more packets" {
        guard case .notKnown(let reasons) = answer else {
          Issue.record("\(what): \(answer)")
          continue
        }
        #expect(!reasons.isEmpty)
      }
    }
  }

  @Test("a common limit of two hooks is one only while both bring it the same packets")
  func commonLimit() {
    // Forwarded packets are accepted either way, but use up what packets to the host are left.
    func ruleset(forwardedToo: Bool) -> Ruleset {
      var ruleset = Build.ruleset(
        [Build.rule(Build.meta(.l4proto, [1]), .verdict(.jump(chain: 1)))],
        calling: [Build.rule(Build.limit(5), Self.accept)])
      ruleset.tables[0].chains.append(
        Chain(
          name: "passing",
          base: BaseChain(kind: .filter, hook: .forward, priority: 0, policy: .accept),
          rules: forwardedToo
            ? [Build.rule(Build.meta(.l4proto, [1]), .verdict(.jump(chain: 1)))] : []))
      return ruleset
    }
    #expect(Self.compare(ruleset(forwardedToo: true), ruleset(forwardedToo: true)).isEquivalent)
    #expect(!Self.compare(ruleset(forwardedToo: true), ruleset(forwardedToo: false)).isEquivalent)
  }

  @Test("marks that packets go on with are part of what becomes of them")
  func marks() {
    let mark = Statement.mangle(Selector(.meta(.mark)), value: .constant(0x20, .mark))
    let marking = Build.ruleset(hook: .prerouting, policy: .accept, [Build.rule(mark)])
    let plain = Build.ruleset(hook: .prerouting, policy: .accept, [])
    #expect(Self.compare(marking, marking).isEquivalent)
    guard case .different(let difference) = Self.compare(marking, plain) else {
      Issue.record("a mark makes no difference")
      return
    }
    #expect(difference.old.verdict == "accept, with meta mark 32")
    #expect(difference.new.verdict == "accept")
  }

  @Test("what is true of whole packets only is not said of fragments")
  func fragments() {
    // A fragment after the first has no ports, so only the second ruleset drops it.
    let old = Build.ruleset(
      policy: .accept,
      [
        Build.rule(Build.port([0...65_535], 6), Self.drop)
      ])
    let new = Build.ruleset(
      policy: .accept, [Build.rule(Build.meta(.l4proto, [6]), Self.drop)])
    #expect(!Self.compare(old, new).isEquivalent)
    let tracked = Build.rule(Build.state(1), Self.drop)
    var (one, two) = (old, new)
    one.tables[0].chains[0].rules.append(tracked)
    two.tables[0].chains[0].rules.append(tracked)
    // Connection tracking puts fragments together first.
    #expect(Self.compare(one, two).isEquivalent)
  }

  @Test(
    "a listed ruleset is never told apart from itself",
    arguments: [
      "backend", "chains", "docker", "gates", "guards", "hosts-own", "kube-proxy", "marks", "nat",
      "states", "strays", "talos-accept", "talos-block", "tracked-server", "translations",
      "unknowns", "untracked-client",
    ])
  func itself(_ name: String) throws {
    var sources = SourceMap()
    let ruleset = try ProofFixture.ruleset(name, &sources)
    switch Self.compare(ruleset, ruleset) {
    case .equivalent: break
    case .different(let difference): Issue.record("\(difference)")
    case .notKnown(let reasons):
      // Only what a listing keeps to itself may leave that open.
      #expect(
        ["states", "strays", "unknowns", "docker", "kube-proxy"].contains(name), "\(reasons)")
    }
  }

  @Test("rulesets of hundreds of rules in two shapes take no longer than a reader notices")
  func quick() {
    var rules = [
      Build.rule(Build.input("lo", "siderolink", "kubespan"), Self.accept), Self.established,
    ]
    rules += [Self.ping, Self.ping6]
    for index in 0..<300 {
      let sources = (0..<(1 + index % 4)).map { "10.\(index % 37).\($0 * 16 + index % 13).0/24" }
      rules.append(
        Build.rule(
          Build.addresses(true, Array(Set(sources)).sorted()),
          Build.port([UInt16(1_000 + index * 7 % 900)...UInt16(1_002 + index * 7 % 900)], 6),
          Self.accept))
    }
    let old = Build.ruleset(rules)
    var shuffled = rules
    shuffled[4...].reverse()
    let clock = ContinuousClock()
    var answer: Equivalence?
    let same = clock.measure { answer = Self.compare(old, Build.ruleset(shuffled)) }
    #expect(answer?.isEquivalent == true, "\(String(describing: answer))")
    shuffled.remove(at: 200)
    let less = clock.measure { answer = Self.compare(old, Build.ruleset(shuffled)) }
    #expect(answer?.isEquivalent == false)
    // A debug build is some twenty times slower than what users have.
    #expect(same < .seconds(10) && less < .seconds(10), "\(same), \(less)")
  }
}

extension Leaf.Fate {
  func isLike(_ verdict: PacketVerdict) -> Bool {
    switch (self, verdict) {
    case (.accepted, .accept), (.dropped, .drop), (.rejected, .reject): true
    case (.accepted, _), (.dropped, _), (.rejected, _), (.unknown, _): false
    }
  }
}
