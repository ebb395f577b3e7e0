import Addresses
import Rulesets
import Testing

@Suite("What was changed between two rulesets")
struct RulesetDriftTests {
  private static func port(_ ports: UInt128..., guarded: Bool = true) -> Statement {
    let left = Expression.selector(
      Selector(
        .payload(
          PayloadField(
            base: .transport, bitOffset: 16, bitLength: 16, type: .port, name: "tcp dport")),
        requiring: guarded ? [.transport(6)] : []))
    return .match(
      Match(
        left, .equal,
        .set(
          .anonymous(
            SetContents(
              keyTypes: [.port], elements: ports.map { SetElement(key: [Interval($0)]) })))))
  }

  private static func meta(_ key: MetaKey, _ value: UInt128) -> Statement {
    .match(Match(.selector(Selector(.meta(key))), .equal, .value(value)))
  }

  private static func names(_ names: String...) -> Statement {
    let elements = names.map { SetElement(key: [Interval(InterfaceName($0)?.rawValue ?? 0)]) }
    return .match(
      Match(
        .selector(Selector(.meta(.inputName))), .equal,
        .set(.anonymous(SetContents(keyTypes: [.interfaceName], elements: elements)))))
  }

  private static func states(_ bits: UInt128...) -> Statement {
    .match(
      Match(
        .selector(Selector(.connection(ConnectionKey(key: .state, type: .connectionState)))),
        .equal,
        .set(
          .anonymous(
            SetContents(
              keyTypes: [.connectionState],
              elements: bits.map { SetElement(key: [Interval($0)]) })))))
  }

  private static func rule(_ handle: Int, _ statements: Statement...) -> Rule {
    Rule(handle: handle, statements: statements)
  }

  private static func ruleset(
    policy: BaseChain.Policy = .drop, _ rules: Rule...
  ) -> Ruleset {
    Ruleset(tables: [
      Table(
        family: .inet, name: "talos",
        chains: [
          Chain(
            name: "ingress",
            base: BaseChain(kind: .filter, hook: .input, priority: -140, policy: policy),
            rules: rules)
        ])
    ])
  }

  private static let accept = Statement.verdict(.accept)
  private static let ssh = rule(1, port(22), accept)
  private static let web = rule(2, port(80, 443), .inert("counter"), accept)
  private static let dns = rule(3, port(53), accept)

  private func changes(_ old: Ruleset, _ new: Ruleset) -> [String] {
    RulesetDrift(from: old, to: new).entries.map { entry in
      let rules = [entry.old, entry.new].map { $0?.rule.map { "\($0)" } ?? "-" }
      return "\(entry.change.rawValue) \(entry.subject) \(rules.joined(separator: ">"))"
    }
  }

  @Test func `counters, handles, order in sets and implied tests are no drift`() {
    let old = Self.ruleset(Self.ssh, Self.web)
    let new = Self.ruleset(
      Self.rule(
        7, Self.meta(.l4proto, 6),
        .match(
          Match(
            .selector(
              Selector(
                .payload(
                  PayloadField(base: .transport, bitOffset: 16, bitLength: 16, type: .port)))),
            .equal, .value(22))), .inert("counter packets 3 bytes 180"), Self.accept),
      Self.rule(9, Self.port(443, 80), Self.accept), Self.rule(10, .inert("counter")))
    #expect(RulesetDrift(from: old, to: new).isInSync, "\(changes(old, new))")
  }

  @Test func `each change is told once, with both places`() {
    let old = Self.ruleset(Self.ssh, Self.web, Self.dns)
    let cases: [(Ruleset, [String])] = [
      (Self.ruleset(Self.ssh, Self.dns), ["missing rule 1>-"]),
      (
        Self.ruleset(Self.ssh, Self.rule(4, Self.port(25), Self.accept), Self.web, Self.dns),
        ["extra rule ->1"]
      ),
      (
        Self.ruleset(Self.ssh, Self.rule(4, Self.port(8080), Self.accept), Self.dns),
        ["changed rule 1>1"]
      ),
      (Self.ruleset(Self.web, Self.dns, Self.ssh), ["moved rule 0>2"]),
      (Self.ruleset(policy: .accept, Self.ssh, Self.web, Self.dns), ["changed chain ->-"]),
      (Ruleset(), ["missing table ->-"]),
    ]
    for (new, expected) in cases { #expect(changes(old, new) == expected) }
    #expect(changes(Ruleset(), old) == ["extra table ->-"])
  }

  @Test func `what a listing keeps to itself is told even where nothing differs`() {
    let strange = Self.ruleset(
      Self.rule(1, .unmodelled(Unmodelled(text: "xt match recent", reason: "no parameters"))))
    let drift = RulesetDrift(from: strange, to: strange)
    #expect(drift.isInSync)
    #expect(drift.untold == ["no parameters"])
  }

  @Test func `sets that a library marks with the wrong byte order are read as they are meant`() {
    let wanted = Self.ruleset(
      Self.rule(1, Self.names("lo", "siderolink", "kubespan"), Self.accept),
      Self.rule(2, Self.states(2, 4), Self.accept))
    let listed = Self.ruleset(
      Self.rule(5, Self.names("", "", ""), Self.accept),
      Self.rule(6, Self.states(0x2000000, 0x4000000), Self.accept))
    #expect(!RulesetDrift(from: wanted, to: listed).isInSync)
    let repaired = ListingArtefacts(listed, like: wanted)
    #expect(RulesetDrift(from: wanted, to: repaired.ruleset).isInSync)
    #expect(
      repaired.notes == [
        "the listing shows states of connections with their bytes turned (google/nftables), in 1 rule"
      ])
    #expect(
      repaired.untold == [
        "the listing shows empty names of interfaces (google/nftables), in 1 rule; "
          + "they are taken to be those of the other side"
      ])
    // Names are only taken from a rule that is otherwise the same.
    let other = Self.ruleset(
      Self.rule(1, Self.names("lo"), .verdict(.drop)),
      Self.rule(2, Self.states(2, 4), Self.accept))
    #expect(ListingArtefacts(listed, like: other).notes.count == 1)
    #expect(ListingArtefacts(listed, like: other).untold == [])
    // One name more is another rule, although none of them is shown.
    let more = Self.ruleset(
      Self.rule(5, Self.names("", "", "", ""), Self.accept),
      Self.rule(6, Self.states(2, 4), Self.accept))
    #expect(ListingArtefacts(more, like: wanted).ruleset == more)
    // What is right stays as it is.
    #expect(ListingArtefacts(wanted, like: listed).ruleset == wanted)
  }

  @Test func `a test that a listing does not show is taken from the other side`() {
    func icmp(_ guards: Guard...) -> Ruleset {
      let type = Selector(
        .payload(
          PayloadField(
            base: .transport, bitOffset: 0, bitLength: 8, type: .icmpType, name: "icmp type")),
        requiring: [.transport(1)] + guards)
      return Self.ruleset(
        Self.rule(1, .match(Match(.selector(type), .equal, .value(13))), .verdict(.drop)))
    }
    let listed = icmp(.possibly(.ipv4, rule: 0))
    for wanted in [icmp(), icmp(.ipv4)] {
      #expect(!RulesetDrift(from: wanted, to: listed).isInSync)
      let repaired = ListingArtefacts(listed, like: wanted)
      #expect(RulesetDrift(from: wanted, to: repaired.ruleset).isInSync)
      #expect(repaired.notes == [])
      #expect(
        repaired.untold == [
          "the listing does not show whether 1 rule tests for IPv4; "
            + "it is taken to be as on the other side"
        ])
    }
    // It is one of the two, or another rule.
    let other = ListingArtefacts(listed, like: icmp(.ipv6))
    #expect(other.ruleset == listed)
    #expect(other.untold == [])
  }
}
