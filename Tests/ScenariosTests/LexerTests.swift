import Diagnostics
import Scenarios
import Testing

/// The tokens of a text, each as its kind and its words, without the final separator and end.
private func tokens(_ text: String) -> [String] {
  let bytes = Array(text.utf8)
  return Lexer.tokens(of: bytes, file: 0).tokens.dropLast().map { token in
    let words = String(decoding: bytes[token.span.lower..<token.span.upper], as: UTF8.self)
    return switch token.kind {
    case .keyword(let keyword): "<\(keyword.rawValue)>"
    case .name: "name:\(words)"
    case .integer: "int:\(words)"
    case .duration: "duration:\(words)"
    case .string: "string:\(words)"
    case .address: "address:\(words)"
    case .prefix: "prefix:\(words)"
    case .arrow, .equals, .comma, .slash, .dash, .openBrace, .closeBrace: words
    case .separator: "|"
    case .invalid: "invalid:\(words)"
    case .end: "end"
    }
  }
}

@Suite("The lexer")
struct LexerTests {
  @Test(arguments: [
    ("worker->cp", ["name:worker", "->", "name:cp", "|"]),
    ("worker→cp-1", ["name:worker", "→", "name:cp-1", "|"]),
    ("a-b->c--d", ["name:a-b", "->", "name:c", "-", "-", "name:d", "|"]),
    ("10.0.0.1-10.0.0.9", ["address:10.0.0.1", "-", "address:10.0.0.9", "|"]),
    ("fd00::1-fd00::f", ["address:fd00::1", "-", "address:fd00::f", "|"]),
    ("::/0, ::1", ["prefix:::/0", ",", "address:::1", "|"]),
    ("::ffff:1.2.3.4/96", ["prefix:::ffff:1.2.3.4/96", "|"]),
    ("80-90 TCP tcp/80", ["int:80", "-", "int:90", "<tcp>", "<tcp>", "/", "int:80", "|"]),
    ("500ms 2S 1m 1h", ["duration:500ms", "duration:2S", "duration:1m", "invalid:1h", "|"]),
    ("One-Way tcp-reset tcp-resets", ["<one-way>", "<tcp-reset>", "name:tcp-resets", "|"]),
    ("eth0.100 a. größe_1", ["name:eth0.100", "name:a", "invalid:.", "name:größe_1", "|"]),
    (#""a # b" # c"#, [#"string:"a # b""#, "|"]),
    (#""\"→\\" x"#, [#"string:"\"→\\""#, "name:x", "|"]),
    ("a\nb;c\r\n\n;d", ["name:a", "|", "name:b", "|", "name:c", "|", "name:d", "|"]),
    ("a \\\n b \\ \r\n c", ["name:a", "name:b", "name:c", "|"]),
    ("{ a,\n\n b } c", ["{", "name:a", ",", "name:b", "}", "name:c", "|"]),
    ("\u{FEFF}a", ["name:a", "|"]),
    ("suite {\na\n} b", ["<suite>", "{", "|", "name:a", "|", "}", "name:b", "|"]),
    ("suite { a }", ["<suite>", "{", "name:a", "|", "}", "|"]),
    (
      "suite { x { a\n, b }\nc }",
      [
        "<suite>", "{", "name:x", "{", "name:a", ",", "name:b", "}", "|", "name:c", "|", "}", "|",
      ]
    ),
    ("", ["|"]),
  ])
  func `cuts text where words and statements end`(text: String, expected: [String]) {
    #expect(tokens(text) == expected)
  }

  @Test(arguments: [
    // A bracket that is never closed ends before the statement that shows it.
    (
      "g { a,\nb -> c\nd",
      ["name:g", "{", "name:a", ",", "|", "name:b", "->", "name:c", "|", "name:d", "|"]
    ),
    ("g { a\nhost b", ["name:g", "{", "name:a", "|", "<host>", "name:b", "|"]),
    ("g { a expect b\nc", ["name:g", "{", "name:a", "<expect>", "name:b", "|", "name:c", "|"]),
    ("g { a; b", ["name:g", "{", "name:a", "|", "name:b", "|"]),
    (
      "g {\nsuite {\n a\n}",
      [
        "name:g", "{", "|", "<suite>", "{", "|", "name:a", "|", "}", "|",
      ]
    ),
  ])
  func `closes what is left open`(text: String, expected: [String]) {
    #expect(tokens(text) == expected)
    let lexed = Lexer.tokens(of: Array(text.utf8), file: 0)
    #expect(lexed.diagnostics.map(\.code.rawValue) == ["scenario.unclosed-bracket"])
  }

  @Test func `keeps comments and places`() {
    let marked = MarkedText("a 1️⃣# → one\r2️⃣\n3️⃣b4️⃣ # two")
    let bytes = Array(marked.text.utf8)
    let lexed = Lexer.tokens(of: bytes, file: 7)
    #expect(lexed.comments.count == 2)
    #expect(
      lexed.comments[0]
        == SourceSpan(file: 7, lower: marked.offsets[0], upper: marked.offsets[1] - 1))
    #expect(
      lexed.tokens[2].span
        == SourceSpan(file: 7, lower: marked.offsets[2], upper: marked.offsets[3]))
  }

  @Test func `quotes text so that it is read back`() throws {
    let text = "a \"b\"\\ \n\t→"
    let reading = Reading(
      "10.0.0.1 -> 10.0.0.2 22 tcp expect deny because \(StringLiteral.quoting(text))\n")
    #expect(try #require(reading.plan?.flows.first).because == text)
  }
}
