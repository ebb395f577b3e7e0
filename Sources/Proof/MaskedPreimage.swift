package import Addresses

extension IntervalSet {
  /// The numbers x of `width` bits for which `x & mask` lies in this set.
  ///
  /// - Returns: nil if more than `budget` intervals are needed, as for a mask of low bits in a wide
  ///   field.
  package func preimage(underMask mask: UInt128, width: Int, budget: Int = 65_536) -> IntervalSet? {
    var found: [Interval] = []
    guard collect(mask, bit: width - 1, value: 0, masked: 0, budget, &found) else { return nil }
    return IntervalSet(found)
  }

  /// Walks the bits from the highest down; `value` and `masked` are the bits chosen so far.
  private func collect(
    _ mask: UInt128, bit: Int, value: UInt128, masked: UInt128, _ budget: Int,
    _ found: inout [Interval]
  ) -> Bool {
    let below = bit < 0 ? 0 : Proof.mask(bit + 1)
    let reachable = Interval(masked, masked | (mask & below))
    guard overlaps(reachable) else { return true }
    if IntervalSet(reachable).isSubset(of: self) {
      found.append(Interval(value, value | below))
      return found.count <= budget
    }
    // A single masked value is inside or outside, so a bit is left here.
    let one: UInt128 = 1 << UInt128(bit)
    let count = found.count
    guard collect(mask, bit: bit - 1, value: value, masked: masked, budget, &found) else {
      return false
    }
    // What lies under a bit that the mask leaves out is the same twice over: nothing stays nothing.
    if one & mask == 0, found.count == count { return true }
    return collect(
      mask, bit: bit - 1, value: value | one, masked: masked | (one & mask), budget, &found)
  }
}
