import Documents
import Testing

@Suite("Refusing YAML")
struct YAMLRefusalTests {
  struct Refusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let offset: Int
    let line: Int
    let column: Int
    let message: String

    init(
      _ testDescription: String, _ bytes: [UInt8], _ offset: Int, _ line: Int, _ column: Int,
      _ message: String
    ) {
      self.testDescription = testDescription
      self.bytes = bytes
      self.offset = offset
      self.line = line
      self.column = column
      self.message = message
    }

    init(
      _ testDescription: String, _ text: String, _ offset: Int, _ line: Int, _ column: Int,
      _ message: String
    ) {
      self.init(testDescription, Array(text.utf8), offset, line, column, message)
    }
  }

  static let grammar: [Refusal] = [
    Refusal(
      "open quotes", "a: \"x\ny", 7, 2, 2,
      "found unexpected end of stream (while scanning a quoted scalar, line 1)"),
    Refusal(
      "open list", "a: [1, 2", 8, 1, 9,
      "did not find expected ',' or ']' (while parsing a flow sequence, line 1)"),
    Refusal(
      "open mapping", "\na: {b: c", 9, 2, 9,
      "did not find expected ',' or '}' (while parsing a flow mapping, line 2)"),
    Refusal(
      "deeper without a reason", "a: 1\n b: 2", 7, 2, 3,
      "mapping values are not allowed in this context"),
    Refusal(
      "entry in a mapping's line", "a:\t- b", 3, 1, 4,
      "block sequence entries are not allowed in this context"),
    Refusal(
      "tab as indentation", "\ta: b", 0, 1, 1,
      "found character that cannot start any token (while scanning for the next token, line 1)"),
    Refusal(
      "mapping behind a list", "- a\nb: c", 4, 2, 1,
      "did not find expected '-' indicator (while parsing a block collection, line 1)"),
    Refusal("two values", "{a: 1}\n{b: 2}\n", 7, 2, 1, "did not find expected <document start>"),
    Refusal(
      "YAML 2", "%YAML 2.0\n---\na", 0, 1, 1, "found incompatible YAML document"),
    Refusal(
      "undeclared tag", "a: !foo!bar x", 3, 1, 4,
      "found undefined tag handle (while parsing a node, line 1)"),
    Refusal(
      "half a surrogate pair", "ä: \"\\ud83d\"", 7, 1, 7,
      "found invalid Unicode character escape code (while parsing a quoted scalar, line 1)"),
  ]

  static let meaning: [Refusal] = [
    Refusal(
      "repeated key", "a: 1\nb: 2\n\"a\": 3\n", 10, 3, 1,
      "mapping key \"a\" already defined at line 1"),
    Refusal(
      "repeated merge key", "- &m {a: 1}\n- <<: *m\n  <<: *m\n", 23, 3, 3,
      "mapping key \"<<\" already defined at line 2"),
    Refusal(
      "key repeated through an alias", "x: &x x\n*x : 1\n", 8, 2, 1,
      "mapping key \"x\" already defined at line 1"),
    Refusal("list as key", "a: 1\n? [b]\n: c\n", 7, 2, 3, "a list or a mapping cannot be a key"),
    Refusal("mapping as key", "{a: b}: c\n", 0, 1, 1, "a list or a mapping cannot be a key"),
    Refusal(
      "list as key through an alias", "- &l []\n- *l : 1\n", 10, 2, 3,
      "a list or a mapping cannot be a key"),
    Refusal("unknown anchor", "a: *b\n", 3, 1, 4, "no anchor is called \"b\""),
    Refusal(
      "anchor of another document", "a: &b 1\n---\na: *b\n", 15, 3, 4, "no anchor is called \"b\""),
    Refusal(
      "alias inside its anchor", "a: &b\n  - 1\n  - [*b]\n", 17, 3, 6,
      "the value of anchor \"b\" contains itself"),
    Refusal(
      "merge of a scalar", "<<: 1\n", 4, 1, 5,
      "a merge key needs a mapping or a list of mappings as its value"),
    Refusal(
      "merge of a list with a scalar", "<<: [{a: 1}, 2]\n", 13, 1, 14,
      "a merge key needs a mapping or a list of mappings as its value"),
    Refusal(
      "merge of a list's alias", "- &l [{a: 1}]\n- <<: *l\n", 20, 2, 7,
      "a merge key needs a mapping or a list of mappings as its value"),
    Refusal(
      "not as tagged", "a: !!int x", 3, 1, 4, "\"x\" is not what the tag tag:yaml.org,2002:int says"
    ),
  ]

  static let encoding: [Refusal] = [
    Refusal(
      "little-endian UTF-16", [0xFF, 0xFE, 0x61, 0], 0, 1, 1,
      "the text is UTF-16, and only UTF-8 is read"),
    Refusal(
      "big-endian UTF-16", [0xFE, 0xFF, 0, 0x61], 0, 1, 1,
      "the text is UTF-16, and only UTF-8 is read"),
    Refusal(
      "UTF-16 without a mark", [0x61, 0, 0x3A, 0], 0, 1, 1,
      "the text is UTF-16, and only UTF-8 is read"),
    Refusal(
      "zero byte", Array("ab: \"\u{0}\"".utf8), 5, 1, 6,
      "a control character (0x0) may not stand here"),
    Refusal(
      "escape character behind umlauts", "ä: ü\u{1B}[1m", 6, 1, 5,
      "a control character (0x1b) may not stand here"),
    Refusal("cut letter", [0x61, 0x3A, 0x20, 0xC3], 3, 1, 4, "this is not UTF-8"),
    Refusal("byte of no letter", [0x61, 0x80], 1, 1, 2, "this is not UTF-8"),
    Refusal("overlong letter", [0x61, 0xC0, 0x80, 0x62], 1, 1, 2, "this is not UTF-8"),
    Refusal("broken letter", [0x61, 0xE2, 0x82, 0x28], 1, 1, 2, "this is not UTF-8"),
    Refusal(
      "byte of no letter behind one", [0x61, 0xC3, 0xA4, 0x80], 3, 1, 3, "this is not UTF-8"),
    Refusal("surrogate", [0x61, 0xED, 0xA0, 0x80], 1, 1, 2, "this is not UTF-8"),
    Refusal("beyond Unicode", [0x61, 0xF4, 0x90, 0x80, 0x80], 1, 1, 2, "this is not UTF-8"),
    Refusal(
      "behind a byte order mark", [0xEF, 0xBB, 0xBF, 0x61, 0x0A, 0x62, 0xFF], 6, 2, 2,
      "this is not UTF-8"),
    Refusal(
      "behind a byte order mark, in its line", Array("\u{FEFF}a: *b".utf8), 6, 1, 4,
      "no anchor is called \"b\""),
  ]

  @Test(arguments: grammar + meaning + encoding)
  func `says where and what`(refusal: Refusal) {
    let error = #expect(throws: YAMLError.self) { try YAMLReader.documents(of: refusal.bytes) }
    #expect(error?.offset == refusal.offset)
    #expect(error?.line == refusal.line)
    #expect(error?.column == refusal.column)
    #expect(error?.description == refusal.message)
  }

  @Test func `names both places of a repeated key`() {
    let error = #expect(throws: YAMLError.self) {
      try YAMLReader.documents(of: Array("ä: 1\nab: 2\nab: 3\n".utf8))
    }
    #expect(error?.problem == .duplicateKey("ab", first: 6..<8, firstLine: 2))
    #expect(error?.offset == 12)
  }

  @Test func `prints no letters that steer a terminal, and no endless names`() {
    let key = "\"\\e[1m\(String(repeating: "x", count: 90))\""
    let error = #expect(throws: YAMLError.self) {
      try YAMLReader.documents(of: Array("{\(key): 1, \(key): 2}".utf8))
    }
    let told = "\"\\u{1B}[1m\(String(repeating: "x", count: 60))…\""
    #expect(error?.description == "mapping key \(told) already defined at line 1")
  }
}
