import Documents
import Testing

@Suite("Reading JSON")
struct JSONDocumentTests {
  struct Refusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    let line: Int
    let column: Int
    let message: String
  }

  static let refusals: [Refusal] = [
    Refusal("empty text", "", 1, 1, "expected a value, found the end of the text"),
    Refusal("two values", "1 2", 1, 3, "expected the end of the text, found `2`"),
    Refusal("open list", "[1,\n 2", 2, 3, "expected `,` or `]`, found the end of the text"),
    Refusal("trailing comma", "[1,]", 1, 4, "expected a value, found `]`"),
    Refusal("trailing comma in an object", "{\"a\":1,}", 1, 8, "expected a name, found `}`"),
    Refusal("name without quotes", "{a:1}", 1, 2, "expected a name or `}`, found `a`"),
    Refusal("missing colon", "{\"a\" 1}", 1, 6, "expected `:`, found `1`"),
    Refusal("comment", "// no\n1", 1, 1, "expected a value, found `/`"),
    Refusal("leading zero", "[01]", 1, 3, "expected `,` or `]`, found `1`"),
    Refusal("lone minus", "-", 1, 2, "expected a digit, found the end of the text"),
    Refusal("open fraction", "[1.]", 1, 4, "expected a digit, found `]`"),
    Refusal("wrong word", "[nul]", 1, 2, "expected a value, found `n`"),
    Refusal(
      "open string", "\"ab", 1, 4,
      "expected the `\"` that ends the string, found the end of the text"),
    Refusal(
      "line break in a string", "\"a\nb\"", 1, 3,
      "a control character (0xa) inside a string must be escaped"),
    Refusal(
      "unknown escape", "\"\\x\"", 1, 3,
      "expected one of `\"\\/bfnrtu` after the backslash, found `x`"),
    Refusal("short escape", "\"\\u12g4\"", 1, 6, "expected four hexadecimal digits, found `g`"),
    Refusal("half a pair", "[\"\\ud800\"]", 1, 3, "this escape is half of a surrogate pair"),
    Refusal(
      "wrong half first", "[\"\\udc00\\ud800\"]", 1, 3, "this escape is half of a surrogate pair"),
    Refusal(
      "column after letters of several bytes", "[\"äöü\" x", 1, 8, "expected `,` or `]`, found `x`"),
  ]

  @Test(arguments: refusals)
  func `refuses and says where and what`(refusal: Refusal) {
    let error = #expect(throws: JSONError.self) {
      try JSONDocument(reading: Array(refusal.text.utf8))
    }
    #expect(error?.line == refusal.line)
    #expect(error?.column == refusal.column)
    #expect(error?.description == refusal.message)
  }

  @Test(
    arguments: [
      [0x80], [0xC0, 0x80], [0xC3], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80],
      [0xF4, 0x90, 0x80, 0x80],
      [0xF0, 0x9F, 0x98], [0xFF],
    ] as [[UInt8]])
  func `refuses what is not UTF-8`(bytes: [UInt8]) {
    let error = #expect(throws: JSONError.self) {
      try JSONDocument(reading: Array("\"".utf8) + bytes + Array("\"".utf8))
    }
    #expect(error?.problem == .notUTF8)
    #expect(error?.offset == 1)
  }

  @Test func `nests as deep as allowed and no deeper`() throws {
    func nested(_ depth: Int) -> [UInt8] {
      Array(repeating: UInt8(ascii: "["), count: depth)
        + Array(repeating: UInt8(ascii: "]"), count: depth)
    }
    _ = try JSONDocument(reading: nested(512))
    let error = #expect(throws: JSONError.self) { try JSONDocument(reading: nested(513)) }
    #expect(error?.problem == .tooDeep(limit: 512))
    #expect(error?.offset == 512)
  }

  @Test func `a text of brackets alone ends at the limit`() {
    let error = #expect(throws: JSONError.self) {
      try JSONDocument(reading: Array(repeating: UInt8(ascii: "["), count: 5_000_000))
    }
    #expect(error?.problem == .tooDeep(limit: 512))
  }

  @Test func `stops at the limit of values`() {
    let error = #expect(throws: JSONError.self) {
      try JSONDocument(
        reading: Array("[1,2,3,4]".utf8), limits: JSONLimits(tokenCount: 3))
    }
    #expect(error?.problem == .tooManyValues(limit: 3))
    #expect(error?.offset == 6)
  }

  @Test func `throws on every prefix of a text`() throws {
    let text = Array(#"{"a":[1,-2.5e3,true,null,"x\n\u00e4\ud83d\ude00"],"b":{"c":"ä"}}"#.utf8)
    _ = try JSONDocument(reading: text)
    for length in text.indices {
      #expect(throws: JSONError.self) { try JSONDocument(reading: Array(text[..<length])) }
    }
  }

  @Test func `resolves escapes`() throws {
    let document = try JSONDocument(
      reading: Array(#"["a\"\\\/\b\f\n\r\t","\u0041\u00e4\u20ac\ud83d\ude00"]"#.utf8))
    #expect(
      document.value.array?.map(\.string) == ["a\"\\/\u{8}\u{C}\n\r\t", "Aä€😀"])
  }

  struct Number: Sendable {
    let text: String
    let unsigned: UInt128?
    let integer: Int?
  }

  @Test(arguments: [
    Number(text: "0", unsigned: 0, integer: 0), Number(text: "-0", unsigned: nil, integer: 0),
    Number(text: "-7", unsigned: nil, integer: -7),
    Number(text: "18446744073709551615", unsigned: UInt128(UInt64.max), integer: nil),
    Number(text: "340282366920938463463374607431768211455", unsigned: .max, integer: nil),
    Number(text: "340282366920938463463374607431768211456", unsigned: nil, integer: nil),
    Number(text: "1.0", unsigned: nil, integer: nil),
    Number(text: "1e2", unsigned: nil, integer: nil),
  ])
  func `whole numbers are exact and others are none`(number: Number) throws {
    let value = try JSONDocument(reading: Array(number.text.utf8)).value
    #expect(value.unsigned == number.unsigned)
    #expect(value.integer == number.integer)
  }

  @Test func `knows where values stand`() throws {
    let text = #" {"a" : [ 1, "two" ] , "b":{}} "#
    let bytes = Array(text.utf8)
    let value = try JSONDocument(reading: bytes).value
    func slice(_ value: JSONValue?) -> String? {
      value.map { String(decoding: bytes[$0.range], as: UTF8.self) }
    }
    #expect(slice(value) == #"{"a" : [ 1, "two" ] , "b":{}}"#)
    #expect(slice(value["a"]) == #"[ 1, "two" ]"#)
    #expect(slice(value["a"]?.array?[1]) == #""two""#)
    #expect(slice(value["b"]) == "{}")
    #expect(value["c"] == nil)
    #expect(value.members?.map(\.name) == ["a", "b"])
  }

  @Test func `the last of repeated names counts`() throws {
    let value = try JSONDocument(reading: Array(#"{"a":1,"a":2}"#.utf8)).value
    #expect(value["a"]?.integer == 2)
  }
}

extension JSONDocumentTests.Refusal {
  init(
    _ testDescription: String, _ text: String, _ line: Int, _ column: Int, _ message: String
  ) {
    self.init(
      testDescription: testDescription, text: text, line: line, column: column, message: message)
  }
}
