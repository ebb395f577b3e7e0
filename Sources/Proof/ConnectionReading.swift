internal import Addresses
internal import PacketSets
internal import Rulesets

/// How keys of the connection table read.
extension DimensionRegister {
  /// `IPS_SRC_NAT` and `IPS_DST_NAT` (include/uapi/linux/netfilter/nf_conntrack_common.h).
  private static let translatedBits: UInt128 = 0x30

  /// `IPS_SEEN_REPLY` and `IPS_CONFIRMED`.
  private static let answeredBits: UInt128 = 0xA

  /// The status words that a new, unconfirmed entry can have.
  ///
  /// The bits `IPS_SRC_NAT_DONE` and `IPS_DST_NAT_DONE` say that nat chains were asked; the others
  /// come only with an answer or a confirmation.
  private static func openingStatus(mayBeTranslated: Bool) -> IntervalSet {
    let optional: [UInt128] = mayBeTranslated ? [0x80, 0x100, 0x10, 0x20] : [0x80, 0x100]
    return IntervalSet(
      optional.reduce([UInt128(0)]) { words, bit in words + words.map { $0 | bit } }
        .map { Interval($0) })
  }

  /// How a connection-table key reads; all but the state need an entry.
  mutating func connection(
    _ key: ConnectionKey, in context: HookContext
  ) -> (entry: [Constraint], reading: FieldReading) {
    func whole(_ dimension: Dimension, _ width: Int) -> FieldReading {
      .bits([
        BitSlice(
          source: .dimension(dimension), shift: 0, width: width, dimensionWidth: width)
      ])
    }
    if key.key == .state { return ([], whole(.connectionState, 32)) }
    let states = IntervalSet([Interval(2), Interval(4), Interval(8)])
    let entry = [
      Constraint(.connectionState, states, domain: domain(of: .connectionState, in: context.family))
    ]
    let text = "ct \(key.key.rawValue)"
    switch key.key {
    case .state:
      preconditionFailure("answered above")
    case .direction:
      switch context.connection {
      case .opening: return (entry, .constant(0, width: 8))
      case .following(let isReply): return (entry, .constant(isReply ? 1 : 0, width: 8))
      case .any: return (entry, .unknown(text))
      }
    case .status:
      switch context.connection {
      case .opening(mayBeTranslated: true):
        let dimension = field(
          "ct status (translated or not)", domain: Self.openingStatus(mayBeTranslated: true))
        return (entry, whole(dimension, 32))
      case .opening(mayBeTranslated: false):
        // Which nat chains were asked already, the bits `IPS_SRC_NAT_DONE` and `IPS_DST_NAT_DONE`,
        // is not followed.
        return (entry, .status(connectionStatus, known: ~0x180, value: 0))
      case .following:
        return (
          entry,
          .status(
            connectionStatus, known: Self.translatedBits | Self.answeredBits,
            value: Self.answeredBits)
        )
      case .any(let isEstablished):
        guard isEstablished else { return (entry, .unknown(text)) }
        return (
          entry, .partly(mask: Self.answeredBits, value: Self.answeredBits, width: 32)
        )
      }
    case .mark:
      return (entry, whole(connectionMark, 32))
    case .networkProtocol:
      return (entry, .constant(UInt128(context.family.netfilterNumber), width: 8))
    case .transportProtocol:
      return (entry, whole(.transportProtocol, 8))
    case .sourceAddress, .destinationAddress, .sourcePort, .destinationPort:
      switch context.connection {
      case .any, .opening(mayBeTranslated: true): return (entry, .unknown(text))
      case .opening(mayBeTranslated: false), .following: break
      }
      if key.key == .sourcePort || key.key == .destinationPort {
        return (entry, whole(tupleMember(key), 16))
      }
      let width = key.type.bitWidth
      guard width == context.family.bitWidth else { return (entry, .absent) }
      return (entry, whole(tupleMember(key), width))
    case .expiration, .helper, .label, .bytes, .packets, .averagePacket, .zone, .id, .eventmask,
      .secmark:
      return (entry, .unknown(text))
    }
  }

  /// The dimension that stands for a member of one of the connection's tuples.
  ///
  /// The reply tuple is that of an answer: its source is where translated packets go.
  private func tupleMember(_ key: ConnectionKey) -> Dimension {
    let isReply = (key.direction ?? .original) == .reply
    let wantsSource = key.key == .sourceAddress || key.key == .sourcePort
    let isPort = key.key == .sourcePort || key.key == .destinationPort
    let part = Binding.Part(end: wantsSource != isReply ? .source : .destination, isPort: isPort)
    return TupleMember(part, isTranslated: isReply).dimension
  }
}
