import Addresses
import Rulesets
import Sandbox
import Simulation

/// One drawn ruleset with its packets.
struct Trial {
  var tree: RulesetTree
  /// What others began before the packets come.
  var connections: [SandboxConnection] = []
  var packets: [SandboxPacket]
  var host: Simulation.Host
  /// Whether the ruleset is read from its listing alone, as a saved file is; otherwise its bytecode
  /// is at hand, as it is of a ruleset in force.
  var isListedAlone: Bool

  /// The trial that a number stands for.
  init(number: UInt64, seed: UInt64, packetCount: Int) {
    var seeds = Draw(seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ number)
    var generator = RulesetGenerator(seed: UInt64(seeds.bits(64)))
    tree = generator.ruleset()
    isListedAlone = number % 4 == 3
    if isListedAlone { tree.removeWhatListingsHide() }
    // A host stays for a while, because making one takes as long as many packets.
    host = HostSamples.all[[0, 1, 0, 2, 0, 3][Int(number / 50 % 6)]]
    let families = tree.tables.map(\.family)
    var seen: [IPFamily] = []
    if families.contains(where: { $0 != "ip6" }) { seen.append(.ipv4) }
    if families.contains(where: { $0 != "ip" }) { seen.append(.ipv6) }
    let seed = UInt64(seeds.bits(64))
    if seeds.chance(15) {
      var begun = ConnectionGenerator(seed: UInt64(seeds.bits(64)), pool: generator.pool)
      connections = begun.connections(seen)
    }
    var source = PacketGenerator(
      seed: seed, pool: generator.pool, host: host, families: seen, flows: connections)
    packets = (0..<packetCount).map { _ in source.packet() }
  }
}
