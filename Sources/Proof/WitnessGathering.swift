internal import Addresses
internal import PacketSets
internal import Rulesets
package import Scenarios

/// Picks packets that stand for an answer.
extension Prover {
  /// Packets of a flow, so that the answer to it can be held against a kernel.
  ///
  /// For a flow that holds there is a packet of each part of the proved set (by firewall and by
  /// packet of the connection), and where these are more than `limit`, those that more rules decide
  /// come first. For one that fails it is the counterexample, at each firewall that it gets to.
  ///
  /// - Parameters:
  ///   - flow: What is asked.
  ///   - limit: The most packets; those of a counterexample do not count.
  /// - Returns: The packets, and why parts of the set have none; empty where the answer is not known.
  package mutating func witnesses(of flow: Flow, limit: Int) -> WitnessSelection {
    guard flow.skip == nil, flow.mode != .live else { return WitnessSelection() }
    let proof = prove(flow)
    switch proof.status {
    case .unknown: return WitnessSelection()
    case .fails: return counterexample(proof, flow)
    case .holds: return parts(of: flow, limit: limit)
    }
  }

  /// A part of a proved set at one firewall, before a packet of it is made.
  private struct Part {
    var leaf: Leaf
    var names: [DescribedDimension]
    /// The hop that it is a part at, by its place on the way.
    var place: Int
    var question: PhaseQuestion
    /// Parts of the same question at the same hop.
    var group: Int
    var isDoubtful: [String]
  }

  private mutating func parts(of flow: Flow, limit: Int) -> WitnessSelection {
    var questions: [PhaseQuestion] = []
    for question in openings(of: flow) {
      questions.append(question)
      questions += later(than: question, of: flow)
    }
    var parts: [Part] = []
    var group = 0
    for question in questions {
      for place in question.path.hops.indices {
        parts += self.parts(of: question, at: place, group: group)
        group += 1
      }
    }
    return choose(among: parts, of: flow, limit: limit)
  }

  /// The questions that a flow is proved by, of the packets that open connections.
  private func openings(of flow: Flow) -> [PhaseQuestion] {
    let mustWork = flow.expectation == .allow
    var questions: [PhaseQuestion] = []
    for path in FlowPath.paths(
      of: flow, placements: firewalls.map(\.placement), interfaces: interfaces)
    where !path.hops.isEmpty {
      for service in flow.services {
        for transport in PhasePackets.opening(
          service, of: flow, in: path.family, mustWork: mustWork)
        {
          questions.append(.opening(path, transport, of: flow))
        }
      }
    }
    return questions
  }

  /// The questions about the packets that follow.
  private mutating func later(than opening: PhaseQuestion, of flow: Flow) -> [PhaseQuestion] {
    guard flow.expectation == .allow, flow.state == .new, opening.transport.hasAnswer else {
      return []
    }
    var opening = opening
    opening.keepsArrivals = mattersLater(opening, of: flow)
    let first = follow(opening)
    opening.keepsArrivals = false
    // Where some connections are tracked and some not, which a packet belongs to is not followed.
    guard !first.isTranslated,
      first.untrackedHops.isDisjoint(with: first.trackedHops)
    else { return [] }
    let last = opening.path.hops.count - 1
    var answer = opening.answer
    answer.untrackedHops = Set(first.untrackedHops.map { last - $0 })
    var further = opening.further
    further?.untrackedHops = first.untrackedHops
    return [answer] + (further.map { [$0] } ?? [])
  }

  /// How many cubes are made before parts that meet one fate are joined.
  private static let partBudget = 20_000

  /// The parts of a question that are decided at one hop, or pass it.
  private mutating func parts(
    of question: PhaseQuestion, at place: Int, group: Int
  ) -> [Part] {
    // What a packet looks like at a hop is only known there: the next host knows nothing of its
    // devices any more.
    var question = question
    question.lastPlace = question.path.hops.count - 1
    question.path.hops = Array(question.path.hops[...place])
    question.keepsParts = true
    question.budget = Self.partBudget
    var collector = follow(question)
    if collector.overflow != nil, collector.doubtful.isEmpty {
      question.keepsParts = false
      question.budget = Self.budget
      collector = follow(question)
    }
    let hop = question.path.hops[place]
    let leaves =
      collector.doubtful + [collector.accepted, collector.dropped].compactMap { $0 }
      + collector.rejected
    return leaves.filter { $0.isDecided(at: hop) }.map { leaf in
      Part(
        leaf: leaf, names: register.described(leaf), place: place, question: question,
        group: group,
        isDoubtful: register.restsOnUnknown(leaf.state) || leaf.fate.isUnknown
          ? register.unknowns(of: leaf) : [])
    }
  }

  /// Takes parts whose deciding rules no other part has, then others, until there are enough.
  private func choose(among parts: [Part], of flow: Flow, limit: Int) -> WitnessSelection {
    var selection = WitnessSelection()
    var seen: Set<DecidingRule> = []
    var groups: Set<Int> = []
    var ranked: [[Part]] = [[], [], []]
    for part in parts {
      var isNew = false
      for step in part.leaf.state.path?.steps ?? [] where step.effect.isDecision {
        let rule = DecidingRule(
          firewall: step.firewall, location: step.location, phase: part.question.phase)
        if seen.insert(rule).inserted { isNew = true }
      }
      let isFirst = groups.insert(part.group).inserted
      ranked[isNew ? 0 : isFirst ? 1 : 2].append(part)
    }
    var taken: Set<WitnessPacket> = []
    for part in ranked.joined() {
      guard selection.packets.count < limit else { break }
      // Whether a packet gets beyond an earlier host is no part of what the line expects.
      if let doubt = part.isDoubtful.first, part.place < part.question.lastPlace {
        selection.omit("rests on \(doubt)")
        continue
      }
      switch packet(of: part, flow) {
      case .packet(let packet):
        if taken.insert(packet).inserted { selection.packets.append(packet) }
      case .impossible(let reason): selection.omit(reason)
      }
    }
    return selection
  }

  private struct DecidingRule: Hashable {
    let firewall: Int
    let location: RuleLocation
    let phase: Phase
  }

  private enum Made {
    case packet(WitnessPacket)
    case impossible(String)
  }

  private func packet(of part: Part, _ flow: Flow) -> Made {
    let path = part.question.path
    let hop = path.hops[part.place]
    let witness = Witness(part.leaf, in: path.family)
    if !part.leaf.state.bindings.isEmpty {
      return .impossible("its addresses are translated on the way")
    }
    // A mark that a program gives its packets is none of the packet's bytes.
    if hop.kind == .outbound, !(part.leaf.state.arrived(.mark)?.contains(0) ?? true) {
      return .impossible("no packet was made with a mark of its sender's")
    }
    let routers = path.hops[..<part.place].count { $0.kind == .through }
    let maker = WitnessBytes(witness, part.names, crossedRouters: routers)
    let bytes: [UInt8]
    let frameSource: MACAddress?
    switch maker.make() {
    case .impossible(let reason): return .impossible(reason)
    case .bytes(let made, let source): (bytes, frameSource) = (made, source)
    }
    var packet = WitnessPacket(
      phase: part.question.phase, firewall: hop.firewall, kind: hop.kind, input: nil, output: nil,
      bytes: bytes, frameSource: hop.kind == .outbound ? nil : frameSource, connection: .none,
      proved: part.isDoubtful.isEmpty ? .fate(part.leaf.fate) : .expected(flow.expectation),
      decidedBy: part.leaf.location)
    if hop.kind != .outbound { packet.input = witness.inputName ?? Self.anyInterface }
    if hop.kind != .inbound { packet.output = witness.outputName ?? Self.anyInterface }
    let isUntracked = part.question.untrackedHops.contains(part.place)
    switch part.question.phase {
    case .first: packet.connection = connection(claimedBy: flow, of: maker)
    case .answer, .further:
      guard !isUntracked else { break }
      guard let opening = maker.opening(isReply: part.question.phase == .answer) else {
        return .impossible("no packet was made that opens its connection")
      }
      packet.connection = .established(opening: opening)
    }
    return .packet(packet)
  }

  private static let anyInterface = InterfaceName("eth0") ?? .none

  /// What a line's own word on the connection's state takes.
  private func connection(
    claimedBy flow: Flow, of maker: WitnessBytes
  ) -> WitnessPacket.Connection {
    switch flow.state {
    case .new: .none
    case .established:
      maker.opening(isReply: false).map { .established(opening: $0) } ?? .claimed("established")
    case .related, .invalid, .untracked: .claimed(flow.state.rawValue)
    }
  }

  /// The packet that shows that a flow fails, at each firewall that it gets to.
  private mutating func counterexample(_ proof: FlowProof, _ flow: Flow) -> WitnessSelection {
    var selection = WitnessSelection()
    guard let finding = proof.finding, case .fails(let leaf) = finding.judgement else {
      return selection
    }
    let hops = finding.path.hops
    guard let place = hops.lastIndex(where: { leaf.isDecided(at: $0) }),
      var question = self.question(of: finding, leaf, flow)
    else { return selection }
    let witness = Witness(leaf, in: finding.path.family)
    let isDefinite = finding.names.allSatisfy { $0.kind != .unknown || !$0.isConstrained }
    // The firewalls before that one: the same packet, as it is there.
    question.path.sources = IntervalSet(witness.source.rawValue)
    question.path.destinations = IntervalSet(witness.destination.rawValue)
    question.transport.protocols = IntervalSet(UInt128(witness.transport.rawValue))
    question.transport.word0 = IntervalSet(UInt128(witness.word0))
    question.transport.word1 = witness.words1
    for earlier in 0..<place {
      let passing = parts(of: question, at: earlier, group: 0)
      guard let part = passing.first(where: { $0.leaf.fate == .accepted && $0.isDoubtful.isEmpty })
      else {
        selection.omit("rests on something unknown at \(firewalls[hops[earlier].firewall].name)")
        continue
      }
      add(part, flow, to: &selection)
    }
    question.path.hops = Array(hops[...place])
    var part = Part(
      leaf: leaf, names: finding.names, place: place, question: question, group: 0,
      isDoubtful: [])
    part.question.path = finding.path
    switch packet(of: part, flow) {
    case .impossible(let reason): selection.omit(reason)
    case .packet(var packet):
      if !isDefinite { packet.proved = .unexpected(flow.expectation) }
      selection.packets.append(packet)
    }
    return selection
  }

  private func add(_ part: Part, _ flow: Flow, to selection: inout WitnessSelection) {
    switch packet(of: part, flow) {
    case .impossible(let reason): selection.omit(reason)
    case .packet(let packet): selection.packets.append(packet)
    }
  }

  /// The question that a finding answers.
  private mutating func question(
    of finding: FlowProof.Finding, _ leaf: Leaf, _ flow: Flow
  ) -> PhaseQuestion? {
    let witness = Witness(leaf, in: finding.path.family)
    func holds(_ question: PhaseQuestion) -> Bool {
      question.phase == finding.phase && question.path.hops == finding.path.hops
        && question.path.family == witness.family
        && question.path.sources.contains(witness.source.rawValue)
        && question.path.destinations.contains(witness.destination.rawValue)
        && question.transport.protocols.contains(UInt128(witness.transport.rawValue))
        && question.transport.word0.contains(UInt128(witness.word0))
        && question.transport.word1.overlaps(witness.words1)
    }
    for opening in openings(of: flow) {
      for question in [opening] + later(than: opening, of: flow) where holds(question) {
        return question
      }
    }
    return nil
  }
}

extension Leaf {
  /// Whether this is what becomes of packets at a hop, whether they end there or pass.
  fileprivate func isDecided(at hop: Hop) -> Bool {
    guard let last = state.path?.steps.last else { return fate == .accepted }
    if fate == .accepted { return true }
    return last.firewall == hop.firewall && hop.kind.passes(last.hook)
  }
}

extension Hop.Kind {
  /// Whether packets on this part of a host meet a hook.
  fileprivate func passes(_ hook: Hook) -> Bool {
    switch (self, hook) {
    case (.outbound, .output), (.outbound, .postrouting), (.outbound, .egress): true
    case (.through, .ingress), (.through, .prerouting), (.through, .forward),
      (.through, .postrouting), (.through, .egress):
      true
    case (.inbound, .ingress), (.inbound, .prerouting), (.inbound, .input): true
    case (.outbound, _), (.through, _), (.inbound, _), (.looped, _): false
    }
  }
}

extension PathStep.Effect {
  /// Whether the step ended a base chain.
  fileprivate var isDecision: Bool {
    switch self {
    case .verdict(.accept), .verdict(.drop), .reject, .policy, .translated: true
    case .verdict(.continue), .verdict(.return), .verdict(.jump), .verdict(.goto), .wentOn,
      .notKnown:
      false
    }
  }
}
