import Outcomes
import Proof
import Testing

@Suite("The prover")
struct ProverTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let ruleset: String
    let line: String
    let code: String
    var placed = "on hosts"
    var testDescription: String { "\(ruleset): \(line)" }
  }

  static let cases: [Case] = [
    // The Talos page's block mode.
    Case(
      ruleset: "talos-block", line: "172.20.0.9 -> 172.20.0.2 10250 tcp expect allow",
      code: "passed verdict.allow"),
    Case(
      ruleset: "talos-block", line: "any -> 172.20.0.2 10250 tcp expect allow",
      code: "failed verdict.drop"),
    Case(
      ruleset: "talos-block",
      line: "any except 172.20.0.0/24 -> 172.20.0.2 10250 tcp expect deny in eth0",
      code: "passed verdict.drop"),
    Case(
      ruleset: "talos-block", line: "any -> 172.20.0.2 10250 tcp expect deny",
      code: "failed verdict.allow"),
    Case(
      ruleset: "talos-block", line: "any -> hosts 50000 tcp expect allow",
      code: "passed verdict.allow"),
    Case(
      ruleset: "talos-block", line: "172.20.0.3 -> 172.20.0.2 2379-2380 tcp expect allow",
      code: "passed verdict.allow"),
    Case(
      ruleset: "talos-block", line: "172.20.0.3 -> 172.20.0.2 2379-2381 tcp expect allow",
      code: "failed verdict.drop"),
    Case(
      ruleset: "talos-block", line: "172.20.0.3-172.20.0.5 -> 172.20.0.2 2379 tcp expect allow",
      code: "failed verdict.drop"),
    Case(
      ruleset: "talos-block", line: "172.20.0.3 -> 172.20.0.2 icmp type echo-request expect allow",
      code: "passed verdict.allow"),
    Case(
      ruleset: "talos-block", line: "172.20.0.3 -> 172.20.0.2 icmp expect deny",
      code: "failed verdict.allow"),
    Case(
      ruleset: "talos-block", line: "any -> hosts 22 tcp expect drop in eth0",
      code: "passed verdict.drop"),
    Case(
      ruleset: "talos-block", line: "any -> hosts 22 tcp expect reject in eth0",
      code: "failed verdict.drop"),
    Case(
      ruleset: "talos-block", line: "any -> hosts 22 tcp expect deny in siderolink",
      code: "failed verdict.allow"),
    // nft lists `icmpv6 type` alike whether the rule tests for IPv6 or not.
    Case(
      ruleset: "listed-alike", line: "10.0.0.9 -> 10.0.0.1 proto 58 expect deny in eth0",
      code: "unknown unknown.unmodelled"),
    Case(
      ruleset: "listed-alike", line: "10.0.0.9 -> 10.0.0.1 proto 57 expect deny in eth0",
      code: "passed verdict.drop"),
    Case(
      ruleset: "listed-alike", line: "10.0.0.9 -> 10.0.0.1 22 tcp expect allow in eth0",
      code: "passed verdict.allow"),
    Case(
      ruleset: "listed-alike", line: "fd00::9 -> fd00::1 icmpv6 type echo-request expect allow",
      code: "passed verdict.allow"),
    // Where packets go whose addresses a rule wrote is not followed, whatever the hook.
    Case(
      ruleset: "written-at-ingress", line: "10.0.0.9 -> 10.0.0.1 22 tcp one-way expect allow",
      code: "unknown unknown.unmodelled"),
    Case(
      ruleset: "written-at-ingress", line: "10.0.0.9 -> 10.0.0.1 23 tcp one-way expect allow",
      code: "passed verdict.allow"),
    Case(
      ruleset: "written-before-routing", line: "10.0.0.9 -> 10.0.0.1 22 tcp one-way expect allow",
      code: "unknown unknown.unmodelled"),
    Case(
      ruleset: "written-before-routing", line: "10.0.0.1 -> 10.0.0.9 22 tcp one-way expect allow",
      code: "unknown unknown.unmodelled"),
    Case(
      ruleset: "written-last", line: "10.0.0.9 -> 10.0.0.1 22 tcp one-way expect allow",
      code: "unknown unknown.unmodelled"),
    Case(
      ruleset: "written-last", line: "10.0.0.1 -> 10.0.0.9 22 tcp one-way expect allow",
      code: "unknown unknown.unmodelled"),
    Case(
      ruleset: "written-last", line: "10.0.0.9 -> 192.0.2.1 22 tcp one-way expect deny",
      code: "unknown unknown.unmodelled", placed: "between inside and outside"),
    Case(
      ruleset: "written-last", line: "10.0.0.9 -> 192.0.2.1 80 tcp one-way expect drop",
      code: "passed verdict.drop", placed: "between inside and outside"),
    // The interface is any but the trusted ones only where the line says so.
    Case(
      ruleset: "talos-block", line: "any -> hosts 22 tcp expect deny in eth0",
      code: "passed verdict.drop"),
    // Accept mode before 1.15 drops answers to a source port that a rule names.
    Case(
      ruleset: "talos-accept", line: "172.20.0.2 -> 8.8.8.8 443 tcp expect allow in eth0",
      code: "failed verdict.answer-drop"),
    Case(
      ruleset: "talos-accept",
      line: "172.20.0.2 -> 8.8.8.8 443 tcp expect allow from port 32768-60999",
      code: "passed verdict.allow"),
    // Guards: a negated port says nothing about other protocols.
    Case(
      ruleset: "guards", line: "any -> hosts 53 udp expect allow from port 32768-60999",
      code: "passed verdict.allow"),
    Case(
      ruleset: "guards", line: "any -> hosts 53 udp expect allow",
      code: "failed verdict.answer-drop"),
    Case(ruleset: "guards", line: "any -> hosts 23 tcp expect drop", code: "passed verdict.drop"),
    Case(ruleset: "guards", line: "any -> hosts 22 tcp expect allow", code: "passed verdict.allow"),
    // Without an input device `iifname` reads as empty, so the negation matches.
    Case(
      ruleset: "guards", line: "hosts -> 8.8.8.8 5000 udp expect deny", code: "passed verdict.drop"),
    // Marks set by a map and read by another base chain.
    Case(ruleset: "marks", line: "any -> hosts 80 tcp expect allow", code: "passed verdict.allow"),
    Case(
      ruleset: "marks", line: "10.0.0.9 -> hosts 22 tcp expect allow", code: "passed verdict.allow"),
    Case(
      ruleset: "marks", line: "10.0.1.9 -> hosts 22 tcp expect drop in eth0",
      code: "passed verdict.drop"),
    Case(ruleset: "marks", line: "any -> hosts 25 tcp expect drop", code: "passed verdict.drop"),
    Case(
      ruleset: "marks", line: "any -> hosts 1-1000 tcp expect deny", code: "failed verdict.allow"),
    // goto, verdict maps, concatenated intervals; accept is local, drop is final.
    Case(ruleset: "chains", line: "any -> hosts 9999 tcp expect drop", code: "passed verdict.drop"),
    Case(
      ruleset: "chains", line: "10.9.9.9 -> hosts 22 tcp expect allow", code: "passed verdict.allow"
    ),
    Case(
      ruleset: "chains", line: "11.0.0.1 -> hosts 22 tcp expect drop in eth0",
      code: "passed verdict.drop"),
    Case(ruleset: "chains", line: "any -> hosts 80 tcp expect allow", code: "passed verdict.allow"),
    Case(ruleset: "chains", line: "any -> hosts 81 tcp expect drop", code: "passed verdict.drop"),
    Case(
      ruleset: "chains", line: "any -> hosts 82 tcp expect reject with tcp-reset",
      code: "passed verdict.reject"),
    Case(
      ruleset: "chains", line: "any -> hosts 82 tcp expect reject with port-unreachable",
      code: "failed verdict.reject.tcp-reset"),
    Case(
      ruleset: "chains", line: "any -> hosts 53 udp expect reject with admin-prohibited",
      code: "passed verdict.reject"),
    Case(
      ruleset: "chains", line: "10.0.0.16-10.0.0.20 -> hosts 1000-2000 tcp expect allow",
      code: "passed verdict.allow"),
    Case(
      ruleset: "chains", line: "10.0.0.16-10.0.0.21 -> hosts 1000-2000 tcp expect allow",
      code: "failed verdict.drop"),
    Case(
      ruleset: "chains", line: "10.0.0.16-10.0.0.20 -> hosts 999-2000 tcp expect allow",
      code: "failed verdict.drop"),
    // What is not modelled is not known, and only where it can change the answer.
    Case(
      ruleset: "unknowns", line: "any -> hosts 1000 tcp expect allow",
      code: "unknown unknown.unmodelled"),
    Case(
      ruleset: "unknowns", line: "any -> hosts 1001 tcp expect deny",
      code: "unknown unknown.unmodelled"),
    Case(
      ruleset: "unknowns", line: "any -> hosts 1002 tcp expect allow",
      code: "passed verdict.allow"),
    Case(
      ruleset: "unknowns", line: "any -> hosts 1003 tcp expect allow", code: "passed verdict.allow"),
    Case(
      ruleset: "unknowns", line: "any -> hosts 1003 tcp expect deny", code: "failed verdict.allow"),
    Case(
      ruleset: "unknowns", line: "any -> hosts 1004 tcp expect drop", code: "passed verdict.drop"),
    Case(
      ruleset: "unknowns", line: "any -> hosts 1006 tcp expect allow",
      code: "passed verdict.allow"),
    Case(
      ruleset: "unknowns", line: "any -> hosts 1007 tcp expect allow", code: "passed verdict.allow"),
    Case(
      ruleset: "unknowns", line: "any -> hosts 1008 tcp expect deny", code: "passed verdict.drop"),
    // Whatever a key that is not known finds, it is one of the elements or none.
    Case(
      ruleset: "unknowns", line: "10.9.0.0/16 -> 10.0.0.1 1010 tcp expect allow",
      code: "passed verdict.allow"),
    Case(
      ruleset: "unknowns", line: "10.9.0.0/16 -> 10.0.0.1 1011 tcp expect allow",
      code: "unknown unknown.unmodelled"),
    // A router that translates, and one whose connections are not tracked.
    Case(
      ruleset: "nat", line: "inside -> outside 443 tcp expect allow",
      code: "passed verdict.allow", placed: "between inside and outside"),
    Case(
      ruleset: "nat", line: "inside -> outside 22 tcp expect drop", code: "passed verdict.drop",
      placed: "between inside and outside"),
    Case(
      ruleset: "nat", line: "inside -> outside 8080 tcp expect drop",
      code: "failed verdict.allow", placed: "between inside and outside"),
    Case(
      ruleset: "nat", line: "fd00::2 -> fd01::2 53 udp expect allow", code: "passed verdict.allow",
      placed: "between any and any"),
    // Before the connection table is asked, every packet's state reads as invalid.
    Case(
      ruleset: "nat", line: "10.0.0.2 -> 8.8.8.8 7 tcp expect drop", code: "passed verdict.drop",
      placed: "between inside and outside"),
    // Packets that begin no connection are invalid, not new.
    Case(
      ruleset: "strays", line: "10.0.0.9 -> 10.0.0.1 proto 58 expect drop",
      code: "passed verdict.drop"),
    Case(
      ruleset: "strays", line: "10.0.0.9 -> 10.0.0.1 proto 47 one-way expect allow",
      code: "failed verdict.drop"),
    Case(
      ruleset: "strays", line: "10.0.0.9 -> 10.0.0.1 proto 50 one-way expect allow",
      code: "passed verdict.allow"),
    Case(
      ruleset: "strays", line: "10.0.0.9 -> 10.0.0.1 any expect drop", code: "failed verdict.allow"),
    // The entry's status says that the packet was translated, in the same hook already.
    Case(
      ruleset: "strays", line: "10.0.0.9 -> 10.0.0.1 8080 tcp one-way expect allow",
      code: "failed verdict.drop"),
    Case(
      ruleset: "strays", line: "10.0.0.9 -> 10.0.0.1 80 tcp one-way expect allow",
      code: "passed verdict.allow"),
    // Nothing is allowed by silence.
    Case(
      ruleset: "guards", line: "10.9.0.1 -> 10.9.0.2 22 tcp expect allow",
      code: "unknown unknown.no-firewall"),
    Case(
      ruleset: "guards", line: "10.9.0.1 -> 10.9.0.2 22 tcp expect deny",
      code: "unknown unknown.no-firewall"),
    // An element that runs out of time leaves its key to the catch-all.
    Case(
      ruleset: "states", line: "any -> hosts 22 tcp expect deny",
      code: "unknown unknown.unmodelled"),
    Case(
      ruleset: "states", line: "10.9.9.9 -> hosts 23 tcp expect allow",
      code: "passed verdict.allow"),
    // ICMP that begins no connection is invalid, not new.
    Case(
      ruleset: "states", line: "any -> hosts icmp type echo-reply expect deny",
      code: "failed verdict.allow"),
    Case(
      ruleset: "states", line: "any -> hosts proto 1 expect deny",
      code: "failed verdict.allow"),
    Case(
      ruleset: "states", line: "any -> hosts icmpv6 type echo-reply expect drop",
      code: "passed verdict.drop"),
    Case(
      ruleset: "states", line: "any -> hosts icmp type 13 expect drop",
      code: "passed verdict.drop"),
    // Without an entry an answer is new or, where it begins nothing, invalid.
    Case(
      ruleset: "states", line: "10.9.9.9 -> 10.0.0.1 icmp type echo-request expect allow",
      code: "failed verdict.answer-drop"),
    Case(
      ruleset: "states", line: "10.9.9.9 -> hosts 53 udp expect allow",
      code: "passed verdict.allow"),
    Case(
      ruleset: "states", line: "10.0.0.2, 10.0.0.3 -> hosts 53 tcp expect allow",
      code: "passed verdict.allow"),
    // Whether a chain of priority -200 runs before the lookup is not listed.
    Case(
      ruleset: "states", line: "any -> hosts 900 tcp expect deny",
      code: "unknown unknown.unmodelled"),
    Case(
      ruleset: "states", line: "10.9.9.9 -> hosts 902 tcp expect allow",
      code: "unknown unknown.unmodelled"),
    Case(
      ruleset: "states", line: "any -> hosts 901 tcp expect drop",
      code: "passed verdict.drop"),
    // Packets that were given the receiver's own address are packets of another host still.
    Case(
      ruleset: "states", line: "any -> 10.0.0.1 80 tcp expect deny",
      code: "unknown unknown.unmodelled"),
    // A host is never asked about itself.
    Case(
      ruleset: "talos-block",
      line: "172.20.0.2, 8.8.8.8 -> 172.20.0.2 10250 tcp expect deny in eth0",
      code: "passed verdict.drop"),
    Case(
      ruleset: "talos-block", line: "any -> hosts 22 tcp expect allow xfail \"known\"",
      code: "passed xfail"),
    Case(
      ruleset: "talos-block", line: "any -> hosts 22 tcp expect deny xfail \"known\" in eth0",
      code: "failed xfail.passed"),
    Case(
      ruleset: "talos-block", line: "any -> hosts 22 tcp expect deny skip \"later\"",
      code: "skipped skipped"),
  ]

  @Test("answers", arguments: cases)
  func answers(_ asked: Case) throws {
    let outcome = try ProofFixture.answer(asked.line, on: asked.ruleset, placed: asked.placed)
    #expect(
      "\(outcome.status.rawValue) \(outcome.code)" == asked.code,
      "\(outcome.message) \(outcome.reasons) \(String(describing: outcome.counterexample))")
  }

  /// By its clock the host accepts or drops the packet, and never rejects it.
  @Test func `tells what a certain failure's fate rests on`() throws {
    let outcome = try ProofFixture.answer("any -> hosts 1001 tcp expect reject", on: "unknowns")
    #expect(outcome.status == .failed)
    #expect(outcome.reasons.count == 1)
    #expect(outcome.reasons.allSatisfy { $0.hasPrefix("meta time") })
    #expect(outcome.message.hasSuffix("but never as expected"))
  }

  /// An answer names the limits that it rests on, and no others.
  @Test(arguments: [
    (
      "10.9.0.0/16 -> hosts 100 tcp expect allow",
      ["limit rate 5/minute burst 5 packets not exceeded"]
    ),
    ("10.9.0.0/16 -> hosts 101 tcp expect allow", []),
    ("10.9.0.0/16 -> hosts 102 tcp expect allow", []),
    ("10.9.0.0/16 -> hosts 103 tcp expect allow", ["ct count over 20 not exceeded"]),
    (
      "10.9.0.0/16 -> hosts 200 tcp one-way expect allow",
      ["limit rate over 8/minute burst 5 packets not exceeded"]
    ),
    (
      "10.9.0.0/16 -> hosts 201 tcp one-way expect allow", ["room for add @seen { ip saddr }"]
    ),
    (
      "10.9.0.0/16 -> hosts 100 tcp expect deny",
      ["limit rate 5/minute burst 5 packets not exceeded"]
    ),
    ("10.9.0.0/16 -> hosts 101 tcp expect deny", []),
  ])
  func `names the state that an answer rests on`(line: String, assumptions: [String]) throws {
    let outcome = try ProofFixture.answer(line, on: "gates")
    #expect(outcome.assumptions == assumptions, "\(outcome.code)")
    #expect(outcome.status == (line.hasSuffix("allow") ? .passed : .failed), "\(outcome.message)")
  }

  /// Each host has a connection table of its own: what one does not track the other may.
  @Test(arguments: [
    (53, "passed verdict.allow"), (54, "failed verdict.answer-drop"), (55, "passed verdict.allow"),
  ])
  func `asks each host's own connection table about the answer`(port: Int, code: String) throws {
    let outcomes = try ProofFixture.outcomes(
      """
      host client = 10.0.0.1
      host server = 10.0.0.2
      firewall c = nft "untracked-client" on client
      firewall s = nft "tracked-server" on server
      client -> server \(port) udp expect allow
      """)
    #expect(outcomes.map { "\($0.status.rawValue) \($0.code)" } == [code])
  }

  @Test(
    "what belongs to one host does not follow the packet to the next",
    arguments: [
      ("100 tcp expect deny", "failed verdict.allow"),
      ("101 tcp expect deny", "unknown unknown.unmodelled"),
      ("102 tcp one-way expect allow", "passed verdict.allow"),
    ])
  func hostsOwn(line: String, code: String) throws {
    let outcomes = try ProofFixture.outcomes(
      """
      firewall router = nft "hosts-own" between 10.0.0.2 and 172.20.0.2
      firewall leaf = nft "hosts-own" on 172.20.0.2
      10.0.0.2 -> 172.20.0.2 \(line)
      """)
    #expect(outcomes.map { "\($0.status.rawValue) \($0.code)" } == [code])
  }
}
