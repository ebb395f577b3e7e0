/// A JSON text, read once into a flat list of tokens that remember where they stand.
///
/// A node is a number, and the document answers questions about it. Walking a large text
/// therefore allocates nothing and counts no references. ``JSONValue`` is the convenient view of
/// the same tokens where speed does not matter.
///
/// Source: RFC 8259. The reader is strict: no comments, no trailing commas, UTF-8 only, and one
/// value per text.
package struct JSONDocument: Sendable {
  package enum Kind: UInt8, Sendable {
    case null
    case `false`
    case `true`
    case number
    case string
    case array
    case object
  }

  /// One value of the document.
  package struct Node: Hashable, Sendable {
    let index: UInt32
  }

  /// A name of an object and its value.
  package struct Member: Sendable {
    package let name: Node
    package let value: Node
  }

  /// The text itself.
  package let bytes: [UInt8]
  let tokens: [JSONToken]

  /// The value that the whole text is.
  package var root: Node { Node(index: 0) }

  /// Reads a whole text.
  ///
  /// - Throws: ``JSONError`` at the first byte that RFC 8259 does not allow there, or where a limit
  ///   is passed.
  /// - Complexity: O(n) in the number of bytes; 16 bytes of memory per value and per name.
  package init(reading bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
    var scanner = JSONScanner(bytes: bytes, limits: limits)
    try scanner.scan()
    self.bytes = bytes
    tokens = scanner.tokens
  }

  package func kind(of node: Node) -> Kind { tokens[Int(node.index)].kind }

  /// The bytes that a value covers, the quotes of a string and the brackets of a list included.
  package func range(of node: Node) -> Range<Int> {
    let token = tokens[Int(node.index)]
    let isString = token.kind == .string
    return Int(token.start) - (isString ? 1 : 0)..<Int(token.end) + (isString ? 1 : 0)
  }

  /// The text of a value as it stands in the document.
  package func text(of node: Node) -> String {
    String(decoding: bytes[range(of: node)], as: UTF8.self)
  }

  /// Whether a list or an object holds nothing.
  package func isEmpty(_ node: Node) -> Bool {
    tokens[Int(node.index)].next == node.index + 1
  }
}

extension JSONDocument {
  /// The values of a list, or the names and values of an object in turn.
  package struct Children: Sendable {
    var current: UInt32
    let end: UInt32

    /// The next value, or nil at the end.
    package mutating func next(in document: borrowing JSONDocument) -> Node? {
      guard current < end else { return nil }
      let node = Node(index: current)
      current = document.tokens[Int(current)].next
      return node
    }
  }

  /// A walk over the values of a list; it yields nothing for any other kind of value.
  package func children(of node: Node) -> Children {
    let token = tokens[Int(node.index)]
    guard token.kind == .array else { return Children(current: 0, end: 0) }
    return Children(current: node.index + 1, end: token.next)
  }

  /// The values of a list, or nil if `node` is none.
  package func elements(of node: Node) -> [Node]? {
    guard kind(of: node) == .array else { return nil }
    var list: [Node] = []
    var children = children(of: node)
    while let child = children.next(in: self) { list.append(child) }
    return list
  }

  /// A walk over the members of an object.
  package struct Members: Sendable {
    var current: UInt32
    let end: UInt32

    /// The next member, or nil at the end.
    package mutating func next(in document: borrowing JSONDocument) -> Member? {
      guard current < end else { return nil }
      let name = Node(index: current)
      let value = Node(index: current + 1)
      current = document.tokens[Int(current + 1)].next
      return Member(name: name, value: value)
    }
  }

  /// A walk over the members of an object; it yields nothing for any other kind of value.
  package func members(of node: Node) -> Members {
    let token = tokens[Int(node.index)]
    guard token.kind == .object else { return Members(current: 0, end: 0) }
    return Members(current: node.index + 1, end: token.next)
  }

  /// The one member of an object that has exactly one.
  package func onlyMember(of node: Node) -> Member? {
    let token = tokens[Int(node.index)]
    guard token.kind == .object, token.next > node.index + 1,
      tokens[Int(node.index + 2)].next == token.next
    else { return nil }
    return Member(name: Node(index: node.index + 1), value: Node(index: node.index + 2))
  }

  /// The value that an object holds under `name`; of repeated names the last counts.
  ///
  /// - Complexity: O(n) in the number of members.
  package func member(_ name: String, of node: Node) -> Node? {
    var found: Node?
    var members = members(of: node)
    while let member = members.next(in: self) {
      if isString(member.name, name) { found = member.value }
    }
    return found
  }
}

extension JSONDocument {
  /// Whether a value is the string `text`.
  package func isString(_ node: Node, _ text: String) -> Bool {
    let token = tokens[Int(node.index)]
    guard token.kind == .string else { return false }
    if token.hasEscapes { return string(node) == text }
    let letters = text.utf8
    guard Int(token.end - token.start) == letters.count else { return false }
    var offset = Int(token.start)
    for letter in letters {
      if bytes[offset] != letter { return false }
      offset += 1
    }
    return true
  }

  /// Whether two values are the same string, letter for letter.
  package func isSameString(_ left: Node, _ right: Node) -> Bool {
    let first = tokens[Int(left.index)]
    let second = tokens[Int(right.index)]
    guard first.kind == .string, second.kind == .string else { return false }
    if first.hasEscapes || second.hasEscapes { return string(left) == string(right) }
    let count = Int(first.end - first.start)
    guard count == Int(second.end - second.start) else { return false }
    let (start, other) = (Int(first.start), Int(second.start))
    for offset in 0..<count where bytes[start + offset] != bytes[other + offset] { return false }
    return true
  }

  /// A string's text with its escapes resolved, or nil if `node` is no string.
  package func string(_ node: Node) -> String? {
    let token = tokens[Int(node.index)]
    guard token.kind == .string else { return nil }
    let raw = bytes[Int(token.start)..<Int(token.end)]
    return token.hasEscapes ? unescaped(raw) : String(decoding: raw, as: UTF8.self)
  }

  package func boolean(_ node: Node) -> Bool? {
    switch kind(of: node) {
    case .true: true
    case .false: false
    case .null, .number, .string, .array, .object: nil
    }
  }

  /// A number that is whole and not negative, exactly.
  ///
  /// - Returns: nil if `node` is no number, has a sign, a fraction or an exponent, or passes 128 bits.
  package func unsigned(_ node: Node) -> UInt128? {
    let token = tokens[Int(node.index)]
    guard token.kind == .number else { return nil }
    return digits(Int(token.start)..<Int(token.end))
  }

  /// A number that is whole, exactly.
  package func integer(_ node: Node) -> Int? {
    let token = tokens[Int(node.index)]
    guard token.kind == .number else { return nil }
    let isNegative = bytes[Int(token.start)] == UInt8(ascii: "-")
    let start = Int(token.start) + (isNegative ? 1 : 0)
    guard let magnitude = digits(start..<Int(token.end)), magnitude <= UInt128(Int.max) else {
      return nil
    }
    return isNegative ? -Int(magnitude) : Int(magnitude)
  }

  private func digits(_ range: Range<Int>) -> UInt128? {
    // 19 digits always fit 64 bits, and 38 fit 128; only longer numbers need care.
    if range.count <= 19 {
      var value: UInt64 = 0
      for offset in range {
        let digit = bytes[offset] &- UInt8(ascii: "0")
        guard digit < 10 else { return nil }
        value = value &* 10 &+ UInt64(digit)
      }
      return UInt128(value)
    }
    var value: UInt128 = 0
    for offset in range {
      let digit = bytes[offset] &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt128(digit))
      guard !overflow, !carry else { return nil }
      value = sum
    }
    return value
  }
}

/// Resolves the escapes of a string that the scanner has already checked.
private func unescaped(_ raw: ArraySlice<UInt8>) -> String {
  var text: [UInt8] = []
  text.reserveCapacity(raw.count)
  var index = raw.startIndex
  func codeUnit(at start: Int) -> UInt32 {
    raw[start..<start + 4].reduce(0) { $0 << 4 | UInt32(hexadecimalValue(of: $1) ?? 0) }
  }
  while index < raw.endIndex {
    guard raw[index] == UInt8(ascii: "\\") else {
      text.append(raw[index])
      index += 1
      continue
    }
    let letter = raw[index + 1]
    index += 2
    switch letter {
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var scalar = codeUnit(at: index)
      index += 4
      if 0xD800..<0xDC00 ~= scalar {
        scalar = 0x10000 + (scalar - 0xD800) << 10 + (codeUnit(at: index + 2) - 0xDC00)
        index += 6
      }
      let character = Unicode.Scalar(scalar) ?? "\u{FFFD}"
      text.append(contentsOf: String(character).utf8)
    default: text.append(letter)
    }
  }
  return String(decoding: text, as: UTF8.self)
}

/// The value of a hexadecimal digit.
func hexadecimalValue(of byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
