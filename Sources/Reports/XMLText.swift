/// Writes XML 1.0 in the order in which it is told.
struct XMLText {
  typealias Attribute = (name: String, value: String)

  private var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
  private var depth = 0

  var document: String { text }

  /// An element that holds elements.
  mutating func element(
    _ name: String, _ attributes: [Attribute], _ body: (inout XMLText) -> Void
  ) {
    open(name, attributes)
    text += ">\n"
    depth += 1
    body(&self)
    depth -= 1
    text += String(repeating: "  ", count: depth) + "</\(name)>\n"
  }

  /// An element that holds text, or nothing.
  mutating func element(_ name: String, _ attributes: [Attribute], text content: String = "") {
    open(name, attributes)
    if content.isEmpty {
      text += "/>\n"
    } else {
      text += ">"
      append(content, inAttribute: false)
      text += "</\(name)>\n"
    }
  }

  private mutating func open(_ name: String, _ attributes: [Attribute]) {
    text += String(repeating: "  ", count: depth) + "<\(name)"
    for attribute in attributes {
      text += " \(attribute.name)=\""
      append(attribute.value, inAttribute: true)
      text += "\""
    }
  }

  private mutating func append(_ content: String, inAttribute: Bool) {
    for scalar in content.unicodeScalars where Self.isLegal(scalar) {
      switch scalar {
      case "&": text += "&amp;"
      case "<": text += "&lt;"
      case ">": text += "&gt;"
      case "\"": text += "&quot;"
      // A reader turns a bare line break of an attribute, and any carriage return, into a space.
      case "\n" where inAttribute: text += "&#10;"
      case "\t" where inAttribute: text += "&#9;"
      case "\r": text += "&#13;"
      default: text.unicodeScalars.append(scalar)
      }
    }
  }

  /// Whether XML 1.0 allows a character; there is no way to write the others, not even escaped.
  ///
  /// Source: XML 1.0, production 2, `Char`.
  private static func isLegal(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x9, 0xA, 0xD, 0x20...0xD7FF, 0xE000...0xFFFD, 0x10000...0x10FFFF: true
    default: false
    }
  }

  /// A name without illegal characters and superfluous white space; `fallback` where none is left.
  static func token(_ text: String, orElse fallback: String) -> String {
    var legal = ""
    legal.unicodeScalars.append(contentsOf: text.unicodeScalars.filter(isLegal))
    let words = legal.split(whereSeparator: { $0 == " " || $0 == "\t" || $0.isNewline })
    return words.isEmpty ? fallback : words.joined(separator: " ")
  }
}
