package import Addresses

/// The addresses that packets from one host to another can carry.
package enum HostAddresses {
  /// The unicast addresses of a family that an interface may have and a route may lead to.
  ///
  /// Left out are what stands for no host, the loopback, groups, the limited broadcast, and in IPv6
  /// mapped addresses and those of one link. Source: RFC 6890; RFC 4291 §2.5.
  package static func unicast(_ family: IPFamily) -> IntervalSet {
    switch family {
    case .ipv4: ipv4
    case .ipv6: ipv6
    }
  }

  private static let ipv4 = IntervalSet(bitWidth: 32).subtracting(
    IntervalSet([
      Interval(0, 0x00FF_FFFF), Interval(0x7F00_0000, 0x7FFF_FFFF),
      Interval(0xE000_0000, 0xEFFF_FFFF), Interval(0xFFFF_FFFF),
    ]))

  private static let ipv6 = IntervalSet(bitWidth: 128).subtracting(
    IntervalSet([
      Interval(0, 1), Interval(0xFFFF << 32, 0xFFFF << 32 | 0xFFFF_FFFF),
      Interval(0xFE80 << 112, 0xFEBF << 112 | (1 << 112 - 1)),
      Interval(0xFF << 120, .max),
    ]))
}
