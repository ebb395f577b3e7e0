import Addresses
import Proof
import Rulesets
import Simulation
import TestSupport

/// Random packets, drawn to the edges of what a ruleset compares.
struct PacketSource {
  let constants: RulesetConstants
  var random: SeededGenerator

  /// One packet at one hook, as each of the two programs wants it.
  struct Drawn {
    let question: PointQuestion
    let packet: Packet
  }

  /// Draws a packet; nil for a ruleset without base chains at the IP hooks.
  mutating func draw() -> Drawn? {
    let family: IPFamily = Bool.random(using: &random) ? .ipv4 : .ipv6
    guard let hook = constants.hooks.randomElement(using: &random) else { return nil }
    let transport = transportProtocol(family)
    let bytes = bytes(family, transport)
    let hasInput = hook != .output && !(hook == .postrouting && Bool.random(using: &random))
    let hasOutput = hook == .forward || hook == .output || hook == .postrouting
    let input = hasInput ? name() : nil
    let output = hasOutput ? name() : nil
    let states: [Packet.State] = [.new, .new, .established, .related, .invalid, .untracked]
    guard let state = states.randomElement(using: &random) else { return nil }
    let ethernet = (
      destination: MACAddress(rawValue: 0x0200_0000_0001),
      source: MACAddress(rawValue: 0x0200_0000_0002)
    )
    let frame =
      hasInput
      ? Packet.Frame(source: ethernet.source, destination: ethernet.destination) : nil
    let packet = try? Packet(
      bytes: bytes, input: input.map { .named($0, index: nil) } ?? .absent,
      output: output.map { .named($0, index: nil) } ?? .absent, frame: frame, state: state)
    // A packet that no receiver would take says nothing about rules, and none is drawn.
    guard let packet else { preconditionFailure("a packet was drawn that is malformed") }
    return Drawn(
      question: PointQuestion(
        family: family, hook: hook, bytes: bytes, inputName: input, outputName: output,
        connectionState: UInt128(state.bit), ethernet: hasInput ? ethernet : nil),
      packet: packet)
  }

  private mutating func pick(_ known: [UInt128], _ highest: UInt128) -> UInt128 {
    guard let value = known.randomElement(using: &random), Int.random(in: 0..<5, using: &random) > 0
    else { return UInt128.random(in: 0...highest, using: &random) }
    switch Int.random(in: 0..<6, using: &random) {
    case 0: return value == 0 ? 0 : min(value - 1, highest)
    case 1: return value >= highest ? highest : value + 1
    default: return min(value, highest)
    }
  }

  private mutating func transportProtocol(_ family: IPFamily) -> UInt8 {
    switch Int.random(in: 0..<10, using: &random) {
    case 0...4: 6
    case 5...6: 17
    case 7...8: family == .ipv4 ? 1 : 58
    default: [1, 2, 33, 47, 50, 58, 112, 132, 136].randomElement(using: &random) ?? 47
    }
  }

  private mutating func name() -> InterfaceName {
    if let known = constants.names.randomElement(using: &random),
      Int.random(in: 0..<3, using: &random) > 0, known != 0
    {
      return InterfaceName(rawValue: known)
    }
    return InterfaceName(["eth0", "eth1", "lo", "wg0"].randomElement(using: &random) ?? "eth0")
      ?? .none
  }

  private mutating func bytes(_ family: IPFamily, _ transport: UInt8) -> [UInt8] {
    func octets(_ value: UInt128, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt128(8 * (count - 1 - $0))) }
    }
    var segment: [UInt8] = []
    switch transport {
    case 6:
      segment = octets(pick(constants.ports, 65_535), 2) + octets(pick(constants.ports, 65_535), 2)
      segment += octets(1_000, 4) + octets(0, 4)
      let flags =
        [0x02, 0x12, 0x10, 0x11, 0x04, 0x14, 0x00, 0x29]
        .randomElement(using: &random) ?? 2
      segment += [0x50, UInt8(flags)] + octets(64_240, 2) + octets(0, 4)
    case 1, 58:
      segment = [
        UInt8(truncatingIfNeeded: pick(constants.icmpTypes, 255)),
        UInt8(truncatingIfNeeded: Int.random(in: 0..<4, using: &random)),
      ]
      segment += octets(UInt128.random(in: 0...65_535, using: &random), 2) + octets(7, 4)
    default:
      segment = octets(pick(constants.ports, 65_535), 2) + octets(pick(constants.ports, 65_535), 2)
      segment += octets(20, 2) + octets(0, 14)
    }
    let tos = UInt8(truncatingIfNeeded: pick(constants.octets.map { $0 << 2 }, 255))
    let lifetime = UInt8(truncatingIfNeeded: max(1, pick(constants.octets, 255)))
    switch family {
    case .ipv4:
      let source = pick(constants.ipv4, family.highestAddress)
      let destination = pick(constants.ipv4, family.highestAddress)
      var header = [0x45, tos] + octets(UInt128(20 + segment.count), 2) + octets(4_711, 2)
      header += [0x40, 0, lifetime, transport, 0, 0] + octets(source, 4) + octets(destination, 4)
      // RFC 791: the one's complement of the one's complement sum of the header's words.
      var sum = stride(from: 0, to: 20, by: 2).reduce(UInt32(0)) {
        $0 + UInt32(header[$1]) << 8 + UInt32(header[$1 + 1])
      }
      while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
      header[10] = UInt8(truncatingIfNeeded: ~sum >> 8)
      header[11] = UInt8(truncatingIfNeeded: ~sum)
      return header + segment
    case .ipv6:
      let source = pick(constants.ipv6, family.highestAddress)
      let destination = pick(constants.ipv6, family.highestAddress)
      return [0x60 | tos >> 4, tos << 4, 0, 0] + octets(UInt128(segment.count), 2)
        + [transport, lifetime] + octets(source, 16) + octets(destination, 16) + segment
    }
  }
}
