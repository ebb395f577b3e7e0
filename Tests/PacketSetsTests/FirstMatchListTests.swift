import Addresses
import PacketSets
import TestSupport
import Testing

@Suite("A first-match list")
struct FirstMatchListTests {
  /// Lists, questions and points in a small space where overlaps are frequent, decided by the list
  /// and by looking at one rule after the other.
  @Test(arguments: 0..<40)
  func `divides a question as a linear search would decide each packet`(seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    let count = Int.random(in: 0...120, using: &random)
    let boxes = (0..<count).map { _ in Box.random(using: &random) }
    let list = FirstMatchList(boxes.enumerated().map { ($1, Int32($0)) })
    for _ in 0..<20 {
      let question = Box.random(using: &random)
      var pieces: [(box: Box, label: Int32?)] = []
      var budget = 100_000
      let complete = list.divide(question, budget: &budget) { box, label in
        pieces.append((box, label))
        return .goOn
      }
      #expect(complete)
      for _ in 0..<50 {
        let point = Box.point(in: question, using: &random)
        let holding = pieces.filter { $0.box.overlaps(point) }
        #expect(holding.count == 1, "the pieces do not overlap and leave nothing out")
        let expected = boxes.firstIndex { $0.overlaps(point) }
        #expect(holding.first?.label.map(Int.init) == expected)
      }
    }
  }

  @Test func `says when the budget runs out`() {
    let boxes = (0..<100).map { index in
      var box = Box(highestAddress: UInt128(UInt32.max))
      box.source = Interval(UInt128(index * 10))
      return (box: box, label: Int32(index))
    }
    var budget = 10
    let complete = FirstMatchList(boxes).divide(
      Box(highestAddress: UInt128(UInt32.max)), budget: &budget
    ) { _, _ in .goOn }
    #expect(!complete)
  }
}

extension Box {
  /// A box whose bounds are few, so that boxes touch, nest and coincide; some are wide open.
  fileprivate static func random(using random: inout SeededGenerator) -> Box {
    var box = Box(highestAddress: UInt128(UInt32.max))
    func interval(_ highest: UInt128) -> Interval {
      let a = UInt128.random(in: 0...24, using: &random) * highest / 24
      let b = UInt128.random(in: 0...24, using: &random) * highest / 24
      return Interval(min(a, b), max(a, b))
    }
    if Bool.random(using: &random) { box.source = interval(UInt128(UInt32.max)) }
    if Bool.random(using: &random) { box.destination = interval(UInt128(UInt32.max)) }
    for dimension in [Dimension.transportProtocol, .transportWord0, .transportWord1]
    where Bool.random(using: &random) {
      let highest: UInt128 = dimension == .transportProtocol ? 255 : 65_535
      box = box.narrowed(dimension, to: interval(highest)) ?? box
    }
    return box
  }

  /// One packet of a box, at its corners more often than not.
  fileprivate static func point(in box: Box, using random: inout SeededGenerator) -> Box {
    var point = box
    for dimension in Box.dimensions {
      let interval = box[dimension]
      let value: UInt128 =
        switch Int.random(in: 0...3, using: &random) {
        case 0: interval.lower
        case 1: interval.upper
        default: UInt128.random(in: interval.lower...interval.upper, using: &random)
        }
      point = point.narrowed(dimension, to: Interval(value)) ?? point
    }
    return point
  }
}
