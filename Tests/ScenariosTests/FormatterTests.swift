import Diagnostics
import Foundation
import Scenarios
import TestSupport
import Testing

/// A text, and its canonical form.
private struct Case: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let text: String
  let formatted: String
}

private let cases = [
  Case(
    testDescription: "blanks between words",
    text: "  a,b  ->c { 22   tcp,80 tcp }\texpect allow  \n",
    formatted: "a, b -> c { 22 tcp, 80 tcp } expect allow\n"),
  Case(
    testDescription: "spellings",
    text:
      "A → b TCP/443 EXPECT Allow Timeout 5S\n10.0.0.1 - 10.0.0.9 -> FD00:0::1 proto 6 expect deny\n",
    formatted: "A -> b 443 tcp expect allow timeout 5s\n"
      + "10.0.0.1-10.0.0.9 -> fd00::1 tcp expect deny\n"),
  Case(
    testDescription: "several statements on a line",
    text: "group a = b;group cc = d # both\n; a -> cc any expect deny;",
    formatted: "group a  = b\ngroup cc = d  # both\na -> cc any expect deny\n"),
  Case(
    testDescription: "suites",
    text: """
      suite "x" severity high {# why
      # first

        a -> b any expect deny # one

      suite "y" { a -> b icmp type 8 expect deny }

      }


      # last
      """,
    formatted: """
      suite "x" severity high {  # why
        # first

        a -> b any expect deny  # one

        suite "y" {
          a -> b icmp type echo-request expect deny
        }
      }

      # last

      """),
  Case(
    testDescription: "declarations below one another",
    text: """
      host a = 10.0.0.1 iface eth0
      host gateway = 10.0.0.2
      group all = a, gateway
      service web = tcp/80  # plain

      service dns = 53 udp
      service secure-web = 443 tcp   # with TLS
      service mail =25 tcp # to be removed
      # Both sides.
      firewall a = nft "a.nft" on a with version "1"
      firewall gateway = live between a and all
      firewall b = talos "bb.yaml" on gateway with version "1.13" with node 10.0.0.2
      """,
    formatted: """
      host a       = 10.0.0.1 iface eth0
      host gateway = 10.0.0.2
      group all = a, gateway
      service web = 80 tcp  # plain

      service dns        = 53 udp
      service secure-web = 443 tcp  # with TLS
      service mail       = 25 tcp   # to be removed
      # Both sides.
      firewall a       = nft "a.nft"     on a       with version "1"
      firewall gateway = live            between a and all
      firewall b       = talos "bb.yaml" on gateway with version "1.13" with node 10.0.0.2

      """),
  Case(
    testDescription: "broken lines",
    text: """
      a -> b any \\
      expect deny \\
      because "\\"no\\""
      group x = { a,
       # the second
           b # and more

      , c } except \\
        d
      suite "s" {
      a -> { b,
      c
      } {53 udp,
      853 tcp } expect deny
      }
      """,
    formatted: """
      a -> b any \\
          expect deny \\
          because "\\"no\\""
      group x = { a,
        # the second
        b  # and more

        , c } except \\
          d
      suite "s" {
        a -> { b,
          c
        } { 53 udp,
          853 tcp } expect deny
      }

      """),
  Case(
    testDescription: "a comment where a line would have gone on",
    text: "a -> b any expect deny \\\n\\\n   # after all\n\n\n\n# more \t\n",
    formatted: "a -> b any expect deny  # after all\n\n# more\n"),
  Case(
    testDescription: "ends of lines, and a mark of byte order", text: "\u{FEFF}# a\r\n\r\n# b\r\n",
    formatted: "# a\n\n# b\n"),
  Case(testDescription: "nothing", text: "\n \n", formatted: ""),
]

/// What files mean, without their places.
private struct Meaning: Equatable {
  let flows: [Flow]
  let declarations: String

  // What files hold comes by their paths.
  init?(_ path: String, reading: (String) throws -> [UInt8]) throws {
    var sources = SourceMap()
    let result = ScenarioReader.read(
      path: path, bytes: try reading(path), sources: &sources
    ) { other in
      (try? reading(other)).map { .success($0) } ?? .failure(UnreadableFile(reason: "none"))
    }
    guard var plan = result.plan else { return nil }
    flows = plan.flows.map { flow in
      var flow = flow
      flow.span = SourceSpan(file: 0, lower: 0, upper: 0)
      flow.expectationSpan = flow.span
      return flow
    }
    plan.flows = []
    declarations = "\(plan)".replacing(
      #/SourceSpan\(file: \d+, lower: \d+, upper: \d+\)/#, with: "")
  }
}

private func formatted(_ bytes: [UInt8]) -> [UInt8]? {
  Formatter.format(bytes, file: 0).text.map { Array($0.utf8) }
}

/// The comments of a file, without blanks at their ends.
private func comments(in bytes: [UInt8]) -> [String] {
  Lexer.tokens(of: bytes, file: 0).comments.map { span in
    let text = String(decoding: bytes[span.lower..<span.upper], as: UTF8.self)
    return String(text.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
  }
}

/// The scenario files of the repository, from its folder.
private let shipped: [String] = {
  ["Scenarios", "Tests/Fixtures", "Tests/Golden"].flatMap { folder in
    let all = FileManager.default.enumerator(atPath: Repository.root.appending(path: folder).path)
    return (all ?? .init()).compactMap { $0 as? String }.filter { $0.hasSuffix(".scn") }
      .map { "\(folder)/\($0)" }
  }.sorted()
}()

private func bytes(of path: String) throws -> [UInt8] {
  Array(try Data(contentsOf: Repository.root.appending(path: path)))
}

@Suite("The canonical form of a file")
struct FormatterTests {
  @Test("has one form for", arguments: cases)
  private func form(example: Case) throws {
    let text = try #require(Formatter.format(Array(example.text.utf8), file: 0).text)
    #expect(text == example.formatted)
    #expect(Formatter.format(Array(text.utf8), file: 0).text == text)
  }

  @Test func `is there for none that cannot be read, which says why`() {
    for text in ["a -> b 22 expect allow\n", "suite \"x\" {\n", "# \u{7}\na b\n", "\"\n"] {
      let (formatted, diagnostics) = Formatter.format(Array(text.utf8), file: 3)
      #expect(formatted == nil)
      #expect(diagnostics.allSatisfy { $0.primary?.span.file == 3 })
      #expect(!diagnostics.isEmpty, "\(text)")
    }
    #expect(Formatter.format([0x23, 0xFF], file: 0).text == nil)
  }

  @Test(arguments: shipped)
  func `means what the file means, and is its own canonical form`(path: String) throws {
    let original = try bytes(of: path)
    let once = try #require(formatted(original))
    #expect(formatted(once) == once)
    #expect(comments(in: once) == comments(in: original))
    let before = try Meaning(path) { try bytes(of: $0) }
    let after = try Meaning(path) { formatted(try bytes(of: $0)) ?? [] }
    #expect(before == after)
  }

  @Test(arguments: shipped.filter { $0.hasPrefix("Scenarios/") })
  func `is how the packs are written`(path: String) throws {
    let original = try bytes(of: path)
    #expect(formatted(original) == original, "portproof fmt \(path)")
  }

  @Test func `is asked of many files, most of which mean something by themselves`() throws {
    #expect(shipped.count > 35)
    let whole = try shipped.filter { path in try Meaning(path) { try bytes(of: $0) } != nil }
    #expect(whole.count > 20)
  }

  /// Blanks, broken lines and comments at random between the words of a file.
  private func scattered(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    let lexed = Lexer.tokens(of: bytes, file: 0)
    var result: [UInt8] = []
    var end = 0
    for token in lexed.tokens where token.span.lower >= end && token.span.upper > token.span.lower {
      let gap = bytes[end..<token.span.lower]
      let isBlank = !gap.isEmpty && gap.allSatisfy { $0 == UInt8(ascii: " ") }
      let new = [" ", "   ", "\t", " \\\n", " \\\r\n\\\n ", " "].map { Array($0.utf8) }
      result += isBlank ? new.randomElement(using: &random) ?? [] : Array(gap)
      let isEnd = token.kind == .separator && bytes[token.span.lower] == UInt8(ascii: "\n")
      if isEnd {
        let new = ["\n", ";\n", " ; # so\n", "\n\n\n", " # so\n# and so\n", "\r\n"]
          .map { Array($0.utf8) }
        let hasComment = gap.contains(UInt8(ascii: "#"))
        result += hasComment ? [UInt8(ascii: "\n")] : new.randomElement(using: &random) ?? []
      } else {
        result += bytes[token.span.lower..<token.span.upper]
      }
      end = token.span.upper
    }
    return result + bytes[end...]
  }

  @Test func `does not depend on where its words stand`() throws {
    var random = SeededGenerator(seed: 23)
    for name in try Repository.fixtureNames() {
      let path = "Tests/Fixtures/Scenarios/\(name)"
      let original = try bytes(of: path)
      let before = try Meaning(path) { try bytes(of: $0) }
      for _ in 0..<200 {
        let strewn = scattered(original, &random)
        let once = try #require(formatted(strewn), "\(String(decoding: strewn, as: UTF8.self))")
        #expect(formatted(once) == once, "\(String(decoding: strewn, as: UTF8.self))")
        #expect(comments(in: once) == comments(in: strewn))
        let after = try Meaning(path) { $0 == path ? once : try bytes(of: $0) }
        try #require(before == after, "\(String(decoding: strewn, as: UTF8.self))")
      }
    }
  }

  /// Where a mutant can still be read, whatever it says then.
  @Test func `keeps what damaged files say`() throws {
    var random = SeededGenerator(seed: 29)
    let pieces = ["{", "}", "\n", ";", ",", " ", "#", "\\\n", "\r", "é", "tcp/1", "-", "except a"]
      .map { Array($0.utf8) }
    var compared = 0
    for name in try Repository.fixtureNames() {
      let path = "Tests/Fixtures/Scenarios/\(name)"
      let original = try bytes(of: path)
      for _ in 0..<1_500 {
        var mutant = original
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          let at = Int.random(in: 0...mutant.count, using: &random)
          if Bool.random(using: &random) {
            mutant.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: at)
          } else {
            mutant.removeSubrange(at..<min(mutant.count, at + 2))
          }
        }
        guard let once = formatted(mutant) else { continue }
        #expect(formatted(once) == once, "\(String(decoding: mutant, as: UTF8.self))")
        #expect(comments(in: once) == comments(in: mutant))
        let before = try Meaning(path) { $0 == path ? mutant : try bytes(of: $0) }
        let after = try Meaning(path) { $0 == path ? once : try bytes(of: $0) }
        try #require(before == after, "\(String(decoding: mutant, as: UTF8.self))")
        compared += 1
      }
    }
    #expect(compared > 500)
  }
}
