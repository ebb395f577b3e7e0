import Diagnostics
import Documents
import NftablesFrontend
import Rulesets
import TestSupport
import Testing

@Suite("Damaged listings")
struct MutationTests {
  @Test(arguments: Fixtures.names)
  func `of any kind end in a ruleset or in diagnostics, never in a trap`(name: String) throws {
    let original = try Fixtures.bytes("\(name).json")
    var generator = SeededGenerator(seed: 0x5EED)
    var scalars: [Range<Int>] = []
    collect(try JSONDocument(reading: original).value, into: &scalars)
    var readable = 0
    for _ in 0..<260 {
      let mutant = mutated(original, scalars, using: &generator)
      var sources = SourceMap()
      let reading = NftablesReader.read(mutant, name: name, sources: &sources)
      if let ruleset = reading.ruleset {
        readable += 1
        _ = RulesetPrinter().text(of: ruleset)
      } else {
        #expect(reading.diagnostics.contains { $0.severity == .error })
        for diagnostic in reading.diagnostics {
          _ = DiagnosticRenderer(sources: sources, style: .plain).render(diagnostic)
        }
      }
    }
    // The mutator must not only make noise that the first byte refuses.
    #expect(readable > 30)
  }

  /// A token put in another's place, or up to three bytes flipped and runs removed or doubled.
  private func mutated(
    _ bytes: [UInt8], _ scalars: [Range<Int>], using generator: inout SeededGenerator
  ) -> [UInt8] {
    var bytes = bytes
    if Int.random(in: 0..<3, using: &generator) != 0 {
      swapTokens(in: &bytes, scalars, using: &generator)
      return bytes
    }
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      guard bytes.count > 16 else { break }
      let place = Int.random(in: 0..<bytes.count - 8, using: &generator)
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 1: bytes.removeSubrange(place..<place + Int.random(in: 1...8, using: &generator))
      case 2: bytes.insert(contentsOf: bytes[place..<place + 8], at: place)
      default: bytes.removeLast(Int.random(in: 1..<bytes.count / 2, using: &generator))
      }
    }
    return bytes
  }

  /// Puts one string or number where another stood, so that the text stays JSON.
  private func swapTokens(
    in bytes: inout [UInt8], _ scalars: [Range<Int>], using generator: inout SeededGenerator
  ) {
    guard let target = scalars.randomElement(using: &generator) else { return }
    let words = [
      "0", "-1", "340282366920938463463374607431768211455", "null", "true", "[]", "{}", "\"\"",
      "\"*\"", "\"@s\"", "\"0x10000000000000000\"", "{\"range\":[9,1]}",
      "{\"prefix\":{\"addr\":\"10.0.0.1\",\"len\":200}}", "{\"concat\":[1,2,3]}", "[1,2]",
      "{\"set\":[]}", "\"ip\"", "\"ff\"", "99999999999",
    ]
    if Bool.random(using: &generator), let source = scalars.randomElement(using: &generator) {
      bytes.replaceSubrange(target, with: Array(bytes[source]))
    } else if let word = words.randomElement(using: &generator) {
      bytes.replaceSubrange(target, with: Array(word.utf8))
    }
  }

  private func collect(_ value: JSONValue, into scalars: inout [Range<Int>]) {
    for (_, member) in value.members ?? [] { collect(member, into: &scalars) }
    for element in value.array ?? [] { collect(element, into: &scalars) }
    scalars.append(value.range)
  }
}
