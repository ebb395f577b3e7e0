/// What packets of the run have changed in a set.
struct DynamicSet: Sendable {
  /// An element that packets added.
  struct Element: Hashable, Sendable {
    /// What a map holds for it; empty in a set.
    var values: [UInt128]
    /// The states of the gates that it came with.
    var gates: [GatePlan.State]
    /// Where those are listed: the change that added it.
    var change: Int32
    /// Whether it may be there, or may be gone again.
    var isUncertain = false
  }

  /// What is known of a key that packets touched.
  enum Entry: Hashable, Sendable {
    case present(Element)
    case absent
    /// It may be there or not.
    case uncertain
  }

  /// By the parts of the key.
  var entries: [[UInt128]: Entry] = [:]
  /// How many elements the set holds at least and at most, listed ones included.
  var leastCount: Int
  var mostCount: Int
  /// Nothing is known of the set any more.
  var isUnknown = false
}

/// A change of a set that a rule makes.
struct SetChange: Sendable {
  enum Operation: Sendable { case add, update, delete }

  var set: Int32
  /// The register of the key's first part.
  var key: UInt8
  /// The register of the first value; as many as the map's values have parts.
  var data: UInt8 = 0
  var operation: Operation
  var size: Int
  /// The gates of the element, as numbers of the program.
  var gates: [Int32]
  /// Whether elements may run out of time within a run.
  var expires: Bool
  var fullReason: Int32
}
