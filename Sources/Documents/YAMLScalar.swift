/// A scalar: its text, and what the text stands for.
package struct YAMLScalar: Sendable, Hashable {
  /// What a scalar stands for.
  package enum Resolved: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// From -2⁶³ up to 2⁶⁴-1; whole numbers beyond are floating-point.
    case integer(Int128)
    case floatingPoint(Double)
    /// A date, or a date and a time, as written in the text.
    case timestamp
    case string
  }

  /// What the tag, or the lack of one, makes of the text.
  enum Reading: UInt8, Sendable {
    /// The text says what it is.
    case open
    /// A string, whatever the text.
    case string
    /// A floating-point number, also where the text is a whole number.
    case floatingPoint
  }

  /// The text with escapes and line folding resolved.
  package var text: String
  /// Whether the scalar is written without quotes and not as a block.
  package var isPlain: Bool
  let reading: Reading

  /// A scalar without a tag.
  package init(text: String, isPlain: Bool) {
    self.init(text: text, isPlain: isPlain, reading: isPlain ? .open : .string)
  }

  init(text: String, isPlain: Bool, reading: Reading) {
    self.text = text
    self.isPlain = isPlain
    self.reading = reading
  }

  /// What the text stands for, as gopkg.in/yaml.v3 (v3.0.1, resolve.go) has it.
  ///
  /// Of plain scalars these are no strings: the empty text, `~`, `null`, `true`, `false` and
  /// `.inf`, `.nan` in three spellings each; whole numbers in decimal, `0x1F`, `0b11`, `0o17` and
  /// also `017`, with `_` between digits; decimal fractions; dates. `yes`, `no`, `on` and `off` are
  /// strings: see ``boolean``. Quoted and block scalars are strings.
  package var resolved: Resolved {
    switch reading {
    case .string: return .string
    case .open: return resolution(of: text)
    case .floatingPoint:
      let resolved = resolution(of: text)
      if case .integer(let value) = resolved { return .floatingPoint(Double(value)) }
      return resolved
    }
  }

  package var isNull: Bool { resolved == .null }

  /// The whole number that the text stands for, or nil if it stands for something else.
  package var integer: Int128? {
    guard case .integer(let value) = resolved else { return nil }
    return value
  }

  /// What yaml.v3 decodes into a field that is a truth value, or nil where it refuses: `true` and
  /// `false`, and the strings `y`, `yes`, `on`, `n`, `no`, `off` in three spellings, also quoted.
  package var boolean: Bool? {
    switch resolved {
    case .boolean(let value): return value
    case .null, .integer, .floatingPoint, .timestamp: return nil
    case .string: break
    }
    switch text {
    case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON": return true
    case "n", "N", "no", "No", "NO", "off", "Off", "OFF": return false
    default: return nil
    }
  }
}

extension YAMLScalar {
  /// A scalar as its tag says, or nil if the text is not what the tag says.
  ///
  /// Source: gopkg.in/yaml.v3, `resolve`. What no core tag claims is a string.
  init?(text: String, isPlain: Bool, tag: String?) {
    guard let tag else {
      self.init(text: text, isPlain: isPlain)
      return
    }
    let untagged = resolution(of: text)
    let prefix = "tag:yaml.org,2002:"
    let isAsTagged: Bool
    switch tag.hasPrefix(prefix) ? String(tag.dropFirst(prefix.count)) : "" {
    case "null": isAsTagged = untagged == .null
    case "bool": if case .boolean = untagged { isAsTagged = true } else { isAsTagged = false }
    case "int": if case .integer = untagged { isAsTagged = true } else { isAsTagged = false }
    case "timestamp": isAsTagged = untagged == .timestamp
    case "float":
      switch untagged {
      case .integer, .floatingPoint:
        self.init(text: text, isPlain: isPlain, reading: .floatingPoint)
      case .null, .boolean, .timestamp, .string: return nil
      }
      return
    default:
      self.init(text: text, isPlain: isPlain, reading: .string)
      return
    }
    guard isAsTagged else { return nil }
    self.init(text: text, isPlain: isPlain, reading: .open)
  }
}
