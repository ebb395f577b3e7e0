import Addresses
import Diagnostics
import Foundation
import Scenarios
import TestSupport
import Testing

/// What decides which packets a flow is about and what is expected of them.
private struct Meaning: Equatable {
  let sources: AddressSet
  let destinations: AddressSet
  let sharedHosts: [AddressSet]
  let services: [Service]
  let sourcePorts: IntervalSet?
  let families: Set<IPFamily>
  let inputInterface: String?
  let state: Flow.ConnectionState
  let expectation: Flow.Expectation

  init(_ flow: Flow) {
    sources = flow.sources
    destinations = flow.destinations
    sharedHosts = flow.sharedHosts
    services = flow.services
    sourcePorts = flow.sourcePorts
    families = flow.families
    inputInterface = flow.inputInterface
    state = flow.state
    expectation = flow.expectation
  }
}

/// The declarations of some files, without their lines.
private func declarations(in texts: [String]) -> String {
  texts.flatMap { text in
    let bytes = Array(text.utf8)
    return Parser.parse(bytes, file: 0).syntax.statements.compactMap { statement -> String? in
      switch statement.kind {
      case .host, .group, .service:
        String(decoding: bytes[statement.span.lower..<statement.span.upper], as: UTF8.self) + "\n"
      case .include, .firewall, .defaults, .suite, .line: nil
      }
    }
  }.joined()
}

private func expectSameMeaning(_ flows: [Flow], declarations: String) throws {
  for flow in flows {
    let reading = Reading(declarations + flow.text + "\n")
    #expect(reading.rendered == "", "\(flow.text)")
    let again = try #require(reading.plan?.flows.first)
    #expect(Meaning(again) == Meaning(flow), "\(flow.text)")
    #expect(again.text == flow.text)
  }
}

@Suite("The canonical text of a line")
struct RoundTripTests {
  @Test func `means the same packets for every line of the fixture`() throws {
    let main = String(decoding: try Repository.fixture("every-production.scn"), as: UTF8.self)
    let inventory = String(decoding: try Repository.fixture("inventory.scn"), as: UTF8.self)
    let plan = try #require(Reading(["main.scn": main, "inventory.scn": inventory]).plan)
    try expectSameMeaning(plan.flows, declarations: declarations(in: [inventory, main]))
  }

  @Test(.enabled(if: Repository.hasSpecification, "needs the specification beside the repository"))
  func `means the same packets for every line of the sample`() throws {
    let sample = try Repository.sample().split(separator: "\n")
      .filter { !$0.hasPrefix("firewall") && !$0.hasPrefix("include") }.joined(separator: "\n")
    let plan = try #require(Reading(sample).plan)
    try expectSameMeaning(plan.flows, declarations: declarations(in: [sample]))
  }

  @Test func `means the same packets for random lines`() throws {
    let declarations = """
      host  a  = 10.0.0.1, 10.0.0.2, fd00::1
      host  b  = 10.0.0.3
      group g  = a, b, 10.1.0.0/16
      group h  = any except { g, 10.0.0.0/8, fd00::/8 }
      service s = 80, 90-99 tcp, 53 udp one-way
      service t = icmp, icmpv6 type 1 code 4

      """
    let atoms = [
      "a", "B", "g", "h", "any", "10.2.0.0/24", "10.0.0.2-10.0.1.0", "fd00::7", "fd00::/16",
      "{ g except b }", "{ a, 10.9.9.9 }", "{ { h }, b }", "::ffff:0:0/96",
    ]
    let services = [
      "s", "t", "22 tcp", "1-9, 5-20 udp", "tcp/443", "udp", "sctp/1-2", "proto 6", "proto 89",
      "7 proto 33", "icmp type echo-request", "icmpv6 type mld-listener-reduction", "any",
      "icmp type 250 code 0",
    ]
    var random = SeededGenerator(seed: 5)
    func some(_ pool: [String], _ counts: ClosedRange<Int>) -> String {
      (0..<Int.random(in: counts, using: &random)).map { _ in
        pool.randomElement(using: &random) ?? ""
      }.joined(separator: ", ")
    }
    func set() -> String {
      let all = some(atoms, 1...3)
      switch Int.random(in: 0..<4, using: &random) {
      case 0: return "\(all) except \(some(atoms, 1...1))"
      case 1: return "\(all) except { \(some(atoms, 1...2)) }"
      default: return all
      }
    }
    var compared = 0
    for _ in 0..<1_500 {
      let what =
        Bool.random(using: &random) ? some(services, 1...1) : "{ \(some(services, 1...3)) }"
      let verdict =
        ["allow", "deny", "drop", "reject", "reject with no-route"]
        .randomElement(using: &random) ?? "allow"
      let clause =
        ["", "in eth0.7", "family ipv6", "state related", "from port 53, 60-70"]
        .randomElement(using: &random) ?? ""
      let isOnly = Int.random(in: 0..<3, using: &random) == 0
      let line = "\(set()) -> \(set()) \(what)"
      let text = isOnly ? "only \(line) \(clause)" : "\(line) expect \(verdict) \(clause)"
      guard let plan = Reading(declarations + text + "\n").plan else { continue }
      try expectSameMeaning(plan.flows, declarations: declarations)
      compared += plan.flows.count
    }
    #expect(compared > 1_500)
  }
}
