/// One value or name: where it stands and where the next one begins.
///
/// A string's bytes are those between its quotes. Sixteen bytes, so that a ruleset of 100,000
/// rules (43 MB of text, 4,000,000 values and names) costs 64 MB.
struct JSONToken: Sendable {
  var start: UInt32
  var end: UInt32
  /// The index of the token after this value and everything in it.
  var next: UInt32
  var kind: JSONDocument.Kind
  var hasEscapes: Bool
}

/// How much a text may ask for.
package struct JSONLimits: Sendable {
  /// How deep lists and objects may nest.
  package var depth: Int
  /// How many values and names there may be: 16 bytes of memory each.
  package var tokenCount: Int

  package init(depth: Int = 512, tokenCount: Int = 1 << 25) {
    self.depth = depth
    self.tokenCount = tokenCount
  }
}

/// Turns a text into tokens, in one pass and without recursion.
struct JSONScanner {
  let bytes: [UInt8]
  let limits: JSONLimits
  var tokens: [JSONToken] = []
  /// The tokens of the lists and objects that are open.
  private var open: [UInt32] = []
  private var offset = 0

  init(bytes: [UInt8], limits: JSONLimits) {
    self.bytes = bytes
    self.limits = limits
  }

  mutating func scan() throws(JSONError) {
    guard bytes.count < Int(UInt32.max) else {
      throw JSONError(.tooManyBytes(limit: Int(UInt32.max)), at: 0, in: bytes)
    }
    // A listing of nft has a value or a name for every ten bytes.
    tokens.reserveCapacity(min(bytes.count / 9 + 16, limits.tokenCount))
    try scanValue()
    while let container = open.last {
      skipSpace()
      if tokens[Int(container)].kind == .object {
        try continueObject(container)
      } else {
        try continueArray(container)
      }
    }
    skipSpace()
    guard offset == bytes.count else { throw problem(.expected("the end of the text")) }
  }

  /// Reads what follows a value inside an object, or its first member.
  private mutating func continueObject(_ container: UInt32) throws(JSONError) {
    let isFirst = tokens.count == Int(container) + 1
    guard let byte = peek() else {
      throw problem(.expected(isFirst ? "a name or `}`" : "`,` or `}`"))
    }
    if byte == UInt8(ascii: "}") {
      close(container)
      return
    }
    if !isFirst {
      guard byte == UInt8(ascii: ",") else { throw problem(.expected("`,` or `}`")) }
      offset += 1
      skipSpace()
    }
    guard peek() == UInt8(ascii: "\"") else {
      throw problem(.expected(isFirst ? "a name or `}`" : "a name"))
    }
    try scanString()
    skipSpace()
    guard peek() == UInt8(ascii: ":") else { throw problem(.expected("`:`")) }
    offset += 1
    try scanValue()
  }

  /// Reads what follows a value inside a list, or its first value.
  private mutating func continueArray(_ container: UInt32) throws(JSONError) {
    let isFirst = tokens.count == Int(container) + 1
    guard let byte = peek() else {
      throw problem(.expected(isFirst ? "a value or `]`" : "`,` or `]`"))
    }
    if byte == UInt8(ascii: "]") {
      close(container)
      return
    }
    if !isFirst {
      guard byte == UInt8(ascii: ",") else { throw problem(.expected("`,` or `]`")) }
      offset += 1
    }
    try scanValue()
  }

  private mutating func close(_ container: UInt32) {
    offset += 1
    tokens[Int(container)].end = UInt32(offset)
    tokens[Int(container)].next = UInt32(tokens.count)
    open.removeLast()
  }

  /// Reads a scalar whole, or the opening of a list or object.
  private mutating func scanValue() throws(JSONError) {
    skipSpace()
    guard let byte = peek() else { throw problem(.expected("a value")) }
    switch byte {
    case UInt8(ascii: "\""): try scanString()
    case UInt8(ascii: "{"): try begin(.object)
    case UInt8(ascii: "["): try begin(.array)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try scanNumber()
    case UInt8(ascii: "t"): try scanWord("true", .true)
    case UInt8(ascii: "f"): try scanWord("false", .false)
    case UInt8(ascii: "n"): try scanWord("null", .null)
    default: throw problem(.expected("a value"))
    }
  }

  private mutating func begin(_ kind: JSONDocument.Kind) throws(JSONError) {
    guard open.count < limits.depth else { throw problem(.tooDeep(limit: limits.depth)) }
    open.append(UInt32(tokens.count))
    try add(kind, from: offset, to: offset + 1)
    offset += 1
  }

  private mutating func add(
    _ kind: JSONDocument.Kind, from start: Int, to end: Int, hasEscapes: Bool = false
  ) throws(JSONError) {
    guard tokens.count < limits.tokenCount else {
      throw problem(.tooManyValues(limit: limits.tokenCount))
    }
    tokens.append(
      JSONToken(
        start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: end),
        next: UInt32(truncatingIfNeeded: tokens.count + 1), kind: kind, hasEscapes: hasEscapes))
  }

  private mutating func scanWord(_ word: String, _ kind: JSONDocument.Kind) throws(JSONError) {
    let start = offset
    for letter in word.utf8 {
      guard peek() == letter else {
        offset = start
        throw problem(.expected("a value"))
      }
      offset += 1
    }
    try add(kind, from: start, to: offset)
  }

  private mutating func scanNumber() throws(JSONError) {
    let start = offset
    if peek() == UInt8(ascii: "-") { offset += 1 }
    if peek() == UInt8(ascii: "0") {
      offset += 1
    } else {
      try scanDigits()
    }
    if peek() == UInt8(ascii: ".") {
      offset += 1
      try scanDigits()
    }
    if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
      offset += 1
      if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { offset += 1 }
      try scanDigits()
    }
    try add(.number, from: start, to: offset)
  }

  private mutating func scanDigits() throws(JSONError) {
    let start = offset
    while let byte = peek(), byte &- UInt8(ascii: "0") < 10 { offset += 1 }
    guard offset > start else { throw problem(.expected("a digit")) }
  }

  private mutating func scanString() throws(JSONError) {
    let start = offset + 1
    var hasEscapes = false
    offset = start
    while true {
      offset = Self.endOfPlainText(in: bytes, from: offset)
      guard let byte = peek() else { break }
      if byte == UInt8(ascii: "\"") {
        try add(.string, from: start, to: offset, hasEscapes: hasEscapes)
        offset += 1
        return
      } else if byte == UInt8(ascii: "\\") {
        hasEscapes = true
        try scanEscape()
      } else if byte < 0x20 {
        throw problem(.controlCharacter(byte))
      } else {
        try scanScalar(byte)
      }
    }
    throw problem(.expected("the `\"` that ends the string"))
  }

  /// Where the letters of a string end that are one ASCII byte each and mean themselves.
  private static func endOfPlainText(in bytes: [UInt8], from start: Int) -> Int {
    var place = start
    while place < bytes.count {
      let byte = bytes[place]
      guard byte >= 0x20, byte < 0x80, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\")
      else { break }
      place += 1
    }
    return place
  }

  private mutating func scanEscape() throws(JSONError) {
    let start = offset
    offset += 1
    guard let letter = peek() else { throw problem(.expected("the `\"` that ends the string")) }
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
      UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      offset += 1
    case UInt8(ascii: "u"):
      offset += 1
      let unit = try scanCodeUnit()
      if 0xDC00..<0xE000 ~= unit {
        offset = start
        throw problem(.loneSurrogate)
      }
      if 0xD800..<0xDC00 ~= unit {
        guard peek() == UInt8(ascii: "\\"), offset + 1 < bytes.count,
          bytes[offset + 1] == UInt8(ascii: "u")
        else {
          offset = start
          throw problem(.loneSurrogate)
        }
        offset += 2
        guard 0xDC00..<0xE000 ~= (try scanCodeUnit()) else {
          offset = start
          throw problem(.loneSurrogate)
        }
      }
    default:
      throw problem(.expected("one of `\"\\/bfnrtu` after the backslash"))
    }
  }

  private mutating func scanCodeUnit() throws(JSONError) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek(), let digit = hexadecimalValue(of: byte) else {
        throw problem(.expected("four hexadecimal digits"))
      }
      unit = unit << 4 | UInt32(digit)
      offset += 1
    }
    return unit
  }

  /// Checks one character of more than one byte.
  ///
  /// Source: RFC 3629 §4; overlong forms, surrogates and numbers above U+10FFFF are not UTF-8.
  private mutating func scanScalar(_ lead: UInt8) throws(JSONError) {
    let length: Int
    let second: ClosedRange<UInt8>
    switch lead {
    case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    default: throw problem(.notUTF8)
    }
    guard offset + length <= bytes.count, second ~= bytes[offset + 1] else {
      throw problem(.notUTF8)
    }
    for next in offset + 2..<offset + max(length, 2) where bytes[next] & 0xC0 != 0x80 {
      throw problem(.notUTF8)
    }
    offset += length
  }

  private func peek() -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private mutating func skipSpace() {
    while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      offset += 1
    }
  }

  private func problem(_ problem: JSONError.Problem) -> JSONError {
    JSONError(problem, at: offset, in: bytes)
  }
}
