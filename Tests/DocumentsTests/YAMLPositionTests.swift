import Documents
import Testing

@Suite("Places of YAML")
struct YAMLPositionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    /// The text of every node, a node before its children.
    let nodes: [String]

    init(_ testDescription: String, _ text: String, _ nodes: [String]) {
      self.testDescription = testDescription
      self.text = text
      self.nodes = nodes
    }
  }

  static let cases: [Case] = [
    Case("quotes", "\"a\\n\": 'b'  # c", ["\"a\\n\": 'b'", "\"a\\n\"", "'b'"]),
    Case(
      "blocks end with their last child", "a:\n  b: 1\n\n  # c\nd: 2\n\n# e\n",
      ["a:\n  b: 1\n\n  # c\nd: 2", "a", "b: 1", "b", "1", "d", "2"]),
    Case("brackets count", "[ [1 ] , { } ] #", ["[ [1 ] , { } ]", "[1 ]", "1", "{ }"]),
    Case("a pair in a list has no brackets", "[a: b , c]", ["[a: b , c]", "a: b", "a", "b", "c"]),
    Case(
      "lists as deep as their key", "a:\n- b\n-  c\nd:",
      ["a:\n- b\n-  c\nd:", "a", "- b\n-  c", "b", "c", "d", ""]),
    Case("a text over lines", "a: b\n  c\nd: e", ["a: b\n  c\nd: e", "a", "b\n  c", "d", "e"]),
    Case(
      "block scalars end with their last letter", "a: |\n  b\n\n  c  \n\n# d\ne: >+\n  f\n\n",
      ["a: |\n  b\n\n  c  \n\n# d\ne: >+\n  f", "a", "|\n  b\n\n  c", "e", ">+\n  f"]),
    Case("an empty block scalar", "a: |\n\n", ["a: |", "a", "|"]),
    Case(
      "letters of several bytes", "ä: [ö, \"😀\", ü]\nß: €",
      ["ä: [ö, \"😀\", ü]\nß: €", "ä", "[ö, \"😀\", ü]", "ö", "\"😀\"", "ü", "ß", "€"]),
    Case("behind a byte order mark", "\u{FEFF}ä: b\nc: d", ["ä: b\nc: d", "ä", "b", "c", "d"]),
    Case(
      "lines that end with CR LF", "a: 1\r\nb:\r\n  - c\r\n",
      ["a: 1\r\nb:\r\n  - c", "a", "1", "b", "- c", "c"]),
    Case(
      "anchors, tags and aliases", "a: &x !!str b\nc: *x\n",
      ["a: &x !!str b\nc: *x", "a", "&x !!str b", "c", "*x"]),
    Case(
      "inside aliases", "- &x [ 1 ]\n- *x\n", ["- &x [ 1 ]\n- *x", "&x [ 1 ]", "1", "*x", "1"]),
    Case(
      "members of merges", "- &x {a: 1}\n- <<: *x\n  b: 2",
      [
        "- &x {a: 1}\n- <<: *x\n  b: 2", "&x {a: 1}", "a", "1", "<<: *x\n  b: 2", "b", "2", "a",
        "1",
      ]),
  ]

  @Test(arguments: cases) func `are exact`(test: Case) throws {
    let bytes = Array(test.text.utf8)
    let value = try #require(try YAMLReader.documents(of: bytes).first)
    var nodes: [String] = []
    visit(value) { nodes.append(String(decoding: bytes[$0.range], as: UTF8.self)) }
    #expect(nodes == test.nodes)
  }

  @Test(arguments: [
    ("a:\nb: 1", [2]), ("a:   # c\nb: 1", [2]), ("a: \n", [2]), ("- \n-   \n- 1", [1, 4]),
    ("{a, b: , c: }", [2, 6, 11]), ("? a\n# c\n? b\n", [3, 11]), ("--- \n\n---\n", [3, 9]),
    ("a:\n  - # c\n", [6]), ("[? a, b: ]", [4, 8]), ("a: &x\nb: !!null\n", []),
    ("ä:\nö: [ö: ]", [3, 12]),
  ])
  func `of values that are not written`(text: String, places: [Int]) throws {
    var found: [Int] = []
    for document in try YAMLReader.documents(of: Array(text.utf8)) {
      visit(document) { if $0.range.isEmpty { found.append($0.range.lowerBound) } }
    }
    #expect(found == places)
  }

  @Test func `of the documents of a stream`() throws {
    let bytes = Array("# first\nnode: a\n---\nnode: b\n...\n--- {node: c}\n".utf8)
    let documents = try YAMLReader.documents(of: bytes)
    let texts = documents.map { String(decoding: bytes[$0.range], as: UTF8.self) }
    #expect(texts == ["node: a", "node: b", "{node: c}"])
  }
}

/// Calls a function with a node and all below, each before its children.
func visit(_ value: YAMLValue, _ body: (YAMLValue) -> Void) {
  body(value)
  switch value.content {
  case .scalar: break
  case .sequence(let entries): for entry in entries { visit(entry, body) }
  case .mapping(let members):
    for member in members {
      visit(member.key, body)
      visit(member.value, body)
    }
  }
}
