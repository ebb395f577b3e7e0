import Addresses

/// What a field's values are, and how nft writes them.
enum ValueKind: Hashable {
  case ipv4, ipv6, ether
  case port, mark, transport, etherType, networkProtocol
  case interfaceName, interfaceIndex
  case icmpType, icmpv6Type, dscp, ecn
  case tcpFlags, connectionState, connectionStatus, connectionDirection
  case packetType, addressType, presence
  case number(bits: Int)

  /// How wide the values are, in bits.
  var bitWidth: Int {
    switch self {
    case .ipv4, .mark: 32
    case .ipv6, .interfaceName: 128
    case .ether: 48
    case .port, .etherType: 16
    case .transport, .networkProtocol, .icmpType, .icmpv6Type, .tcpFlags, .packetType,
      .connectionDirection, .presence:
      8
    case .dscp: 6
    case .ecn: 2
    case .interfaceIndex, .connectionState, .connectionStatus, .addressType: 32
    case .number(let bits): bits
    }
  }

  /// Whether the values are plain numbers, whose type says nothing of their width.
  var isNumber: Bool {
    if case .number = self { true } else { false }
  }

  /// Whether the values can be compared by size, put into ranges and masked.
  var isOrdered: Bool {
    switch self {
    case .ipv4, .ipv6, .ether, .port, .mark, .transport, .etherType, .icmpType, .icmpv6Type, .dscp,
      .number:
      true
    case .networkProtocol, .interfaceName, .interfaceIndex, .ecn, .tcpFlags, .connectionState,
      .connectionStatus, .connectionDirection, .packetType, .addressType, .presence:
      false
    }
  }

  /// The names of a mask's bits.
  var bitNames: [(name: String, value: UInt128)]? {
    switch self {
    case .tcpFlags:
      [
        ("fin", 1), ("syn", 2), ("rst", 4), ("psh", 8), ("ack", 16), ("urg", 32), ("ecn", 64),
        ("cwr", 128),
      ]
    case .connectionState:
      [("invalid", 1), ("established", 2), ("related", 4), ("new", 8), ("untracked", 64)]
    case .connectionStatus:
      [
        ("expected", 1), ("seen-reply", 2), ("assured", 4), ("confirmed", 8), ("snat", 16),
        ("dnat", 32), ("dying", 512),
      ]
    default: nil
    }
  }

  /// The names of all values, where they are few.
  var names: [String]? {
    switch self {
    case .networkProtocol: ["ipv4", "ipv6"]
    case .interfaceIndex: HostSamples.names.map { "\"\($0)\"" }
    case .connectionDirection: ["original", "reply"]
    case .packetType: ["host", "broadcast", "multicast", "other"]
    case .addressType:
      ["local", "unicast", "broadcast", "multicast", "anycast", "unreachable", "blackhole"]
    case .presence: ["exists", "missing"]
    case .ecn: ["0", "1", "2", "3"]
    default: nil
    }
  }

  /// A value as nft writes it.
  func text(_ value: UInt128) -> String {
    switch self {
    case .ipv4: IPAddress(.ipv4, rawValue: value).description
    case .ipv6: IPAddress(.ipv6, rawValue: value).description
    case .ether: MACAddress(rawValue: UInt64(value)).description
    case .interfaceName: "\"\(InterfaceName(rawValue: value))\""
    case .mark: "0x\(String(value, radix: 16))"
    case .etherType:
      "0x\(String(repeating: "0", count: max(0, 4 - String(value, radix: 16).count)))\(String(value, radix: 16))"
    default: "\(value)"
    }
  }

  /// The name of the type in a set's definition; nil where there is none.
  var typeName: String? {
    switch self {
    case .ipv4: "ipv4_addr"
    case .ipv6: "ipv6_addr"
    case .ether: "ether_addr"
    case .port: "inet_service"
    case .mark: "mark"
    case .transport: "inet_proto"
    case .etherType: "ether_type"
    case .interfaceName: "ifname"
    case .icmpType: "icmp_type"
    case .icmpv6Type: "icmpv6_type"
    case .dscp: "dscp"
    case .packetType: "pkt_type"
    case .interfaceIndex: "iface_index"
    case .tcpFlags: "tcp_flag"
    case .connectionState: "ct_state"
    case .networkProtocol: "nf_proto"
    case .ecn, .connectionStatus, .connectionDirection, .addressType, .presence, .number: nil
    }
  }
}
