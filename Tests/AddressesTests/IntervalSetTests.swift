import Addresses
import TestSupport
import Testing

@Suite("An interval set")
struct IntervalSetTests {
  private func set(_ ranges: ClosedRange<UInt128>...) -> IntervalSet {
    IntervalSet(ranges.map { Interval($0.lowerBound, $0.upperBound) })
  }

  @Test func `joins what overlaps or touches`() {
    #expect(set(5...9, 1...4, 20...30, 25...40).intervals == [Interval(1, 9), Interval(20, 40)])
    #expect(set(1...UInt128.max, 0...0).only == Interval(0, .max))
  }

  /// Every operation against the same one on a small bit mask, over seeded random sets.
  @Test func `agrees with bit masks`() {
    var random = SeededGenerator(seed: 7)
    for _ in 0..<5_000 {
      let left = UInt64.random(in: 0..<(1 << 12), using: &random)
      let right = UInt64.random(in: 0..<(1 << 12), using: &random)
      let a = IntervalSet(bits: left)
      let b = IntervalSet(bits: right)
      #expect(a.union(b) == IntervalSet(bits: left | right))
      #expect(a.intersection(b) == IntervalSet(bits: left & right))
      #expect(a.subtracting(b) == IntervalSet(bits: left & ~right))
      #expect(a.overlaps(b) == (left & right != 0))
      #expect(a.isSubset(of: b) == (left & ~right == 0))
      let value = UInt128.random(in: 0..<12, using: &random)
      #expect(a.contains(value) == (left >> UInt64(value) & 1 == 1))
    }
  }

  @Test func `reaches to the ends of 128 bits`() {
    let all = IntervalSet(bitWidth: 128)
    #expect(all.subtracting(IntervalSet(.max)).highest == UInt128.max - 1)
    #expect(all.subtracting(IntervalSet(0)).lowest == 1)
    #expect(all.subtracting(all).isEmpty)
    #expect(all.subtracting(IntervalSet(5)).count == 2)
  }
}

extension IntervalSet {
  fileprivate init(bits: UInt64) {
    self.init((0..<64).filter { bits >> UInt64($0) & 1 == 1 }.map { Interval(UInt128($0)) })
  }
}
