/// What a version of Talos does with chains and configurations.
///
/// Source: Talos' source at its tags; the issues that are named are those of siderolabs/talos.
package struct FirewallFeatures: Hashable, Sendable {
  /// Port ranges are put in order, and ranges that touch are joined (#9009).
  package let joinsPortRanges: Bool
  /// Pods may ask the host's resolver where the host forwards for them.
  package let opensHostDNS: Bool
  /// The chain `ingress` has priority -140 instead of 0.
  package let hasEarlyIngress: Bool
  /// There is a chain `prerouting`, so that node ports are judged before they are translated.
  package let hasPrerouting: Bool
  /// ICMP timestamp and address mask messages are dropped.
  package let dropsTimestamps: Bool
  /// A range that ends at the highest address or port loads (#12890).
  package let loadsRangesToTheEnd: Bool
  /// Long rulesets fit the kernel's buffers (#14001).
  package let hasLargeBuffers: Bool
  /// The host's resolver has an IPv6 address.
  package let hasIPv6HostDNS: Bool
  /// Pod and service subnets, and host DNS, may come from documents of their own; without
  /// `cluster.network` there are none.
  package let readsSubnetDocuments: Bool
  /// Connections that are known pass in accept mode too (#13926).
  package let tracksInAcceptMode: Bool
  /// Clamping of segment sizes leaves room for the TCP option of timestamps.
  package let leavesRoomForTimestamps: Bool
  /// Lists in patches take the place of the lists they meet; before they were joined.
  package let replacesLists: Bool

  package init(_ version: TalosVersion) {
    func since(_ major: Int, _ minor: Int, _ patch: Int, _ stage: TalosVersion.Stage = .release)
      -> Bool
    {
      version >= TalosVersion(major, minor, patch, stage)
    }
    /// Whether a fix is there that came to an older line with `patch`, and with `next` to the next.
    func fixed(_ minor: Int, _ patch: Int, next: TalosVersion) -> Bool {
      version.minor == minor ? since(1, minor, patch) : version >= next
    }
    joinsPortRanges = fixed(7, 6, next: TalosVersion(1, 8, 0, .alpha(0)))
    opensHostDNS = since(1, 8, 0, .alpha(2))
    hasEarlyIngress = fixed(9, 4, next: TalosVersion(1, 10, 0, .alpha(0)))
    hasPrerouting = since(1, 10, 0, .alpha(2))
    dropsTimestamps = since(1, 11, 0, .candidate(0))
    loadsRangesToTheEnd = fixed(12, 5, next: TalosVersion(1, 13, 0, .beta(0)))
    hasLargeBuffers = fixed(13, 9, next: TalosVersion(1, 14, 0, .candidate(1)))
    hasIPv6HostDNS = since(1, 14, 0, .alpha(1))
    readsSubnetDocuments = since(1, 14, 0, .alpha(2))
    tracksInAcceptMode = since(1, 15, 0, .alpha(0))
    leavesRoomForTimestamps = fixed(11, 6, next: TalosVersion(1, 12, 0, .alpha(0)))
    replacesLists = since(1, 7, 0)
  }

  /// The priority of the chain `ingress`.
  package var ingressPriority: Int { hasEarlyIngress ? -140 : 0 }
}
