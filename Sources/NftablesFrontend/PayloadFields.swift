internal import Rulesets

/// The header fields that nft has names for.
///
/// Source: nft(8) "PAYLOAD EXPRESSIONS"; offsets from the RFCs of the protocols.
enum PayloadFields {
  /// The field `name` of `header`, or nil if nft has none of that name.
  static func field(_ name: String, of header: String) -> PayloadField? {
    table[header]?[name]
  }

  /// A field before its names are known: first bit, width, type.
  private typealias Bits = (name: String, offset: Int, length: Int, type: DataType)

  private static let table: [String: [String: PayloadField]] = {
    var table: [String: [String: PayloadField]] = [:]
    for (header, base, fields) in headers {
      table[header] = Dictionary(
        uniqueKeysWithValues: fields.map { bits in
          (
            bits.name,
            PayloadField(
              base: base, bitOffset: bits.offset, bitLength: bits.length, type: bits.type,
              name: "\(header) \(bits.name)")
          )
        })
    }
    return table
  }()

  private static let headers: [(String, PayloadField.Base, [Bits])] = [
    (
      "ether", .link,
      [
        ("daddr", 0, 48, .etherAddress), ("saddr", 48, 48, .etherAddress),
        ("type", 96, 16, .etherType),
      ]
    ),
    // The tag as it stands in the frame; where the card took it out the kernel puts it back for the
    // load (net/netfilter/nft_payload.c, nft_payload_copy_vlan).
    (
      "vlan", .link,
      [
        ("pcp", 112, 3, .integer(bits: 3)), ("dei", 115, 1, .integer(bits: 1)),
        ("cfi", 115, 1, .integer(bits: 1)), ("id", 116, 12, .integer(bits: 12)),
        ("type", 128, 16, .etherType),
      ]
    ),
    (
      "arp", .network,
      [
        ("htype", 0, 16, .integer(bits: 16)), ("ptype", 16, 16, .etherType),
        ("hlen", 32, 8, .integer(bits: 8)), ("plen", 40, 8, .integer(bits: 8)),
        ("operation", 48, 16, .integer(bits: 16)), ("saddr ether", 64, 48, .etherAddress),
        ("saddr ip", 112, 32, .ipv4Address), ("daddr ether", 144, 48, .etherAddress),
        ("daddr ip", 192, 32, .ipv4Address),
      ]
    ),
    (
      "ip", .network,
      [
        ("version", 0, 4, .integer(bits: 4)), ("hdrlength", 4, 4, .integer(bits: 4)),
        ("dscp", 8, 6, .dscp), ("ecn", 14, 2, .ecn), ("length", 16, 16, .integer(bits: 16)),
        ("id", 32, 16, .integer(bits: 16)), ("frag-off", 48, 16, .integer(bits: 16)),
        ("ttl", 64, 8, .integer(bits: 8)), ("protocol", 72, 8, .transportProtocol),
        ("checksum", 80, 16, .integer(bits: 16)), ("saddr", 96, 32, .ipv4Address),
        ("daddr", 128, 32, .ipv4Address),
      ]
    ),
    (
      "ip6", .network,
      [
        ("version", 0, 4, .integer(bits: 4)), ("dscp", 4, 6, .dscp), ("ecn", 10, 2, .ecn),
        ("flowlabel", 12, 20, .integer(bits: 20)), ("length", 32, 16, .integer(bits: 16)),
        ("nexthdr", 48, 8, .transportProtocol), ("hoplimit", 56, 8, .integer(bits: 8)),
        ("saddr", 64, 128, .ipv6Address), ("daddr", 192, 128, .ipv6Address),
      ]
    ),
    (
      "icmp", .transport,
      [
        ("type", 0, 8, .icmpType), ("code", 8, 8, .icmpCode),
        ("checksum", 16, 16, .integer(bits: 16)), ("id", 32, 16, .integer(bits: 16)),
        ("sequence", 48, 16, .integer(bits: 16)), ("gateway", 32, 32, .integer(bits: 32)),
        ("mtu", 48, 16, .integer(bits: 16)),
      ]
    ),
    (
      "icmpv6", .transport,
      [
        ("type", 0, 8, .icmpv6Type), ("code", 8, 8, .icmpv6Code),
        ("checksum", 16, 16, .integer(bits: 16)),
        ("parameter-problem", 32, 32, .integer(bits: 32)),
        ("packet-too-big", 32, 32, .integer(bits: 32)), ("mtu", 32, 32, .integer(bits: 32)),
        ("id", 32, 16, .integer(bits: 16)), ("sequence", 48, 16, .integer(bits: 16)),
        ("max-delay", 32, 16, .integer(bits: 16)), ("taddr", 64, 128, .ipv6Address),
        ("daddr", 192, 128, .ipv6Address),
      ]
    ),
    (
      "igmp", .transport,
      [
        ("type", 0, 8, .integer(bits: 8)), ("mrt", 8, 8, .integer(bits: 8)),
        ("checksum", 16, 16, .integer(bits: 16)), ("group", 32, 32, .ipv4Address),
      ]
    ),
    (
      "tcp", .transport,
      [
        ("sport", 0, 16, .port), ("dport", 16, 16, .port),
        ("sequence", 32, 32, .integer(bits: 32)), ("ackseq", 64, 32, .integer(bits: 32)),
        ("doff", 96, 4, .integer(bits: 4)), ("reserved", 100, 4, .integer(bits: 4)),
        ("flags", 104, 8, .tcpFlags), ("window", 112, 16, .integer(bits: 16)),
        ("checksum", 128, 16, .integer(bits: 16)), ("urgptr", 144, 16, .integer(bits: 16)),
      ]
    ),
    (
      "udp", .transport,
      [
        ("sport", 0, 16, .port), ("dport", 16, 16, .port), ("length", 32, 16, .integer(bits: 16)),
        ("checksum", 48, 16, .integer(bits: 16)),
      ]
    ),
    (
      "udplite", .transport,
      [
        ("sport", 0, 16, .port), ("dport", 16, 16, .port), ("csumcov", 32, 16, .integer(bits: 16)),
        ("cscov", 32, 16, .integer(bits: 16)), ("checksum", 48, 16, .integer(bits: 16)),
      ]
    ),
    (
      "sctp", .transport,
      [
        ("sport", 0, 16, .port), ("dport", 16, 16, .port), ("vtag", 32, 32, .integer(bits: 32)),
        ("checksum", 64, 32, .integer(bits: 32)),
      ]
    ),
    (
      "dccp", .transport,
      [
        ("sport", 0, 16, .port), ("dport", 16, 16, .port), ("type", 67, 4, .integer(bits: 4)),
      ]
    ),
    ("th", .transport, [("sport", 0, 16, .port), ("dport", 16, 16, .port)]),
    (
      "ah", .transport,
      [
        ("nexthdr", 0, 8, .transportProtocol), ("hdrlength", 8, 8, .integer(bits: 8)),
        ("reserved", 16, 16, .integer(bits: 16)), ("spi", 32, 32, .integer(bits: 32)),
        ("sequence", 64, 32, .integer(bits: 32)),
      ]
    ),
    (
      "esp", .transport,
      [("spi", 0, 32, .integer(bits: 32)), ("sequence", 32, 32, .integer(bits: 32))]
    ),
    (
      "comp", .transport,
      [
        ("nexthdr", 0, 8, .transportProtocol), ("flags", 8, 8, .integer(bits: 8)),
        ("cpi", 16, 16, .integer(bits: 16)),
      ]
    ),
    (
      "gre", .transport,
      [
        ("flags", 0, 5, .integer(bits: 5)), ("version", 13, 3, .integer(bits: 3)),
        ("protocol", 16, 16, .etherType),
      ]
    ),
  ]
}

/// The headers that a packet need not have.
///
/// Source: nft(8) "EXTENSION HEADER EXPRESSIONS"; RFC 8200, RFC 9293 §3.2, RFC 791, RFC 9260.
enum OptionalHeaders {
  typealias Bits = (offset: Int, length: Int, type: DataType)

  /// The protocol number of an IPv6 extension header and the bits of one of its fields.
  static func ipv6Extension(_ name: String) -> (kind: UInt8, fields: [String: Bits])? {
    switch name {
    case "hbh": (0, common)
    case "dst": (60, common)
    case "rt":
      (
        43,
        common.merging(
          ["type": (16, 8, .integer(bits: 8)), "seg-left": (24, 8, .integer(bits: 8))]
        ) { $1 }
      )
    case "frag":
      (
        44,
        [
          "nexthdr": (0, 8, .transportProtocol), "reserved": (8, 8, .integer(bits: 8)),
          "frag-off": (16, 13, .integer(bits: 13)), "reserved2": (29, 2, .integer(bits: 2)),
          "more-fragments": (31, 1, .integer(bits: 1)), "id": (32, 32, .integer(bits: 32)),
        ]
      )
    case "mh":
      (
        135,
        common.merging(
          [
            "type": (16, 8, .integer(bits: 8)), "reserved": (24, 8, .integer(bits: 8)),
            "checksum": (32, 16, .integer(bits: 16)),
          ]
        ) { $1 }
      )
    // rt0, rt2 and srh also test the routing type, which the listing does not show.
    default: nil
    }
  }

  private static let common: [String: Bits] = [
    "nexthdr": (0, 8, .transportProtocol), "hdrlength": (8, 8, .integer(bits: 8)),
  ]

  static func tcpOption(_ name: String) -> (kind: UInt8, fields: [String: Bits])? {
    let number = DataType.integer(bits: 8)
    let head: [String: Bits] = ["kind": (0, 8, number), "length": (8, 8, number)]
    func option(_ kind: UInt8, _ fields: [String: Bits] = [:]) -> (UInt8, [String: Bits]) {
      (kind, head.merging(fields) { $1 })
    }
    func block(_ index: Int) -> [String: Bits] {
      [
        "left": (16 + 64 * index, 32, .integer(bits: 32)),
        "right": (48 + 64 * index, 32, .integer(bits: 32)),
      ]
    }
    return switch name {
    case "eol": (0, ["kind": (0, 8, number)])
    case "nop", "noop": (1, ["kind": (0, 8, number)])
    case "maxseg": option(2, ["size": (16, 16, .integer(bits: 16))])
    case "window": option(3, ["count": (16, 8, number)])
    case "sack-perm", "sack-permitted": option(4)
    case "sack", "sack0": option(5, block(0))
    case "sack1": option(5, block(1))
    case "sack2": option(5, block(2))
    case "sack3": option(5, block(3))
    case "timestamp":
      option(8, ["tsval": (16, 32, .integer(bits: 32)), "tsecr": (48, 32, .integer(bits: 32))])
    case "echo": option(6)
    case "md5sig": option(19)
    case "mptcp": option(30, ["subtype": (16, 4, .integer(bits: 4))])
    case "fastopen": option(34)
    default: nil
    }
  }

  static func ipv4Option(_ name: String) -> (kind: UInt8, fields: [String: Bits])? {
    let number = DataType.integer(bits: 8)
    let route: [String: Bits] = [
      "type": (0, 8, number), "length": (8, 8, number), "ptr": (16, 8, number),
      "addr": (24, 32, .ipv4Address),
    ]
    return switch name {
    case "rr": (7, route)
    case "lsrr": (131, route)
    case "ssrr": (137, route)
    case "ra":
      (
        148,
        [
          "type": (0, 8, number), "length": (8, 8, number), "value": (16, 16, .integer(bits: 16)),
        ]
      )
    default: nil
    }
  }

  static func sctpChunk(_ name: String) -> (kind: UInt8, fields: [String: Bits])? {
    let head: [String: Bits] = [
      "type": (0, 8, .integer(bits: 8)), "flags": (8, 8, .integer(bits: 8)),
      "length": (16, 16, .integer(bits: 16)),
    ]
    func words(_ names: (String, Int, Int)...) -> [String: Bits] {
      var fields = head
      for (name, offset, length) in names {
        fields[name] = (offset, length, .integer(bits: length))
      }
      return fields
    }
    let initiation = words(
      ("init-tag", 32, 32), ("a-rwnd", 64, 32), ("num-outbound-streams", 96, 16),
      ("num-inbound-streams", 112, 16), ("initial-tsn", 128, 32))
    return switch name {
    case "data":
      (0, words(("tsn", 32, 32), ("stream", 64, 16), ("ssn", 80, 16), ("ppid", 96, 32)))
    case "init": (1, initiation)
    case "init-ack": (2, initiation)
    case "sack":
      (
        3,
        words(
          ("cum-tsn-ack", 32, 32), ("a-rwnd", 64, 32), ("num-gap-ack-blocks", 96, 16),
          ("num-dup-tsns", 112, 16))
      )
    case "heartbeat": (4, head)
    case "heartbeat-ack": (5, head)
    case "abort": (6, head)
    case "shutdown": (7, words(("cum-tsn-ack", 32, 32)))
    case "shutdown-ack": (8, head)
    case "error": (9, head)
    case "cookie-echo": (10, head)
    case "cookie-ack": (11, head)
    case "ecne": (12, words(("lowest-tsn", 32, 32)))
    case "cwr": (13, words(("lowest-tsn", 32, 32)))
    case "shutdown-complete": (14, head)
    case "asconf-ack": (128, words(("seqno", 32, 32)))
    case "forward-tsn": (192, words(("new-cum-tsn", 32, 32)))
    case "asconf": (193, words(("seqno", 32, 32)))
    default: nil
    }
  }
}
