package import Addresses

/// A product of sets, one per dimension: packets whose every field lies in that field's set.
///
/// Dimensions that are not core and not constrained take no room: they mean every value.
package struct Cube: Hashable, Sendable {
  private var core: [IntervalSet]
  private var further: [Entry]

  package struct Entry: Hashable, Sendable {
    package let dimension: Dimension
    package var set: IntervalSet

    package init(dimension: Dimension, set: IntervalSet) {
      self.dimension = dimension
      self.set = set
    }
  }

  /// The cube with `core` as the sets of the core dimensions, all others unconstrained.
  ///
  /// - Precondition: there is one set per core dimension, none of them empty.
  package init(core: [IntervalSet]) {
    precondition(core.count == Dimension.coreCount, "one set per core dimension")
    self.core = core
    further = []
  }

  /// The set of a dimension; nil means every value.
  package subscript(dimension: Dimension) -> IntervalSet? {
    if dimension.rawValue < Dimension.coreCount { return core[dimension.rawValue] }
    return further.first { $0.dimension == dimension }?.set
  }

  /// The dimensions beyond the core that are constrained, in the order they were.
  package var furtherEntries: [Entry] { further }

  /// Replaces a dimension's set: the field was written.
  ///
  /// - Precondition: `set` is not empty.
  package mutating func assign(_ set: IntervalSet, to dimension: Dimension) {
    precondition(!set.isEmpty, "an empty set in one dimension is an empty cube")
    if dimension.rawValue < Dimension.coreCount {
      core[dimension.rawValue] = set
    } else if let index = further.firstIndex(where: { $0.dimension == dimension }) {
      further[index].set = set
    } else {
      further.append(Entry(dimension: dimension, set: set))
    }
  }

  /// Lifts the constraint of a dimension beyond the core.
  package mutating func release(_ dimension: Dimension) {
    further.removeAll { $0.dimension == dimension }
  }

  /// Whether the cube and the box have packets in common.
  package func meets(_ box: [Constraint]) -> Bool {
    for constraint in box where !overlaps(constraint.set, in: constraint.dimension) {
      return false
    }
    return true
  }

  private func overlaps(_ set: IntervalSet, in dimension: Dimension) -> Bool {
    let index = dimension.rawValue
    if index < Dimension.coreCount { return core[index].overlaps(set) }
    for entry in further where entry.dimension == dimension { return entry.set.overlaps(set) }
    return !set.isEmpty
  }

  /// The packets inside `box`, and the packets outside it as disjoint cubes.
  ///
  /// - Returns: `inside` is nil where nothing lies inside; then `outside` is the cube itself.
  /// - Complexity: O(k) set operations for a box of k constraints.
  package func split(by box: [Constraint]) -> (inside: Cube?, outside: [Cube]) {
    guard meets(box) else { return (nil, [self]) }
    var inside = self
    var outside: [Cube] = []
    for constraint in box {
      let have = inside[constraint.dimension] ?? constraint.domain
      let common = have.intersection(constraint.set)
      // Two constraints on one dimension may meet the cube one by one but not together.
      guard !common.isEmpty else { return (nil, [self]) }
      if common == have { continue }
      var rest = inside
      rest.assign(have.subtracting(constraint.set), to: constraint.dimension)
      outside.append(rest)
      inside.assign(common, to: constraint.dimension)
    }
    return (inside, outside)
  }

  /// The packets of this cube that are in none of `others`, as disjoint cubes.
  ///
  /// - Parameters:
  ///   - others: What is taken away.
  ///   - domain: Every value of a dimension.
  ///   - budget: How many pieces may stand at one time.
  /// - Returns: nil if more than `budget` pieces were needed on the way.
  package func subtracting(
    _ others: [Cube], domain: (Dimension) -> IntervalSet, budget: Int
  ) -> [Cube]? {
    var left = [self]
    for other in others {
      let box = other.constraints(domain: domain)
      var next: [Cube] = []
      for piece in left { next += piece.split(by: box).outside }
      left = next
      if left.isEmpty { return [] }
      if left.count > budget { return nil }
    }
    return left
  }

  /// The cube as a box.
  package func constraints(domain: (Dimension) -> IntervalSet) -> [Constraint] {
    core.enumerated().map { index, set in
      let dimension = Dimension(rawValue: index)
      return Constraint(dimension, set, domain: domain(dimension))
    } + further.map { Constraint($0.dimension, $0.set, domain: domain($0.dimension)) }
  }

  /// The one dimension in which two cubes differ, with the union of both sets there.
  ///
  /// - Returns: nil where they differ in none or in several, or where one leaves it unconstrained.
  package func union(differingInOneDimensionFrom other: Cube) -> Cube? {
    guard further.count == other.further.count else { return nil }
    var difference: (Dimension, IntervalSet)?
    for index in core.indices where core[index] != other.core[index] {
      guard difference == nil else { return nil }
      difference = (Dimension(rawValue: index), core[index].union(other.core[index]))
    }
    for (mine, theirs) in zip(further, other.further) where mine != theirs {
      guard difference == nil, mine.dimension == theirs.dimension else { return nil }
      difference = (mine.dimension, mine.set.union(theirs.set))
    }
    guard let difference else { return nil }
    var joined = self
    joined.assign(difference.1, to: difference.0)
    return joined
  }
}

/// That a dimension's value lies in a set.
package struct Constraint: Hashable, Sendable {
  package var dimension: Dimension
  package var set: IntervalSet
  /// Every value of the dimension.
  package var domain: IntervalSet

  package init(_ dimension: Dimension, _ set: IntervalSet, domain: IntervalSet) {
    self.dimension = dimension
    self.set = set
    self.domain = domain
  }
}
