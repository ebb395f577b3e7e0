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
    /// May hold or not, for this reason.
    case unknown(String)
  }

  var guards: [Constraint]
  var test: Test

  static let never = Condition(guards: [], test: .never)

  /// The condition as one box, where it is one.
  var box: [Constraint]? {
    switch test {
    case .always: guards
    case .anyOf(let boxes) where boxes.count == 1: guards + boxes[0]
    case .anyOf, .noneOf, .never, .unknown: nil
    }
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
    case .always, .unknown:
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
