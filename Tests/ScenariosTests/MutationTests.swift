import Addresses
import Diagnostics
import Foundation
import Scenarios
import TestSupport
import Testing

@Suite("A damaged file")
struct MutationTests {
  /// Pieces that are likely to matter when they turn up in the wrong place.
  private static let pieces = [
    "{", "}", "\"", "\\", "\n", ";", ",", "->", "→", "-", "/", "=", "#", "except", "only",
    "suite \"x\" {",
    "include \"inventory.scn\"", "self", "any", "group a = a", "65536", "::", "/129", "1.2.3.4",
    "\r",
    "\u{0}", "é", "expect reject with tcp-reset", "one-way", "999999999999999999999999999",
  ].map { Array($0.utf8) }

  private func mutant(of bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let at = Int.random(in: 0...bytes.count, using: &random)
      let end = min(bytes.count, at + Int.random(in: 0...12, using: &random))
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes.removeSubrange(at..<end)
      case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
      case 2: bytes.insert(contentsOf: bytes[at..<end], at: at)
      case 3: bytes.replaceSubrange(at..<end, with: [UInt8.random(in: 0...255, using: &random)])
      case 4: bytes.removeSubrange(at...)
      default: bytes.insert(contentsOf: Self.pieces.randomElement(using: &random) ?? [], at: at)
      }
    }
    return bytes
  }

  @Test(arguments: try Repository.fixtureNames())
  func `never traps, and says what is wrong in its own bytes`(name: String) throws {
    let original = try Repository.fixture(name)
    let inventory = String(decoding: try Repository.fixture("inventory.scn"), as: UTF8.self)
    var random = SeededGenerator(seed: 11)
    var refused = 0
    for round in 0..<1_200 {
      let bytes = mutant(of: original, &random)
      let reading = Reading(
        main: bytes, ["inventory.scn": inventory],
        selfAddresses: round.isMultiple(of: 2) ? .empty : AddressSet(.ipv4, IntervalSet(1)))
      for diagnostic in reading.diagnostics {
        for label in [diagnostic.primary].compactMap({ $0 }) + diagnostic.secondary {
          let count = reading.sources[label.span.file].bytes.count
          #expect(0 <= label.span.lower && label.span.lower <= label.span.upper)
          #expect(label.span.upper <= count)
        }
      }
      let hasError = reading.diagnostics.contains { $0.severity == .error }
      #expect((reading.plan == nil) == hasError)
      #expect(reading.rendered.isEmpty == reading.diagnostics.isEmpty)
      if hasError { refused += 1 }
    }
    #expect(refused > 500)
  }
}
