/// One of the two network protocols.
package enum IPFamily: String, Hashable, Sendable, CaseIterable, Comparable {
  case ipv4
  case ipv6

  /// The width of an address, in bits.
  package var bitWidth: Int { self == .ipv4 ? 32 : 128 }

  /// The highest address, as a number.
  package var highestAddress: UInt128 { self == .ipv4 ? UInt128(UInt32.max) : .max }

  /// `NFPROTO_IPV4` (2) or `NFPROTO_IPV6` (10): the value that `meta nfproto` reads.
  ///
  /// Source: include/uapi/linux/netfilter.h.
  package var netfilterNumber: UInt8 { self == .ipv4 ? 2 : 10 }

  package static func < (left: Self, right: Self) -> Bool {
    left.netfilterNumber < right.netfilterNumber
  }
}
