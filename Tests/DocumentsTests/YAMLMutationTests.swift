import Documents
import Foundation
import TestSupport
import Testing

@Suite("Damaged YAML")
struct YAMLMutationTests {
  private func fixture(_ name: String) throws -> [UInt8] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return Array(try Data(contentsOf: folder.appending(path: "Fixtures/Documents/\(name).yaml")))
  }

  @Test(arguments: ["machine", "notations"])
  func `ends in documents or in an error, never in a trap`(name: String) throws {
    let original = try fixture(name)
    #expect(try YAMLReader.documents(of: original).count == 2)
    var random = SeededGenerator(seed: 0x5EED)
    var readable = 0
    for _ in 0..<4000 {
      let mutant = mutated(original, using: &random)
      do {
        for document in try YAMLReader.documents(of: mutant) { check(document, in: mutant) }
        readable += 1
      } catch {
        #expect(!error.description.isEmpty)
        #expect(0...mutant.count ~= error.offset && error.line >= 1 && error.column >= 1)
      }
    }
    // The mutator must not only make noise that the first byte refuses.
    #expect(readable > 400)
  }

  @Test(arguments: ["machine", "notations"]) func `ends so on every prefix`(name: String) throws {
    let original = try fixture(name)
    for length in original.indices {
      let prefix = Array(original[..<length])
      for document in (try? YAMLReader.documents(of: prefix)) ?? [] { check(document, in: prefix) }
    }
  }

  /// Every place is one of the text, and what is written plainly in one line stands there as it is.
  private func check(_ value: YAMLValue, in bytes: [UInt8]) {
    visit(value) { value in
      guard value.range.upperBound <= bytes.count else {
        Issue.record("\(value.range) of \(bytes.count)")
        return
      }
      let text = bytes[value.range]
      guard let scalar = value.scalar, scalar.isPlain, text.first != UInt8(ascii: "*"),
        !text.contains(where: { $0 == 0x0A || $0 == 0x0D })
      else { return }
      _ = scalar.resolved
      if !text.reversed().starts(with: Array(scalar.text.utf8).reversed()) {
        Issue.record("`\(scalar.text)` is not at \(value.range) of \(bytes)")
      }
    }
  }

  /// Up to three bytes flipped or replaced by letters of the grammar, and runs removed or doubled.
  private func mutated(_ bytes: [UInt8], using random: inout SeededGenerator) -> [UInt8] {
    let letters = Array("-?:,[]{}#&*!|>'\"%@`\n\t \\<~0ä\r".utf8)
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let place = Int.random(in: 0..<bytes.count - 8, using: &random)
      let letter = letters[Int.random(in: letters.indices, using: &random)]
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[place] = letter
      case 2: bytes.insert(letter, at: place)
      case 3: bytes.removeSubrange(place..<place + Int.random(in: 1...8, using: &random))
      case 4: bytes.insert(contentsOf: bytes[place..<place + 8], at: place)
      default: bytes.removeLast(Int.random(in: 1..<bytes.count / 2, using: &random))
      }
      guard bytes.count > 16 else { break }
    }
    return bytes
  }
}
