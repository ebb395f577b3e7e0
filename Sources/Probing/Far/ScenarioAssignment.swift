package import Addresses
package import Scenarios

extension Assignment {
  /// What a host has to do for the lines of a scenario file that end at it.
  package struct OfScenario: Sendable {
    package var assignment: Assignment
    /// What of the lines is not listened for, each in one phrase.
    package var omissions: [String] = []
  }

  /// The most peers that sockets are told of; a kernel takes no filter of any size.
  static let peerLimit = 256

  /// Makes the assignment of a host.
  ///
  /// - Parameters:
  ///   - plan: The lines.
  ///   - own: The host's addresses.
  ///   - key: The run's key.
  ///   - duration: After this the far end stops by itself.
  /// - Returns: nil where no line that may be probed ends at one of the addresses.
  package static func of(
    _ plan: ScenarioPlan, at own: AddressSet, key: RunKey, duration: Duration
  ) -> OfScenario? {
    var targets = AddressSet.empty
    var peers = AddressSet.empty
    var tcp = IntervalSet.empty
    var udp = IntervalSet.empty
    var omissions: [String] = []
    for flow in plan.flows where flow.mode != .static && flow.skip == nil {
      let destinations = flow.destinations.of(flow.families).intersection(own)
      if destinations.isEmpty { continue }
      targets = targets.union(destinations)
      for service in flow.services {
        switch service.kind {
        case .ports(.tcp, let ports): tcp = tcp.union(ports.subtracting(IntervalSet(0)))
        case .ports(.udp, let ports): udp = udp.union(ports.subtracting(IntervalSet(0)))
        case .icmp, .icmpv6: break
        case .ports, .transport, .any:
          let omission = "nothing listens for '\(service.name)'"
          if !omissions.contains(omission) { omissions.append(omission) }
        }
      }
      // Whoever may be anybody is not told by the address.
      let sources = flow.sources.of(flow.families)
      if sources.size <= peerLimit { peers = peers.union(sources) }
    }
    if targets.isEmpty { return nil }
    if targets.size > Limit.addresses {
      omissions.append("more than \(Limit.addresses) addresses are not listened at")
    }
    if peers.size > peerLimit {
      omissions.append("connections of connect(2) are not taken: there are too many peers")
      peers = .empty
    }
    let assignment = Assignment(
      key: key, addresses: Array(targets.values.prefix(Limit.addresses)),
      peers: Array(peers.values), tcpPorts: tcp, udpPorts: udp, duration: duration,
      admitsConnect: !peers.isEmpty)
    return OfScenario(assignment: assignment, omissions: omissions)
  }
}

extension AddressSet {
  /// The addresses of these families.
  fileprivate func of(_ families: Set<IPFamily>) -> AddressSet {
    AddressSet(
      ipv4: families.contains(.ipv4) ? ipv4 : .empty, ipv6: families.contains(.ipv6) ? ipv6 : .empty
    )
  }

  /// How many addresses are in a set; of large ones, no less than is asked for.
  fileprivate var size: Int { ipv4.size + ipv6.size }

  /// The addresses, rising, those of IPv4 first.
  fileprivate var values: some Sequence<IPAddress> {
    let first = ipv4.values.lazy.map { IPAddress(.ipv4, rawValue: $0) }
    let second = ipv6.values.lazy.map { IPAddress(.ipv6, rawValue: $0) }
    return [AnySequence(first), AnySequence(second)].lazy.joined()
  }
}
