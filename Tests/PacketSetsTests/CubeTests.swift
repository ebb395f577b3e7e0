import Addresses
import PacketSets
import Testing

@Suite("Cubes")
struct CubeTests {
  static let axes: [Dimension] = [
    .sourceAddress, .transportWord1, Dimension(rawValue: Dimension.coreCount),
  ]
  static let domain = IntervalSet(bitWidth: 3)

  /// A set of numbers below 8 from the bits of a mask.
  static func set(_ mask: Int) -> IntervalSet {
    IntervalSet((0..<8).filter { mask >> $0 & 1 == 1 }.map { Interval(UInt128($0)) })
  }

  static func cube(_ masks: [Int]) -> Cube {
    var cube = Cube(core: Array(repeating: domain, count: Dimension.coreCount))
    for (axis, mask) in zip(axes, masks) where mask != 255 { cube.assign(set(mask), to: axis) }
    return cube
  }

  /// The points of a cube, as one bit each of 8 x 8 x 8.
  static func points(_ cube: Cube) -> Set<Int> {
    var points: Set<Int> = []
    for point in 0..<512 {
      let isInside = axes.enumerated().allSatisfy { index, axis in
        cube[axis]?.contains(UInt128(point >> (3 * index) & 7)) ?? true
      }
      if isInside { points.insert(point) }
    }
    return points
  }

  static func masks(_ generator: inout SystemRandomNumberGenerator) -> [Int] {
    axes.map { _ in
      Bool.random(using: &generator) ? 255 : Int.random(in: 1...255, using: &generator)
    }
  }

  @Test("splitting divides the points into those of the box and the others, each once")
  func splits() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<300 {
      let (mine, theirs) = (Self.masks(&generator), Self.masks(&generator))
      let cube = Self.cube(mine)
      let box = zip(Self.axes, theirs).map { axis, mask in
        Constraint(axis, Self.set(mask), domain: Self.domain)
      }
      let (inside, outside) = cube.split(by: box)
      let expected = Self.points(cube).intersection(Self.points(Self.cube(theirs)))
      #expect((inside.map(Self.points) ?? []) == expected, "\(mine) by \(theirs)")
      var rest = Self.points(cube).subtracting(expected)
      for piece in outside {
        let points = Self.points(piece)
        #expect(points.isSubset(of: rest), "\(mine) by \(theirs)")
        rest.subtract(points)
      }
      #expect(rest.isEmpty, "\(mine) by \(theirs)")
    }
  }

  @Test("subtracting several cubes leaves the points that are in none of them, each once")
  func subtracts() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<150 {
      let mine = Self.masks(&generator)
      let others = (0..<3).map { _ in Self.masks(&generator) }
      let left = try #require(
        Self.cube(mine).subtracting(
          others.map(Self.cube), domain: { _ in Self.domain }, budget: 1_000))
      var expected = Self.points(Self.cube(mine))
      for other in others { expected.subtract(Self.points(Self.cube(other))) }
      #expect(left.reduce(0) { $0 + Self.points($1).count } == expected.count)
      #expect(Set(left.flatMap(Self.points)) == expected, "\(mine) without \(others)")
    }
  }

  @Test("two cubes that differ in one dimension join to the points of both")
  func joins() {
    var generator = SystemRandomNumberGenerator()
    var joined = 0
    for _ in 0..<300 {
      let mine = Self.masks(&generator)
      var theirs = mine
      theirs[Int.random(in: 0..<3, using: &generator)] = Int.random(in: 1...255, using: &generator)
      guard let union = Self.cube(mine).union(differingInOneDimensionFrom: Self.cube(theirs))
      else { continue }
      joined += 1
      let both = Self.points(Self.cube(mine)).union(Self.points(Self.cube(theirs)))
      #expect(Self.points(union) == both, "\(mine) and \(theirs)")
    }
    #expect(joined > 50)
  }
}
