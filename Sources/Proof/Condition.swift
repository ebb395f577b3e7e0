internal import Addresses
internal import PacketSets

/// For which packets a match holds.
///
/// It holds where every guard holds and the packet lies in one of the boxes (or, negated, in none).
/// Everywhere else the statement BREAKs: a guard that does not hold is never a negation's success.
struct Condition {
  enum Test {
    case always
    case never
    /// In one of these boxes, which need not be disjoint.
    case anyOf([[Constraint]])
    case noneOf([[Constraint]])
    /// Decided by values that only a cube knows to be few.
    case computed(ComputedTest)
    /// Decided by what the host knows of an address.
    case addressType(AddressTypeTest)
    /// May hold or not, for this reason.
    case unknown(String)
  }

  var guards: [Constraint]
  var test: Test
  /// Choices that are made anew each time the condition is asked.
  var choices: [Dimension] = []
  /// Whether some box asks for a member of the connection's tuples.
  var readsTuples = false

  static let never = Condition(guards: [], test: .never)

  /// The condition that a packet is in one of `boxes`, or, negated, in none.
  ///
  /// Boxes that all constrain one and the same dimension become one.
  init(guards: [Constraint], boxes: [[Constraint]], isNegated: Bool) {
    self.guards = guards
    guard let first = boxes.first?.first, boxes.count <= 64,
      boxes.allSatisfy({ $0.count == 1 && $0[0].dimension == first.dimension })
    else {
      test = isNegated ? .noneOf(boxes) : boxes.isEmpty ? .never : .anyOf(boxes)
      return
    }
    let union = boxes.reduce(IntervalSet.empty) { $0.union($1[0].set) }
    let set =
      isNegated ? first.domain.subtracting(union) : union.intersection(first.domain)
    test =
      set.isEmpty
      ? .never : .anyOf([[Constraint(first.dimension, set, domain: first.domain)]])
  }

  init(guards: [Constraint], test: Test) {
    self.guards = guards
    self.test = test
  }

  /// The condition as one box, where it is one.
  var box: [Constraint]? {
    switch test {
    case .always: guards
    case .anyOf(let boxes) where boxes.count == 1: guards + boxes[0]
    case .anyOf, .noneOf, .never, .computed, .addressType, .unknown: nil
    }
  }

  /// The same condition, with what it reads besides fields of the packet.
  func reading(_ choices: [Dimension], tuples: Bool) -> Condition {
    var condition = self
    condition.choices = choices
    condition.readsTuples = tuples
    return condition
  }

  /// Whether what the condition asks stays the same for packets that were not changed.
  var isPlain: Bool { choices.isEmpty && !readsTuples }

  /// The condition as it is for packets that came this far.
  func resolved(
    for state: PacketState, in register: DimensionRegister, _ context: HookContext, at station: Int
  ) -> Condition {
    if readsTuples {
      let places = TuplePlaces(state, context, at: station)
      var condition = Condition(guards: guards, test: test)
      switch test {
      case .anyOf(let boxes): condition.test = .anyOf(boxes.map(places.resolved))
      case .noneOf(let boxes): condition.test = .noneOf(boxes.map(places.resolved))
      case .computed(let computed):
        condition.test = .computed(computed.at(places.resolved(computed.dimension)))
      case .always, .never, .addressType, .unknown: break
      }
      return condition.resolved(for: state, in: register, context, at: station)
    }
    let cube = state.cube
    guard case .computed(let test) = test else { return self }
    let domain = register.domain(of: test.dimension, in: context.family)
    guard let accepted = (cube[test.dimension] ?? domain).filtered(test.accepts) else {
      return Condition(guards: guards, test: .unknown(test.text))
    }
    if accepted.isEmpty { return Condition(guards: guards, test: .never) }
    return Condition(
      guards: guards, test: .anyOf([[Constraint(test.dimension, accepted, domain: domain)]]))
  }
}

/// A test of some bits of a field, as in `meta mark & 0xf == 0x2`.
///
/// The numbers that pass it can be too many intervals to list; for the few values that packets on
/// their way really have it is decided one by one.
struct ComputedTest {
  let dimension: Dimension
  let shift: Int
  let width: Int
  let mask: UInt128
  let flip: UInt128
  let values: IntervalSet
  let isNegated: Bool
  /// The match as nft writes it.
  let text: String

  /// The same test of another dimension.
  func at(_ dimension: Dimension) -> ComputedTest {
    ComputedTest(
      dimension: dimension, shift: shift, width: width, mask: mask, flip: flip, values: values,
      isNegated: isNegated, text: text)
  }

  func accepts(_ whole: UInt128) -> Bool {
    let bits = whole >> UInt128(shift) & Proof.mask(width)
    return values.contains(bits & mask ^ flip) != isNegated
  }
}

extension IntervalSet {
  /// The members that pass a test; nil where there are too many to ask each.
  func filtered(_ isIncluded: (UInt128) -> Bool, budget: UInt128 = 4_096) -> IntervalSet? {
    var left = budget
    for interval in intervals {
      guard interval.span < left else { return nil }
      left -= interval.span + 1
    }
    return IntervalSet(
      intervals.flatMap { interval in
        (interval.lower...interval.upper).filter(isIncluded).map { Interval($0) }
      })
  }
}

extension Cube {
  /// The packets for which a known condition holds, and the others, as disjoint cubes.
  func divide(by condition: Condition) -> (holds: [Cube], breaks: [Cube]) {
    if let box = condition.box {
      let (inside, outside) = split(by: box)
      return (inside.map { [$0] } ?? [], outside)
    }
    let (readable, unreadable) = split(by: condition.guards)
    guard let readable else { return ([], unreadable) }
    switch condition.test {
    case .never:
      return ([], [self])
    case .always, .unknown, .computed, .addressType:
      return ([readable], unreadable)
    case .anyOf(let boxes):
      let (inside, outside) = readable.divide(byAnyOf: boxes)
      return (inside, unreadable + outside)
    case .noneOf(let boxes):
      let (inside, outside) = readable.divide(byAnyOf: boxes)
      return (outside, unreadable + inside)
    }
  }

  /// The packets in one of `boxes` and those in none, as disjoint cubes.
  func divide(byAnyOf boxes: [[Constraint]]) -> (inside: [Cube], outside: [Cube]) {
    var inside: [Cube] = []
    var left = [self]
    for box in boxes where left.contains(where: { $0.meets(box) }) {
      var next: [Cube] = []
      for cube in left {
        let (common, rest) = cube.split(by: box)
        if let common { inside.append(common) }
        next += rest
      }
      left = next
      if left.isEmpty { break }
    }
    return (inside, left)
  }
}
