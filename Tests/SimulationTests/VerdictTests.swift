import Simulation
import Testing

/// A packet at one hook of a fixture's ruleset.
struct VerdictCase: Sendable, CustomTestStringConvertible {
  let ruleset: String
  let packet: String
  let verdict: String
  let why: String

  init(_ ruleset: String, _ packet: String, _ verdict: String, _ why: String) {
    self.ruleset = ruleset
    self.packet = packet
    self.verdict = verdict
    self.why = why
  }

  var testDescription: String { "\(ruleset): \(why)" }

  /// The packet as a line of JSON; what it does not say is a SYN from 10.0.0.5 to 10.0.0.1.
  var line: String {
    let isIPv6 = packet.contains(#""family": "ip6""#)
    var line = #"{"iif": "eth0""#
    func add(_ name: String, _ value: String) {
      if !packet.contains("\"\(name)\":") { line += ", \"\(name)\": \(value)" }
    }
    if packet.contains(#""iif":"#) { line = #"{"x": 0"# }
    add("hook", "\"input\"")
    if !packet.contains("l3_hex") {
      add("saddr", isIPv6 ? "\"fd00::5\"" : "\"10.0.0.5\"")
      add("daddr", isIPv6 ? "\"fd00::1\"" : "\"10.0.0.1\"")
      add("protocol", "\"tcp\"")
    }
    return line + (packet.isEmpty ? "" : ", ") + packet + "}"
  }
}

private let syn22 = #""dport": 22"#
private let syn80 = #""dport": 80"#
private let udp53 = #""protocol": "udp", "dport": 53"#
private let six22 = #""family": "ip6", "dport": 22"#
private let ping = #""protocol": "icmp""#

private let guards: [VerdictCase] = [
  .init("guard", syn80, "drop", "another port of the guarded protocol"),
  .init("guard", syn22, "accept", "the port itself"),
  .init("guard", udp53, "accept", "negation does not flip the guard"),
  .init("guard", ping, "accept", "nor for a protocol without ports"),
  .init("guard", six22, "accept", "both families, the port itself"),
  .init("guard", #""family": "ip6", "dport": 80"#, "drop", "both families, another port"),
  .init("guard-set", #""dport": 85"#, "accept", "inside a range of the set"),
  .init("guard-set", #""dport": 91"#, "drop", "past the end of the range"),
  .init("guard-set", ping, "accept", "another protocol"),
  .init("family", syn22, "accept", "every IPv4 address"),
  .init("family", six22, "drop", "0.0.0.0/0 is IPv4 only"),
  .init("raw-port", ping, "accept", "a raw load has no guard"),
  .init("raw-port", udp53, "drop", "and compares what it finds"),
  .init("icmp-id", ping, "accept", "the identifier of an echo request"),
  .init(
    "icmp-id", #""protocol": "icmp", "icmp_type": 3"#, "drop", "only echoes have an identifier"),
]

private let missing: [VerdictCase] = [
  .init("option", syn22, "accept", "an absent option BREAKs, and is not unequal"),
  .init("option-exists", syn22, "accept", "an absent option does not exist"),
  .init("extension", six22, "accept", "an absent header BREAKs"),
  .init("map-miss", syn22, "accept", "a hit goes on"),
  .init("map-miss", syn80, "drop", "a miss BREAKs before the accept"),
  .init("direction", syn22, "accept", "a new flow has a direction"),
  .init("direction", #""dport": 22, "state": "untracked""#, "drop", "an untracked one has none"),
  .init("direction", #""dport": 22, "flags": ["rst"]"#, "drop", "nor has an invalid one"),
  .init(
    "guard", #""l3_hex": "450000171234000040065 4a80a0000050a000001""#.replacing(" ", with: ""),
    "drop", "a length beyond the bytes is thrown away"),
  .init(
    "guard", #""l3_hex": "4500001812340000400654a70a0000050a0000019c400016""#, "accept",
    "four bytes of a header still have ports"),
  .init(
    "flags-masked", #""l3_hex": "4500001812340000400654a70a0000050a0000019c400016""#, "drop",
    "and no flags"),
]

private let lookups: [VerdictCase] = [
  .init("verdict-map", syn22, "accept", "a hit decides"),
  .init("verdict-map", syn80, "drop", "continue runs the rest of the rule"),
  .init("verdict-map", #""dport": 85"#, "drop", "an interval decides"),
  .init("verdict-map", #""dport": 443"#, "accept", "a miss BREAKs"),
  .init("catch-all", #""dport": 443"#, "drop", "the catch-all stands for the rest"),
  .init("catch-all", udp53, "accept", "behind the guard"),
  .init("interval-set", #""dport": 1, "saddr": "192.0.2.255""#, "accept", "the end of a prefix"),
  .init("interval-set", #""dport": 1, "saddr": "198.51.100.9""#, "accept", "the end of a range"),
  .init("interval-set", #""dport": 1, "saddr": "198.51.100.10""#, "drop", "the address after"),
  .init("interval-set", #""dport": 1, "saddr": "192.0.1.255""#, "drop", "the address before"),
  .init("concatenation", #""dport": 22, "saddr": "10.0.0.200""#, "accept", "both parts in range"),
  .init("concatenation", #""dport": 85"#, "accept", "the second element"),
  .init("concatenation", #""dport": 85, "saddr": "10.0.0.6""#, "drop", "parts of two elements"),
  .init("exact-concatenation", syn22, "accept", "both parts"),
  .init("exact-concatenation", #""dport": 23"#, "drop", "the port of the other element"),
  .init("concatenation-unequal", #""dport": 23"#, "accept", "one part differs"),
  .init("concatenation-unequal", syn22, "drop", "no part differs"),
  .init("concatenation-unequal", udp53, "drop", "the guard holds for the whole key"),
]

private let operators: [VerdictCase] = [
  .init("flags-any", #""flags": ["syn", "ack"]"#, "accept", "any of the bits"),
  .init("flags-any", #""flags": ["ack"]"#, "drop", "none of the bits"),
  .init("flags-masked", #""flags": ["syn", "psh"]"#, "accept", "bits outside the mask"),
  .init("flags-masked", #""flags": ["syn", "ack"]"#, "drop", "bits inside the mask"),
  .init("flags-none", #""flags": ["syn"]"#, "accept", "none of them"),
  .init("flags-none", #""flags": ["syn", "rst"]"#, "drop", "one of them"),
  .init("flags-exact", #""flags": ["syn", "ack"]"#, "accept", "exactly the bits"),
  .init("flags-exact", #""flags": ["syn"]"#, "drop", "a list after != is one exact value"),
  .init("range-unequal", #""dport": 20"#, "accept", "the lower end"),
  .init("range-unequal", #""dport": 25"#, "accept", "the upper end"),
  .init("range-unequal", #""dport": 26"#, "drop", "past the upper end"),
  .init("less", #""dport": 1023"#, "drop", "below"),
  .init("less", #""dport": 1024"#, "accept", "not below"),
  .init("mask", #""saddr": "10.77.88.5""#, "accept", "a mask with a hole"),
  .init("mask", #""saddr": "10.77.88.6""#, "drop", "a bit that counts"),
  .init("wildcard", syn22, "accept", "a name with a star"),
  .init("no-wildcard", syn22, "drop", "a name is no prefix"),
  .init("output-name-in-input", syn22, "drop", "no device has the empty name"),
  .init("nexthdr", six22, "accept", "the first next-header octet"),
]

private let effects: [VerdictCase] = [
  .init("mark-kept", syn22, "accept", "what a rule did before it BREAKs stays done"),
  .init("mark-masked", syn22, "accept", "a mask before the comparison"),
  .init("payload-written", syn22, "drop", "what was written is what is read"),
  .init("chains", syn22, "accept", "after goto the chain returns to the last jump"),
  .init("chains", #""dport": 23"#, "accept", "return goes on after the jump"),
  .init("chains", #""dport": 24"#, "drop", "a drop in a jumped chain is final"),
  .init("goto-base", syn22, "drop", "return after goto at the base is the policy"),
  .init("goto-base", syn80, "drop", "and so is its end"),
  .init("priorities", syn22, "drop", "the lower number runs first"),
  .init("drop-final", syn22, "drop", "a later accept does not help"),
  .init("drop-final", syn80, "accept", "an IPv6 table does not see IPv4"),
  .init("drop-final", #""family": "ip6", "dport": 80"#, "drop", "but it sees IPv6"),
  .init("same-priority-table", syn22, "drop", "of one table the newest chain runs first"),
  .init("same-priority-tables", syn22, "unknown", "across tables the order is not known"),
  .init("same-priority-tables", syn80, "accept", "and does not matter here"),
]

private let states: [VerdictCase] = [
  .init("state", syn22, "accept", "a SYN is new"),
  .init("state", #""dport": 22, "flags": ["ack"]"#, "accept", "a plain ACK is new"),
  .init("state", #""dport": 22, "flags": ["syn", "ack"]"#, "drop", "a SYN+ACK is invalid"),
  .init("state", #""dport": 80, "state": "established""#, "accept", "as the packet says"),
  .init("state-unequal", #""state": "established""#, "drop", "a list after != is one exact value"),
  .init("raw-state", #""hook": "prerouting", "dport": 22"#, "drop", "before tracking: invalid"),
  .init("notrack", #""hook": "prerouting", "dport": 22"#, "accept", "untracked from here on"),
  .init("nat-idle", #""hook": "prerouting", "dport": 22"#, "accept", "without tracking: idle"),
  .init("nat-drop", #""hook": "prerouting", "dport": 22"#, "drop", "new flows"),
  .init(
    "nat-drop", #""hook": "prerouting", "dport": 22, "flags": ["rst"]"#, "accept",
    "invalid packets pass by"),
  .init(
    "nat-drop", #""hook": "prerouting", "dport": 22, "state": "established""#, "accept",
    "bound flows pass by"),
]

private let unknowns: [VerdictCase] = [
  .init("limit", syn22, "accept", "a limit that is full at first"),
  .init("limit", #""dport": 23"#, "accept", "a limit that cannot matter"),
  .init("limit", syn80, "drop", "a limit that is not reached"),
  .init("clock", syn22, "unknown", "the hour decides"),
  .init("clock", syn80, "accept", "the hour is not asked"),
  .init("random", syn22, "unknown", "a random number decides"),
  .init("reject", syn22, "reject", "a reset"),
  .init("reject", udp53, "reject", "an ICMP error"),
  .init("reject", syn80, "accept", "neither"),
]

@Suite("A hook's verdict") struct VerdictTests {
  private func check(_ one: VerdictCase) throws {
    let answer = try #require(try answers(one.ruleset, [one.line], host()).first)
    #expect(verdict(answer) == one.verdict, "\(answer)")
  }

  @Test("keeps guards apart from values", arguments: guards) func guarded(one: VerdictCase) throws {
    try check(one)
  }

  @Test("BREAKs where data is missing", arguments: missing) func broken(one: VerdictCase) throws {
    try check(one)
  }

  @Test("looks sets and maps up", arguments: lookups) func lookedUp(one: VerdictCase) throws {
    try check(one)
  }

  @Test("compares", arguments: operators) func compared(one: VerdictCase) throws { try check(one) }

  @Test("follows chains and what rules change", arguments: effects)
  func followed(one: VerdictCase) throws { try check(one) }

  @Test("knows connection states", arguments: states) func tracked(one: VerdictCase) throws {
    try check(one)
  }

  @Test("is unknown only where that matters", arguments: unknowns)
  func unknown(one: VerdictCase) throws { try check(one) }

  @Test func `says what it does not know, and which rule asked`() throws {
    let line = VerdictCase("limit", syn22, "", "").line
    // A bucket of five is full at first, and may or may not have filled again.
    let answers = try answers("limit", Array(repeating: line, count: 6))
    #expect(answers.dropLast().allSatisfy { verdict($0) == "accept" })
    let answer = try #require(answers.last)
    #expect(verdict(answer) == "unknown")
    #expect(
      answer.contains("limit rate 5/second burst 5 packets depends on what passed before"),
      "\(answer)")
    #expect(answer.contains("inet t c handle"), "\(answer)")
  }

  @Test func `shows the rules it went by`() throws {
    let line = VerdictCase("chains", #""dport": 23"#, "", "").line
    let answer = try #require(try answers("chains", [line]).first)
    let steps = answer.split(separator: "\"verdict\":\"").dropFirst(2)
      .map { String($0.prefix { $0 != "\"" }) }
    #expect(steps == ["jump a", "return", "accept"])
  }
}
