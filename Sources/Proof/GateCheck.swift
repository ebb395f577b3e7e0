internal import Addresses
internal import PacketSets

/// Holds the packets that came to gates on two sides against each other.
struct GateCheck {
  let question: HookQuestion
  let register: DimensionRegister

  /// How many cubes the packets of a gate may fall into.
  private static let budget = 4_096

  /// The gates to which one side brings packets that the other does not, or that cannot be told.
  func differing(_ old: SharedState?, _ new: SharedState?) -> Set<String> {
    guard let old, let new else { return [] }
    var names = old.repeated.union(new.repeated)
    for name in Set(old.arrivals.keys).union(new.arrivals.keys) {
      guard let left = packets(old.arrivals[name]), let right = packets(new.arrivals[name]),
        covers(left, right), covers(right, left)
      else {
        names.insert(name)
        continue
      }
    }
    return names
  }

  /// The packets as they arrived; nil where that rests on something of one side alone.
  private func packets(_ states: [PacketState]?) -> [Cube]? {
    var cubes: [Cube] = []
    for state in states ?? [] {
      let leaf = Leaf(state: state, fate: .accepted, firewall: 0, location: nil)
      let part = TreatedPart(
        leaf, from: question.connectionState, in: question.family, register)
      guard part.isWhole, part.written.isEmpty, part.hidden == nil, !part.isUntracked else {
        return nil
      }
      cubes.append(part.arrival)
    }
    return cubes
  }

  private func covers(_ all: [Cube], _ some: [Cube]) -> Bool {
    let domain = { register.domain(of: $0, in: question.family) }
    return some.allSatisfy {
      $0.subtracting(all, domain: domain, budget: Self.budget)?.isEmpty == true
    }
  }
}
