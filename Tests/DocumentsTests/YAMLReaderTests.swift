import Documents
import Testing

@Suite("Reading YAML")
struct YAMLReaderTests {
  @Test func `reads lists, mappings and scalars of every style`() throws {
    let text = """
      a: 1
      b:
        - x
        - {y: [1, 2], z: }
      c: |
        two
        lines
      d: >-
        folded
        text
      "e f": 'it''s'
      g: "\\u00e4\\n"
      """
    let value = try #require(try YAMLReader.documents(of: Array(text.utf8)).first)
    #expect(value.mapping?.map(\.name) == ["a", "b", "c", "d", "e f", "g"])
    #expect(value["a"]?.scalar?.resolved == .integer(1))
    #expect(value["b"]?.sequence?.first?.scalar?.text == "x")
    #expect(value["b"]?.sequence?.last?["y"]?.sequence?.map(\.scalar?.integer) == [1, 2])
    #expect(value["b"]?.sequence?.last?["z"]?.isNull == true)
    #expect(value["c"]?.scalar?.text == "two\nlines\n")
    #expect(value["d"]?.scalar?.text == "folded text")
    #expect(value["e f"]?.scalar?.text == "it's")
    #expect(value["e f"]?.scalar?.isPlain == false)
    #expect(value["g"]?.scalar?.text == "ä\n")
    #expect(value["missing"] == nil)
  }

  @Test(arguments: [
    ("", 0), ("# only a comment\n", 0), ("---\n", 1), ("a\n---\nb\n...\n---\n{}\n", 3),
    ("---\n---\n", 2), ("%YAML 1.1\n---\na: b\n", 1),
  ])
  func `tells the documents of a stream apart`(text: String, count: Int) throws {
    #expect(try YAMLReader.documents(of: Array(text.utf8)).count == count)
  }

  @Test func `resolves tags`() throws {
    let text = "%TAG !e! tag:example.org,2026:\n---\n[!!str 1, !e!x 2, !local 3, !<x:y> 4, 5]"
    let value = try #require(try YAMLReader.documents(of: Array(text.utf8)).first)
    let tags = value.sequence?.map(\.tag)
    #expect(tags == ["tag:yaml.org,2002:str", "tag:example.org,2026:x", "!local", "x:y", nil])
    let strings = value.sequence?.map { $0.scalar?.resolved == .string }
    #expect(strings == [true, true, true, true, false])
  }

  @Test func `replaces aliases`() throws {
    let text = "a: &x {k: [1]}\nb: *x\nc: &s word\n*s : &x 2\nd: *x\n"
    let value = try #require(try YAMLReader.documents(of: Array(text.utf8)).first)
    #expect(value["b"]?["k"]?.sequence?.first?.scalar?.integer == 1)
    #expect(value["word"]?.scalar?.integer == 2)
    #expect(value["d"]?.scalar?.integer == 2, "the nearest anchor before the alias counts")
  }

  struct Merge: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    let result: [String]
  }

  static let merges: [Merge] = [
    Merge(
      testDescription: "of a mapping", text: "[&m {a: 1, b: 2}, {<<: *m, c: 3}]",
      result: ["c=3", "a=1", "b=2"]),
    Merge(
      testDescription: "own keys count, wherever they stand",
      text: "[&m {a: 1, b: 2}, {b: 4, <<: *m, a: 3}]", result: ["b=4", "a=3"]),
    Merge(
      testDescription: "of a list, in which the first counts",
      text: "[&m {a: 1}, &n {a: 2, b: 2}, {<<: [*m, *n, {b: 3, c: 3}]}]",
      result: ["a=1", "b=2", "c=3"]),
    Merge(
      testDescription: "of a mapping that merges",
      text: "[&m {a: 1, b: 1}, &n {<<: *m, b: 2}, {<<: *n}]", result: ["b=2", "a=1"]),
    Merge(testDescription: "in place", text: "[{<<: {a: 1}}]", result: ["a=1"]),
    Merge(testDescription: "not if quoted", text: "[{'<<': 1, a: 2}]", result: ["<<=1", "a=2"]),
    Merge(
      testDescription: "as its tag says", text: "[{!!merge '<<': {a: 2}}]", result: ["a=2"]),
  ]

  @Test(arguments: merges)
  func `applies merge keys`(merge: Merge) throws {
    let value = try YAMLReader.documents(of: Array(merge.text.utf8)).first?.sequence?.last
    let told = value?.mapping?.map { "\($0.name)=\($0.value.scalar?.text ?? "?")" }
    #expect(told == merge.result)
  }

  @Test func `finds keys in large mappings`() throws {
    let lines = (0..<1000).map { "key\($0): \($0)\n" }
    let bytes = Array(lines.joined().utf8)
    let value = try #require(try YAMLReader.documents(of: bytes).first)
    #expect(value.mapping?.count == 1000)
    #expect(value["key999"]?.scalar?.integer == 999)
    let error = #expect(throws: YAMLError.self) {
      try YAMLReader.documents(of: bytes + Array("key500: again\n".utf8))
    }
    let text = String(decoding: bytes, as: UTF8.self)
    let start = try #require(text.firstRange(of: "key500")).lowerBound.utf16Offset(in: text)
    #expect(
      error?.problem == .duplicateKey("key500", first: start..<start + 6, firstLine: 501))
    #expect(error?.line == 1001)
    #expect(error?.description == "mapping key \"key500\" already defined at line 501")
  }

  @Test func `tells letters apart that Swift's strings do not`() throws {
    let value = try YAMLReader.documents(of: Array("K: 1\n\u{212A}: 2\n".utf8)).first
    #expect(value?.mapping?.count == 2)
    #expect(value?["K"]?.scalar?.integer == 1)
    #expect(value?["\u{212A}"]?.scalar?.integer == 2)
  }

  /// About 1 MB of rules in the form of a firewall's listing, and what reading them takes at most.
  @Test
  func `reads large texts`() throws {
    let rule = "    - name: rule\n      ports: [80, 8000-9000]\n      subnet: 10.0.0.0/8\n"
    let bytes = Array(("rules:\n" + String(repeating: rule, count: 15_000)).utf8)
    let value = try #require(try YAMLReader.documents(of: bytes).first)
    #expect(value["rules"]?.sequence?.count == 15_000)
    #expect(value.range == 0..<bytes.count - 1)
  }
}
