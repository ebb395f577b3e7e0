import Foundation
import LinuxKernel
import Outcomes
import Rulesets
import Scenarios
import Testing

/// The simulator is a second program over the same rulesets.
@Suite("Counterexamples of the packs")
struct CounterexampleTests {
  @Test(
    "meet the same fate when each is simulated",
    arguments: Pack.entries.filter { $0.contains("/bad/") && !Pack.hasDocuments($0) })
  func simulated(path: String) throws { try simulate(path) }

  /// What is made of documents is text, which has to be loaded to be read.
  @Test(
    "of documents meet the same fate when each is simulated",
    .enabled(if: ListingTests.isUsable, "needs network namespaces"),
    arguments: Pack.entries.filter { $0.contains("/bad/") && Pack.hasDocuments($0) })
  func simulatedText(path: String) throws { try simulate(path) }

  private func simulate(_ path: String) throws {
    var reading = try Pack.read(path)
    let failed = Set(Pack.expectedFailures(path).keys)
    reading.plan.flows.removeAll { !failed.contains($0.id) }
    let outcomes = reading.outcomes()
    #expect(outcomes.count == failed.count)
    for outcome in outcomes {
      let packet = try #require(outcome.counterexample)
      let rule = try #require(outcome.decidedBy)
      let ruleset = try #require(reading.rulesets[rule.firewall])
      let answer = try Self.simulate(
        packet, reading.paths[rule.firewall].map { .listing($0) } ?? .text(of: ruleset))
      let verdict = outcome.code == "verdict.allow" ? "accept" : "drop"
      #expect(answer["verdict"] as? String == verdict, "\(outcome.scenario): \(packet)")
      let trace = try #require(answer["trace"] as? [[String: Any]])
      #expect(trace.last?["chain"] as? String == rule.chain, "\(outcome.scenario): \(trace)")
      // A ruleset that was made of documents gets its handles when it is loaded.
      if reading.paths[rule.firewall] != nil {
        #expect(trace.last?["handle"] as? Int == rule.handle, "\(outcome.scenario): \(trace)")
      }
    }
  }

  /// What `simulate` is given to read.
  private enum Input {
    /// A file of the packs.
    case listing(String)
    case text(of: Ruleset)
  }

  /// What `simulate` says of a packet that a host with its destination address takes in.
  private static func simulate(
    _ packet: PacketDescription, _ input: Input
  ) throws -> [String: Any] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "packs-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    var question: [String: Any] = [
      "family": packet.family, "saddr": packet.sourceAddress, "daddr": packet.destinationAddress,
      "protocol": packet.transportProtocol, "iif": packet.inputInterface ?? "eth0",
    ]
    question["sport"] = packet.sourcePort
    question["dport"] = packet.destinationPort
    question["flags"] = packet.flags
    question["state"] = packet.state
    let host = [
      "interfaces": [
        [
          "name": "eth0",
          "addresses": ["\(packet.destinationAddress)/\(packet.family == "ip" ? 24 : 64)"],
        ]
      ]
    ]
    let packets = folder.appending(path: "packets.jsonl")
    let description = folder.appending(path: "host.json")
    try JSONSerialization.data(withJSONObject: question).write(to: packets)
    try JSONSerialization.data(withJSONObject: host).write(to: description)
    let ruleset: URL
    switch input {
    case .listing(let path): ruleset = Pack.folder.appending(path: path)
    case .text(let model):
      ruleset = folder.appending(path: "ruleset.nft")
      try Data(RulesetPrinter().text(of: model).utf8).write(to: ruleset)
    }
    let output = try ChildProcess.run(
      try Pack.program(),
      [
        "simulate", "--ruleset", ruleset.path, "--packets",
        packets.path, "--host", description.path,
      ], timeout: .seconds(60), limit: 1 << 20)
    #expect(output.ending == .exited(0), "\(String(decoding: output.errors, as: UTF8.self))")
    return try #require(
      try JSONSerialization.jsonObject(with: Data(output.output)) as? [String: Any])
  }
}
