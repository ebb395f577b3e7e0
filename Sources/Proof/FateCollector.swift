internal import Rulesets
internal import Addresses
internal import PacketSets

/// Gathers what becomes of the packets of a question, keeping only what the answer needs.
///
/// Leaves that rest on nothing unknown are definite, and one of each fate is enough. The others are
/// kept all, because whether they amount to a counterexample shows only when they are together.
package struct FateCollector: Sendable {
  package private(set) var accepted: Leaf?
  package private(set) var dropped: Leaf?
  package private(set) var rejected: [Leaf] = []
  package private(set) var doubtful: [Leaf] = []
  /// Gates that were taken as not exceeded, in the order they were met.
  package private(set) var assumptions: [String] = []
  /// The hops, by their place on the way, that let packets pass untracked.
  var untrackedHops: Set<Int> = []
  /// The hops that let packets pass tracked.
  var trackedHops: Set<Int> = []
  /// Whether some connections that passed are translated.
  var isTranslated = false
  /// The packets that came to the end of their way, where later ones of their connections are asked
  /// about.
  var arrivals: [Prover.Departure] = []
  /// Whether the packets that came to the end of their way were kept.
  var keptArrivals = false
  /// Whether every leaf is kept, definite or not.
  package var keepsAll = false
  /// Whether packets from a host to itself count too.
  package var countsOneHostAlone = false
  /// Why the question was not followed to its end; nil where it was.
  package var overflow: String?

  package init() {}

  /// Whether further leaves cannot change the answer: some packets pass and some do not.
  package var isSettled: Bool { accepted != nil && (dropped != nil || !rejected.isEmpty) }

  /// Notes that a gate was taken as not exceeded.
  package mutating func assume(_ assumption: String) {
    if !assumptions.contains(assumption) { assumptions.append(assumption) }
  }

  /// Takes a leaf.
  ///
  /// A host is never asked about itself, so a leaf whose packets arrived with one address on both
  /// ends is left out.
  package mutating func take(_ leaf: Leaf, isDefinite: Bool) {
    if !countsOneHostAlone, leaf.state.isOneHostAlone { return }
    guard isDefinite, !keepsAll else {
      doubtful.append(leaf)
      return
    }
    switch leaf.fate {
    case .accepted: accepted = accepted ?? leaf
    case .dropped: dropped = dropped ?? leaf
    case .rejected:
      if !rejected.contains(where: { $0.fate == leaf.fate }) { rejected.append(leaf) }
    case .unknown: doubtful.append(leaf)
    }
  }
}
