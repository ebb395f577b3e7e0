/// A set of numbers, kept as the fewest intervals that hold them, in rising order.
///
/// Equal sets have equal values. Most sets of a firewall are one interval (a prefix, a port, any),
/// so that case needs no memory of its own.
package struct IntervalSet: Hashable, Sendable {
  /// The first interval, or nil where the set is empty.
  private var first: Interval?
  /// The intervals after the first, rising, neither overlapping nor touching.
  private var rest: [Interval]

  package static let empty = IntervalSet(first: nil, rest: [])

  private init(first: Interval?, rest: [Interval]) {
    self.first = first
    self.rest = rest
  }

  package init(_ interval: Interval) { self.init(first: interval, rest: []) }

  package init(_ value: UInt128) { self.init(first: Interval(value), rest: []) }

  /// Every number of `width` bits.
  package init(bitWidth width: Int) {
    self.init(Interval(0, width >= 128 ? .max : (1 << UInt128(width)) - 1))
  }

  /// The union of `intervals`, in whatever order they come.
  package init(_ intervals: some Sequence<Interval>) {
    let sorted = intervals.sorted { $0.lower < $1.lower }
    self.init(risingAndOverlapping: sorted)
  }

  /// Joins intervals whose lower bounds rise.
  private init(risingAndOverlapping sorted: [Interval]) {
    guard var current = sorted.first else {
      self = .empty
      return
    }
    var joined: [Interval] = []
    for next in sorted.dropFirst() {
      if current.upper == .max || next.lower <= current.upper + 1 {
        current.upper = max(current.upper, next.upper)
      } else {
        joined.append(current)
        current = next
      }
    }
    joined.append(current)
    self.init(rising: joined)
  }

  /// Takes intervals that already rise and neither overlap nor touch.
  private init(rising intervals: [Interval]) {
    first = intervals.first
    rest = intervals.count > 1 ? Array(intervals.dropFirst()) : []
  }

  package var isEmpty: Bool { first == nil }

  /// The number of intervals.
  package var count: Int { first == nil ? 0 : 1 + rest.count }

  /// The intervals, in rising order.
  package var intervals: [Interval] { first.map { [$0] + rest } ?? [] }

  /// The interval, where the set is one.
  package var only: Interval? { rest.isEmpty ? first : nil }

  /// The number, where the set holds one.
  package var onlyValue: UInt128? {
    guard let only, only.lower == only.upper else { return nil }
    return only.lower
  }

  package var lowest: UInt128? { first?.lower }

  package var highest: UInt128? { (rest.last ?? first)?.upper }

  /// The smallest interval that holds the whole set.
  package var hull: Interval? {
    guard let first else { return nil }
    return Interval(first.lower, (rest.last ?? first).upper)
  }

  /// - Complexity: O(log n) in the number of intervals.
  package func contains(_ value: UInt128) -> Bool {
    guard let first, value >= first.lower else { return false }
    if value <= first.upper { return true }
    var low = 0
    var high = rest.count
    while low < high {
      let middle = (low + high) / 2
      if rest[middle].upper < value { low = middle + 1 } else { high = middle }
    }
    return low < rest.count && rest[low].lower <= value
  }

  package func overlaps(_ interval: Interval) -> Bool {
    guard let first else { return false }
    if first.overlaps(interval) { return true }
    if rest.isEmpty || interval.upper < first.lower { return false }
    var low = 0
    var high = rest.count
    while low < high {
      let middle = (low + high) / 2
      if rest[middle].upper < interval.lower { low = middle + 1 } else { high = middle }
    }
    return low < rest.count && rest[low].lower <= interval.upper
  }

  package func overlaps(_ other: IntervalSet) -> Bool {
    if let only = other.only { return overlaps(only) }
    if let only { return other.overlaps(only) }
    return !intersection(other).isEmpty
  }

  package func isSubset(of other: IntervalSet) -> Bool { subtracting(other).isEmpty }

  package func union(_ other: IntervalSet) -> IntervalSet {
    guard let first, let otherFirst = other.first else { return isEmpty ? other : self }
    if rest.isEmpty, other.rest.isEmpty {
      let (low, high) = first.lower <= otherFirst.lower ? (first, otherFirst) : (otherFirst, first)
      if low.upper == .max || high.lower <= low.upper + 1 {
        return IntervalSet(Interval(low.lower, max(low.upper, high.upper)))
      }
      return IntervalSet(first: low, rest: [high])
    }
    return IntervalSet(intervals + other.intervals)
  }

  package func intersection(_ other: IntervalSet) -> IntervalSet {
    guard let first, let otherFirst = other.first else { return .empty }
    if rest.isEmpty, other.rest.isEmpty {
      let lower = max(first.lower, otherFirst.lower)
      let upper = min(first.upper, otherFirst.upper)
      return lower <= upper ? IntervalSet(Interval(lower, upper)) : .empty
    }
    let left = intervals
    let right = other.intervals
    var result: [Interval] = []
    var i = 0
    var j = 0
    while i < left.count, j < right.count {
      let lower = max(left[i].lower, right[j].lower)
      let upper = min(left[i].upper, right[j].upper)
      if lower <= upper { result.append(Interval(lower, upper)) }
      if left[i].upper < right[j].upper { i += 1 } else { j += 1 }
    }
    return IntervalSet(rising: result)
  }

  package func subtracting(_ other: IntervalSet) -> IntervalSet {
    guard let first, let otherHull = other.hull else { return self }
    if let hull, !hull.overlaps(otherHull) { return self }
    if rest.isEmpty, other.rest.isEmpty {
      let below = first.lower < otherHull.lower ? Interval(first.lower, otherHull.lower - 1) : nil
      let above = first.upper > otherHull.upper ? Interval(otherHull.upper + 1, first.upper) : nil
      switch (below, above) {
      case (let below?, let above?): return IntervalSet(first: below, rest: [above])
      case (let one?, nil), (nil, let one?): return IntervalSet(one)
      case (nil, nil): return .empty
      }
    }
    var result: [Interval] = []
    let holes = other.intervals
    var hole = 0
    for interval in intervals {
      var lower = interval.lower
      var isLeft = true
      while hole < holes.count, holes[hole].upper < lower { hole += 1 }
      var next = hole
      while next < holes.count, holes[next].lower <= interval.upper {
        if holes[next].lower > lower {
          result.append(Interval(lower, holes[next].lower - 1))
        }
        if holes[next].upper >= interval.upper {
          isLeft = false
          break
        }
        lower = holes[next].upper + 1
        next += 1
      }
      if isLeft { result.append(Interval(lower, interval.upper)) }
    }
    return IntervalSet(rising: result)
  }
}
