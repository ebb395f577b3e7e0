package import Addresses

/// One interval in each of the five fields that long rule lists are made of.
///
/// This is the form in which lists of many thousand rules are searched: no memory of its own, no
/// indirection. Ports and protocol are held in 16 bits.
package struct Box: Hashable, Sendable {
  package var source: Interval
  package var destination: Interval
  package var protocolLower: UInt16
  package var protocolUpper: UInt16
  package var word0Lower: UInt16
  package var word0Upper: UInt16
  package var word1Lower: UInt16
  package var word1Upper: UInt16

  /// Every packet of a family whose addresses end at `highestAddress`.
  package init(highestAddress: UInt128) {
    source = Interval(0, highestAddress)
    destination = source
    protocolLower = 0
    protocolUpper = 255
    word0Lower = 0
    word0Upper = .max
    word1Lower = 0
    word1Upper = .max
  }

  package func overlaps(_ other: Box) -> Bool {
    word1Lower <= other.word1Upper && other.word1Lower <= word1Upper
      && destination.lower <= other.destination.upper
      && other.destination.lower <= destination.upper && source.lower <= other.source.upper
      && other.source.lower <= source.upper && protocolLower <= other.protocolUpper
      && other.protocolLower <= protocolUpper && word0Lower <= other.word0Upper
      && other.word0Lower <= word0Upper
  }

  /// Narrows one of the five fields; nil where nothing is left.
  package func narrowed(_ dimension: Dimension, to interval: Interval) -> Box? {
    var box = self
    switch dimension {
    case .sourceAddress:
      guard source.overlaps(interval) else { return nil }
      box.source = Interval(max(source.lower, interval.lower), min(source.upper, interval.upper))
    case .destinationAddress:
      guard destination.overlaps(interval) else { return nil }
      box.destination = Interval(
        max(destination.lower, interval.lower), min(destination.upper, interval.upper))
    case .transportProtocol:
      let lower = max(UInt128(protocolLower), interval.lower)
      let upper = min(UInt128(protocolUpper), interval.upper)
      guard lower <= upper else { return nil }
      box.protocolLower = UInt16(lower)
      box.protocolUpper = UInt16(upper)
    case .transportWord0:
      let lower = max(UInt128(word0Lower), interval.lower)
      let upper = min(UInt128(word0Upper), interval.upper)
      guard lower <= upper else { return nil }
      box.word0Lower = UInt16(lower)
      box.word0Upper = UInt16(upper)
    case .transportWord1:
      let lower = max(UInt128(word1Lower), interval.lower)
      let upper = min(UInt128(word1Upper), interval.upper)
      guard lower <= upper else { return nil }
      box.word1Lower = UInt16(lower)
      box.word1Upper = UInt16(upper)
    default:
      preconditionFailure("a box has five fields, and this is none of them")
    }
    return box
  }

  /// The interval of one of the five fields.
  package subscript(dimension: Dimension) -> Interval {
    switch dimension {
    case .sourceAddress: source
    case .destinationAddress: destination
    case .transportProtocol: Interval(UInt128(protocolLower), UInt128(protocolUpper))
    case .transportWord0: Interval(UInt128(word0Lower), UInt128(word0Upper))
    case .transportWord1: Interval(UInt128(word1Lower), UInt128(word1Upper))
    default: preconditionFailure("a box has five fields, and this is none of them")
    }
  }

  /// The dimensions of the five fields.
  package static let dimensions: [Dimension] = [
    .sourceAddress, .destinationAddress, .transportProtocol, .transportWord0, .transportWord1,
  ]
}
