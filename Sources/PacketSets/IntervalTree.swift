/// Finds which of many intervals meet a given one.
///
/// The intervals stand in one array, sorted by lower bound, with a pyramid of the highest upper
/// bound of every 16, 256, … of them above it: a search skips whole blocks that end too early.
struct IntervalTree: Sendable {
  private var lowers: [UInt128]
  private var uppers: [UInt128]
  private var identifiers: [Int32]
  /// `pyramid[0]` has one entry per 16 intervals, each further level one per 16 of the one below.
  private var pyramid: [[UInt128]]

  private static let fanOutBits = 4

  /// - Complexity: O(n log n).
  init(_ items: [(lower: UInt128, upper: UInt128, identifier: Int32)]) {
    let sorted = items.sorted { $0.lower < $1.lower }
    lowers = sorted.map(\.lower)
    uppers = sorted.map(\.upper)
    identifiers = sorted.map(\.identifier)
    pyramid = []
    var below = uppers
    while below.count > 1 << Self.fanOutBits {
      var level: [UInt128] = []
      level.reserveCapacity(below.count >> Self.fanOutBits + 1)
      var start = 0
      while start < below.count {
        let end = min(start + 1 << Self.fanOutBits, below.count)
        var highest = below[start]
        for index in start..<end where below[index] > highest { highest = below[index] }
        level.append(highest)
        start = end
      }
      pyramid.append(level)
      below = level
    }
  }

  /// Calls `visit` with the identifier of every interval that meets `lower...upper`.
  ///
  /// - Complexity: O(log n + hits).
  @inline(__always)
  func forEachMeeting(_ lower: UInt128, _ upper: UInt128, _ visit: (Int32) -> Void) {
    // Intervals that begin after `upper` cannot meet.
    var low = 0
    var high = lowers.count
    while low < high {
      let middle = (low + high) / 2
      if lowers[middle] <= upper { low = middle + 1 } else { high = middle }
    }
    let end = low
    var index = 0
    let bits = Self.fanOutBits
    while index < end {
      // The largest aligned block that ends before `lower` is skipped at once.
      var level = 0
      var skipped = false
      while level < pyramid.count, index & (1 << (bits * (level + 1)) - 1) == 0,
        pyramid[level][index >> (bits * (level + 1))] < lower
      {
        level += 1
        skipped = true
      }
      if skipped {
        index += 1 << (bits * level)
        continue
      }
      let blockEnd = min(end, (index >> bits + 1) << bits)
      if !pyramid.isEmpty, pyramid[0][index >> bits] < lower {
        index = blockEnd
        continue
      }
      while index < blockEnd {
        if uppers[index] >= lower { visit(identifiers[index]) }
        index += 1
      }
    }
  }
}
