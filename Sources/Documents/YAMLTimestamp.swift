/// Tells dates and times from other texts.
///
/// Source: gopkg.in/yaml.v3 v3.0.1, `parseTimestamp`, with Go's `time.Parse`. The forms are
/// `2006-1-2`, `2006-1-2 15:4:5.9` and `2006-1-2T15:4:5.9` with `Z` or an offset like `+07:00`.
enum YAMLTimestamp {
  static func isTimestamp(_ text: [UInt8]) -> Bool {
    // Every form begins with four digits and a hyphen.
    guard text.count >= 8, text[4] == UInt8(ascii: "-"), text[..<4].allSatisfy(isDigit) else {
      return false
    }
    var reader = Reader(text: text[...])
    return reader.readsAll()
  }

  private static func isDigit(_ byte: UInt8) -> Bool { 0x30...0x39 ~= byte }

  private struct Reader {
    var text: ArraySlice<UInt8>

    mutating func readsAll() -> Bool {
      guard let year = number(digits: 4...4), take(UInt8(ascii: "-")),
        let month = number(digits: 1...2), 1...12 ~= month, take(UInt8(ascii: "-")),
        let day = number(digits: 1...2), day >= 1, day <= days(of: month, year: year)
      else { return false }
      guard let separator = text.popFirst() else { return true }
      switch separator {
      case UInt8(ascii: " "):
        while take(UInt8(ascii: " ")) {}
        return takeTime() && text.isEmpty
      case UInt8(ascii: "T"), UInt8(ascii: "t"): return takeTime() && takeZone() && text.isEmpty
      default: return false
      }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
      guard text.first == byte else { return false }
      text.removeFirst()
      return true
    }

    private mutating func number(digits: ClosedRange<Int>) -> Int? {
      let run = text.prefix(digits.upperBound).prefix(while: YAMLTimestamp.isDigit)
      guard run.count >= digits.lowerBound else { return nil }
      text = text.dropFirst(run.count)
      return run.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    private mutating func takeTime() -> Bool {
      guard let hour = number(digits: 1...2), hour < 24, take(UInt8(ascii: ":")),
        let minute = number(digits: 1...2), minute < 60, take(UInt8(ascii: ":")),
        let second = number(digits: 1...2), second < 60
      else { return false }
      if let mark = text.first, mark == UInt8(ascii: ".") || mark == UInt8(ascii: ","),
        let digit = text.dropFirst().first, YAMLTimestamp.isDigit(digit)
      {
        text = text.dropFirst().drop(while: YAMLTimestamp.isDigit)
      }
      return true
    }

    private mutating func takeZone() -> Bool {
      if take(UInt8(ascii: "Z")) { return true }
      guard take(UInt8(ascii: "+")) || take(UInt8(ascii: "-")) else { return false }
      guard let hours = number(digits: 2...2), hours <= 24, take(UInt8(ascii: ":")),
        let minutes = number(digits: 2...2), minutes < 60
      else { return false }
      return true
    }

    private func days(of month: Int, year: Int) -> Int {
      switch month {
      case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
      case 4, 6, 9, 11: 30
      default: 31
      }
    }
  }
}
