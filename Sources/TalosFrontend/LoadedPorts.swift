internal import Addresses

/// The ports that the kernel finds in the set that Talos loads for a list of ranges.
///
/// A range is loaded as the port it begins with and the port after its last. Where two ranges touch
/// and are not joined, one port begins a range and ends another, and a lookup of that port ends at
/// whichever of the two the kernel's tree has nearer to its root
/// (net/netfilter/nft_set_rbtree.c, `__nft_rbtree_lookup`).
struct LoadedPorts {
  /// The ports that are found.
  let certain: [Interval]
  /// The ports that are found or not, depending on the shape of the tree.
  let doubtful: [Interval]

  init(_ ranges: [PortRange], areJoined: Bool) {
    // A range that ends before it begins is told of where it is tested.
    let ranges = ranges.filter { $0.lower <= $0.upper }
    let all = IntervalSet(ranges.map { Interval(UInt128($0.lower), UInt128($0.upper)) })
    let borders = areJoined ? IntervalSet.empty : Self.borders(of: ranges)
    guard !borders.isEmpty else {
      (certain, doubtful) = (all.intervals, [])
      return
    }
    // Two ranges make a tree whose root is the first border in the order of the list: a rising pair
    // hides the port that the second begins with (siderolabs/talos#9009), a falling pair shows it.
    if ranges.count == 2 {
      let isRising = ranges[0].lower < ranges[1].lower
      certain = (isRising ? all.subtracting(borders) : all).intervals
      doubtful = []
    } else {
      certain = all.subtracting(borders).intervals
      doubtful = borders.intervals
    }
  }

  /// The ports that begin a range right after another's end.
  private static func borders(of ranges: [PortRange]) -> IntervalSet {
    let ends = Set(ranges.map { UInt32($0.upper) + 1 })
    return IntervalSet(
      ranges.filter { ends.contains(UInt32($0.lower)) }.map { Interval(UInt128($0.lower)) })
  }
}
