/// A moment as ISO 8601 writes it, in UTC.
enum Timestamp {
  /// `2026-03-01T12:00:00`, without a zone.
  ///
  /// - Parameter seconds: Whole seconds since 1970-01-01T00:00:00Z.
  /// - Returns: Date and time, to the second.
  static func text(_ seconds: Int) -> String {
    let days = floorDivide(seconds, 86_400)
    let ofDay = seconds - days * 86_400
    let date = date(ofDay: days)
    return padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2) + "T"
      + padded(ofDay / 3600, 2) + ":" + padded(ofDay / 60 % 60, 2) + ":" + padded(ofDay % 60, 2)
  }

  /// The Gregorian date of a day counted from 1970-01-01.
  ///
  /// Years are counted from March, so that the leap day is the last of its year.
  private static func date(ofDay day: Int) -> (year: Int, month: Int, day: Int) {
    let daysPerCycle = 146_097
    let fromMarch = day + 719_468
    let cycle = floorDivide(fromMarch, daysPerCycle)
    let ofCycle = fromMarch - cycle * daysPerCycle
    let yearOfCycle =
      (ofCycle - ofCycle / 1460 + ofCycle / 36_524 - ofCycle / (daysPerCycle - 1)) / 365
    let ofYear = ofCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
    let monthFromMarch = (5 * ofYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (
      year: cycle * 400 + yearOfCycle + (month <= 2 ? 1 : 0), month: month,
      day: ofYear - (153 * monthFromMarch + 2) / 5 + 1
    )
  }

  private static func floorDivide(_ value: Int, _ divisor: Int) -> Int {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }

  private static func padded(_ value: Int, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

/// Seconds with three digits after the point.
func decimalSeconds(_ seconds: Double) -> String {
  let thousandths = Int((max(seconds, 0) * 1000).rounded())
  let fraction = String(thousandths % 1000)
  return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
}

/// A duration as people read it: `12 ms`, `1.24 s`.
func spokenSeconds(_ seconds: Double) -> String {
  guard seconds >= 1 else {
    let milliseconds = seconds * 1000
    if milliseconds >= 10 { return "\(Int(milliseconds.rounded())) ms" }
    let tenths = Int((max(milliseconds, 0) * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) ms"
  }
  let hundredths = Int((seconds * 100).rounded())
  let fraction = hundredths % 100
  return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) s"
}
