internal import Addresses
internal import Rulesets

/// What the matches before a statement say about the packet, as nft's own bookkeeping sees it.
///
/// nft inserts a dependency before a field only where no earlier match of the rule has settled the
/// protocol of that layer, whichever way it was settled. A listing leaves out what nft would insert
/// again, so a dependency that is shown replaces the implied one:
/// `ip protocol ipv6-icmp icmpv6 type 128` matches IPv4 packets with protocol 58.
///
/// Source: nft 1.0.6, src/payload.c and src/proto.c, and the bytecode of `nft --debug=netlink`.
struct Established {
  var network: IPFamily?
  /// The protocol that an explicit match settled.
  var transport: UInt8?
  var etherType: UInt16?
  /// Whether the rule tests for the family that a control protocol implies; nil where that is not
  /// known.
  var testsFamily: Bool?
  /// The number of the rule, which tells it from others.
  var rule = 0
  var hasICMPType = false
  var hasICMPv6Type = false
  private let family: Family

  init(family: Family) {
    self.family = family
    switch family {
    case .ip: network = .ipv4
    case .ip6: network = .ipv6
    case .inet, .arp, .bridge, .netdev: break
    }
  }

  /// Takes note of a comparison for equality with a constant.
  mutating func note(_ selector: Selector, equals value: UInt128) {
    switch selector.field {
    case .meta(.nfproto):
      if value == UInt128(IPFamily.ipv4.netfilterNumber) { network = .ipv4 }
      if value == UInt128(IPFamily.ipv6.netfilterNumber) { network = .ipv6 }
    // In an inet table nft does not take the EtherType for the family.
    case .meta(.etherProtocol):
      if family == .bridge || family == .netdev { noteEtherType(value) }
    case .meta(.l4proto): transport = UInt8(truncatingIfNeeded: value)
    case .payload(let field):
      switch field.name {
      case "ip protocol", "ip6 nexthdr": transport = UInt8(truncatingIfNeeded: value)
      case "ether type":
        etherType = UInt16(truncatingIfNeeded: value)
        noteEtherType(value)
      case "vlan type": noteEtherType(value)
      default: break
      }
    case .connection, .extensionHeader, .option, .environment, .meta: break
    }
  }

  /// Takes note of a match that names an ICMP type: the type that a field implies is not added.
  mutating func noteType(of selector: Selector) {
    guard case .payload(let field) = selector.field else { return }
    if field.name == "icmp type" { hasICMPType = true }
    if field.name == "icmpv6 type" { hasICMPv6Type = true }
  }

  private mutating func noteEtherType(_ value: UInt128) {
    if value == 0x0800 { network = .ipv4 }
    if value == 0x86DD { network = .ipv6 }
  }
}

/// The guards that fields imply.
///
/// The lists are shared, so that a selector of a large ruleset costs no memory for them.
enum ImpliedGuards {
  static let ipv4: [Guard] = [.ipv4]
  static let ipv6: [Guard] = [.ipv6]
  static let ethernet: [Guard] = [.ethernetInput]
  static let tcp: [Guard] = [.transport(6)]
  static let udp: [Guard] = [.transport(17)]

  /// The guards of a header's field.
  ///
  /// - Parameters:
  ///   - header: nft's name of the header, `tcp`.
  ///   - field: nft's name of the field, `dport`.
  ///   - family: the family of the table.
  ///   - established: what the rule's earlier matches settled.
  /// - Returns: the guards, outermost layer first.
  static func guards(
    header: String, field: String, family: Family, established: Established
  ) -> [Guard] {
    switch header {
    case "tcp": tcp
    case "udp": udp
    case "ip": family == .ip ? [] : ipv4
    case "ip6": family == .ip6 ? [] : ipv6
    // In a bridge every frame has an Ethernet header.
    case "ether": family == .bridge ? [] : ethernet
    case "vlan": vlan(family, established)
    case "udplite": transport(136)
    case "sctp": transport(132)
    case "dccp": transport(33)
    case "ah": transport(51)
    case "esp": transport(50)
    case "comp": transport(108)
    case "gre": transport(47)
    case "igmp": control(.igmp, .ipv4, established)
    case "icmp": icmp(field, established)
    case "icmpv6": icmpv6(field, established)
    // `arp` has no guard to name: its base chains see nothing but ARP, and elsewhere the frame's
    // type stands in the rule. `th` reads any transport header.
    case "arp": family == .arp ? [] : [.etherType(0x0806)]
    default: []
    }
  }

  private static func transport(_ number: UInt8) -> [Guard] { [.transport(number)] }

  private static func vlan(_ family: Family, _ established: Established) -> [Guard] {
    let input: [Guard] = family == .bridge ? [] : ethernet
    return established.etherType == nil ? input + [.etherType(0x8100)] : input
  }

  /// ICMP, ICMPv6 and IGMP also imply the family that carries them, unless a match settled it.
  ///
  /// nft 1.0.6 lists `meta l4proto ipv6-icmp icmpv6 type 1`, which does not test for IPv6, like
  /// `icmpv6 type 1`, which does.
  private static func control(
    _ transport: TransportProtocol, _ family: IPFamily, _ established: Established
  ) -> [Guard] {
    if established.transport == transport.rawValue { return [] }
    let guards: [Guard] = [.transport(transport.rawValue)]
    if established.network != nil { return guards }
    switch established.testsFamily {
    case true?: return (family == .ipv4 ? ipv4 : ipv6) + guards
    case false?: return guards
    case nil: return guards + [.possibly(family, rule: established.rule)]
    }
  }

  private static func icmp(_ field: String, _ established: Established) -> [Guard] {
    let guards = control(.icmp, .ipv4, established)
    if established.hasICMPType { return guards }
    return switch field {
    case "mtu": guards + [.icmpType([3])]
    case "gateway": guards + [.icmpType([5])]
    case "id", "sequence": guards + [.icmpType([0, 8])]
    default: guards
    }
  }

  private static func icmpv6(_ field: String, _ established: Established) -> [Guard] {
    let guards = control(.icmpv6, .ipv6, established)
    if established.hasICMPv6Type { return guards }
    return switch field {
    case "mtu", "packet-too-big": guards + [.icmpv6Type([2])]
    case "parameter-problem": guards + [.icmpv6Type([4])]
    case "max-delay": guards + [.icmpv6Type([130])]
    case "id", "sequence": guards + [.icmpv6Type([128, 129])]
    case "taddr": guards + [.icmpv6Type([135, 136, 137])]
    case "daddr": guards + [.icmpv6Type([137])]
    default: guards
    }
  }
}
