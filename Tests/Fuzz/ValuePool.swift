import Addresses

/// The values of one ruleset: what its rules compare and what its packets carry.
///
/// Rules and packets draw from few values, so that they meet, and what a rule compares with is
/// noted, so that packets come to both sides of its edges.
struct ValuePool {
  /// The constants that rules compare with, by what is compared.
  private(set) var noted: [String: [UInt128]] = [:]
  private var base: [ValueKind: [UInt128]] = [:]

  init(_ draw: inout Draw) {
    func numbers(_ texts: [String]) -> [UInt128] { texts.map { HostSamples.address($0).rawValue } }
    base[.ipv4] =
      numbers(HostSamples.ipv4)
      + draw.some(
        6...9,
        of: numbers([
          "10.0.0.5", "10.0.0.9", "10.0.0.128", "10.1.0.9", "10.2.0.2", "172.16.5.4",
          "172.20.0.1", "198.51.100.7", "203.0.113.255", "192.0.2.64", "8.8.8.8", "1.2.3.4",
        ]))
      + draw.some(
        0...2,
        of: numbers([
          "127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "10.0.0.255", "10.1.0.0",
          "169.254.3.4", "239.1.2.3",
        ]))
    base[.ipv6] =
      numbers(HostSamples.ipv6)
      + draw.some(
        4...6,
        of: numbers([
          "fd00:0::5", "fd00:0::9", "fd00:1::9", "fd00:2::2", "2001:db8::7", "2001:db8:2::1",
          "2001:db8:ffff::", "2600::1",
        ]))
      + draw.some(0...1, of: numbers(["::1", "ff02::1", "fe80::1", "fd00:0::"]))
    base[.port] =
      draw.some(5...8, of: [22, 53, 80, 443, 1_024, 8_080, 30_000, 40_000, 65_535, 1, 0, 179])
    base[.mark] = draw.some(3...4, of: [0, 1, 2, 0x100, 0xFF00, 0x10, 0xFFFF_FFFF, 0xABCD])
    base[.transport] = [1, 6, 17, 58, 2, 47, 50, 51, 132, 136, 0, 44, 60, 255]
    base[.etherType] = [0x0800, 0x86DD, 0x0806, 0x8100]
    base[.icmpType] = [0, 3, 4, 5, 8, 11, 12, 13, 17]
    base[.icmpv6Type] = [1, 2, 3, 4, 128, 129, 130, 133, 134, 135, 136, 143]
    base[.dscp] = [0, 8, 10, 46, 63]
    base[.ether] = HostSamples.hardware.map { UInt128($0) } + [0x0250_0000_0001, 0xFFFF_FFFF_FFFF]
    base[.interfaceName] =
      (HostSamples.names + ["eth", "eth10", "nowhere"]).map { HostSamples.name($0).rawValue }
  }

  /// What a field's constants are noted under: its type, or the field where it is a number.
  static func topic(_ kind: ValueKind, _ field: String) -> String {
    if case .number = kind { return field }
    return "\(kind)"
  }

  mutating func note(_ value: UInt128, _ kind: ValueKind, _ field: String) {
    noted[Self.topic(kind, field), default: []].append(value)
  }

  /// A value for a rule.
  mutating func value(
    _ kind: ValueKind, _ field: String, usual: [UInt128], _ draw: inout Draw
  ) -> UInt128 {
    let value = candidate(kind, field, usual: usual, &draw)
    note(value, kind, field)
    return value
  }

  private func candidate(
    _ kind: ValueKind, _ field: String, usual: [UInt128], _ draw: inout Draw
  ) -> UInt128 {
    if let noted = noted[Self.topic(kind, field)], draw.chance(25) { return draw.pick(noted) }
    if let base = base[kind], !draw.chance(8) { return draw.pick(base) }
    if !usual.isEmpty, !draw.chance(10) { return draw.pick(usual) }
    if kind == .interfaceName { return HostSamples.name("eth0").rawValue }
    return draw.bits(kind.bitWidth)
  }

  /// A value for a packet: mostly one that rules compare with, or its neighbour.
  func packetValue(
    _ kind: ValueKind, _ field: String = "", usual: [UInt128] = [], using draw: inout Draw
  ) -> UInt128 {
    let highest: UInt128 = kind.bitWidth >= 128 ? .max : (1 << UInt128(kind.bitWidth)) - 1
    guard let noted = noted[Self.topic(kind, field)], draw.chance(70) else {
      if !usual.isEmpty, draw.chance(80) { return draw.pick(usual) }
      if let base = base[kind], !draw.chance(5) { return draw.pick(base) }
      return draw.bits(kind.bitWidth)
    }
    let value = draw.pick(noted) & highest
    switch draw.number(0...9) {
    case 0: return value == 0 ? 0 : value - 1
    case 1: return value == highest ? highest : value + 1
    default: return value
    }
  }
}
