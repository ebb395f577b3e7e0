import Addresses
import Rulesets

/// A set or map made ready for lookups.
struct CompiledSet: Sendable {
  /// How keys are found.
  enum Search: Sendable {
    /// Single keys: disjoint intervals in rising order.
    case intervals
    /// Concatenated keys of single values, in lexicographic order.
    case sortedTuples
    /// Concatenated intervals, in the order of the listing: the first that holds the key counts.
    case listed
    /// The set is not in the listing.
    case missing
  }

  /// What a lookup finds.
  enum Finding {
    case miss
    /// The number of the element, or ``CompiledSet/catchAll``.
    case hit(Int)
  }

  static let catchAll = -1

  var search: Search
  var width: Int
  /// Whether packets change the set.
  var isDynamic = false
  /// `width` numbers for each element.
  var lowers: [UInt128] = []
  var uppers: [UInt128] = []
  /// For the elements in search order: their verdicts, or their values with `dataWidth` each.
  var verdicts: [CompiledVerdict] = []
  var values: [UInt128] = []
  var dataWidth = 0
  /// Elements whose data or presence is not certain, by search order; empty where all are.
  var doubts: [Int32] = []
  /// The gates of elements, or the objects that a map holds, as numbers of the program's gates; -1
  /// for none, empty where there are none at all.
  var gates: [Int32] = []
  var catchAllGate: Int32 = -1
  var hasCatchAll = false
  var catchAllVerdict: CompiledVerdict?
  var catchAllValues: [UInt128] = []
  var catchAllDoubt: Int32 = -1
  /// Every verdict a lookup can give, for keys that are not known.
  var possibleVerdicts: [CompiledVerdict] = []
  /// What to say where the whole set cannot be answered.
  var missingReason: Int32 = -1

  var count: Int { width == 0 ? 0 : lowers.count / width }
  var isEmpty: Bool { lowers.isEmpty && !hasCatchAll }

  func find(_ registers: [UInt128], _ first: Int) -> Finding {
    switch search {
    case .intervals:
      let key = registers[first]
      var low = 0
      var high = lowers.count
      while low < high {
        let middle = (low &+ high) / 2
        if lowers[middle] <= key { low = middle &+ 1 } else { high = middle }
      }
      if low > 0, key <= uppers[low &- 1] { return .hit(low &- 1) }
    case .sortedTuples:
      var low = 0
      var high = count
      while low < high {
        let middle = (low &+ high) / 2
        switch order(of: middle, registers, first) {
        case 0: return .hit(middle)
        case ..<0: low = middle &+ 1
        default: high = middle
        }
      }
    case .listed:
      elements: for element in 0..<count {
        let base = element &* width
        for part in 0..<width {
          let value = registers[first &+ part]
          if value < lowers[base &+ part] || value > uppers[base &+ part] { continue elements }
        }
        return .hit(element)
      }
    case .missing: break
    }
    return hasCatchAll ? .hit(Self.catchAll) : .miss
  }

  /// How an element's key stands to the one in the registers: below, equal, above.
  private func order(of element: Int, _ registers: [UInt128], _ first: Int) -> Int {
    let base = element &* width
    for part in 0..<width {
      let value = registers[first &+ part]
      if lowers[base &+ part] != value { return lowers[base &+ part] < value ? -1 : 1 }
    }
    return 0
  }

  func verdict(_ element: Int) -> CompiledVerdict? {
    if element == Self.catchAll { return catchAllVerdict }
    return element < verdicts.count ? verdicts[element] : nil
  }

  /// One part of what the map holds for an element.
  func value(_ element: Int, _ part: Int) -> UInt128 {
    if element == Self.catchAll { return part < catchAllValues.count ? catchAllValues[part] : 0 }
    let offset = element &* dataWidth &+ part
    return offset < values.count ? values[offset] : 0
  }

  func gate(_ element: Int) -> Int32 {
    if element == Self.catchAll { return catchAllGate }
    return gates.isEmpty ? -1 : gates[element]
  }

  func doubt(_ element: Int) -> Int32 {
    if element == Self.catchAll { return catchAllDoubt }
    return doubts.isEmpty ? -1 : doubts[element]
  }
}
