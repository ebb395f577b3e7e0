package import Addresses

/// A value that a statement reads.
///
/// Every scalar is an unsigned number of at most 128 bits: addresses and MAC addresses with their
/// first octet most significant, ports and marks as they are, interface names as their 16 bytes
/// (`InterfaceName`).
package indirect enum Expression: Hashable, Sendable {
  case constant(UInt128, DataType)
  case selector(Selector)
  /// `(operand & mask) ^ flip`: every bitwise operation with constants has this form
  /// (net/netfilter/nft_bitwise.c).
  case masked(Expression, mask: UInt128, flip: UInt128)
  case shifted(Expression, left: Bool, by: UInt8)
  /// Several values side by side, as in `ip saddr . tcp dport`.
  case concatenation([Expression])
  /// The value that a map holds for `key`; a miss BREAKs.
  case lookup(key: Expression, map: SetReference)
  case unmodelled(Unmodelled)
}

/// A field of the packet or its metadata, and what must hold for it to be readable.
///
/// A field is (guard, value): where a guard does not hold the statement BREAKs, whatever its
/// operator. Negation negates the value's test, never the guard.
package struct Selector: Hashable, Sendable {
  package var field: Field
  /// Guards that all must hold.
  ///
  /// They are attached by the front-end, which knows what nft inserts and what a
  /// rule's own matches replace.
  package var requiring: [Guard]

  package init(_ field: Field, requiring: [Guard] = []) {
    self.field = field
    self.requiring = requiring
  }
}

/// What nft checks before it reads a field; the listing often does not show it.
package enum Guard: Hashable, Sendable {
  /// `meta nfproto` (inet) or `meta protocol` (bridge, netdev) is IPv4.
  case ipv4
  case ipv6
  /// `meta l4proto` is this number; BREAKs where the IPv6 header chain is broken.
  case transport(UInt8)
  /// The ICMP (or ICMPv6) type is one of these.
  case icmpType([UInt8])
  case icmpv6Type([UInt8])
  /// `meta iiftype` is Ethernet; BREAKs without an input device.
  case ethernetInput
  /// The frame's type field is this number (host order).
  case etherType(UInt16)
  /// The packet may have to be of this family: the listing does not tell whether the rule tests it.
  ///
  /// The number tells the rules of a ruleset apart, each of which tests it or does not.
  case possibly(IPFamily, rule: Int)
  /// The packet may have to be of a protocol that the listing does not tell.
  case possiblyOfProtocol(rule: Int)
}

/// How a number is meant, for printing and for its width.
package enum DataType: Hashable, Sendable {
  case ipv4Address, ipv6Address, etherAddress
  case interfaceName, interfaceIndex, interfaceType
  case mark, port, transportProtocol, networkProtocol, etherType
  case icmpType, icmpv6Type, icmpCode, icmpv6Code, icmpxCode
  case tcpFlags, dscp, ecn
  case connectionState, connectionStatus, connectionDirection, connectionLabel
  case packetType, userID, groupID, realm, classID, time, day, hour, fibAddressType
  case boolean
  /// A plain number of `bits` bits.
  case integer(bits: Int)
  /// A string of at most 16 bytes that is no interface name.
  case string

  /// The width of the value, in bits.
  package var bitWidth: Int {
    switch self {
    case .ipv4Address, .interfaceIndex, .mark, .connectionState, .connectionStatus, .userID,
      .groupID, .realm, .classID, .hour, .fibAddressType:
      32
    case .ipv6Address, .interfaceName, .string, .connectionLabel: 128
    case .etherAddress: 48
    case .interfaceType, .port, .etherType: 16
    case .transportProtocol, .networkProtocol, .icmpType, .icmpv6Type, .icmpCode, .icmpv6Code,
      .icmpxCode, .tcpFlags, .connectionDirection, .packetType, .day, .boolean:
      8
    case .dscp: 6
    case .ecn: 2
    case .time: 64
    case .integer(let bits): bits
    }
  }
}
