internal import Addresses
internal import PacketSets
internal import Rulesets

/// How a field reads for the packets of a question.
enum FieldReading {
  /// The bits of several dimensions side by side, most significant first.
  case bits([BitSlice])
  case constant(UInt128, width: Int)
  /// Bits of a value of which only some are known: `value` where `mask` is set.
  case partly(mask: UInt128, value: UInt128, width: Int)
  /// `ct status`: bits that translation sets, in a dimension, beside `value` where `known` is set.
  case status(Dimension, known: UInt128, value: UInt128)
  /// `fib … type`: what the host knows of the address in a dimension.
  case addressType(Dimension)
  /// Whether a TCP option is there, or a value of it.
  case option(Dimension, value: Dimension?, width: Int)
  /// The IPv6 next-header octet: the transport protocol, or an extension header's number.
  case nextHeader
  /// Cannot be read: the statement BREAKs.
  case absent
  case unknown(String)
}

/// Some bits of one dimension, or constant bits.
struct BitSlice {
  enum Source {
    case dimension(Dimension)
    case constant(UInt128)
  }

  let source: Source
  /// How far the bits are above the dimension's least significant bit.
  let shift: Int
  let width: Int
  /// The width of the whole dimension.
  let dimensionWidth: Int
}

extension DimensionRegister {
  /// How `selector` reads at a hook, and what must hold for it to be readable.
  ///
  /// - Returns: nil constraints mean that a guard cannot hold here.
  mutating func reading(
    of selector: Selector, in context: HookContext
  ) -> (guards: [Constraint]?, reading: FieldReading) {
    var guards: [Constraint] = []
    var transport: UInt8?
    for condition in selector.requiring {
      guard let constraints = self.constraints(of: condition, in: context) else {
        return (nil, .absent)
      }
      guards += constraints
      if case .transport(let number) = condition { transport = number }
    }
    switch selector.field {
    case .payload(let field):
      return (guards, payload(field, transport: transport, in: context))
    case .meta(let key):
      return (guards, meta(key, in: context))
    case .connection(let key):
      let (entry, reading) = connection(key, in: context)
      return (guards + entry, reading)
    case .extensionHeader(let header):
      return (guards, optionalHeader(header, transport: transport, in: context))
    case .option(let header):
      return (guards, optionalHeader(header, transport: transport, in: context))
    case .environment(let field):
      return (guards, environment(field))
    }
  }

  /// What a guard asks of the packet; nil where it cannot hold, empty where it always does.
  mutating func constraints(of condition: Guard, in context: HookContext) -> [Constraint]? {
    func exactly(_ dimension: Dimension, _ set: IntervalSet) -> Constraint {
      Constraint(dimension, set, domain: domain(of: dimension, in: context.family))
    }
    func types(_ types: [UInt8]) -> IntervalSet {
      IntervalSet(types.map { Interval(UInt128($0) << 8, UInt128($0) << 8 | 0xFF) })
    }
    switch condition {
    case .ipv4: return context.family == .ipv4 ? [] : nil
    case .ipv6: return context.family == .ipv6 ? [] : nil
    case .possibly(let family, let rule):
      if context.family == family { return [] }
      let dimension = field(
        "whether a rule tests for \(family == .ipv4 ? "IPv4" : "IPv6") (\(rule))",
        domain: IntervalSet(bitWidth: 1), kind: .unknown)
      return [exactly(dimension, IntervalSet(0))]
    case .possiblyOfProtocol(let rule):
      let dimension = field(
        "whether a rule tests for a protocol (\(rule))", domain: IntervalSet(bitWidth: 1),
        kind: .unknown)
      return [exactly(dimension, IntervalSet(0))]
    case .transport(let number):
      return [exactly(.transportProtocol, IntervalSet(UInt128(number)))]
    case .icmpType(let numbers), .icmpv6Type(let numbers):
      return [exactly(.transportWord0, types(numbers))]
    case .ethernetInput:
      guard context.hasInputDevice else { return nil }
      let dimension = field("meta iiftype", domain: IntervalSet(bitWidth: 16), kind: .unknown)
      return [exactly(dimension, IntervalSet(1))]
    case .etherType(let number):
      guard context.hasInputDevice else { return nil }
      if number == context.family.etherType { return [] }
      if number == 0x8100 || number == 0x88A8 {
        let dimension = field("frame is tagged", domain: IntervalSet(bitWidth: 1), kind: .unknown)
        return [exactly(dimension, IntervalSet(1))]
      }
      return nil
    }
  }

  private mutating func payload(
    _ field: PayloadField, transport: UInt8?, in context: HookContext
  ) -> FieldReading {
    let segments: [HeaderSegment]
    switch field.base {
    case .network:
      if context.family == .ipv6 {
        if field.bitOffset..<field.bitOffset + field.bitLength == HeaderLayout.nextHeader {
          return .nextHeader
        }
        segments = HeaderLayout.ipv6
      } else {
        segments = HeaderLayout.ipv4(coversUnusualPackets: context.coversUnusualPackets)
      }
    case .transport:
      segments = HeaderLayout.transport(transport)
    case .link:
      guard context.hasInputDevice else { return .absent }
      guard [0, 48].contains(field.bitOffset), field.bitLength == 48 else {
        return .unknown(field.name ?? "@ll,\(field.bitOffset),\(field.bitLength)")
      }
      let name = field.bitOffset == 0 ? "ether daddr" : "ether saddr"
      return .bits([
        BitSlice(
          source: .dimension(self.field(name, domain: IntervalSet(bitWidth: 48))), shift: 0,
          width: 48, dimensionWidth: 48)
      ])
    case .inner:
      return .unknown(field.name ?? "@ih,\(field.bitOffset),\(field.bitLength)")
    }
    return slices(of: field, in: segments)
  }

  private mutating func slices(
    of field: PayloadField, in segments: [HeaderSegment]
  ) -> FieldReading {
    let wanted = field.bitOffset..<field.bitOffset + field.bitLength
    var slices: [BitSlice] = []
    var covered = wanted.lowerBound
    for segment in segments where segment.range.overlaps(wanted) {
      guard segment.range.lowerBound <= covered else { break }
      let end = min(segment.range.upperBound, wanted.upperBound)
      let shift = segment.range.upperBound - end
      let width = end - covered
      switch segment.content {
      case .constant(let value):
        let bits = value >> UInt128(shift) & mask(width)
        slices.append(
          BitSlice(source: .constant(bits), shift: 0, width: width, dimensionWidth: width))
      case .tied(let name):
        let domain = IntervalSet(bitWidth: segment.range.count)
        slices.append(
          BitSlice(
            source: .dimension(self.field(name, domain: domain, kind: .unknown)), shift: shift,
            width: width, dimensionWidth: segment.range.count))
      case .dimension(let dimension):
        slices.append(
          BitSlice(
            source: .dimension(dimension), shift: shift, width: width,
            dimensionWidth: segment.range.count))
      case .field(let name, let domain):
        slices.append(
          BitSlice(
            source: .dimension(self.field(name, domain: domain)), shift: shift, width: width,
            dimensionWidth: segment.range.count))
      }
      covered = end
    }
    guard covered == wanted.upperBound else {
      return .unknown(
        field.name ?? "@\(field.base.rawValue),\(field.bitOffset),\(field.bitLength)")
    }
    return .bits(slices)
  }

  private mutating func meta(_ key: MetaKey, in context: HookContext) -> FieldReading {
    func whole(_ dimension: Dimension, _ width: Int) -> FieldReading {
      .bits([
        BitSlice(
          source: .dimension(dimension), shift: 0, width: width, dimensionWidth: width)
      ])
    }
    switch key {
    case .l4proto: return whole(.transportProtocol, 8)
    case .nfproto: return .constant(UInt128(context.family.netfilterNumber), width: 8)
    case .etherProtocol: return .constant(UInt128(context.family.etherType), width: 16)
    case .mark: return whole(.mark, 32)
    // Without a device the names read as empty and the indices as 0; they do not BREAK
    // (net/netfilter/nft_meta.c, nft_meta_store_ifname).
    case .inputName:
      return context.hasInputDevice ? whole(.inputName, 128) : .constant(0, width: 128)
    case .outputName:
      return context.hasOutputDevice ? whole(.outputName, 128) : .constant(0, width: 128)
    // Which name has which index is not in a ruleset.
    case .inputIndex:
      guard context.hasInputDevice else { return .constant(0, width: 32) }
      return whole(field("meta iif", domain: IntervalSet(bitWidth: 32), kind: .unknown), 32)
    case .outputIndex:
      guard context.hasOutputDevice else { return .constant(0, width: 32) }
      return whole(field("meta oif", domain: IntervalSet(bitWidth: 32), kind: .unknown), 32)
    case .inputType:
      guard context.hasInputDevice else { return .absent }
      return whole(field("meta iiftype", domain: IntervalSet(bitWidth: 16), kind: .unknown), 16)
    case .outputType:
      guard context.hasOutputDevice else { return .absent }
      return whole(field("meta oiftype", domain: IntervalSet(bitWidth: 16), kind: .unknown), 16)
    case .inputGroup where !context.hasInputDevice, .inputKind where !context.hasInputDevice,
      .outputGroup where !context.hasOutputDevice, .outputKind where !context.hasOutputDevice:
      return .absent
    case .packetType: return whole(packetType, 8)
    case .length:
      return whole(field("meta length", domain: IntervalSet(bitWidth: 32), kind: .unknown), 32)
    // A packet's way takes no time: what the clock says, it says to every rule.
    case .time:
      return whole(field("meta time", domain: IntervalSet(bitWidth: 64), kind: .unknown), 64)
    case .day:
      return whole(field("meta day", domain: IntervalSet(Interval(0, 6)), kind: .unknown), 8)
    case .random:
      return whole(field("meta random", domain: IntervalSet(bitWidth: 32), kind: .choice), 32)
    case .userID, .groupID, .cgroup:
      // Only packets of a socket have an owner; one that came in meets its socket after routing.
      let isUnowned =
        [.ingress, .prerouting, .forward].contains(context.hook)
        || (context.hook == .postrouting && context.hasInputDevice)
      return isUnowned ? .absent : .unknown("meta \(key.rawValue)")
    case .realm where context.hook == .prerouting || context.hook == .ingress:
      return .absent
    case .priority, .inputGroup, .outputGroup, .inputKind, .outputKind, .inputVRF,
      .inputVRFName,
      .inputBridgeName, .outputBridgeName, .realm, .secpath, .ipsec, .secmark, .nftrace, .cpu,
      .hour:
      return .unknown("meta \(key.rawValue)")
    }
  }

  /// What neither packet nor ruleset answers.
  private mutating func environment(_ field: EnvironmentField) -> FieldReading {
    switch field.source {
    case .numberGenerator(_, let modulus, let offset):
      guard modulus > 0 else { return .unknown(field.text) }
      let values = Interval(UInt128(offset), UInt128(offset) + UInt128(modulus) - 1)
      let dimension = self.field(field.text, domain: IntervalSet(values), kind: .choice)
      return .bits([
        BitSlice(source: .dimension(dimension), shift: 0, width: 32, dimensionWidth: 32)
      ])
    case .fib(["daddr"], "type"): return .addressType(.destinationAddress)
    case .fib(["saddr"], "type"): return .addressType(.sourceAddress)
    case .fib, .route, .socket, .osf, .ipsec, .hash:
      return .unknown(field.text)
    }
  }

  private mutating func optionalHeader(
    _ header: OptionalHeader, transport: UInt8?, in context: HookContext
  ) -> FieldReading {
    switch header.holder {
    case .ipv6Extension:
      guard context.family == .ipv6 else { return .absent }
      guard context.coversUnusualPackets else {
        return header.reading == .presence ? .constant(0, width: 8) : .absent
      }
      return .unknown(header.name)
    case .ipv4Option:
      guard context.family == .ipv4 else { return .absent }
      guard context.coversUnusualPackets else {
        return header.reading == .presence ? .constant(0, width: 8) : .absent
      }
      return .unknown(header.name)
    case .tcpOption:
      // There is no guard on the protocol: elsewhere the presence reads 0 and a field BREAKs
      // (net/netfilter/nft_exthdr.c, nft_exthdr_tcp_eval).
      guard context.mayHaveOptions else {
        return header.reading == .presence ? .constant(0, width: 8) : .absent
      }
      let isThere = field("tcp option \(header.kind) exists", domain: IntervalSet(bitWidth: 1))
      guard case .bits = header.reading else { return .option(isThere, value: nil, width: 8) }
      let width = header.type.bitWidth
      let value = field(header.name, domain: IntervalSet(bitWidth: width), kind: .unknown)
      return .option(isThere, value: value, width: width)
    case .sctpChunk, .dccpOption:
      return .unknown(header.name)
    }
  }
}

extension IPFamily {
  /// The EtherType of the family's packets (IANA "IEEE 802 Numbers").
  var etherType: UInt16 { self == .ipv4 ? 0x0800 : 0x86DD }
}

/// The lowest `width` bits set.
func mask(_ width: Int) -> UInt128 {
  width >= 128 ? .max : (1 << UInt128(width)) - 1
}
