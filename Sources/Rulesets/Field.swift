/// Something a packet, its metadata or the state around it can be asked for.
package enum Field: Hashable, Sendable {
  case payload(PayloadField)
  case meta(MetaKey)
  case connection(ConnectionKey)
  /// An IPv6 extension header: a field of it, or whether it is there (0 or 1, never BREAKs).
  case extensionHeader(OptionalHeader)
  /// A TCP option, SCTP chunk, IPv4 option or DCCP option, likewise.
  case option(OptionalHeader)
  /// Answered by state outside packet and ruleset: routing, sockets, clocks, random numbers.
  case environment(EnvironmentField)
}

/// Bits of a header.
///
/// Source: net/netfilter/nft_payload.c.
package struct PayloadField: Hashable, Sendable {
  package enum Base: String, Hashable, Sendable {
    /// From the Ethernet header on.
    case link = "ll"
    /// From the IP header on.
    case network = "nh"
    /// From the transport header on.
    case transport = "th"
    /// From the payload of the transport header on.
    case inner = "ih"
  }

  package var base: Base
  /// The first bit, counted from the most significant bit of the first octet.
  package var bitOffset: Int
  /// How many bits.
  package var bitLength: Int
  package var type: DataType
  /// nft's name, `tcp dport`; nil for a raw load (`@th,16,16`).
  package var name: String?

  package init(base: Base, bitOffset: Int, bitLength: Int, type: DataType, name: String? = nil) {
    self.base = base
    self.bitOffset = bitOffset
    self.bitLength = bitLength
    self.type = type
    self.name = name
  }

  package static func == (left: Self, right: Self) -> Bool {
    left.base == right.base && left.bitOffset == right.bitOffset
      && left.bitLength == right.bitLength
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(base)
    hasher.combine(bitOffset)
    hasher.combine(bitLength)
  }
}

/// Keys of the `meta` expression that concern the packet or its device.
///
/// Source: nft(8) "META EXPRESSIONS"; net/netfilter/nft_meta.c.
package enum MetaKey: String, Hashable, Sendable, CaseIterable {
  case length
  case nfproto
  case l4proto
  /// The EtherType of the packet (`meta protocol`), host order.
  case etherProtocol = "protocol"
  case priority
  case mark
  case inputIndex = "iif"
  case outputIndex = "oif"
  case inputName = "iifname"
  case outputName = "oifname"
  case inputType = "iiftype"
  case outputType = "oiftype"
  case inputGroup = "iifgroup"
  case outputGroup = "oifgroup"
  case inputKind = "iifkind"
  case outputKind = "oifkind"
  case inputVRF = "sdif"
  case inputVRFName = "sdifname"
  case inputBridgeName = "ibrname"
  case outputBridgeName = "obrname"
  case userID = "skuid"
  case groupID = "skgid"
  case cgroup
  case realm = "rtclassid"
  case packetType = "pkttype"
  case secpath
  case ipsec
  case secmark
  case nftrace
  case cpu
  case random
  case time
  case day
  case hour

  package var type: DataType {
    switch self {
    case .length, .inputGroup, .outputGroup, .cpu, .random, .cgroup, .secmark: .integer(bits: 32)
    case .nfproto: .networkProtocol
    case .l4proto: .transportProtocol
    case .etherProtocol: .etherType
    case .priority: .classID
    case .mark: .mark
    case .inputIndex, .outputIndex, .inputVRF: .interfaceIndex
    case .inputName, .outputName, .inputVRFName, .inputBridgeName, .outputBridgeName:
      .interfaceName
    case .inputKind, .outputKind: .string
    case .inputType, .outputType: .interfaceType
    case .userID: .userID
    case .groupID: .groupID
    case .realm: .realm
    case .packetType: .packetType
    case .secpath, .ipsec: .boolean
    case .nftrace: .integer(bits: 1)
    case .time: .time
    case .day: .day
    case .hour: .hour
    }
  }
}

/// What the connection table knows about a packet's flow.
///
/// Source: nft(8) "CT EXPRESSIONS"; net/netfilter/nft_ct.c. All but `state` BREAK without an entry.
package struct ConnectionKey: Hashable, Sendable {
  package enum Key: String, Hashable, Sendable, CaseIterable {
    case state, direction, status, mark, expiration, helper, label
    case sourceAddress = "saddr"
    case destinationAddress = "daddr"
    case sourcePort = "proto-src"
    case destinationPort = "proto-dst"
    case transportProtocol = "protocol"
    case networkProtocol = "l3proto"
    case bytes, packets, zone, id, eventmask, secmark
    case averagePacket = "avgpkt"
  }

  package enum Direction: String, Hashable, Sendable {
    case original
    case reply
  }

  package var key: Key
  package var direction: Direction?
  package var type: DataType

  package init(key: Key, direction: Direction? = nil, type: DataType) {
    self.key = key
    self.direction = direction
    self.type = type
  }
}

/// A header that a packet need not have.
package struct OptionalHeader: Hashable, Sendable {
  package enum Holder: String, Hashable, Sendable {
    case ipv6Extension = "exthdr"
    case tcpOption = "tcp option"
    case ipv4Option = "ip option"
    case sctpChunk = "sctp chunk"
    case dccpOption = "dccp option"
  }

  package enum Reading: Hashable, Sendable {
    /// Whether the header is there: 0 or 1.
    case presence
    /// Bits of it, counted from its first octet's most significant bit; absent BREAKs.
    case bits(offset: Int, length: Int)
  }

  package var holder: Holder
  /// The protocol number of the extension header, or the option's kind.
  package var kind: UInt8
  package var reading: Reading
  package var type: DataType
  /// nft's name, `tcp option maxseg size`.
  package var name: String

  package init(holder: Holder, kind: UInt8, reading: Reading, type: DataType, name: String) {
    self.holder = holder
    self.kind = kind
    self.reading = reading
    self.type = type
    self.name = name
  }
}

/// A field that neither packet nor ruleset answers.
package struct EnvironmentField: Hashable, Sendable {
  package enum Source: Hashable, Sendable {
    /// `fib saddr . iif oif`: inputs, then what is asked.
    case fib(inputs: [String], result: String)
    /// `rt nexthop`, `rt classid`, `rt mtu`.
    case route(String)
    /// `socket transparent` and the like.
    case socket(String)
    case osf
    case ipsec
    /// `numgen inc|random mod N offset M`.
    case numberGenerator(isRandom: Bool, modulus: UInt32, offset: UInt32)
    /// `jhash`, `symhash`.
    case hash(modulus: UInt32, offset: UInt32)
  }

  package var source: Source
  package var type: DataType
  /// The expression as nft writes it.
  package var text: String

  package init(source: Source, type: DataType, text: String) {
    self.source = source
    self.type = type
    self.text = text
  }
}

extension Field {
  package var type: DataType {
    switch self {
    case .payload(let field): field.type
    case .meta(let key): key.type
    case .connection(let key): key.type
    case .extensionHeader(let header), .option(let header): header.type
    case .environment(let field): field.type
    }
  }
}
