internal import Addresses
internal import PacketSets
internal import Rulesets

/// What a match asks of the five fields of a box, where it asks only that.
enum PlainConstraint {
  /// Something else.
  case none
  case always
  case never
  case transport(Interval)
  case interval(Dimension, Interval, transport: Interval?)
  case intervals(Dimension, [Interval], transport: Interval?)
}

extension Match {
  /// Reads the matches that long lists are made of without going through conditions.
  func plainConstraint(for family: IPFamily) -> PlainConstraint {
    guard case .selector(let selector) = left else { return .none }
    var transport: Interval?
    for condition in selector.requiring {
      switch condition {
      case .ipv4: if family != .ipv4 { return .never }
      case .ipv6: if family != .ipv6 { return .never }
      case .transport(let number):
        guard transport == nil else { return .none }
        transport = Interval(UInt128(number))
      case .possibly(let possible, _): if family != possible { return .none }
      case .icmpType, .icmpv6Type, .ethernetInput, .etherType, .possiblyOfProtocol: return .none
      }
    }
    let dimension: Dimension
    switch selector.field {
    case .payload(let field):
      switch (field.base, field.bitOffset, field.bitLength, family) {
      case (.network, 96, 32, .ipv4), (.network, 64, 128, .ipv6): dimension = .sourceAddress
      case (.network, 128, 32, .ipv4), (.network, 192, 128, .ipv6):
        dimension = .destinationAddress
      case (.transport, 0, 16, _): dimension = .transportWord0
      case (.transport, 16, 16, _): dimension = .transportWord1
      case (.network, 72, 8, .ipv4): dimension = .transportProtocol
      default: return .none
      }
    case .meta(.l4proto): dimension = .transportProtocol
    case .meta(.nfproto):
      guard case .value(let value) = right, self.operator == .equal else { return .none }
      return value == UInt128(family.netfilterNumber) ? .always : .never
    case .meta, .connection, .extensionHeader, .option, .environment: return .none
    }
    guard self.operator == .equal else { return .none }
    switch right {
    case .value(let value):
      return .interval(dimension, Interval(value), transport: transport)
    case .range(let interval):
      return .interval(dimension, interval, transport: transport)
    case .set(.anonymous(let contents)):
      guard contents.dataKind == nil, !contents.hasCatchAll, contents.elements.count <= 16,
        contents.elements.allSatisfy({
          $0.key.count == 1 && $0.gates.isEmpty && !$0.hasTimeout
        })
      else { return .none }
      return .intervals(dimension, contents.elements.map { $0.key[0] }, transport: transport)
    case .set, .values, .expression:
      return .none
    }
  }
}
