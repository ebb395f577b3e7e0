/// Strings as they stand in a file, and what they mean.
package enum StringLiteral {
  static let escapes: [UInt8: UInt8] = [
    UInt8(ascii: "\""): UInt8(ascii: "\""), UInt8(ascii: "\\"): UInt8(ascii: "\\"),
    UInt8(ascii: "n"): UInt8(ascii: "\n"), UInt8(ascii: "t"): UInt8(ascii: "\t"),
  ]

  /// The text that a literal stands for; `literal` holds its quotes.
  static func value(of literal: ArraySlice<UInt8>) -> String {
    var value: [UInt8] = []
    value.reserveCapacity(literal.count)
    var isEscaped = false
    for byte in literal.dropFirst().dropLast() {
      if isEscaped {
        value.append(escapes[byte] ?? byte)
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else {
        value.append(byte)
      }
    }
    return String(decoding: value, as: UTF8.self)
  }

  /// The literal that stands for `text`, quotes included.
  package static func quoting(_ text: String) -> String {
    var literal = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": literal += "\\\""
      case "\\": literal += "\\\\"
      case "\n": literal += "\\n"
      case "\t": literal += "\\t"
      default: literal.unicodeScalars.append(scalar)
      }
    }
    return literal + "\""
  }
}
