package import Addresses

/// The names that nft gives to the types of ICMP.
///
/// Source: `nft describe icmp type`, `nft describe icmpv6 type`; the numbers are those of RFC 792,
/// RFC 4443, RFC 4861, RFC 2710, RFC 3810, RFC 2894 and RFC 3122.
package enum ICMPTypeName {
  /// Looks up a name, whatever its case.
  package static func number(of name: String, _ family: IPFamily) -> UInt8? {
    let key = name.lowercased()
    return table(family).first { $0.name == key }?.number
  }

  /// The first name of a number, or nil where it has none.
  package static func name(of number: UInt8, _ family: IPFamily) -> String? {
    table(family).first { $0.number == number }?.name
  }

  static func names(_ family: IPFamily) -> [String] { table(family).map(\.name) }

  private static func table(_ family: IPFamily) -> [(name: String, number: UInt8)] {
    switch family {
    case .ipv4: icmp
    case .ipv6: icmpv6
    }
  }
}

private let icmp: [(name: String, number: UInt8)] = [
  ("echo-reply", 0), ("destination-unreachable", 3), ("source-quench", 4), ("redirect", 5),
  ("echo-request", 8), ("router-advertisement", 9), ("router-solicitation", 10),
  ("time-exceeded", 11), ("parameter-problem", 12), ("timestamp-request", 13),
  ("timestamp-reply", 14), ("info-request", 15), ("info-reply", 16),
  ("address-mask-request", 17), ("address-mask-reply", 18),
]

// 132 has two names; the first is the one printed.
private let icmpv6: [(name: String, number: UInt8)] = [
  ("destination-unreachable", 1), ("packet-too-big", 2), ("time-exceeded", 3),
  ("parameter-problem", 4), ("echo-request", 128), ("echo-reply", 129),
  ("mld-listener-query", 130), ("mld-listener-report", 131), ("mld-listener-done", 132),
  ("mld-listener-reduction", 132), ("nd-router-solicit", 133), ("nd-router-advert", 134),
  ("nd-neighbor-solicit", 135), ("nd-neighbor-advert", 136), ("nd-redirect", 137),
  ("router-renumbering", 138), ("ind-neighbor-solicit", 141), ("ind-neighbor-advert", 142),
  ("mld2-listener-report", 143),
]
