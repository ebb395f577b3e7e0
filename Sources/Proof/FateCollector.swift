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
  /// What becomes of packets that go against what is assumed, by the assumptions.
  private var otherwise: [(assumptions: [String], fate: Leaf.Fate)] = []
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

  /// The assumptions without which some packets would meet a fate that others do not meet with
  /// them, in the order they were met.
  ///
  /// - Parameter isOther: Whether a fate is another than what is said of the packets.
  /// - Returns: their names.
  func assumptions(where isOther: (Leaf.Fate) -> Bool) -> [String] {
    var names: [String] = []
    for (assumptions, fate) in otherwise where isOther(fate) {
      for name in assumptions where !names.contains(name) { names.append(name) }
    }
    return names
  }

  /// Takes a leaf.
  ///
  /// A host is never asked about itself, so a leaf whose packets arrived with one address on both
  /// ends is left out.
  ///
  /// - Parameters:
  ///   - leaf: Packets and their fate.
  ///   - isDefinite: Whether the fate rests on nothing unknown.
  ///   - broken: The assumptions that the packets go against: they tell only what rests on them.
  package mutating func take(_ leaf: Leaf, isDefinite: Bool, against broken: [String] = []) {
    if !countsOneHostAlone, leaf.state.isOneHostAlone { return }
    guard broken.isEmpty else {
      if !otherwise.contains(where: { $0.assumptions == broken && $0.fate == leaf.fate }) {
        otherwise.append((broken, leaf.fate))
      }
      return
    }
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
