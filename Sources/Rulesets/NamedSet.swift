package import Addresses

/// A set or map that rules look up, named or written inside a rule.
package indirect enum SetReference: Hashable, Sendable {
  /// An index into the table's ``Table/sets``.
  case named(Int)
  case anonymous(SetContents)
  /// A set that the listing does not hold.
  case missing(name: String)
}

/// A set or map with a name.
package struct NamedSet: Hashable, Sendable {
  package var name: String
  package var handle: Int?
  package var contents: SetContents
  /// Whether packets can change it: flag `dynamic`, or a rule that updates it.
  package var isDynamic: Bool
  /// Whether elements run out of time.
  package var hasTimeout: Bool
  /// How long an element stays unless it is told otherwise, in seconds.
  package var timeout: UInt64?
  package var size: Int?

  package init(
    name: String, handle: Int? = nil, contents: SetContents, isDynamic: Bool = false,
    hasTimeout: Bool = false, timeout: UInt64? = nil, size: Int? = nil
  ) {
    self.name = name
    self.handle = handle
    self.contents = contents
    self.isDynamic = isDynamic
    self.hasTimeout = hasTimeout
    self.timeout = timeout
    self.size = size
  }
}

/// The keys of a set and, for a map, what they lead to.
package struct SetContents: Hashable, Sendable {
  /// The types of the key's components; one unless the key is a concatenation.
  package var keyTypes: [DataType]
  package var dataKind: DataKind?
  /// In the order of the listing: of overlapping concatenated intervals the earliest wins.
  package var elements: [SetElement]
  /// What a key finds that no element holds (`*`).
  package var catchAll: ElementData?
  package var hasCatchAll: Bool

  package enum DataKind: Hashable, Sendable {
    case verdict
    /// The types of the value's components.
    case values([DataType])
    case object(StatefulObject.Kind)
  }

  package init(
    keyTypes: [DataType], dataKind: DataKind? = nil, elements: [SetElement],
    hasCatchAll: Bool = false, catchAll: ElementData? = nil
  ) {
    self.keyTypes = keyTypes
    self.dataKind = dataKind
    self.elements = elements
    self.hasCatchAll = hasCatchAll
    self.catchAll = catchAll
  }
}

/// One element of a set.
package struct SetElement: Hashable, Sendable {
  /// One inclusive range per component of the key; prefixes and wildcards are ranges.
  package var key: [Interval]
  package var data: ElementData?
  /// Gates of the element (`limit`, `quota`): a lookup that hits passes or BREAKs by them.
  package var gates: [Gate]
  package var hasTimeout: Bool

  package init(
    key: [Interval], data: ElementData? = nil, gates: [Gate] = [], hasTimeout: Bool = false
  ) {
    self.key = key
    self.data = data
    self.gates = gates
    self.hasTimeout = hasTimeout
  }
}

/// What a map's element leads to.
package enum ElementData: Hashable, Sendable {
  case verdict(Verdict)
  /// One value per component.
  case values([UInt128])
  /// Ranges of addresses or ports, for `dnat to … map`.
  case ranges([Interval])
  case object(String)
  case unmodelled(Unmodelled)
}
