import Addresses
import Proof
import Rulesets
import Simulation
import TestSupport

/// Packets drawn to the edges of what the rules of a test compare.
struct EdgePackets {
  var random: SeededGenerator
  var addresses: [UInt32]
  var ports: [UInt16]

  mutating func draw() -> Packet? {
    let isIPv6 = Int.random(in: 0..<6, using: &random) == 0
    let transport: UInt8 = [6, 6, 6, 17, 17, 1, 58, 47].randomElement(using: &random) ?? 6
    let source = address()
    let destination = address()
    let ports = [port(), port()]
    var segment = ports.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
    switch transport {
    case 6: segment += [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xFA, 0xF0, 0, 0, 0, 0]
    case 17: segment += [0, 8, 0, 0]
    default: segment += [0, 0, 0, 0]
    }
    func octets(_ value: UInt32) -> [UInt8] {
      (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) }
    }
    let bytes: [UInt8]
    if isIPv6 {
      let prefix: [UInt8] = [0xFD, 0] + [UInt8](repeating: 0, count: 10)
      bytes =
        [0x60, 0, 0, 0, 0, UInt8(segment.count), transport, 64] + prefix + octets(source) + prefix
        + octets(destination) + segment
    } else {
      var header: [UInt8] =
        [0x45, 0, 0, UInt8(20 + segment.count), 0, 7, 0x40, 0, 64, transport, 0, 0]
        + octets(source) + octets(destination)
      var sum = stride(from: 0, to: 20, by: 2).reduce(UInt32(0)) {
        $0 + UInt32(header[$1]) << 8 + UInt32(header[$1 + 1])
      }
      while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
      header[10] = UInt8(truncatingIfNeeded: ~sum >> 8)
      header[11] = UInt8(truncatingIfNeeded: ~sum)
      bytes = header + segment
    }
    let name = InterfaceName(["eth0", "lo", "wg0"].randomElement(using: &random) ?? "eth0")
    let state = Packet.State.allCases.randomElement(using: &random) ?? .new
    return try? Packet(
      bytes: bytes, input: .named(name ?? .none, index: nil), output: .absent,
      frame: Packet.Frame(), state: state)
  }

  private mutating func address() -> UInt32 {
    guard let edge = addresses.randomElement(using: &random) else { return 0x0A00_0001 }
    switch Int.random(in: 0..<5, using: &random) {
    case 0: return edge &- 1
    case 1: return edge &+ 1
    case 2: return UInt32.random(in: 0x0900_0000...0x0C00_0000, using: &random)
    default: return edge
    }
  }

  private mutating func port() -> UInt16 {
    guard let edge = ports.randomElement(using: &random) else { return 80 }
    return [edge &- 1, edge, edge, edge &+ 1].randomElement(using: &random) ?? edge
  }
}

extension Equivalence.Difference {
  /// What the simulator says of the packet under one of the rulesets.
  func verdict(under ruleset: Ruleset) throws -> PacketVerdict? {
    guard let bytes else { return nil }
    var simulator = Simulator(Program(ruleset))
    let packet = try Packet(
      bytes: bytes, input: inputName.map { .named($0, index: nil) } ?? .absent,
      output: outputName.map { .named($0, index: nil) } ?? .absent,
      frame: inputName == nil ? nil : Packet.Frame(),
      state: Packet.State(rawValue: connectionState))
    return simulator.answer(at: hook, packet).verdict
  }
}
