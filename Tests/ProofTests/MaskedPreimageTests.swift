import Addresses
import Proof
import Testing

@Suite("Numbers under a mask")
struct MaskedPreimageTests {
  @Test("the preimage is what brute force finds, for eight bits")
  func preimages() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<2_000 {
      let mask = UInt128.random(in: 0...255, using: &generator)
      let flip = UInt128.random(in: 0...255, using: &generator)
      let bounds = (0..<4).map { _ in UInt128.random(in: 0...255, using: &generator) }.sorted()
      let values = IntervalSet([Interval(bounds[0], bounds[1]), Interval(bounds[2], bounds[3])])
      func brute(_ flip: UInt128) -> IntervalSet {
        IntervalSet(
          (UInt128(0)...255).filter { values.contains($0 & mask ^ flip) }.map { Interval($0) })
      }
      #expect(values.preimage(underMask: mask, width: 8) == brute(0), "\(values) & \(mask)")
      #expect(
        values.masked(by: mask, flip: flip, width: 8) == brute(flip),
        "\(values) & \(mask) ^ \(flip)")
    }
  }

  @Test("a value that no number has under the mask is found impossible at once")
  func impossible() {
    #expect(IntervalSet(1).preimage(underMask: 2, width: 32) == .empty)
    #expect(IntervalSet(1).preimage(underMask: 1 << 100 | 2, width: 128) == .empty)
    #expect(IntervalSet(Interval(5, 7)).preimage(underMask: 0xF0F0, width: 128) == .empty)
  }

  @Test("low bits of a wide field are too many intervals to list")
  func tooMany() {
    #expect(IntervalSet(1).preimage(underMask: 1, width: 128) == nil)
  }
}
