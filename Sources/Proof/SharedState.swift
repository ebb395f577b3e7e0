internal import Addresses
internal import PacketSets
internal import Rulesets

/// What two rulesets that are held against each other certainly agree on, though no packet carries it.
///
/// Two kinds. What the host answers about a packet (`fib daddr type local`, `meta skuid`) is the same
/// whoever asks. A limit or quota is in the same state on both sides as long as the same packets come
/// to it: then it saw the same history. Which gates are taken for the same one is a guess, made by
/// what stands before them; the comparison holds the packets that reached them against each other
/// and takes back what was guessed wrongly.
struct SharedState: Sendable {
  /// The names of gates that stand on both sides, by the rules they stand in.
  let gates: [RuleLocation: String]
  /// Matches, as nft writes them, that the host answers.
  let answers: Set<String>
  /// The packets that came to each gate, by its name.
  private(set) var arrivals: [String: [PacketState]] = [:]
  /// Gates that a packet came to more than once.
  private(set) var repeated: Set<String> = []

  init(gates: [RuleLocation: String], answers: Set<String>) {
    self.gates = gates
    self.answers = answers
  }

  static let bit = IntervalSet(bitWidth: 1)

  /// The name of the gate of a rule; nil where it has none that the other side has too.
  func gate(at location: RuleLocation, for state: PacketState) -> String? { gates[location] }

  /// Notes that packets come to a gate.
  ///
  /// - Returns: the dimension that says how the gate stands, 1 as usual; nil for packets that were
  ///   there before, which may find it otherwise.
  mutating func reach(
    _ name: String, _ state: PacketState, _ register: inout DimensionRegister
  ) -> Dimension? {
    let dimension = register.field("\(name) not exceeded", domain: Self.bit, kind: .gate)
    guard state.cube[dimension] == nil else {
      repeated.insert(name)
      return nil
    }
    arrivals[name, default: []].append(state)
    return dimension
  }

  /// The dimension that stands for what the host answers about packets as they arrived; nil where
  /// the question is another one each time, or about what was made of the packets.
  func answer(
    to question: String, for state: PacketState, _ register: inout DimensionRegister
  ) -> Dimension? {
    guard answers.contains(question), state.written.isEmpty, state.unknown.isEmpty,
      state.bindings.isEmpty
    else { return nil }
    return register.field(question, domain: Self.bit, kind: .unknown)
  }

  mutating func forgetArrivals() { arrivals = [:] }
}

extension PacketState {
  /// The packets for which a dimension is 1, and those for which it is 0.
  func divided(by dimension: Dimension) -> (one: PacketState?, zero: PacketState?) {
    let set = cube[dimension] ?? SharedState.bit
    func with(_ value: UInt128) -> PacketState? {
      guard set.contains(value) else { return nil }
      var state = self
      state.cube.assign(IntervalSet(value), to: dimension)
      return state
    }
    return (with(1), with(0))
  }
}
