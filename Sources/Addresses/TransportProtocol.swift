/// The protocol above IP, by its IANA number.
///
/// Source: IANA "Assigned Internet Protocol Numbers". nft prints number 58 as `ipv6-icmp` and
/// reads `icmpv6` too.
package struct TransportProtocol: RawRepresentable, Hashable, Sendable, Comparable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let icmp = TransportProtocol(rawValue: 1)
  package static let igmp = TransportProtocol(rawValue: 2)
  package static let tcp = TransportProtocol(rawValue: 6)
  package static let udp = TransportProtocol(rawValue: 17)
  package static let dccp = TransportProtocol(rawValue: 33)
  package static let gre = TransportProtocol(rawValue: 47)
  package static let esp = TransportProtocol(rawValue: 50)
  package static let ah = TransportProtocol(rawValue: 51)
  package static let icmpv6 = TransportProtocol(rawValue: 58)
  package static let comp = TransportProtocol(rawValue: 108)
  package static let sctp = TransportProtocol(rawValue: 132)
  package static let udplite = TransportProtocol(rawValue: 136)

  /// Reads a name of Debian's /etc/protocols that nft knows, or a decimal number.
  package init?(_ text: some StringProtocol) {
    if let number = UInt8(text) {
      self.init(rawValue: number)
    } else if let entry = names.first(where: { $0.name == text.lowercased() }) {
      self.init(rawValue: entry.number)
    } else {
      return nil
    }
  }

  /// Whether the first two 16-bit words of the header are ports.
  package var hasPorts: Bool {
    switch self {
    case .tcp, .udp, .dccp, .sctp, .udplite: true
    default: false
    }
  }

  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension TransportProtocol: CustomStringConvertible {
  /// The name that nft reads, or the number where there is none.
  package var description: String {
    names.first { $0.number == rawValue }?.name ?? String(rawValue)
  }
}

// The first name of a number is the one printed.
private let names: [(name: String, number: UInt8)] = [
  ("icmp", 1), ("igmp", 2), ("ggp", 3), ("ipencap", 4), ("ipip", 4), ("st", 5), ("tcp", 6),
  ("egp", 8), ("igp", 9), ("pup", 12), ("udp", 17), ("hmp", 20), ("xns-idp", 22), ("rdp", 27),
  ("iso-tp4", 29), ("dccp", 33), ("xtp", 36), ("ddp", 37), ("idpr-cmtp", 38), ("ipv6", 41),
  ("ipv6-route", 43), ("ipv6-frag", 44), ("idrp", 45), ("rsvp", 46), ("gre", 47), ("esp", 50),
  ("ipsec-esp", 50), ("ah", 51), ("ipsec-ah", 51), ("skip", 57), ("icmpv6", 58),
  ("ipv6-icmp", 58), ("ipv6-nonxt", 59), ("ipv6-opts", 60), ("rspf", 73), ("vmtp", 81),
  ("eigrp", 88), ("ospf", 89), ("ospfigp", 89), ("ax.25", 93), ("etherip", 97), ("encap", 98),
  ("pim", 103), ("comp", 108), ("ipcomp", 108), ("vrrp", 112), ("l2tp", 115), ("isis", 124),
  ("sctp", 132), ("fc", 133), ("mobility-header", 135), ("udplite", 136), ("mpls-in-ip", 137),
  ("manet", 138), ("shim6", 139), ("wesp", 141), ("rohc", 142), ("hopopt", 0), ("ip", 0),
]
