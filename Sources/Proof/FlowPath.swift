package import Addresses
package import Scenarios

/// One firewall on a flow's way, and which of its hooks the packet passes.
package struct Hop: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// Out of the host that sends: output, postrouting.
    case outbound
    /// Through a router: prerouting, forward, postrouting.
    case through
    /// Into the host that receives: prerouting, input.
    case inbound
    /// Out of a host and back in by its loopback: output, postrouting, prerouting, input.
    case looped

    var reversed: Kind {
      switch self {
      case .outbound: .inbound
      case .through: .through
      case .inbound: .outbound
      case .looped: .looped
      }
    }
  }

  /// Which of the prover's firewalls.
  package var firewall: Int
  package var kind: Kind
  /// The interface the packet uses on this host, where it is known.
  package var interface: String?
  /// The hop's place on the way of the packet that opens the connection, from 0.
  var station = 0
  /// Which end of the packet that opens the connection has the host's own address; nil for a router.
  let anchor: Binding.End?

  init(firewall: Int, kind: Kind, interface: String?) {
    self.firewall = firewall
    self.kind = kind
    self.interface = interface
    anchor =
      switch kind {
      case .inbound: .destination
      case .outbound, .looped: .source
      case .through: nil
      }
  }

  /// The hop as packets that come the other way pass it.
  var reversed: Hop {
    var hop = self
    hop.kind = kind.reversed
    // What a router's input interface was is not where the answer arrives.
    if kind == .through { hop.interface = nil }
    return hop
  }
}

/// Packets of a flow that meet the same firewalls in the same order.
package struct FlowPath: Hashable, Sendable {
  package var family: IPFamily
  package var sources: IntervalSet
  package var destinations: IntervalSet
  package var hops: [Hop]
}

extension FlowPath {
  /// Divides a flow by the firewalls it meets.
  ///
  /// - Parameters:
  ///   - flow: What is asked.
  ///   - placements: Where each of the prover's firewalls stands.
  ///   - interfaces: Which interface hosts are reached through.
  /// - Returns: disjoint paths that together hold every packet of the flow.
  package static func paths(
    of flow: Flow, placements: [FirewallDeclaration.Placement],
    interfaces: [InterfaceAssignment]
  ) -> [FlowPath] {
    var paths: [FlowPath] = []
    for family in flow.families.sorted() {
      let sources = flow.sources[family]
      let destinations = flow.destinations[family]
      if sources.isEmpty || destinations.isEmpty { continue }
      paths.append(
        FlowPath(family: family, sources: sources, destinations: destinations, hops: []))
    }
    // Two addresses of one host do not meet across the network.
    for host in flow.sharedHosts {
      paths = paths.flatMap { path in
        path.divided(bySources: host) { $0.divided(byDestinations: host) { _ in [] } }
      }
    }
    // A packet leaves its host, crosses what stands between, and enters the other host.
    for (firewall, placement) in placements.enumerated() {
      guard case .on(let hosts) = placement else { continue }
      paths = paths.flatMap { path in
        path.divided(bySources: hosts) { inside in
          inside.along(interfaces, \.sources) { part, interface in
            part.adding(Hop(firewall: firewall, kind: .outbound, interface: interface))
          }
        }
      }
    }
    for (firewall, placement) in placements.enumerated() {
      guard case .between(let left, let right) = placement else { continue }
      let hop = Hop(firewall: firewall, kind: .through, interface: flow.inputInterface)
      paths = paths.flatMap { $0.crossing(hop, between: left, and: right) }
    }
    for (firewall, placement) in placements.enumerated() {
      guard case .on(let hosts) = placement else { continue }
      paths = paths.flatMap { path in
        path.divided(byDestinations: hosts) { inside in
          if let named = flow.inputInterface {
            return [inside.adding(Hop(firewall: firewall, kind: .inbound, interface: named))]
          }
          return inside.along(interfaces, \.destinations) { part, interface in
            part.adding(Hop(firewall: firewall, kind: .inbound, interface: interface))
          }
        }
      }
    }
    return paths.map { path in
      var path = path
      for index in path.hops.indices { path.hops[index].station = index }
      return path
    }
  }

  /// The way back: the same firewalls in reverse, each from its other side.
  package var reversed: FlowPath {
    FlowPath(
      family: family, sources: destinations, destinations: sources,
      hops: hops.reversed().map(\.reversed))
  }

  /// Divides packets by the firewalls they meet from a host on that sends them somewhere else.
  ///
  /// - Parameters:
  ///   - placements: Where each of the prover's firewalls stands.
  ///   - interfaces: Which interface hosts are reached through.
  ///   - passed: The firewalls that the packets have passed already.
  ///   - host: The firewall of the host that sends them on; where it guards every address, it
  ///     stands for that host alone.
  /// - Returns: disjoint paths that together hold every packet.
  func onward(
    placements: [FirewallDeclaration.Placement], interfaces: [InterfaceAssignment],
    passed: Set<Int>, from host: Int
  ) -> [FlowPath] {
    var paths = [self]
    for (firewall, placement) in placements.enumerated() {
      guard case .between(let left, let right) = placement, !passed.contains(firewall) else {
        continue
      }
      let hop = Hop(firewall: firewall, kind: .through, interface: nil)
      paths = paths.flatMap { $0.crossing(hop, between: left, and: right) }
    }
    for (firewall, placement) in placements.enumerated() {
      guard case .on(let hosts) = placement else { continue }
      if firewall == host, hosts == .any { continue }
      paths = paths.flatMap { path in
        path.divided(byDestinations: hosts) { inside in
          inside.along(interfaces, \.destinations) { part, interface in
            part.adding(Hop(firewall: firewall, kind: .inbound, interface: interface))
          }
        }
      }
    }
    return paths
  }

  private func adding(_ hop: Hop) -> FlowPath {
    var path = self
    path.hops.append(hop)
    return path
  }

  /// The part that goes from one side of a firewall to the other, through it, and the rest.
  private func crossing(
    _ hop: Hop, between left: AddressSet, and right: AddressSet
  ) -> [FlowPath] {
    divided(bySources: left) { inside in
      inside.divided(byDestinations: right) { [$0.adding(hop)] }
    }.flatMap { part in
      if part.hops.last == hop { return [part] }
      return part.divided(bySources: right) { inside in
        inside.divided(byDestinations: left) { [$0.adding(hop)] }
      }
    }
  }

  private func divided(
    bySources set: AddressSet, _ body: (FlowPath) -> [FlowPath]
  ) -> [FlowPath] {
    divided(\.sources, by: set[family], body)
  }

  private func divided(
    byDestinations set: AddressSet, _ body: (FlowPath) -> [FlowPath]
  ) -> [FlowPath] {
    divided(\.destinations, by: set[family], body)
  }

  /// The part inside `set`, through `body`, and the part outside as it is.
  private func divided(
    _ end: WritableKeyPath<FlowPath, IntervalSet>, by set: IntervalSet,
    _ body: (FlowPath) -> [FlowPath]
  ) -> [FlowPath] {
    let inside = self[keyPath: end].intersection(set)
    if inside.isEmpty { return [self] }
    var part = self
    part[keyPath: end] = inside
    let outside = self[keyPath: end].subtracting(set)
    if outside.isEmpty { return body(part) }
    var rest = self
    rest[keyPath: end] = outside
    return body(part) + [rest]
  }

  /// Divides by the interfaces that hosts at one end are reached through.
  private func along(
    _ interfaces: [InterfaceAssignment], _ end: WritableKeyPath<FlowPath, IntervalSet>,
    _ body: (FlowPath, String?) -> FlowPath
  ) -> [FlowPath] {
    var left: FlowPath? = self
    var paths: [FlowPath] = []
    for assignment in interfaces {
      guard let path = left else { break }
      let inside = path[keyPath: end].intersection(assignment.addresses[family])
      if inside.isEmpty { continue }
      var part = path
      part[keyPath: end] = inside
      paths.append(body(part, assignment.interface))
      let outside = path[keyPath: end].subtracting(inside)
      left = nil
      if !outside.isEmpty {
        var rest = path
        rest[keyPath: end] = outside
        left = rest
      }
    }
    return paths + (left.map { [body($0, nil)] } ?? [])
  }
}
