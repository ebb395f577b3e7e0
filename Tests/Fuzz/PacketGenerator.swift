import Addresses
import Sandbox
import Simulation
import Wire

/// Draws packets to the edges of a ruleset.
struct PacketGenerator {
  var draw: Draw
  let pool: ValuePool
  let host: Host
  /// The families that the ruleset's tables see.
  let families: [IPFamily]
  /// Whether some are fragments, after which the sandbox has to be made anew.
  private let hasFragments: Bool
  private var number: UInt64 = 0
  private var sources: Set<UInt64> = []
  /// The connections that others began.
  let flows: [SandboxConnection]
  /// What the packet at hand has to look like to belong to one of them.
  private var followed: Followed?

  init(
    seed: UInt64, pool: ValuePool, host: Host, families: [IPFamily], flows: [SandboxConnection]
  ) {
    self.flows = flows
    draw = Draw(seed: seed)
    self.pool = pool
    self.host = host
    self.families = families
    hasFragments = draw.chance(15)
  }

  mutating func packet() -> SandboxPacket {
    followed = follow()
    let family =
      followed?.source.family
      ?? (draw.chance(95) ? draw.pick(families) : draw.pick([.ipv4, .ipv6]))
    let isLocal = if let followed { isSentFromHere(followed) } else { draw.chance(22) }
    let source: IPAddress
    if let followed {
      source = followed.source
    } else if isLocal, draw.chance(85) {
      source = HostSamples.address(draw.pick(family == .ipv4 ? HostSamples.ipv4 : HostSamples.ipv6))
    } else {
      source = address(family)
    }
    let destination: IPAddress
    if let followed {
      destination = followed.destination
    } else {
      destination =
        !isLocal && draw.chance(35)
        ? HostSamples.address(draw.pick(family == .ipv4 ? HostSamples.ipv4 : HostSamples.ipv6))
        : address(family)
    }
    var bytes = self.bytes(family, from: source, to: destination)
    number += 1
    // The kernel repairs what programs send, so only what comes in is damaged.
    if isLocal { return SandboxPacket(bytes: bytes, origin: .local) }
    if draw.chance(3) { damage(&bytes) }
    var frame = Packet.Frame(source: hardwareSource())
    let name = draw.pick(["eth0", "eth0", "eth1", "wg0"])
    switch draw.number(0...99) {
    case 0: frame.destination = MACAddress(rawValue: 0xFFFF_FFFF_FFFF)
    case 1: frame.destination = MACAddress(rawValue: 0x3333_0000_0001)
    case 2: frame.destination = MACAddress(rawValue: 0x0250_5000_0009)
    case 3: frame.vlan = draw.pick([0, 7])
    default: break
    }
    return SandboxPacket(bytes: bytes, origin: .received(HostSamples.name(name), frame))
  }

  /// The hardware address that a frame comes from, by which reports tell the packets apart.
  private mutating func hardwareSource() -> MACAddress {
    if draw.chance(4) {
      let drawn = UInt64(pool.packetValue(.ether, using: &draw)) & ~(1 << 40)
      if drawn >> 24 != 0x0250_00, sources.insert(drawn).inserted {
        return MACAddress(rawValue: drawn)
      }
    }
    return MACAddress(rawValue: 0x0250_0000_0000 + number - 1)
  }

  mutating func address(_ family: IPFamily) -> IPAddress {
    let kind: ValueKind = family == .ipv4 ? .ipv4 : .ipv6
    return IPAddress(family, rawValue: pool.packetValue(kind, using: &draw))
  }

  private mutating func number(_ field: String, bits: Int, usual: [UInt128]) -> UInt64 {
    UInt64(pool.packetValue(.number(bits: bits), field, usual: usual, using: &draw))
  }

  // MARK: Transport

  private mutating func transport(_ family: IPFamily) -> UInt8 {
    if let followed { return followed.transport }
    return switch draw.number(0...19) {
    case 0...8: 6
    case 9...13: 17
    case 14...16: family == .ipv4 ? 1 : 58
    case 17: draw.pick([132, 136, 50, 51, 33])
    default: UInt8(truncatingIfNeeded: pool.packetValue(.transport, using: &draw))
    }
  }

  private mutating func port() -> [UInt8] {
    if followed?.ports.isEmpty == false, let port = followed?.ports.removeFirst() {
      return octets(UInt64(port), 2)
    }
    return octets(UInt64(pool.packetValue(.port, using: &draw)), 2)
  }

  private func octets(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - $0))) }
  }

  private mutating func payload() -> [UInt8] {
    switch draw.number(0...9) {
    case 0...5: []
    case 6, 7: Array(repeating: 0x41, count: draw.number(1...40))
    default: (0..<draw.number(1...24)).map { _ in UInt8(draw.bits(8)) }
    }
  }

  /// The bytes after the IP header, and where their checksum is.
  private mutating func segment(
    _ family: IPFamily, _ transport: UInt8
  ) -> (bytes: [UInt8], checksum: Int?) {
    switch transport {
    case 6: return (tcp(), 16)
    case 17:
      let body = payload()
      var length = UInt64(8 + body.count)
      if draw.chance(3) { length = number("udp length", bits: 16, usual: [8, 0, 7]) }
      return (port() + port() + octets(length, 2) + [0, 0] + body, 6)
    case 136:
      let body = payload()
      return (port() + port() + octets(draw.chance(80) ? 0 : 8, 2) + [0, 0] + body, 6)
    case 132:
      let tag = octets(number("sctp vtag", bits: 32, usual: [0, 9]), 4)
      let chunk = [UInt8(draw.pick([0, 1, 2, 6, 14])), 0, 0, 20] + octets(0, 16)
      return (port() + port() + tag + octets(0, 4) + chunk, nil)
    case 1 where family == .ipv4: return (icmp(), 2)
    case 58 where family == .ipv6: return (icmpv6(), 2)
    case 50:
      return (octets(number("esp spi", bits: 32, usual: [5, 256]), 4) + octets(1, 8), nil)
    case 51:
      let spi = octets(number("ah spi", bits: 32, usual: [5, 256]), 4)
      let inner = draw.pick([UInt8(6), 17, 59])
      return ([inner, 4, 0, 0] + spi + octets(1, 4) + octets(0, 12) + tcp(), nil)
    default:
      return (port() + port() + (0..<draw.number(0...20)).map { _ in UInt8(draw.bits(8)) }, nil)
    }
  }

  private mutating func tcp() -> [UInt8] {
    var options: [UInt8] = []
    if draw.chance(30) {
      if draw.chance(70) {
        options +=
          [2, 4]
          + octets(number("tcp option maxseg size", bits: 16, usual: [1_460, 536]), 2)
      }
      if draw.chance(40) { options += [4, 2] }
      if draw.chance(30) { options += [8, 10] + octets(draw.number(0...9) == 0 ? 0 : 5, 8) }
      if draw.chance(30) {
        options += [1, 3, 3, UInt8(number("tcp option window count", bits: 8, usual: [7]))]
      }
      while options.count % 4 != 0 { options.append(draw.chance(80) ? 1 : 0) }
    }
    // Mostly what goes on, as what ends a connection leaves little to ask.
    let going = followed == nil ? 0 : 60
    let usual: [(Int, UInt8)] = [(4 * going, 0x10), (going, 0x18)]
    let flags: UInt8 = draw.pick(
      weighted: usual + [
        (30, 0x02), (8, 0x12),
        (12, 0x10), (4, 0x18), (4, 0x11), (4, 0x04), (3, 0x14), (2, 0x00),
        (2, 0x29), (2, 0x03), (2, 0xC2), (2, 0x3F), (2, UInt8(draw.bits(8))),
      ])
    let sequence = number("tcp sequence", bits: 32, usual: [1_000])
    let acknowledged = number("tcp ackseq", bits: 32, usual: [0, 77])
    var header = port() + port() + octets(sequence, 4) + octets(acknowledged, 4)
    var offset = UInt8(5 + options.count / 4)
    if draw.chance(2) { offset = UInt8(draw.number(0...15)) }
    header += [offset << 4, flags]
    header += octets(number("tcp window", bits: 16, usual: [64_240, 0]), 2) + [0, 0]
    header += octets(number("tcp urgptr", bits: 16, usual: [0]), 2)
    return header + options + payload()
  }

  private mutating func icmp() -> [UInt8] {
    if let echo = followed?.echo {
      return [echo.type, 0, 0, 0] + octets(UInt64(echo.identifier), 2) + [0, 1] + payload()
    }
    let type =
      followed == nil
      ? UInt8(pool.packetValue(.icmpType, using: &draw)) : draw.pick([3, 3, 4, 11, 12])
    let code = UInt8(number("icmp code", bits: 8, usual: [0, 0, 1, 3, 4, 13]))
    let first = octets(number("icmp id", bits: 16, usual: [7]), 2)
    let second = octets(number("icmp mtu", bits: 16, usual: [1, 1_280]), 2)
    let isError = [3, 4, 5, 11, 12].contains(type)
    return [type, code, 0, 0] + first + second + (isError ? quoted(.ipv4) : payload())
  }

  private mutating func icmpv6() -> [UInt8] {
    if let echo = followed?.echo {
      return [echo.type, 0, 0, 0] + octets(UInt64(echo.identifier), 2) + [0, 1] + payload()
    }
    let type =
      followed == nil
      ? UInt8(pool.packetValue(.icmpv6Type, using: &draw)) : draw.pick([1, 2, 3, 4])
    let code = UInt8(number("icmpv6 code", bits: 8, usual: [0, 0, 1, 3, 4]))
    let head = [type, code, 0, 0]
    let word =
      draw.chance(50)
      ? octets(number("icmpv6 mtu", bits: 32, usual: [1_280]), 4)
      : octets(number("icmpv6 id", bits: 16, usual: [7]), 2) + [0, 1]
    if type < 128 { return head + word + quoted(.ipv6) }
    if type == 135 || type == 136 {
      return head + word + octets(of: address(.ipv6)) + payload()
    }
    return head + word + payload()
  }

  /// The packet that an ICMP error is about.
  private mutating func quoted(_ family: IPFamily) -> [UInt8] {
    let inner: UInt8 = followed?.quoted?.transport ?? draw.pick([UInt8(6), 17])
    let source = followed?.quoted?.source ?? address(family)
    let destination = followed?.quoted?.destination ?? address(family)
    let packet = header(
      family, from: source, to: destination, next: inner, payload: 20, offset: 0)
    let body = port() + port() + octets(1_000, 4) + (draw.chance(50) ? octets(0, 12) : [])
    return packet + body
  }

  // MARK: Network

  private func octets(of address: IPAddress) -> [UInt8] {
    stride(from: address.family.bitWidth - 8, through: 0, by: -8).map {
      UInt8(truncatingIfNeeded: address.rawValue >> UInt128($0))
    }
  }

  /// An IP header; its checksum is filled in later.
  private mutating func header(
    _ family: IPFamily, from source: IPAddress, to destination: IPAddress, next: UInt8,
    payload: Int, offset: UInt16, options: [UInt8] = []
  ) -> [UInt8] {
    let dscp = UInt8(pool.packetValue(.dscp, usual: [0, 0, 46], using: &draw))
    let service = dscp << 2 | UInt8(draw.chance(85) ? 0 : draw.number(0...3))
    switch family {
    case .ipv4:
      let length = 20 + options.count + payload
      let id = number("ip id", bits: 16, usual: [1, 0x1234, 0xFFFF])
      let lifetime = UInt8(number("ip ttl", bits: 8, usual: [1, 2, 64, 64, 64, 255]))
      let fragment = offset != 0 || draw.chance(60) ? offset : 0x4000
      var header: [UInt8] = [0x40 | UInt8(5 + options.count / 4), service]
      header += octets(UInt64(length), 2) + octets(max(1, id), 2) + octets(UInt64(fragment), 2)
      header += [lifetime, next, 0, 0] + octets(of: source) + octets(of: destination) + options
      return header
    case .ipv6:
      let label = number("ip6 flowlabel", bits: 20, usual: [0, 0x12345])
      let lifetime = UInt8(number("ip6 hoplimit", bits: 8, usual: [1, 2, 64, 64, 64, 255]))
      let first = UInt64(6) << 28 | UInt64(service) << 20 | label
      return octets(first, 4) + octets(UInt64(payload), 2) + [next, lifetime] + octets(of: source)
        + octets(of: destination)
    }
  }

  private mutating func bytes(
    _ family: IPFamily, from source: IPAddress, to destination: IPAddress
  ) -> [UInt8] {
    let transport = transport(family)
    var (body, checksum) = segment(family, transport)
    if let checksum, !(transport == 17 && family == .ipv4 && draw.chance(10)) {
      var sum = InternetChecksum()
      sum.add(body, in: 0..<body.count)
      if !(transport == 1 && family == .ipv4) {
        sum.addPseudoHeader(
          source: source, destination: destination,
          transport: TransportProtocol(rawValue: transport), byteCount: body.count)
      }
      var value = sum.value
      if value == 0, transport == 17 { value = 0xFFFF }
      if draw.chance(3) { value ^= 0x0101 }
      body[checksum] = UInt8(value >> 8)
      body[checksum + 1] = UInt8(value & 0xFF)
    }
    // Cut off: fields beyond the end are missing to rules.
    if draw.chance(3), !body.isEmpty { body = Array(body.prefix(draw.number(0...body.count - 1))) }
    switch family {
    case .ipv4: return ipv4(source, destination, transport, body)
    case .ipv6: return ipv6(source, destination, transport, body)
    }
  }

  private mutating func ipv4(
    _ source: IPAddress, _ destination: IPAddress, _ transport: UInt8, _ body: [UInt8]
  ) -> [UInt8] {
    var body = body
    var fragment: UInt16 = 0
    if hasFragments, draw.chance(6) {
      fragment = draw.pick([0x2000, 0x2001, 0x0001, 0x00B9])
      if fragment & 0x2000 != 0 { body = Array(body.prefix(body.count / 8 * 8)) }
    }
    var options: [UInt8] = []
    if draw.chance(2) {
      options = draw.pick([
        [1, 1, 1, 0], [7, 7, 4, 0, 0, 0, 0, 0], [148, 4, 0, 0], [0, 0, 0, 0],
      ])
    }
    var packet =
      header(
        .ipv4, from: source, to: destination, next: transport, payload: body.count,
        offset: fragment, options: options)
    var sum = InternetChecksum()
    sum.add(packet, in: 0..<packet.count)
    let value = sum.value
    packet[10] = UInt8(value >> 8)
    packet[11] = UInt8(value & 0xFF)
    return packet + body
  }

  private mutating func ipv6(
    _ source: IPAddress, _ destination: IPAddress, _ transport: UInt8, _ body: [UInt8]
  ) -> [UInt8] {
    var next = transport
    var body = body
    if draw.chance(12) {
      // Outermost last: each header is put in front of what is there.
      if hasFragments, draw.chance(40) {
        let more: UInt8 = draw.pick([0, 1])
        let offset: UInt8 = draw.pick([0, 0, 8])
        if more == 1 { body = Array(body.prefix(body.count / 8 * 8)) }
        body = [next, 0, 0, offset | more, 0, 0, 0, 7] + body
        next = 44
      }
      if draw.chance(40) {
        body = [next, 0, 1, 4, 0, 0, 0, 0] + body
        next = 60
      }
      if draw.chance(20) {
        body = [next, 0, draw.pick([4, 0, 2]), draw.pick([0, 0, 1]), 0, 0, 0, 0] + body
        next = 43
      }
      if draw.chance(30) {
        body = [next, 0, 1, 4, 0, 0, 0, 0] + body
        next = 0
      }
    }
    return header(
      .ipv6, from: source, to: destination, next: next, payload: body.count, offset: 0) + body
  }

  /// Cuts or changes bytes without repairing what guards them.
  private mutating func damage(_ bytes: inout [UInt8]) {
    switch draw.number(0...3) {
    case 0: bytes += [0, 0, 0]
    case 1: bytes = Array(bytes.prefix(draw.number(1...bytes.count)))
    default: bytes[draw.number(0...bytes.count - 1)] ^= 1 << UInt8(draw.number(0...7))
    }
  }
}
