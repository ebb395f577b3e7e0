import Addresses
import Sandbox

/// Draws connections that others began before the packets come.
struct ConnectionGenerator {
  private var draw: Draw
  private let pool: ValuePool

  init(seed: UInt64, pool: ValuePool) {
    draw = Draw(seed: seed)
    self.pool = pool
  }

  /// - Parameter families: The families that the ruleset's tables see.
  /// - Returns: Connections of which none has the ends of another.
  mutating func connections(_ families: [IPFamily]) -> [SandboxConnection] {
    var taken: Set<[UInt128]> = []
    var connections: [SandboxConnection] = []
    for _ in 0..<draw.number(2...6) {
      let family = draw.pick(families)
      let source = address(family)
      let destination = address(family)
      // One end alone is both directions at once.
      guard source != destination, source.rawValue != 0, destination.rawValue != 0 else { continue }
      let transport = transport(family)
      let first = UInt16(pool.packetValue(.port, using: &draw))
      let second = UInt16(pool.packetValue(.port, using: &draw))
      // Neither direction may be another's: the kernel would give one of them other ports.
      let ends = [source.rawValue, destination.rawValue].sorted()
      guard taken.insert(ends).inserted else { continue }
      let kind: SandboxConnection.Transport =
        switch transport {
        case 6, 17: .ports(protocol: transport, source: first, destination: second)
        case 1: .echo(type: 8, code: 0, identifier: first)
        case 58: .echo(type: 128, code: 0, identifier: first)
        default: .other(protocol: transport)
        }
      let tuple = SandboxConnection.Tuple(from: source, to: destination, kind)
      connections.append(
        SandboxConnection(
          original: tuple, translated: tuple, isAnswered: transport == 6 || draw.chance(65),
          mark: draw.chance(50) ? 0 : UInt32(pool.packetValue(.mark, using: &draw))))
    }
    return connections
  }

  private mutating func address(_ family: IPFamily) -> IPAddress {
    IPAddress(
      family, rawValue: pool.packetValue(family == .ipv4 ? .ipv4 : .ipv6, using: &draw))
  }

  private mutating func transport(_ family: IPFamily) -> UInt8 {
    draw.pick(weighted: [(5, 6), (4, 17), (2, family == .ipv4 ? 1 : 58), (1, 50), (1, 103)])
  }
}
