import Addresses
import Diagnostics
import Foundation
import NftablesFrontend
import Rulesets
import Simulation
import TestSupport
import Wire

/// How many packets a second the simulator answers, from memory.
struct SimulationBenchmark {
  /// The Talos example ruleset, and a long list of which no rule matches.
  static func run() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/Simulation/talos.json")
    let talos = try ruleset([UInt8](try Data(contentsOf: file)), name: "talos.json")
    try measure("simulate Talos control plane, input", talos, hook: .input, packetCount: 1_000_000)
    let list = RuleList(.destinations, count: 100_000, family: .ipv4, questions: 1)
    try measure(
      "simulate a list of 100,000 rules, forward", try ruleset(list.json, name: "list.json"),
      hook: .forward, packetCount: 2_000)
  }

  private static func ruleset(_ bytes: [UInt8], name: String) throws -> Ruleset {
    var sources = SourceMap()
    let reading = NftablesReader.read(bytes, name: name, sources: &sources)
    guard let ruleset = reading.ruleset else { throw Failure(reading.diagnostics) }
    return ruleset
  }

  /// Prints the median of five runs.
  private static func measure(
    _ name: String, _ ruleset: Ruleset, hook: Hook, packetCount: Int
  ) throws {
    let pool = try packets(1_024)
    var simulator = Simulator(Program(ruleset))
    var times: [Duration] = []
    var accepted = 0
    for _ in 0..<5 {
      accepted = 0
      let start = ContinuousClock.now
      for index in 0..<packetCount
      where simulator.answer(at: hook, pool[index & 1_023]).verdict == .accept { accepted += 1 }
      times.append(ContinuousClock.now - start)
    }
    let rate = Double(packetCount) / times.sorted()[2].seconds
    Figure.print(
      name, "\(Int(rate)) packets/s", note: "\(accepted) of \(packetCount) accepted")
  }

  private static func packets(_ count: Int) throws -> [Packet] {
    guard let eth0 = InterfaceName("eth0"), let eth1 = InterfaceName("eth1") else {
      throw Failure("an interface has no name")
    }
    var random = SeededGenerator(seed: 7)
    let ports: [UInt16] = [22, 53, 443, 2_379, 4_789, 6_443, 10_250, 50_000, 50_001, 30_000]
    return try (0..<count).map { _ in
      let source = IPAddress.ipv4(
        IPv4Address(rawValue: 0xAC14_0000 | UInt32.random(in: 0..<512, using: &random)))
      let destination = IPAddress.ipv4(IPv4Address(rawValue: 0xAC14_0002))
      let port = ports.randomElement(using: &random) ?? 22
      let from = UInt16.random(in: 1_024..<65_535, using: &random)
      let segment: PacketBuilder.Segment =
        Bool.random(using: &random)
        ? .tcp(TCPHeader(sourcePort: from, destinationPort: port), payload: [])
        : .udp(
          UDPHeader(sourcePort: from, destinationPort: port, payloadByteCount: 0), payload: [])
      guard let bytes = PacketBuilder.packet(from: source, to: destination, carrying: segment)
      else { throw Failure("a packet cannot be built") }
      return try Packet(
        bytes: bytes, input: .named(eth0, index: 2), output: .named(eth1, index: 3),
        frame: Packet.Frame())
    }
  }
}
