internal import Addresses

/// A long list of boxes of which the first that holds a packet decides it.
///
/// Two ideas make a list of 100,000 cost what a question touches. *Slice before you solve*: each
/// box stands in one of three interval trees, by the field it is narrowest in, and only boxes that
/// meet the question are looked at. *Subtract depth first*: what a box does not take goes on, in up
/// to ten pieces, to the next box that meets it.
package struct FirstMatchList: Sendable {
  private var boxes: [Box] = []
  private var labels: [Int32] = []
  private var byDestination = IntervalTree([])
  private var bySource = IntervalTree([])
  private var byWord1 = IntervalTree([])

  /// Makes a list from boxes in rule order; several boxes may carry the label of one rule.
  ///
  /// - Complexity: O(n log n).
  package init(_ items: [(box: Box, label: Int32)]) {
    boxes.reserveCapacity(items.count)
    labels.reserveCapacity(items.count)
    var destinations: [(lower: UInt128, upper: UInt128, identifier: Int32)] = []
    var sources: [(lower: UInt128, upper: UInt128, identifier: Int32)] = []
    var words: [(lower: UInt128, upper: UInt128, identifier: Int32)] = []
    destinations.reserveCapacity(items.count)
    for (index, item) in items.enumerated() {
      let box = item.box
      boxes.append(box)
      labels.append(item.label)
      let source = box.source.span
      let destination = box.destination.span
      let identifier = Int32(index)
      if source == .max || destination == .max, source == destination {
        words.append((UInt128(box.word1Lower), UInt128(box.word1Upper), identifier))
      } else if source == UInt128(UInt32.max), destination == source {
        words.append((UInt128(box.word1Lower), UInt128(box.word1Upper), identifier))
      } else if destination <= source {
        destinations.append((box.destination.lower, box.destination.upper, identifier))
      } else {
        sources.append((box.source.lower, box.source.upper, identifier))
      }
    }
    byDestination = IntervalTree(destinations)
    bySource = IntervalTree(sources)
    byWord1 = IntervalTree(words)
  }

  package var count: Int { boxes.count }

  private func indicesMeeting(_ question: Box) -> [Int32] {
    var found: [Int32] = []
    func take(_ index: Int32) {
      if boxes[Int(index)].overlaps(question) { found.append(index) }
    }
    byDestination.forEachMeeting(
      question.destination.lower, question.destination.upper, take)
    bySource.forEachMeeting(question.source.lower, question.source.upper, take)
    byWord1.forEachMeeting(
      UInt128(question.word1Lower), UInt128(question.word1Upper), take)
    found.sort()
    return found
  }

  /// What to do after a piece.
  package enum Step {
    case goOn
    case stop
  }

  /// Divides `question` into disjoint pieces, each with the label of the box that takes it, or nil
  /// for what no box takes.
  ///
  /// - Parameters:
  ///   - question: The packets that are asked about.
  ///   - budget: How many pieces may be made; lowered by those that were.
  ///   - visit: Called with every piece; `.stop` ends the division.
  /// - Returns: Whether the division was complete or ended by `visit`; false means that the budget
  ///   ran out.
  package func divide(
    _ question: Box, budget: inout Int, _ visit: (Box, Int32?) -> Step
  ) -> Bool {
    let candidates = indicesMeeting(question)
    var pending: [(box: Box, next: Int)] = [(question, 0)]
    while let (piece, start) = pending.popLast() {
      var next = start
      while next < candidates.count, !boxes[Int(candidates[next])].overlaps(piece) { next += 1 }
      guard next < candidates.count else {
        budget -= 1
        if budget < 0 { return false }
        if case .stop = visit(piece, nil) { return true }
        continue
      }
      let index = Int(candidates[next])
      let inside = Self.split(piece, by: boxes[index]) { pending.append(($0, next + 1)) }
      budget -= 1
      if budget < 0 { return false }
      if case .stop = visit(inside, labels[index]) { return true }
    }
    return true
  }

  /// Cuts what lies outside `box` off `piece`, one field after the other, and returns the rest.
  @inline(__always)
  private static func split(_ piece: Box, by box: Box, _ outside: (Box) -> Void) -> Box {
    var rest = piece
    if rest.destination.lower < box.destination.lower {
      var cut = rest
      cut.destination.upper = box.destination.lower - 1
      outside(cut)
      rest.destination.lower = box.destination.lower
    }
    if rest.destination.upper > box.destination.upper {
      var cut = rest
      cut.destination.lower = box.destination.upper + 1
      outside(cut)
      rest.destination.upper = box.destination.upper
    }
    if rest.source.lower < box.source.lower {
      var cut = rest
      cut.source.upper = box.source.lower - 1
      outside(cut)
      rest.source.lower = box.source.lower
    }
    if rest.source.upper > box.source.upper {
      var cut = rest
      cut.source.lower = box.source.upper + 1
      outside(cut)
      rest.source.upper = box.source.upper
    }
    if rest.word1Lower < box.word1Lower {
      var cut = rest
      cut.word1Upper = box.word1Lower - 1
      outside(cut)
      rest.word1Lower = box.word1Lower
    }
    if rest.word1Upper > box.word1Upper {
      var cut = rest
      cut.word1Lower = box.word1Upper + 1
      outside(cut)
      rest.word1Upper = box.word1Upper
    }
    if rest.protocolLower < box.protocolLower {
      var cut = rest
      cut.protocolUpper = box.protocolLower - 1
      outside(cut)
      rest.protocolLower = box.protocolLower
    }
    if rest.protocolUpper > box.protocolUpper {
      var cut = rest
      cut.protocolLower = box.protocolUpper + 1
      outside(cut)
      rest.protocolUpper = box.protocolUpper
    }
    if rest.word0Lower < box.word0Lower {
      var cut = rest
      cut.word0Upper = box.word0Lower - 1
      outside(cut)
      rest.word0Lower = box.word0Lower
    }
    if rest.word0Upper > box.word0Upper {
      var cut = rest
      cut.word0Lower = box.word0Upper + 1
      outside(cut)
      rest.word0Upper = box.word0Upper
    }
    return rest
  }
}
