extension AddressSet {
  /// The fewest prefixes that hold exactly these addresses: IPv4 first, rising.
  ///
  /// - Complexity: O(n · w) for n intervals and addresses of w bits.
  package var prefixes: [IPPrefix] {
    IPFamily.allCases.flatMap { family in
      self[family].intervals.flatMap { Self.prefixes(of: $0, family) }
    }
  }

  private static func prefixes(of interval: Interval, _ family: IPFamily) -> [IPPrefix] {
    var list: [IPPrefix] = []
    var lower = interval.lower
    while true {
      // The largest block that begins here and does not pass the end.
      var hostBits = min(lower.trailingZeroBitCount, family.bitWidth)
      while hostBits > 0, Self.highest(of: hostBits) > interval.upper - lower { hostBits -= 1 }
      list.append(
        IPPrefix(
          containing: IPAddress(family, rawValue: lower), length: family.bitWidth - hostBits))
      let last = lower + Self.highest(of: hostBits)
      if last >= interval.upper { return list }
      lower = last + 1
    }
  }

  /// The highest number of `bits` bits.
  private static func highest(of bits: Int) -> UInt128 {
    bits >= 128 ? .max : (1 << UInt128(bits)) - 1
  }
}
