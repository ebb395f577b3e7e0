package import Addresses

/// Ports as a line of text: `22,80,1000-2000`; nothing for no port.
package enum PortText {
  package static func text(of ports: IntervalSet) -> String {
    ports.intervals.map { interval in
      interval.lower == interval.upper
        ? String(interval.lower) : "\(interval.lower)-\(interval.upper)"
    }.joined(separator: ",")
  }

  /// - Returns: nil where the text is not of this form, or names a port that is none.
  package static func ports(in text: String) -> IntervalSet? {
    if text.isEmpty { return .empty }
    var intervals: [Interval] = []
    for part in text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      let ends = part.split(
        separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
      guard let lower = port(ends[0]), let upper = port(ends[ends.count - 1]), lower <= upper
      else { return nil }
      intervals.append(Interval(lower, upper))
    }
    return IntervalSet(intervals)
  }

  private static func port(_ digits: some Collection<UInt8>) -> UInt128? {
    guard 1...5 ~= digits.count, digits.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 })
    else { return nil }
    let number = digits.reduce(0) { $0 * 10 + UInt128($1 - UInt8(ascii: "0")) }
    return 1...65535 ~= number ? number : nil
  }
}
