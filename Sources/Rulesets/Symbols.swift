private import Addresses

/// The names that nft has for numbers, so that reading and printing share one table.
///
/// Source: nft(8) "DATA TYPES" and the symbol tables of nft 1.0.6 (`nft describe`).
package enum Symbols {
  /// The number that `name` stands for, or nil if nft has no such name for `type`.
  ///
  /// Names that depend on files of a host (services, marks, groups of devices, users) are not
  /// known here.
  package static func number(of name: String, type: DataType) -> UInt128? {
    if type == .transportProtocol || isTransportProtocol(type) {
      return TransportProtocol(name).map { UInt128($0.rawValue) }
    }
    return table(for: type).first { $0.name == name }?.number
  }

  /// The name that nft prints for `number`, or nil where it prints the number.
  package static func name(of number: UInt128, type: DataType) -> String? {
    if isTransportProtocol(type) {
      guard let number = UInt8(exactly: number) else { return nil }
      let name = TransportProtocol(rawValue: number).description
      return UInt8(name) == nil ? name : nil
    }
    return table(for: type).first { $0.number == number }?.name
  }

  /// Whether the values of `type` are sets of named bits.
  package static func isBitmask(_ type: DataType) -> Bool {
    switch type {
    case .tcpFlags, .connectionState, .connectionStatus, .connectionLabel: true
    case .ipv4Address, .ipv6Address, .etherAddress, .interfaceName, .interfaceIndex,
      .interfaceType, .mark, .port, .transportProtocol, .networkProtocol, .etherType, .icmpType,
      .icmpv6Type, .icmpCode, .icmpv6Code, .icmpxCode, .dscp, .ecn, .connectionDirection,
      .packetType, .userID, .groupID, .realm, .classID, .time, .day, .hour, .fibAddressType,
      .boolean, .integer, .string:
      false
    }
  }

  private static func isTransportProtocol(_ type: DataType) -> Bool { type == .transportProtocol }

  private typealias Names = [(name: String, number: UInt128)]

  // The first name of a number is the one printed.
  private static func table(for type: DataType) -> Names {
    switch type {
    case .networkProtocol: networkProtocols
    case .etherType: etherTypes
    case .interfaceType: interfaceTypes
    case .icmpType: icmpTypes
    case .icmpv6Type: icmpv6Types
    case .icmpCode: icmpCodes
    case .icmpv6Code: icmpv6Codes
    case .icmpxCode: icmpxCodes
    case .tcpFlags: tcpFlags
    case .dscp: dscpValues
    case .ecn: ecnValues
    case .connectionState: connectionStates
    case .connectionStatus: connectionStatuses
    case .connectionDirection: connectionDirections
    case .packetType: packetTypes
    case .day: days
    case .fibAddressType: fibAddressTypes
    case .boolean: booleans
    case .classID: classIDs
    case .userID, .groupID: owners
    case .integer(bits: 4): dccpTypes
    case .integer(bits: 8): igmpTypes
    case .integer(bits: 16): arpOperations
    case .integer(bits: 32): deviceGroups
    case .ipv4Address, .ipv6Address, .etherAddress, .interfaceName, .interfaceIndex, .mark, .port,
      .transportProtocol, .connectionLabel, .realm, .time, .hour, .integer, .string:
      []
    }
  }

  private static let networkProtocols: Names = [("ipv4", 2), ("ipv6", 10)]
  private static let etherTypes: Names = [
    ("ip", 0x0800), ("arp", 0x0806), ("ip6", 0x86DD), ("8021q", 0x8100), ("vlan", 0x8100),
    ("8021ad", 0x88A8),
  ]
  private static let interfaceTypes: Names = [
    ("ether", 1), ("ppp", 512), ("ipip", 768), ("ipip6", 769), ("loopback", 772), ("sit", 776),
    ("ipgre", 778),
  ]
  private static let icmpTypes: Names = [
    ("echo-reply", 0), ("destination-unreachable", 3), ("source-quench", 4), ("redirect", 5),
    ("echo-request", 8), ("router-advertisement", 9), ("router-solicitation", 10),
    ("time-exceeded", 11), ("parameter-problem", 12), ("timestamp-request", 13),
    ("timestamp-reply", 14), ("info-request", 15), ("info-reply", 16),
    ("address-mask-request", 17), ("address-mask-reply", 18),
  ]
  private static let icmpv6Types: Names = [
    ("destination-unreachable", 1), ("packet-too-big", 2), ("time-exceeded", 3),
    ("parameter-problem", 4), ("echo-request", 128), ("echo-reply", 129),
    ("mld-listener-query", 130), ("mld-listener-report", 131), ("mld-listener-done", 132),
    ("mld-listener-reduction", 132), ("nd-router-solicit", 133), ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135), ("nd-neighbor-advert", 136), ("nd-redirect", 137),
    ("router-renumbering", 138), ("ind-neighbor-solicit", 141), ("ind-neighbor-advert", 142),
    ("mld2-listener-report", 143),
  ]
  private static let icmpCodes: Names = [
    ("net-unreachable", 0), ("host-unreachable", 1), ("prot-unreachable", 2),
    ("port-unreachable", 3), ("frag-needed", 4), ("net-prohibited", 9), ("host-prohibited", 10),
    ("admin-prohibited", 13),
  ]
  private static let icmpv6Codes: Names = [
    ("no-route", 0), ("admin-prohibited", 1), ("addr-unreachable", 3), ("port-unreachable", 4),
    ("policy-fail", 5), ("reject-route", 6),
  ]
  private static let icmpxCodes: Names = [
    ("no-route", 0), ("port-unreachable", 1), ("host-unreachable", 2), ("admin-prohibited", 3),
  ]
  private static let tcpFlags: Names = [
    ("fin", 1), ("syn", 2), ("rst", 4), ("psh", 8), ("ack", 16), ("urg", 32), ("ecn", 64),
    ("cwr", 128),
  ]
  private static let dscpValues: Names = [
    ("cs0", 0), ("cs1", 8), ("cs2", 16), ("cs3", 24), ("cs4", 32), ("cs5", 40), ("cs6", 48),
    ("cs7", 56), ("df", 0), ("be", 0), ("lephb", 1), ("af11", 10), ("af12", 12), ("af13", 14),
    ("af21", 18), ("af22", 20), ("af23", 22), ("af31", 26), ("af32", 28), ("af33", 30),
    ("af41", 34), ("af42", 36), ("af43", 38), ("va", 44), ("ef", 46),
  ]
  private static let ecnValues: Names = [("not-ect", 0), ("ect1", 1), ("ect0", 2), ("ce", 3)]
  private static let connectionStates: Names = [
    ("invalid", 1), ("established", 2), ("related", 4), ("new", 8), ("untracked", 64),
  ]
  private static let connectionStatuses: Names = [
    ("expected", 1), ("seen-reply", 2), ("assured", 4), ("confirmed", 8), ("snat", 16),
    ("dnat", 32), ("dying", 512),
  ]
  private static let connectionDirections: Names = [("original", 0), ("reply", 1)]
  private static let packetTypes: Names = [
    ("host", 0), ("unicast", 0), ("broadcast", 1), ("multicast", 2), ("other", 3),
  ]
  private static let days: Names = [
    ("Sunday", 0), ("Monday", 1), ("Tuesday", 2), ("Wednesday", 3), ("Thursday", 4),
    ("Friday", 5), ("Saturday", 6),
  ]
  private static let fibAddressTypes: Names = [
    ("unspec", 0), ("unicast", 1), ("local", 2), ("broadcast", 3), ("anycast", 4),
    ("multicast", 5), ("blackhole", 6), ("unreachable", 7), ("prohibit", 8),
  ]
  private static let booleans: Names = [("missing", 0), ("exists", 1)]
  private static let classIDs: Names = [("none", 0), ("root", 0xFFFF_FFFF)]
  private static let owners: Names = [("root", 0)]
  private static let dccpTypes: Names = [
    ("request", 0), ("response", 1), ("data", 2), ("ack", 3), ("dataack", 4), ("closereq", 5),
    ("close", 6), ("reset", 7), ("sync", 8), ("syncack", 9),
  ]
  private static let igmpTypes: Names = [
    ("membership-query", 0x11), ("membership-report-v1", 0x12), ("membership-report-v2", 0x16),
    ("leave-group", 0x17), ("membership-report-v3", 0x22),
  ]
  private static let deviceGroups: Names = [("default", 0)]
  private static let arpOperations: Names = [
    ("request", 1), ("reply", 2), ("rrequest", 3), ("rreply", 4), ("inrequest", 8),
    ("inreply", 9), ("nak", 10),
  ]
}
