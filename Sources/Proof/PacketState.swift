package import Addresses
package import PacketSets
package import Rulesets

/// A set of packets on its way through the hooks: where it came by and what was done to it.
///
/// The cube holds the *current* values of every field; a field that was written has its original
/// values in ``original``.
package struct PacketState: Sendable {
  package var cube: Cube
  /// Values that written fields had when the packet arrived.
  package var original: [Cube.Entry] = []
  /// Dimensions whose current value is not known: what rests on them is not known either.
  ///
  /// Each with every value it may have; a set that is smaller was narrowed by what followed.
  package var unknown: [Cube.Entry] = []
  package var path: Path?
  /// Which ends of the connection were translated, or may have been.
  package var translations: Set<Translation.Kind> = []
  /// Whether the destination was rewritten, so that routing may take another way.
  package var isRerouted = false
  /// Whether a nat chain of the hook has bound the connection, so that no other is asked.
  package var isBoundAtHook = false
  /// Whether related packets begin a connection of their own; nil where that was not asked.
  package var beginsConnection: Bool?
  /// Whether what a route chain changed may lead out of another interface.
  package var mayTakeAnotherRoute = false
  /// Whether the connection is looked up in a zone of its own.
  package var hasOwnZone = false

  package init(cube: Cube) { self.cube = cube }

  /// Writes a field.
  package mutating func write(_ set: IntervalSet, to dimension: Dimension, domain: IntervalSet) {
    if !original.contains(where: { $0.dimension == dimension }) {
      original.append(Cube.Entry(dimension: dimension, set: cube[dimension] ?? domain))
    }
    unknown.removeAll { $0.dimension == dimension }
    cube.assign(set, to: dimension)
  }

  /// Forgets a field: it may have any value now, and which one is not known.
  package mutating func forget(_ dimension: Dimension, domain: IntervalSet) {
    write(domain, to: dimension, domain: domain)
    unknown.append(Cube.Entry(dimension: dimension, set: domain))
  }

  /// Whether both ends were one and the same address when the packets arrived.
  var isOneHostAlone: Bool {
    func arrived(_ dimension: Dimension) -> UInt128? {
      (original.first { $0.dimension == dimension }?.set ?? cube[dimension])?.onlyValue
    }
    guard let source = arrived(.sourceAddress) else { return false }
    return source == arrived(.destinationAddress)
  }

  /// Notes that a rule matched.
  package mutating func passed(_ step: PathStep) { path = .step(step, after: path) }
}

/// The rules that matched on a packet's way, last first.
package indirect enum Path: Sendable {
  case step(PathStep, after: Path?)

  /// The steps, first first.
  package var steps: [PathStep] {
    var steps: [PathStep] = []
    var current: Path? = self
    while case .step(let step, let earlier) = current {
      steps.append(step)
      current = earlier
    }
    return steps.reversed()
  }
}

/// A rule that matched, or a policy that applied, and what followed.
package struct PathStep: Hashable, Sendable {
  package enum Effect: Hashable, Sendable {
    case verdict(Verdict)
    case reject(Rejection)
    case policy(BaseChain.Policy)
    /// The rule matched, did something, and the packet goes on.
    case wentOn
    case translated(Translation.Kind)
    case notKnown
  }

  /// Which of the prover's firewalls.
  package var firewall: Int
  package var hook: Hook
  package var location: RuleLocation
  package var effect: Effect

  package init(firewall: Int, hook: Hook, location: RuleLocation, effect: Effect) {
    self.firewall = firewall
    self.hook = hook
    self.location = location
    self.effect = effect
  }
}

/// Packets whose fate at one firewall is decided.
package struct Leaf: Sendable {
  package enum Fate: Hashable, Sendable {
    case accepted
    case dropped
    case rejected(Rejection)
    /// Not known, for this reason.
    case unknown(String)
  }

  package var state: PacketState
  package var fate: Fate
  /// Which of the prover's firewalls decided.
  package var firewall: Int
  /// What decided; nil where no base chain had anything to say.
  package var location: RuleLocation?

  package init(state: PacketState, fate: Fate, firewall: Int, location: RuleLocation?) {
    self.state = state
    self.firewall = firewall
    self.fate = fate
    self.location = location
  }
}
