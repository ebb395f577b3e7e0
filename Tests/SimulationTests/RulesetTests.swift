import Addresses
import Rulesets
import Simulation
import Testing
import Wire

/// A ruleset of one table with one base chain at input, and chains that it may run.
private func ruleset(
  _ rules: [[Statement]], further: [[[Statement]]] = [], sets: [NamedSet] = [],
  certainty: Certainty = .certain, policy: BaseChain.Policy = .accept, isDormant: Bool = false
) -> Ruleset {
  func chain(_ name: String, _ rules: [[Statement]], _ base: BaseChain?) -> Chain {
    Chain(
      name: name, base: base,
      rules: rules.map { Rule(statements: $0, certainty: certainty) })
  }
  let base = BaseChain(kind: .filter, hook: .input, priority: 0, policy: policy)
  let others = further.enumerated().map { chain("c\($0.offset)", $0.element, nil) }
  return Ruleset(tables: [
    Table(
      family: .inet, name: "t", isDormant: isDormant, chains: others + [chain("base", rules, base)],
      sets: sets)
  ])
}

private func packet() throws -> Packet {
  let source = try #require(IPAddress("10.0.0.5"))
  let destination = try #require(IPAddress("10.0.0.1"))
  let header = TCPHeader(sourcePort: 40000, destinationPort: 22)
  let built = PacketBuilder.packet(
    from: source, to: destination, carrying: .tcp(header, payload: []))
  let bytes = try #require(built)
  let device = try #require(InterfaceName("eth0"))
  return try Packet(bytes: bytes, input: .named(device, index: 2), frame: Packet.Frame())
}

private func answer(_ ruleset: Ruleset) throws -> HookAnswer {
  var simulator = Simulator(Program(ruleset))
  return simulator.answer(at: .input, try packet())
}

private let unmodelled = Unmodelled(text: "xt match x", reason: "parameters are not listed")
private let length = Expression.selector(Selector(.meta(.length)))

/// A ruleset that no listing of a kernel holds, or that is not modelled, and the verdict.
struct OddCase: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let ruleset: Ruleset
  let verdict: PacketVerdict
}

/// Accepts what has a length, and may test for a family before.
private func possibly(_ family: IPFamily) -> Ruleset {
  let length = Expression.selector(
    Selector(.meta(.length), requiring: [.possibly(family, rule: 1)]))
  return ruleset(
    [[.match(Match(length, .greater, .value(0))), .verdict(.accept)]], policy: .drop)
}

private let odd: [OddCase] = [
  OddCase(
    testDescription: "a test for the packet's family that may be there",
    ruleset: possibly(.ipv4), verdict: .accept),
  OddCase(
    testDescription: "a test for the other family that may be there",
    ruleset: possibly(.ipv6), verdict: .unknown),
  OddCase(
    testDescription: "chains that go in a circle",
    ruleset: ruleset(
      [[.verdict(.goto(chain: 0))]],
      further: [[[.verdict(.goto(chain: 1))]], [[.verdict(.goto(chain: 0))]]]), verdict: .unknown),
  OddCase(
    testDescription: "a chain that jumps to itself",
    ruleset: ruleset([[.verdict(.jump(chain: 0))]], further: [[[.verdict(.jump(chain: 0))]]]),
    verdict: .unknown),
  OddCase(
    testDescription: "a jump to a chain that is not there",
    ruleset: ruleset([[.verdict(.jump(chain: 9))]]), verdict: .unknown),
  OddCase(
    testDescription: "a set that is not there",
    ruleset: ruleset([[.match(Match(length, .equal, .set(.named(4)))), .verdict(.drop)]]),
    verdict: .unknown),
  OddCase(
    testDescription: "a set that is not listed, where it cannot matter",
    ruleset: ruleset([
      [.match(Match(length, .equal, .set(.missing(name: "s")))), .verdict(.accept)]
    ]), verdict: .accept),
  OddCase(
    testDescription: "a key of other parts than its set's",
    ruleset: ruleset([
      [
        .match(
          Match(
            .concatenation([length, length]), .equal,
            .set(.anonymous(SetContents(keyTypes: [.mark], elements: []))))),
        .verdict(.drop),
      ]
    ]), verdict: .unknown),
  OddCase(
    testDescription: "a key of a hundred parts",
    ruleset: ruleset([
      [
        .match(
          Match(
            .concatenation(Array(repeating: length, count: 100)), .equal,
            .values(Array(repeating: 40, count: 100)))),
        .verdict(.drop),
      ]
    ]), verdict: .unknown),
  OddCase(
    testDescription: "a statement that is not modelled",
    ruleset: ruleset([[.unmodelled(unmodelled)]]), verdict: .unknown),
  OddCase(
    testDescription: "a statement that is not modelled, with drops all around",
    ruleset: ruleset([[.verdict(.drop)], [.unmodelled(unmodelled)]]), verdict: .drop),
  OddCase(
    testDescription: "a match that is not modelled, where it decides",
    ruleset: ruleset([
      [.match(Match(.unmodelled(unmodelled), .equal, .value(1))), .verdict(.drop)]
    ]), verdict: .unknown),
  OddCase(
    testDescription: "a match that is not modelled, before the policy's own verdict",
    ruleset: ruleset(
      [[.match(Match(.unmodelled(unmodelled), .equal, .value(1))), .verdict(.drop)]],
      policy: .drop), verdict: .drop),
  OddCase(
    testDescription: "a rule that may not be in force",
    ruleset: ruleset([[.verdict(.drop)]], certainty: .possible(reason: "not applied yet")),
    verdict: .unknown),
  OddCase(
    testDescription: "a dormant table", ruleset: ruleset([[.verdict(.drop)]], isDormant: true),
    verdict: .accept),
  OddCase(
    testDescription: "a mark that may have been set",
    ruleset: ruleset([
      [
        .match(Match(.unmodelled(unmodelled), .equal, .value(1))),
        .mangle(Selector(.meta(.mark)), value: .constant(1, .mark)),
      ],
      [.match(Match(.selector(Selector(.meta(.mark))), .equal, .value(1))), .verdict(.drop)],
    ]), verdict: .unknown),
  OddCase(
    testDescription: "a mark that was set either way",
    ruleset: ruleset([
      [
        .match(Match(.unmodelled(unmodelled), .equal, .value(1))),
        .mangle(Selector(.meta(.mark)), value: .constant(1, .mark)),
      ],
      [.mangle(Selector(.meta(.mark)), value: .constant(2, .mark))],
      [.match(Match(.selector(Selector(.meta(.mark))), .equal, .value(1))), .verdict(.drop)],
    ]), verdict: .accept),
]

@Suite("A ruleset") struct RulesetTests {
  @Test("is never taken for what it is not", arguments: odd) func evaluated(one: OddCase) throws {
    let found = try answer(one.ruleset)
    #expect(found.verdict == one.verdict)
    #expect((found.reason == nil) == (one.verdict != .unknown), "\(String(describing: found))")
  }

  @Test func `with many doubts is answered without trying all their combinations`() throws {
    let doubtful: [[Statement]] = (0..<200).map { number in
      [
        .match(Match(.unmodelled(unmodelled), .equal, .value(UInt128(number)))), .verdict(.accept),
      ]
    }
    #expect(try answer(ruleset(doubtful)).verdict == .accept)
    #expect(try answer(ruleset(doubtful, policy: .drop)).verdict == .unknown)
  }

  @Test func `names the rule that decided`() throws {
    let found = try answer(ruleset([[.verdict(.continue)], [.verdict(.drop)]]))
    #expect(found.decidedBy == RuleLocation(table: 0, chain: 0, rule: 1))
  }

  @Test func `answers for one chain alone`() throws {
    var simulator = Simulator(Program(ruleset([[.verdict(.drop)]])))
    let base = RuleLocation(table: 0, chain: 0, rule: nil)
    let found = simulator.answer(chain: base, of: .input, try packet())
    #expect(found?.verdict == .drop)
    let other = RuleLocation(table: 0, chain: 7, rule: nil)
    #expect(simulator.answer(chain: other, of: .input, try packet()) == nil)
  }
}
