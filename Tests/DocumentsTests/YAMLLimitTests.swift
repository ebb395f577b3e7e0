import Documents
import Testing

@Suite("Limits of YAML")
struct YAMLLimitTests {
  private func refusal(_ bytes: [UInt8], _ limits: YAMLLimits = YAMLLimits()) -> YAMLError? {
    #expect(throws: YAMLError.self) { try YAMLReader.documents(of: bytes, limits: limits) }
  }

  @Test(arguments: [("[", "]"), ("{a: ", "}"), ("- ", ""), ("[a: ", "]")])
  func `nests as deep as allowed and no deeper`(opening: String, closing: String) throws {
    func nested(_ depth: Int) -> [UInt8] {
      Array(
        (String(repeating: opening, count: depth) + "x" + String(repeating: closing, count: depth))
          .utf8)
    }
    // A pair in a list is a mapping of its own.
    let depth = opening == "[a: " ? 64 : 128
    _ = try YAMLReader.documents(of: nested(depth))
    let error = refusal(nested(depth + 1))
    #expect(error?.problem == .tooDeep(limit: 128))
    #expect(error?.offset == depth * opening.utf8.count)
  }

  @Test(arguments: ["[", "{", "- ", "? ", "[{a: ", "- ? ", "[? "])
  func `a text of openings alone ends at the limit`(opening: String) {
    let error = refusal(Array(String(repeating: opening, count: 1_000_000).utf8))
    #expect(error?.problem == .tooDeep(limit: 128))
  }

  @Test func `aliases count towards the depth`() {
    let lines = (1..<200).map { "a\($0): &a\($0) [*a\($0 - 1)]\n" }
    let error = refusal(Array(("a0: &a0 [x]\n" + lines.joined()).utf8))
    #expect(error?.problem == .tooDeep(limit: 128))
    #expect(error?.line == 128)
  }

  @Test func `counts keys and values`() throws {
    let text = Array("{a: [1, 2], b: 3}".utf8)
    _ = try YAMLReader.documents(of: text, limits: YAMLLimits(nodeCount: 7))
    let error = refusal(text, YAMLLimits(nodeCount: 6))
    #expect(error?.problem == .tooManyNodes(limit: 6))
    #expect(error?.offset == 15)
  }

  @Test func `counts what aliases repeat`() throws {
    let text = Array("[&a [1, 2], *a, *a]".utf8)
    _ = try YAMLReader.documents(of: text, limits: YAMLLimits(nodeCount: 10))
    let error = refusal(text, YAMLLimits(nodeCount: 9))
    #expect(error?.problem == .tooManyNodes(limit: 9))
    #expect(error?.offset == 16)
  }

  @Test func `an alias bomb ends at the limit`() {
    let lines = (1..<60).map { level in
      "a\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ","))]\n"
    }
    let error = refusal(Array(("a0: &a0 [lol]\n" + lines.joined()).utf8))
    #expect(error?.problem == .tooManyNodes(limit: 1 << 22))
    #expect(error?.line == 8)
  }

  @Test func `a bomb of merge keys ends at the limit`() {
    let keys = (0..<1000).map { "k\($0): 1" }.joined(separator: ",")
    let all = Array(repeating: "*a", count: 100).joined(separator: ",")
    let lines = Array(repeating: "- {<<: [\(all)]}\n", count: 100)
    let error = refusal(Array(("- &a {\(keys)}\n" + lines.joined()).utf8))
    #expect(error?.problem == .tooManyNodes(limit: 1 << 22))
  }

  @Test func `a scalar may be only so long`() throws {
    let limits = YAMLLimits(scalarByteCount: 4)
    _ = try YAMLReader.documents(of: Array("a: \"\\u00e4\\u00e4\"".utf8), limits: limits)
    let error = refusal(Array("a: \"\\u00e4\\u00e4x\"".utf8), limits)
    #expect(error?.problem == .scalarTooLong(limit: 4))
    #expect(error?.offset == 3)
    #expect(refusal(Array("abcde: 1".utf8), limits)?.problem == .scalarTooLong(limit: 4))
  }

  @Test func `a scalar of half a gigabyte is not looked at`() {
    let error = refusal(Array(repeating: UInt8(ascii: "x"), count: 500_000_000))
    #expect(error?.problem == .tooManyBytes(limit: 1 << 26))
    #expect(error?.offset == 0)
  }

  @Test(arguments: ["\n", "\r", "\r\n", "\u{85}", "\u{2028}", "\u{2029}"])
  func `directives are limited, however lines end`(lineBreak: String) throws {
    func text(_ count: Int) -> [UInt8] {
      let lines = (0..<count).map { "%TAG !t\($0)! tag:x,2026:\(lineBreak)" }
      return Array((lines.joined() + "--- 1\n").utf8)
    }
    _ = try YAMLReader.documents(of: text(64))
    let error = refusal(text(65))
    #expect(error?.problem == .tooManyDirectives(limit: 64))
    // A percent sign elsewhere is none.
    let shares = String(repeating: "- a%b\n- \"% c\"\n", count: 100)
    _ = try YAMLReader.documents(of: Array(shares.utf8))
  }
}
