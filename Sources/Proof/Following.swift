internal import Addresses
internal import PacketSets
internal import Rulesets

/// Later packets of connections whose first packet came to the end of its way.
extension Prover {
  /// The packets that follow others: their answers, or what the opener sends once the answer is there.
  ///
  /// Each is the earlier packet turned round: its ends change places, and hosts on the way remember
  /// what they exchanged.
  mutating func followers(
    of earlier: [Departure], _ question: PhaseQuestion
  ) -> [Departure] {
    var groups: [(hops: [Hop], states: [PacketState])] = []
    for departure in earlier {
      let state = turned(departure.state, question)
      let hops = Array(departure.hops.map(\.reversed).reversed())
      if let index = groups.firstIndex(where: { $0.hops == hops }) {
        groups[index].states.append(state)
      } else {
        groups.append((hops, [state]))
      }
    }
    return groups.flatMap { group in
      var states = group.states
      if let walk = walks.first { walk.merge(&states) }
      return states.map { Departure(state: $0, hops: group.hops) }
    }
  }

  private mutating func turned(_ earlier: PacketState, _ question: PhaseQuestion) -> PacketState {
    var state = earlier
    state.startAnew()
    for entry in earlier.cube.furtherEntries {
      let meaning = register[entry.dimension]
      switch meaning.kind {
      case .kept: continue
      case .packet, .gate, .assumption, .choice: state.cube.release(entry.dimension)
      case .unknown:
        if register.isVariable(entry.dimension) { continue }
        // What was said of the earlier packet is not said of this one.
        state.cube.release(entry.dimension)
        guard entry.set != meaning.domain else { continue }
        state.cube.assign(
          entry.set, to: register.variable(meaning.name, domain: meaning.domain))
      }
    }
    let transport = turned(earlier, question.transport)
    let turns: [Dimension: Dimension] =
      [
        .sourceAddress: .destinationAddress, .destinationAddress: .sourceAddress,
        .transportWord0: .transportWord1, .transportWord1: .transportWord0,
      ]
    state.unknown = earlier.unknown.compactMap { entry in
      if let turned = turns[entry.dimension] {
        return Cube.Entry(dimension: turned, set: entry.set)
      }
      if entry.dimension.rawValue < Dimension.coreCount { return entry }
      return register[entry.dimension].kind == .kept ? entry : nil
    }
    func earlierSet(_ dimension: Dimension) -> IntervalSet {
      earlier.cube[dimension] ?? register.domain(of: dimension, in: question.path.family)
    }
    state.cube.assign(earlierSet(.destinationAddress), to: .sourceAddress)
    state.cube.assign(earlierSet(.sourceAddress), to: .destinationAddress)
    state.cube.assign(transport.word0, to: .transportWord0)
    state.cube.assign(transport.word1, to: .transportWord1)
    state.cube.assign(transport.flags, to: .tcpFlags)
    state.cube.assign(transport.state, to: .connectionState)
    state.cube.assign(
      question.path.destinations.mayBeMulticast(question.path.family)
        ? DimensionRegister.arrivingPacketTypes : IntervalSet(0),
      to: register.packetType)
    return state
  }

  /// The words of a packet that comes the other way.
  private func turned(
    _ earlier: PacketState, _ transport: PhasePackets.Transport
  ) -> PhasePackets.Transport {
    var turned = transport
    let word0 = earlier.cube[.transportWord0] ?? transport.word1
    let word1 = earlier.cube[.transportWord1] ?? transport.word0
    // An ICMP message has no ports that change places.
    if transport.protocols.isSubset(of: PhasePackets.messages) { return turned }
    turned.word0 = word1
    turned.word1 = word0
    return turned
  }
}
