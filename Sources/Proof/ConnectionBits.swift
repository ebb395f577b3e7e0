internal import Addresses

/// The bits that `ct state` reads.
///
/// Source: include/net/netfilter/nf_conntrack_common.h, `NF_CT_STATE_BIT`; nft(8).
enum ConnectionBits {
  static let invalid: UInt128 = 1
  static let established: UInt128 = 2
  static let related: UInt128 = 4
  static let new: UInt128 = 8
  static let untracked: UInt128 = 64

  /// `IPS_SRC_NAT` and `IPS_DST_NAT`, as `ct status` reads them.
  static let sourceTranslated: UInt128 = 0x10
  static let destinationTranslated: UInt128 = 0x20

  /// One packet has exactly one of them.
  static let every = IntervalSet(
    [invalid, established, related, new, untracked].map { Interval($0) })
}
