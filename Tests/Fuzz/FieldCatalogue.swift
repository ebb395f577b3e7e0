/// What rules can ask for.
struct RuleField {
  enum Network { case any, ipv4, ipv6 }

  /// The transport headers that a field can be in.
  enum Transport { case any, tcp, udp, icmp, icmpv6, sctp, udplite, ah, esp, dccp, none }

  var text: String
  var kind: ValueKind
  var network = Network.any
  /// `none` for fields that say the protocol themselves and are kept apart from its headers.
  var transport = Transport.any
  /// Values that packets usually have there.
  var usual: [UInt128] = []
  var weight = 4
  /// Hooks that have it; nil for all.
  var hooks: Set<String>?
  /// Whether it can stand in concatenations and be a set's key.
  var isKey = true
}

enum FieldCatalogue {
  static let network: [RuleField] = [
    RuleField(text: "ip saddr", kind: .ipv4, network: .ipv4, weight: 20),
    RuleField(text: "ip daddr", kind: .ipv4, network: .ipv4, weight: 20),
    RuleField(
      text: "ip ttl", kind: .number(bits: 8), network: .ipv4, usual: [1, 2, 63, 64, 65, 255],
      weight: 6),
    RuleField(text: "ip dscp", kind: .dscp, network: .ipv4),
    RuleField(text: "ip ecn", kind: .ecn, network: .ipv4, weight: 2),
    RuleField(
      text: "ip length", kind: .number(bits: 16), network: .ipv4, usual: [28, 40, 60, 100]),
    RuleField(
      text: "ip id", kind: .number(bits: 16), network: .ipv4, usual: [1, 0x1234], weight: 2),
    RuleField(
      text: "ip frag-off", kind: .number(bits: 16), network: .ipv4,
      usual: [0, 0x4000, 0x2000, 0x1FFF, 0x2001]),
    RuleField(
      text: "ip version", kind: .number(bits: 4), network: .ipv4, usual: [4, 6], weight: 1),
    RuleField(text: "ip hdrlength", kind: .number(bits: 4), network: .ipv4, usual: [5, 6, 15]),
    RuleField(
      text: "ip protocol", kind: .transport, network: .ipv4, transport: .none, weight: 8),
    RuleField(text: "ip6 saddr", kind: .ipv6, network: .ipv6, weight: 20),
    RuleField(text: "ip6 daddr", kind: .ipv6, network: .ipv6, weight: 20),
    RuleField(
      text: "ip6 hoplimit", kind: .number(bits: 8), network: .ipv6, usual: [1, 2, 63, 64, 65, 255],
      weight: 6),
    RuleField(text: "ip6 dscp", kind: .dscp, network: .ipv6),
    RuleField(text: "ip6 ecn", kind: .ecn, network: .ipv6, weight: 1),
    RuleField(
      text: "ip6 flowlabel", kind: .number(bits: 20), network: .ipv6, usual: [0, 0x12345],
      weight: 2),
    RuleField(
      text: "ip6 length", kind: .number(bits: 16), network: .ipv6, usual: [8, 20, 28, 60]),
    RuleField(
      text: "ip6 nexthdr", kind: .transport, network: .ipv6, transport: .none, weight: 8),
    RuleField(
      text: "frag frag-off", kind: .number(bits: 13), network: .ipv6, usual: [0, 1], weight: 2,
      isKey: false),
    RuleField(
      text: "frag more-fragments", kind: .number(bits: 1), network: .ipv6, usual: [0, 1], weight: 2,
      isKey: false),
    RuleField(
      text: "frag id", kind: .number(bits: 32), network: .ipv6, usual: [7], weight: 1, isKey: false),
    RuleField(
      text: "hbh nexthdr", kind: .transport, network: .ipv6, weight: 1, isKey: false),
    RuleField(
      text: "dst hdrlength", kind: .number(bits: 8), network: .ipv6, usual: [0, 1], weight: 1,
      isKey: false),
    RuleField(
      text: "rt type", kind: .number(bits: 8), network: .ipv6, usual: [0, 2, 4], weight: 1,
      isKey: false),
    RuleField(
      text: "rt seg-left", kind: .number(bits: 8), network: .ipv6, usual: [0, 1], weight: 1,
      isKey: false),
    RuleField(text: "exthdr hbh", kind: .presence, network: .ipv6, weight: 2, isKey: false),
    RuleField(text: "exthdr dst", kind: .presence, network: .ipv6, weight: 2, isKey: false),
    RuleField(text: "exthdr rt", kind: .presence, network: .ipv6, weight: 2, isKey: false),
    RuleField(text: "exthdr frag", kind: .presence, network: .ipv6, weight: 2, isKey: false),
    RuleField(text: "ip option rr", kind: .presence, network: .ipv4, weight: 1, isKey: false),
    RuleField(text: "ip option ra", kind: .presence, network: .ipv4, weight: 1, isKey: false),
  ]

  static let transport: [RuleField] = [
    RuleField(text: "tcp dport", kind: .port, transport: .tcp, weight: 24),
    RuleField(text: "tcp sport", kind: .port, transport: .tcp, weight: 10),
    RuleField(text: "tcp flags", kind: .tcpFlags, transport: .tcp, weight: 14),
    RuleField(text: "tcp window", kind: .number(bits: 16), transport: .tcp, usual: [64_240, 0]),
    RuleField(text: "tcp doff", kind: .number(bits: 4), transport: .tcp, usual: [5, 6, 10]),
    RuleField(
      text: "tcp sequence", kind: .number(bits: 32), transport: .tcp, usual: [1_000], weight: 2),
    RuleField(
      text: "tcp ackseq", kind: .number(bits: 32), transport: .tcp, usual: [0, 77], weight: 2),
    RuleField(text: "tcp urgptr", kind: .number(bits: 16), transport: .tcp, usual: [0], weight: 1),
    RuleField(
      text: "tcp option maxseg size", kind: .number(bits: 16), transport: .tcp,
      usual: [1_460, 536], isKey: false),
    RuleField(
      text: "tcp option window count", kind: .number(bits: 8), transport: .tcp, usual: [7],
      weight: 2, isKey: false),
    RuleField(
      text: "tcp option sack-perm", kind: .presence, transport: .tcp, weight: 2, isKey: false),
    RuleField(
      text: "tcp option timestamp", kind: .presence, transport: .tcp, weight: 2, isKey: false),
    RuleField(
      text: "tcp option maxseg", kind: .presence, transport: .tcp, weight: 2, isKey: false),
    RuleField(text: "udp dport", kind: .port, transport: .udp, weight: 20),
    RuleField(text: "udp sport", kind: .port, transport: .udp, weight: 10),
    RuleField(
      text: "udp length", kind: .number(bits: 16), transport: .udp, usual: [8, 10, 40], weight: 6),
    RuleField(text: "udplite dport", kind: .port, transport: .udplite, weight: 4),
    RuleField(text: "sctp dport", kind: .port, transport: .sctp, weight: 6),
    RuleField(
      text: "sctp vtag", kind: .number(bits: 32), transport: .sctp, usual: [0, 9], weight: 2),
    RuleField(text: "dccp dport", kind: .port, transport: .dccp, weight: 2),
    RuleField(text: "ah spi", kind: .number(bits: 32), transport: .ah, usual: [5, 256], weight: 2),
    RuleField(
      text: "esp spi", kind: .number(bits: 32), transport: .esp, usual: [5, 256], weight: 2),
    RuleField(text: "icmp type", kind: .icmpType, network: .ipv4, transport: .icmp, weight: 16),
    RuleField(
      text: "icmp code", kind: .number(bits: 8), network: .ipv4, transport: .icmp,
      usual: [0, 1, 3, 4, 13], weight: 6),
    RuleField(
      text: "icmp id", kind: .number(bits: 16), network: .ipv4, transport: .icmp, usual: [0, 7]),
    RuleField(
      text: "icmp mtu", kind: .number(bits: 16), network: .ipv4, transport: .icmp,
      usual: [1_280, 0], weight: 1),
    RuleField(
      text: "icmpv6 type", kind: .icmpv6Type, network: .ipv6, transport: .icmpv6, weight: 16),
    RuleField(
      text: "icmpv6 code", kind: .number(bits: 8), network: .ipv6, transport: .icmpv6,
      usual: [0, 1, 3, 4], weight: 6),
    RuleField(
      text: "icmpv6 id", kind: .number(bits: 16), network: .ipv6, transport: .icmpv6,
      usual: [0, 7], weight: 2),
    RuleField(
      text: "icmpv6 mtu", kind: .number(bits: 32), network: .ipv6, transport: .icmpv6,
      usual: [1_280], weight: 1),
  ]

  static let meta: [RuleField] = [
    RuleField(
      text: "meta l4proto", kind: .transport, transport: .none, weight: 16),
    RuleField(text: "th dport", kind: .port, weight: 8),
    RuleField(text: "th sport", kind: .port, weight: 4),
    RuleField(text: "@th,16,8", kind: .number(bits: 8), usual: [0, 1], weight: 2, isKey: false),
    RuleField(text: "@th,8,24", kind: .number(bits: 24), usual: [0], weight: 1, isKey: false),
    RuleField(text: "@nh,8,8", kind: .number(bits: 8), usual: [0, 40], weight: 2, isKey: false),
    RuleField(text: "@nh,32,32", kind: .number(bits: 32), usual: [0], weight: 1, isKey: false),
    RuleField(
      text: "meta length", kind: .number(bits: 32), usual: [28, 40, 60, 100], weight: 6),
    RuleField(text: "meta mark", kind: .mark, weight: 14),
    RuleField(text: "iifname", kind: .interfaceName, weight: 14),
    RuleField(text: "oifname", kind: .interfaceName, weight: 14),
    RuleField(text: "iif", kind: .interfaceIndex, weight: 6, isKey: false),
    RuleField(text: "oif", kind: .interfaceIndex, weight: 6, isKey: false),
    RuleField(text: "meta pkttype", kind: .packetType, weight: 4),
    RuleField(text: "ct state", kind: .connectionState, weight: 24),
    RuleField(text: "ct direction", kind: .connectionDirection, weight: 3, isKey: false),
    RuleField(text: "ct status", kind: .connectionStatus, weight: 4, isKey: false),
    RuleField(text: "ct mark", kind: .mark, weight: 6),
    RuleField(text: "ct protocol", kind: .transport, weight: 2, isKey: false),
    RuleField(text: "ct l3proto", kind: .networkProtocol, weight: 2, isKey: false),
    RuleField(
      text: "ct original ip saddr", kind: .ipv4, network: .ipv4, weight: 2, isKey: false),
    RuleField(
      text: "ct original ip daddr", kind: .ipv4, network: .ipv4, weight: 2, isKey: false),
    RuleField(
      text: "ct original ip6 daddr", kind: .ipv6, network: .ipv6, weight: 2, isKey: false),
    RuleField(
      text: "meta l4proto tcp ct original proto-dst", kind: .port, transport: .tcp, weight: 2,
      isKey: false),
    RuleField(
      text: "meta l4proto udp ct original proto-src", kind: .port, transport: .udp, weight: 2,
      isKey: false),
    RuleField(text: "fib daddr type", kind: .addressType, weight: 5, isKey: false),
    RuleField(text: "fib saddr type", kind: .addressType, weight: 3, isKey: false),
    RuleField(
      text: "fib daddr . iif type", kind: .addressType, weight: 2,
      hooks: ["ingress", "prerouting", "input", "forward"], isKey: false),
    RuleField(
      text: "fib saddr . iif oif", kind: .presence, weight: 3,
      hooks: ["ingress", "prerouting", "input", "forward"], isKey: false),
    RuleField(
      text: "ether saddr", kind: .ether, weight: 3,
      hooks: ["ingress", "prerouting", "input", "forward"]),
    RuleField(
      text: "ether daddr", kind: .ether, weight: 2,
      hooks: ["ingress", "prerouting", "input", "forward"]),
  ]

  /// Fields that only tables of more than one protocol have a use for.
  static let families: [RuleField] = [
    RuleField(text: "meta nfproto", kind: .networkProtocol, weight: 8),
    RuleField(text: "meta protocol", kind: .etherType, weight: 3),
  ]
}
