/// Writes JSON in the order in which it is told.
///
/// ```swift
/// var writer = JSONWriter()
/// writer.object {
///   $0.member("verdict", "accept")
///   $0.array("rules") { $0.value(7) }
/// }
/// print(writer.text)  // {"verdict":"accept","rules":[7]}
/// ```
package struct JSONWriter: Sendable {
  package enum Layout: Sendable {
    /// No spaces and no line breaks.
    case compact
    /// One member or value per line, indented by two spaces per level.
    case indented
  }

  private let layout: Layout
  private var bytes: [UInt8] = []
  private var depth = 0
  private var needsComma = false

  package init(_ layout: Layout = .compact) { self.layout = layout }

  package var text: String { String(decoding: bytes, as: UTF8.self) }
  package var utf8: [UInt8] { bytes }

  /// Empties the writer and keeps its memory, for the next line of a long output.
  package mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    needsComma = false
  }

  package mutating func object(_ body: (inout JSONWriter) -> Void) {
    begin(UInt8(ascii: "{"))
    body(&self)
    end(UInt8(ascii: "}"))
  }

  package mutating func array(_ body: (inout JSONWriter) -> Void) {
    begin(UInt8(ascii: "["))
    body(&self)
    end(UInt8(ascii: "]"))
  }

  package mutating func object(_ name: String, _ body: (inout JSONWriter) -> Void) {
    key(name)
    object(body)
  }

  package mutating func array(_ name: String, _ body: (inout JSONWriter) -> Void) {
    key(name)
    array(body)
  }

  package mutating func member(_ name: String, _ value: String) {
    key(name)
    self.value(value)
  }

  package mutating func member(_ name: String, _ value: some BinaryInteger) {
    key(name)
    self.value(value)
  }

  package mutating func member(_ name: String, _ value: Bool) {
    key(name)
    self.value(value)
  }

  package mutating func member(_ name: String, milliseconds value: Double) {
    key(name)
    self.value(milliseconds: value)
  }

  package mutating func null(_ name: String) {
    key(name)
    null()
  }

  package mutating func value(_ value: String) {
    separate()
    quote(value)
    needsComma = true
  }

  package mutating func value(_ value: some BinaryInteger) {
    separate()
    append(String(value))
    needsComma = true
  }

  package mutating func value(_ value: Bool) {
    separate()
    append(value ? "true" : "false")
    needsComma = true
  }

  /// A duration with three digits after the point, which every reader of JSON understands.
  package mutating func value(milliseconds value: Double) {
    separate()
    guard value.isFinite, value.magnitude < 1e15 else {
      append("null")
      needsComma = true
      return
    }
    let thousandths = Int64((value * 1000).rounded())
    let fraction = String(thousandths.magnitude % 1000)
    append((thousandths < 0 ? "-" : "") + String(thousandths.magnitude / 1000) + ".")
    append(String(repeating: "0", count: 3 - fraction.utf8.count) + fraction)
    needsComma = true
  }

  package mutating func null() {
    separate()
    append("null")
    needsComma = true
  }

  /// Writes a name; the next call writes its value.
  package mutating func key(_ name: String) {
    separate()
    quote(name)
    append(layout == .compact ? ":" : ": ")
    isAfterKey = true
    needsComma = false
  }

  private var isAfterKey = false

  private mutating func begin(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    depth += 1
    needsComma = false
  }

  private mutating func end(_ bracket: UInt8) {
    depth -= 1
    // An empty list or object stays on its line.
    if needsComma { breakLine() }
    bytes.append(bracket)
    needsComma = true
  }

  private mutating func separate() {
    if isAfterKey {
      isAfterKey = false
      return
    }
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    if depth > 0 { breakLine() }
  }

  private mutating func breakLine() {
    guard layout == .indented else { return }
    bytes.append(UInt8(ascii: "\n"))
    for _ in 0..<2 * depth { bytes.append(UInt8(ascii: " ")) }
  }

  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

  private mutating func quote(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): append("\\\"")
      case UInt8(ascii: "\\"): append("\\\\")
      case 0x0A: append("\\n")
      case 0x0D: append("\\r")
      case 0x09: append("\\t")
      case 0..<0x20, 0x7F:
        let digits = String(byte, radix: 16)
        append("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
