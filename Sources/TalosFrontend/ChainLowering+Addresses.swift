internal import Addresses
internal import Rulesets

// The part of a rule that is told apart by family.
extension ChainLowering {
  /// What a rule tests of addresses.
  enum AddressParts {
    /// The rule matches no packet.
    case nothing
    /// No address is tested, and the rule is one for both families.
    case either
    /// A rule for each family that is not nil.
    case each(ipv4: [Statement]?, ipv6: [Statement]?)
  }

  /// Source before destination; a family that the destination does not name keeps the rule that the
  /// source made of it, without any test of the destination.
  func parts(of specification: ChainRuleSpecification) -> AddressParts {
    var parts: [IPFamily: [Statement]] = [:]
    for (match, isSource) in [(specification.source, true), (specification.destination, false)] {
      guard let match else { continue }
      let addresses = match.addresses
      if addresses.isEmpty, !match.isInverted { return .nothing }
      if addresses == .any, match.isInverted { return .nothing }
      for family in IPFamily.allCases {
        let numbers = addresses[family]
        let isAll = numbers == IntervalSet(bitWidth: family.bitWidth)
        if isAll && !match.isInverted || numbers.isEmpty && match.isInverted {
          parts[family, default: []] += []
        } else if !isAll && match.isInverted || !numbers.isEmpty && !match.isInverted {
          parts[family, default: []].append(
            test(family, isSource: isSource, numbers, isInverted: match.isInverted))
        }
      }
    }
    if parts.isEmpty { return .either }
    if let mtu = specification.clampedMTU {
      for family in parts.keys { parts[family]? += clamping(to: mtu, family) }
    }
    return .each(
      ipv4: parts[.ipv4].map { withFamily(.ipv4, $0) },
      ipv6: parts[.ipv6].map { withFamily(.ipv6, $0) })
  }

  private func test(
    _ family: IPFamily, isSource: Bool, _ numbers: IntervalSet, isInverted: Bool
  ) -> Statement {
    lookup(
      .selector(AddressFields.selector(family, isSource: isSource)),
      isInverted ? .notEqual : .equal, family == .ipv4 ? .ipv4Address : .ipv6Address,
      numbers.intervals)
  }

  /// Tests the family by itself where no address does.
  private func withFamily(_ family: IPFamily, _ statements: [Statement]) -> [Statement] {
    if let first = statements.first, case .match(let match) = first,
      case .selector(let selector) = match.left,
      selector.requiring == AddressFields.guards(family)
    {
      return statements
    }
    let nfproto = Expression.selector(Selector(.meta(.nfproto)))
    return [.match(Match(nfproto, .equal, .value(UInt128(family.netfilterNumber))))] + statements
  }

  /// Lowers the segment size that a SYN announces: to the MTU less the headers of IP and TCP, and
  /// less twelve bytes of options since Talos 1.11.6.
  private func clamping(to mtu: UInt16, _ family: IPFamily) -> [Statement] {
    let headers = (family == .ipv4 ? 20 : 40) + 20 + (features.leavesRoomForTimestamps ? 12 : 0)
    let size = UInt128(mtu &- UInt16(headers))
    let flags = PayloadField(
      base: .transport, bitOffset: 104, bitLength: 8, type: .tcpFlags, name: "tcp flags")
    let segmentSize = Selector(
      .option(
        OptionalHeader(
          holder: .tcpOption, kind: 2, reading: .bits(offset: 16, length: 16),
          type: .integer(bits: 16), name: "tcp option maxseg size")))
    let (syn, reset): (UInt128, UInt128) = (2, 4)
    return [
      .match(
        Match(
          .masked(
            .selector(Selector(.payload(flags), requiring: [.transport(6)])), mask: syn | reset,
            flip: 0), .equal, .value(syn))),
      .match(Match(.selector(segmentSize), .greater, .value(size))),
      .mangle(segmentSize, value: .constant(size, .integer(bits: 16))),
    ]
  }
}

/// The four address fields, made once so that the rules of a long list share their memory.
private enum AddressFields {
  static let ipv4Guards: [Guard] = [.ipv4]
  static let ipv6Guards: [Guard] = [.ipv6]

  static func guards(_ family: IPFamily) -> [Guard] {
    family == .ipv4 ? ipv4Guards : ipv6Guards
  }

  static func selector(_ family: IPFamily, isSource: Bool) -> Selector {
    switch (family, isSource) {
    case (.ipv4, true): ipv4Source
    case (.ipv4, false): ipv4Destination
    case (.ipv6, true): ipv6Source
    case (.ipv6, false): ipv6Destination
    }
  }

  private static let ipv4Source = make(.ipv4, 96, "ip saddr")
  private static let ipv4Destination = make(.ipv4, 128, "ip daddr")
  private static let ipv6Source = make(.ipv6, 64, "ip6 saddr")
  private static let ipv6Destination = make(.ipv6, 192, "ip6 daddr")

  private static func make(_ family: IPFamily, _ bitOffset: Int, _ name: String) -> Selector {
    Selector(
      .payload(
        PayloadField(
          base: .network, bitOffset: bitOffset, bitLength: family.bitWidth,
          type: family == .ipv4 ? .ipv4Address : .ipv6Address, name: name)),
      requiring: guards(family))
  }
}
