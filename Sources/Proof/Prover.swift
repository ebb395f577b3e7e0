package import Addresses
internal import PacketSets
package import Rulesets
package import Scenarios

/// A firewall as the prover sees it: a ruleset and where it stands.
package struct Firewall: Sendable {
  package var name: String
  package var ruleset: Ruleset
  package var placement: FirewallDeclaration.Placement
  /// Interfaces of the host that its system trusts, so that packets of others are not asked about
  /// there unless a line names them.
  package var trustedInterfaces: [InterfaceName]

  package init(
    name: String, ruleset: Ruleset, placement: FirewallDeclaration.Placement,
    trustedInterfaces: [InterfaceName] = []
  ) {
    self.name = name
    self.ruleset = ruleset
    self.placement = placement
    self.trustedInterfaces = trustedInterfaces
  }
}

/// Proves flows against the firewalls on their way.
///
/// A prover keeps what it made ready of each ruleset, so that the thousandth question costs what it
/// touches.
package struct Prover: Sendable {
  package let firewalls: [Firewall]
  let interfaces: [InterfaceAssignment]
  /// The addresses of each host that the file names.
  let hosts: [AddressSet]
  /// The firewalls, by what each is: those that translate by one ruleset are one machine.
  let machines: [Int]
  /// By firewall, the addresses of hosts that are certainly other machines.
  let foreign: [AddressSet]
  var walks: [RulesetWalk]
  var register = DimensionRegister()
  /// How many cubes the walk that is under way may still make.
  var budget = 0

  package init(
    firewalls: [Firewall], interfaces: [InterfaceAssignment] = [], hosts: [AddressSet] = []
  ) {
    self.firewalls = firewalls
    self.interfaces = interfaces.byName
    self.hosts = hosts
    let walks = firewalls.enumerated().map { RulesetWalk($1.ruleset, firewall: $0) }
    self.walks = walks
    let machines = firewalls.indices.map { index in
      guard walks[index].hasTranslations else { return index }
      let ruleset = firewalls[index].ruleset
      return firewalls[..<index].firstIndex { $0.ruleset == ruleset } ?? index
    }
    self.machines = machines
    foreign = firewalls.indices.map { index in
      // A machine stands nowhere but on the hosts that it is named on.
      let own = firewalls.indices.filter { machines[$0] == machines[index] }
        .compactMap { twin -> AddressSet? in
          if case .on(let set) = firewalls[twin].placement { set } else { nil }
        }
      guard !own.isEmpty else { return .empty }
      return hosts.filter { host in own.allSatisfy { host.intersection($0).isEmpty } }
        .reduce(.empty) { $0.union($1) }
    }
  }

  /// Answers whether every packet of a flow meets the fate that is expected.
  package mutating func prove(_ flow: Flow) -> FlowProof {
    var proof = FlowProof()
    let paths = FlowPath.paths(
      of: flow, placements: firewalls.map(\.placement), interfaces: interfaces)
    let mustWork = flow.expectation == .allow
    for path in paths {
      var path = path
      if mustWork {
        // The kernel itself takes no packet from or to these, whatever the rules say.
        path.sources = path.sources.withoutMartians(path.family)
        path.destinations = path.destinations.withoutMartians(path.family)
      }
      let transports = flow.services.flatMap {
        PhasePackets.opening($0, of: flow, in: path.family, mustWork: mustWork)
      }
      guard !transports.isEmpty else { continue }
      proof.asked += 1
      guard !path.hops.isEmpty else {
        proof.add(
          FlowProof.Finding(
            path: path, phase: .first,
            judgement: .unknown(
              reasons: ["no firewall of the file stands on the way"], nil)), register)
        continue
      }
      for transport in transports {
        prove(flow, path, transport, mustWork: mustWork, &proof)
        if proof.isDecided { return proof }
      }
    }
    return proof
  }

  /// One path and one kind of packet: there, back, and on.
  private mutating func prove(
    _ flow: Flow, _ path: FlowPath, _ transport: PhasePackets.Transport, mustWork: Bool,
    _ proof: inout FlowProof
  ) {
    var question = PhaseQuestion.opening(path, transport, of: flow)
    question.keepsArrivals = mattersLater(question, of: flow)
    var first = follow(question)
    first.keptArrivals = question.keepsArrivals
    let judgement = first.judgement(
      wanting: flow.expectation.accepts, register, in: path.family)
    proof.observe(first)
    proof.assume(first, for: judgement, of: flow.expectation)
    proof.add(
      FlowProof.Finding(path: path, phase: .first, judgement: judgement), register)
    if case .fails(let leaf) = judgement, !restsOnGates(leaf, question, flow) {
      proof.forgetGates()
    }
    guard mustWork, case .holds = judgement, flow.state == .new else { return }
    guard transport.hasAnswer else { return }

    let answers = judge(question.answer, flow, after: first, &proof)
    guard !proof.isDecided, var further = question.further else { return }
    further.keepsArrivals = false
    _ = judge(further, flow, after: answers, &proof)
  }

  /// Whether a counterexample is one only while limits and quotas are as it says.
  private mutating func restsOnGates(
    _ leaf: Leaf, _ question: PhaseQuestion, _ flow: Flow
  ) -> Bool {
    let gates = leaf.state.cube.furtherEntries.contains {
      register[$0.dimension].kind == .gate && $0.set != register[$0.dimension].domain
    }
    guard gates else { return false }
    let witness = Witness(leaf, in: question.path.family)
    var alone = question
    alone.path.sources = IntervalSet(witness.source.rawValue)
    alone.path.destinations = IntervalSet(witness.destination.rawValue)
    alone.transport.protocols = IntervalSet(UInt128(witness.transport.rawValue))
    alone.transport.word0 = IntervalSet(UInt128(witness.word0))
    alone.transport.word1 = IntervalSet(UInt128(witness.word1))
    alone.keepsParts = true
    let fates = follow(alone)
    return fates.overflow != nil || fates.doubtful.contains { flow.expectation.accepts($0.fate) }
  }

  /// Whether later packets of a connection follow what became of the first: where connections are
  /// translated or not tracked.
  func mattersLater(_ question: PhaseQuestion, of flow: Flow) -> Bool {
    flow.expectation == .allow && flow.state == .new && question.transport.hasAnswer
      && question.path.hops.contains { walks[$0.firewall].changesConnections }
  }

  /// Asks about a later packet of connections whose packets so far passed.
  private mutating func judge(
    _ question: PhaseQuestion, _ flow: Flow, after earlier: FateCollector,
    _ proof: inout FlowProof
  ) -> FateCollector {
    var fates =
      earlier.keptArrivals
      ? follow(question, from: followers(of: earlier.arrivals, question)) : follow(question)
    fates.keptArrivals = question.keepsArrivals
    let judgement = fates.judgement(
      wanting: flow.expectation.accepts, register, in: question.path.family)
    proof.assume(fates, for: judgement, of: flow.expectation)
    proof.add(
      FlowProof.Finding(path: question.path, phase: question.phase, judgement: judgement),
      register)
    return fates
  }
}

/// What the prover found out about a flow.
package struct FlowProof: Sendable {
  package enum Status: Hashable, Sendable {
    case holds
    case fails
    case unknown
  }

  /// What was found on one path for one packet of the connection.
  package struct Finding: Sendable {
    package var path: FlowPath
    package var phase: Phase
    package var judgement: Judgement
    /// What the dimensions of the leaf mean, as long as they are remembered.
    package var names: [DescribedDimension] = []
  }

  /// How many paths were asked about.
  package fileprivate(set) var asked = 0
  /// The first path that fails, or else that is not known, or else that holds.
  package private(set) var finding: Finding?
  package private(set) var status: Status = .holds
  package private(set) var reasons: [String] = []
  package private(set) var assumptions: [String] = []
  /// Whether a question fell into more pieces than the budget allows.
  package private(set) var isTooComplex = false
  /// Which fates packets of the first phase certainly meet.
  package private(set) var sawAccepted = false
  package private(set) var sawDropped = false
  package private(set) var sawRejected = false

  /// Whether a counterexample was found; nothing else can change the answer.
  var isDecided: Bool { status == .fails }

  mutating func observe(_ collector: FateCollector) {
    sawAccepted = sawAccepted || collector.accepted != nil
    sawDropped = sawDropped || collector.dropped != nil
    sawRejected = sawRejected || !collector.rejected.isEmpty
  }

  private mutating func observe(_ fate: Leaf.Fate) {
    switch fate {
    case .accepted: sawAccepted = true
    case .dropped: sawDropped = true
    case .rejected: sawRejected = true
    case .unknown: break
    }
  }

  /// Forgets what the counterexample takes limits and quotas to be: it does not matter.
  mutating func forgetGates() { finding?.names.removeAll { $0.kind == .gate } }

  /// Notes what an answer rests on besides the packets.
  mutating func assume(
    _ collector: FateCollector, for judgement: Judgement, of expectation: Flow.Expectation
  ) {
    isTooComplex = isTooComplex || collector.overflow != nil
    let fails = if case .fails = judgement { true } else { false }
    for assumption in collector.assumptions(where: { expectation.accepts($0) == fails })
    where !assumptions.contains(assumption) {
      assumptions.append(assumption)
    }
  }

  mutating func add(_ found: Finding, _ register: DimensionRegister) {
    var finding = found
    switch finding.judgement {
    case .holds(let leaf):
      if let leaf, finding.phase == .first { observe(leaf.fate) }
      finding.names = leaf.map { register.described($0) } ?? []
      self.finding = self.finding ?? finding
    case .fails(let leaf):
      finding.names = register.described(leaf)
      // A leaf that was doubtful on its own is a certain counterexample now.
      if finding.phase == .first { observe(leaf.fate) }
      if status != .fails { self.finding = finding }
      status = .fails
    case .unknown(let because, let leaf):
      finding.names = leaf.map { register.described($0) } ?? []
      if status == .holds {
        status = .unknown
        self.finding = finding
      }
      for reason in because where !reasons.contains(reason) { reasons.append(reason) }
    }
  }
}

extension [InterfaceAssignment] {
  /// The same with one entry per interface name: a flow is divided by interfaces, not by hosts.
  ///
  /// Where several name an address the first one holds.
  fileprivate var byName: [InterfaceAssignment] {
    var joined: [InterfaceAssignment] = []
    var taken = AddressSet.empty
    for assignment in self {
      let addresses = assignment.addresses.subtracting(taken)
      if addresses.isEmpty { continue }
      taken = taken.union(addresses)
      if let index = joined.firstIndex(where: { $0.interface == assignment.interface }) {
        joined[index].addresses = joined[index].addresses.union(addresses)
      } else {
        joined.append(
          InterfaceAssignment(addresses: addresses, interface: assignment.interface))
      }
    }
    return joined
  }
}

extension IntervalSet {
  /// The addresses without those that no packet from or to another host can carry.
  ///
  /// The set is left as it is where nothing else is in it: whoever asks about the loopback means it.
  /// Source: net/ipv4/route.c, `ip_route_input_slow`; net/ipv6/ip6_input.c, `ip6_rcv_core`.
  fileprivate func withoutMartians(_ family: IPFamily) -> IntervalSet {
    let martians: IntervalSet
    switch family {
    case .ipv4:
      martians = IntervalSet([
        Interval(0, 0x00FF_FFFF), Interval(0x7F00_0000, 0x7FFF_FFFF),
        Interval(0xE000_0000, 0xEFFF_FFFF), Interval(0xFFFF_FFFF),
      ])
    case .ipv6:
      martians = IntervalSet([Interval(0, 1), Interval(0xFF << 120, .max)])
    }
    let left = subtracting(martians)
    return left.isEmpty ? self : left
  }
}
