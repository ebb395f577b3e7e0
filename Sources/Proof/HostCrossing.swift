internal import Addresses
internal import PacketSets
internal import Rulesets

/// What packets bring to a host and leave behind there.
extension Prover {
  /// Makes packets arrive at a host: what one host knows of them the next does not.
  mutating func enter(
    _ hop: Hop, _ states: inout [PacketState], _ question: PhaseQuestion
  ) {
    let named = hop.interface.flatMap { InterfaceName($0) }.map { IntervalSet($0.rawValue) }
    let ordinary = ordinaryInterfaces(of: hop.firewall)
    let interface = named ?? ordinary
    let none = IntervalSet(InterfaceName.none.rawValue)
    let sendersMark =
      hop.kind == .outbound && question.coversUnusualPackets
      ? IntervalSet(bitWidth: 32) : IntervalSet(0)
    let loopback = IntervalSet(InterfaceName("lo")?.rawValue ?? 0)
    for index in states.indices {
      leaveBehind(&states[index])
      states[index].cube.assign(sendersMark, to: .mark)
      states[index].isRedirected = false
      states[index].mayTakeAnotherRoute = false
      states[index].hasOwnZone = false
      walks[hop.firewall].station = hop.station
      walks[hop.firewall].note(status: &states[index], isKnown: true, &register)
      if let visit = states[index].visits[hop.station] {
        revisit(hop, visit, &states[index], question)
        continue
      }
      switch hop.kind {
      case .looped:
        states[index].cube.assign(none, to: .inputName)
        states[index].cube.assign(loopback, to: .outputName)
      case .outbound:
        states[index].cube.assign(none, to: .inputName)
        states[index].cube.assign(interface, to: .outputName)
      case .through:
        states[index].cube.assign(interface, to: .inputName)
        states[index].cube.assign(ordinary, to: .outputName)
      case .inbound:
        states[index].cube.assign(interface, to: .inputName)
        states[index].cube.assign(none, to: .outputName)
      }
      // A new entry has no mark; one that is there may have any.
      let connectionMark = register.connectionMark
      if question.transport.state == IntervalSet(ConnectionBits.new) {
        states[index].cube.assign(IntervalSet(0), to: connectionMark)
      } else {
        states[index].forget(connectionMark, domain: IntervalSet(bitWidth: 32))
      }
    }
  }

  /// Makes packets arrive at a host that knows their connection.
  private mutating func revisit(
    _ hop: Hop, _ visit: Visit, _ state: inout PacketState, _ question: PhaseQuestion
  ) {
    let isReply = question.phase == .answer
    let all = IntervalSet(bitWidth: 128)
    state.cube.assign(isReply ? visit.outputName : visit.inputName, to: .inputName)
    state.cube.assign(isReply ? visit.inputName : visit.outputName, to: .outputName)
    if visit.hasUnknownOutput {
      state.unknown.append(
        Cube.Entry(dimension: isReply ? .inputName : .outputName, set: all))
    }
    if let mark = visit.connectionMark {
      state.unknown.removeAll { $0.dimension == register.connectionMark }
      state.cube.assign(mark, to: register.connectionMark)
    } else {
      state.forget(register.connectionMark, domain: IntervalSet(bitWidth: 32))
    }
  }

  /// Notes what a host remembers of packets that leave it.
  mutating func leave(
    _ hop: Hop, _ state: inout PacketState, _ question: PhaseQuestion
  ) {
    let isReply = question.phase == .answer
    let none = IntervalSet(InterfaceName.none.rawValue)
    func isUnknown(_ dimension: Dimension) -> Bool {
      state.unknown.contains { $0.dimension == dimension }
    }
    let came = state.cube[isReply ? .outputName : .inputName] ?? none
    let went = state.cube[isReply ? .inputName : .outputName] ?? none
    let mark = register.connectionMark
    state.visits[hop.station] = Visit(
      inputName: hop.kind == .looped ? none : came,
      outputName: hop.kind == .looped ? IntervalSet(InterfaceName("lo")?.rawValue ?? 0) : went,
      hasUnknownOutput: isUnknown(isReply ? .inputName : .outputName),
      connectionMark: isUnknown(mark) ? nil : state.cube[mark],
      isUntracked: state.cube[.connectionState] == IntervalSet(ConnectionBits.untracked)
        || state.visits[hop.station]?.isUntracked == true)
  }

  /// Notes what the way of the first packet means for the answer.
  func note(_ state: PacketState, at index: Int, _ collector: inout FateCollector) {
    let untracked = IntervalSet(ConnectionBits.untracked)
    if let states = state.cube[.connectionState] {
      if states.overlaps(untracked) { collector.untrackedHops.insert(index) }
      if states != untracked { collector.trackedHops.insert(index) }
    }
    if !state.bindings.isEmpty { collector.isTranslated = true }
  }

  /// What came out by the loopback comes back in.
  func returnByLoopback(_ states: inout [PacketState]) {
    for index in states.indices {
      states[index].cube.assign(
        IntervalSet(InterfaceName("lo")?.rawValue ?? 0), to: .inputName)
      states[index].cube.assign(IntervalSet(InterfaceName.none.rawValue), to: .outputName)
    }
  }

  /// Forgets what the last host's frame, devices and connection table held.
  ///
  /// A leaf that rests on something unknown there goes on resting on it, under a name of its own.
  private mutating func leaveBehind(_ state: inout PacketState) {
    let status = register.connectionStatus
    let mark = register.connectionMark
    let own: [Dimension] = [.mark, .inputName, .outputName, status, mark]
    for entry in state.unknown where own.contains(entry.dimension) {
      guard let set = state.cube[entry.dimension], set != entry.set else { continue }
      let kept = register.variable(register.name(of: entry.dimension), domain: entry.set)
      state.cube.assign(set, to: kept)
    }
    state.unknown.removeAll { own.contains($0.dimension) }
    for name in Self.hostFields {
      guard let dimension = register.knownField(name), let set = state.cube[dimension] else {
        continue
      }
      let meaning = register[dimension]
      state.cube.release(dimension)
      guard meaning.kind == .unknown, set != meaning.domain else { continue }
      let kept = register.variable(name, domain: meaning.domain)
      state.cube.assign(set, to: kept)
    }
  }

  /// The fields that a packet does not carry from host to host.
  private static let hostFields = [
    "ether saddr", "ether daddr", "frame is tagged", "meta iif", "meta oif", "meta iiftype",
    "meta oiftype",
  ]

  /// The interfaces that packets of others use on a firewall's host: every one but the loopback and
  /// those that the system itself trusts.
  func ordinaryInterfaces(of firewall: Int) -> IntervalSet {
    let trusted = firewalls[firewall].trustedInterfaces.map { IntervalSet($0.rawValue) }
    return trusted.reduce(Self.interfacesOfOthers) { $0.subtracting($1) }
  }

  /// Every interface but the loopback and none at all.
  private static let interfacesOfOthers: IntervalSet = {
    let loopback = InterfaceName("lo").map { IntervalSet($0.rawValue) } ?? .empty
    return IntervalSet(bitWidth: 128)
      .subtracting(IntervalSet(InterfaceName.none.rawValue)).subtracting(loopback)
  }()

  /// Frames that cross a bridge meet its family's chains too, and whether they do is not in the
  /// ruleset.
  mutating func doubtBridges(
    _ hop: Hop, _ states: inout [PacketState], _ collector: inout FateCollector
  ) {
    guard walks[hop.firewall].mayFilterBridgedFrames else { return }
    let isFiltered = register.variable(
      "whether frames pass a bridge and its chains", valueCount: 2, kind: .unknown)
    for index in states.indices {
      var lost = states[index]
      lost.cube.assign(IntervalSet(1), to: isFiltered)
      walks[hop.firewall].finish(lost, .dropped, nil, &collector, register)
      states[index].cube.assign(IntervalSet(0), to: isFiltered)
    }
  }
}
