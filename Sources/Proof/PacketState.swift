package import Addresses
package import PacketSets
package import Rulesets

/// A set of packets on its way through the hooks: where it came by and what was done to it.
///
/// The cube holds the *current* values of every field; a field that was written has its original
/// values in ``original``.
package struct PacketState: Sendable {
  package var cube: Cube
  /// Where the values are that written fields had when the packet arrived.
  private(set) var original: [Original] = []
  /// Dimensions whose current value is not known: what rests on them is not known either.
  ///
  /// Each with every value it may have; a set that is smaller was narrowed by what followed.
  package var unknown: [Cube.Entry] = []
  package var path: Path?
  /// What hosts on the way exchange in the connection's packets, by their place on the way.
  var bindings: [Int: Binding] = [:]
  /// What hosts on the way remember, by their place on the way.
  var visits: [Int: Visit] = [:]
  /// Whether the packet was redirected to the host that it stands on.
  var isRedirected = false
  /// Whether addresses were rewritten in the packet alone, so that routing may take another way
  /// and answers are not recognised.
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

  /// Where a field's value at arrival is.
  struct Original: Hashable, Sendable {
    enum Place: Hashable, Sendable {
      case values(IntervalSet)
      /// In a dimension that translation keeps it in, where later rules may narrow it.
      case kept(Dimension)
    }

    let dimension: Dimension
    let place: Place
  }

  /// Remembers where a field's value at arrival is, if it was not written before.
  mutating func remember(_ dimension: Dimension, as place: Original.Place) {
    if original.contains(where: { $0.dimension == dimension }) { return }
    original.append(Original(dimension: dimension, place: place))
  }

  /// The dimensions whose values are not those of the packet that arrived.
  var written: [Dimension] { original.map(\.dimension) }

  /// The values of a dimension when the packet arrived; nil means every value.
  func arrived(_ dimension: Dimension) -> IntervalSet? {
    guard let entry = original.first(where: { $0.dimension == dimension }) else {
      return cube[dimension]
    }
    switch entry.place {
    case .values(let set): return set
    case .kept(let kept): return cube[kept]
    }
  }

  /// The same without what rests on something unknown.
  func knownAtArrival(_ dimension: Dimension) -> IntervalSet? {
    if let entry = original.first(where: { $0.dimension == dimension }),
      case .kept(let kept) = entry.place,
      let unknown = unknown.first(where: { $0.dimension == kept })
    {
      return unknown.set
    }
    return arrived(dimension)
  }

  /// Narrows the packets to some of those that arrived.
  ///
  /// - Parameter arrived: Sets of the fields at arrival, each within this state's own.
  mutating func narrow(toArrived arrived: Cube) {
    func narrow(_ dimension: Dimension, to set: IntervalSet) {
      guard let index = original.firstIndex(where: { $0.dimension == dimension }) else {
        cube.assign(set, to: dimension)
        return
      }
      switch original[index].place {
      case .values: original[index] = Original(dimension: dimension, place: .values(set))
      case .kept(let kept): cube.assign(set, to: kept)
      }
    }
    for index in 0..<Dimension.coreCount where index != Dimension.connectionState.rawValue {
      let dimension = Dimension(rawValue: index)
      // Where the cube says nothing of an unknown value, neither does this.
      if unknown.contains(where: { $0.dimension == dimension }), !written.contains(dimension) {
        continue
      }
      if let set = arrived[dimension] { narrow(dimension, to: set) }
    }
    for entry in arrived.furtherEntries { narrow(entry.dimension, to: entry.set) }
  }

  /// Takes the packet as it is for the one that arrives.
  mutating func startAnew() {
    original = []
    path = nil
  }

  /// Writes a field.
  package mutating func write(_ set: IntervalSet, to dimension: Dimension, domain: IntervalSet) {
    remember(dimension, as: .values(cube[dimension] ?? domain))
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
    guard let source = arrived(.sourceAddress)?.onlyValue else { return false }
    return source == arrived(.destinationAddress)?.onlyValue
  }

  /// Notes that a rule matched.
  package mutating func passed(_ step: PathStep) { path = .step(step, after: path) }
}

extension PacketState {
  /// The same history with another cube.
  func with(_ cube: Cube) -> PacketState {
    var state = self
    state.cube = cube
    return state
  }
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
