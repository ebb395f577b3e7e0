internal import Addresses
internal import PacketSets
internal import Rulesets
internal import Scenarios

/// Where packets go once a host has given them another destination.
extension Prover {
  /// Packets that go one way from here.
  struct Routed {
    var states: [PacketState]
    /// How they pass the host they are on.
    var hop: Hop
    /// All of their way.
    var hops: [Hop]
    /// Packets that the host may not take, which is not known.
    var refused: [PacketState] = []

    init(_ states: [PacketState], _ hop: Hop, _ hops: [Hop]) {
      self.states = states
      self.hop = hop
      self.hops = hops
    }
  }

  /// Divides packets by where their host sends them.
  ///
  /// A packet whose destination was not translated goes on as it would have. Others stay, where the
  /// new destination is one of the host's own addresses, or go to another host: a host's addresses
  /// are those that the file gives it, and the loopback's.
  mutating func routed(
    _ states: [PacketState], _ hop: Hop, _ hops: [Hop], _ index: Int, _ family: IPFamily
  ) -> [Routed] {
    var parts: [Routed] = []
    var refused: [PacketState] = []
    func add(_ states: [PacketState], _ hop: Hop, _ hops: [Hop]) {
      if states.isEmpty { return }
      if let known = parts.firstIndex(where: { $0.hop == hop && $0.hops == hops }) {
        parts[known].states += states
      } else {
        parts.append(Routed(states, hop, hops))
      }
    }
    for state in states {
      let isSentElsewhere =
        state.bindings[hop.station]?.parts(of: .destination).contains { !$0.part.isPort } ?? false
      guard isSentElsewhere else {
        add([state], hop, hops)
        continue
      }
      let own = ownAddresses(state, hop, family, &refused)
      for (state, stays) in own {
        if stays {
          var staying = hop
          switch hop.kind {
          case .through, .inbound: staying.kind = .inbound
          case .outbound, .looped: staying.kind = .looped
          }
          var state = state
          if staying.kind == .looped {
            state.cube.assign(IntervalSet(InterfaceName("lo")?.rawValue ?? 0), to: .outputName)
          }
          add([state], staying, Array(hops[..<index]) + [staying])
        } else {
          for (state, hop, hops) in onward(state, hop, hops, index, family) {
            add([state], hop, hops)
          }
        }
      }
    }
    if !parts.isEmpty { parts[0].refused = refused }
    return parts
  }

  /// What the file tells of the host that a hop is on.
  func surroundings(of hop: Hop) -> Surroundings {
    Surroundings(hosts: hosts, anchor: hop.anchor, foreign: foreign[hop.firewall])
  }

  /// Divides packets by whether their new destination is the host's own address.
  private mutating func ownAddresses(
    _ state: PacketState, _ hop: Hop, _ family: IPFamily, _ refused: inout [PacketState]
  ) -> [(state: PacketState, stays: Bool)] {
    if state.isRedirected { return [(state, true)] }
    let surroundings = surroundings(of: hop)
    let here = surroundings.ownDimension(state, isReply: false, at: hop.station)
    let divided = surroundings.divided(
      state.cube, by: .destinationAddress, here: here, family)
    return divided.map { cube, relation in
      var state = state.with(cube)
      switch relation {
      case .own: return (state, true)
      case .named, .unnamed: return (state, false)
      case .loopback:
        if hop.kind != .outbound {
          // Taken only where the interface's `route_localnet` says so (net/ipv4/route.c,
          // `ip_route_input_slow`).
          let isTaken = register.variable(
            "whether packets to the loopback are taken (route_localnet)",
            domain: IntervalSet(Interval(0, 1)))
          var other = state
          other.cube.assign(IntervalSet(0), to: isTaken)
          refused.append(other)
          state.cube.assign(IntervalSet(1), to: isTaken)
        }
        return (state, true)
      }
    }
  }

  /// The way of packets to another host.
  private mutating func onward(
    _ state: PacketState, _ hop: Hop, _ hops: [Hop], _ index: Int, _ family: IPFamily
  ) -> [(PacketState, Hop, [Hop])] {
    var forwarding = hop
    if hop.kind == .inbound { forwarding.kind = .through }
    let path = FlowPath(
      family: family, sources: state.cube[.sourceAddress] ?? .empty,
      destinations: state.cube[.destinationAddress] ?? .empty, hops: [])
    // A host that translates may be named twice: as itself, and between others.
    let passed = Set(
      firewalls.indices.filter { firewall in
        machines[firewall] == machines[hop.firewall]
          || hops[...index].contains { $0.firewall == firewall && $0.kind == .through }
      })
    let paths = path.onward(
      placements: firewalls.map(\.placement), interfaces: interfaces, passed: passed,
      from: hop.firewall)
    let whole = IntervalSet(bitWidth: family.bitWidth)
    return paths.flatMap { path -> [(PacketState, Hop, [Hop])] in
      let (inside, _) = state.cube.split(by: [
        Constraint(.sourceAddress, path.sources, domain: whole),
        Constraint(.destinationAddress, path.destinations, domain: whole),
      ])
      guard let inside else { return [] }
      var way = Array(hops[..<index]) + [forwarding]
      for hop in path.hops {
        var next = hop
        next.station = way.count
        way.append(next)
      }
      return sent(state.with(inside), hop, family).map { ($0, forwarding, way) }
    }
  }

  /// Gives packets the interface by which their host reaches the new destination.
  ///
  /// That is any ordinary one, unless the file names it: `iface` of a host that no firewall of the
  /// file stands on can only be meant so.
  private func sent(_ state: PacketState, _ hop: Hop, _ family: IPFamily) -> [PacketState] {
    guard hop.kind != .through else { return [state] }
    let whole = IntervalSet(bitWidth: family.bitWidth)
    var guarded = AddressSet.empty
    for firewall in firewalls {
      if case .on(let hosts) = firewall.placement, hosts != .any { guarded = guarded.union(hosts) }
    }
    var sent: [PacketState] = []
    var left = [state.cube]
    for assignment in interfaces {
      guard let name = InterfaceName(assignment.interface) else { continue }
      let addresses = assignment.addresses.subtracting(guarded)[family]
      if addresses.isEmpty { continue }
      var next: [Cube] = []
      for cube in left {
        let (inside, outside) = cube.split(by: [
          Constraint(.destinationAddress, addresses, domain: whole)
        ])
        next += outside
        guard var inside else { continue }
        inside.assign(IntervalSet(name.rawValue), to: .outputName)
        sent.append(state.with(inside))
      }
      left = next
    }
    return sent
      + left.map { cube in
        var cube = cube
        if hop.interface == nil || hop.kind == .inbound {
          cube.assign(ordinaryInterfaces(of: hop.firewall), to: .outputName)
        }
        return state.with(cube)
      }
  }
}
