import Addresses
import Diagnostics
import Foundation
import Scenarios

/// Files of the repository and of the folder beside it, found from this file.
enum Repository {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  static let fixtures = root.appending(path: "Tests/Fixtures/Scenarios")
  static let goldens = root.appending(path: "Tests/Golden/Scenarios")
  /// The page that specifies the language.
  static let specification = root.deletingLastPathComponent()
    .appending(path: "shared/design/scenarios.md")
  static let hasSpecification =
    FileManager.default.fileExists(atPath: specification.path)
    || ProcessInfo.processInfo.environment["CI"] != nil

  static func fixture(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: fixtures.appending(path: name)))
  }

  static func fixtureNames() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: fixtures.path)
      .filter { $0.hasSuffix(".scn") }.sorted()
  }

  /// The first example of the specification.
  static func sample() throws -> String {
    let page = try String(contentsOf: specification, encoding: .utf8)
    let parts = page.components(separatedBy: "\n```")
    return String(parts[1].drop { $0 != "\n" }) + "\n"
  }
}

/// What reading some files gave.
struct Reading {
  var plan: ScenarioPlan?
  var diagnostics: [Diagnostic]
  var sources: SourceMap

  /// Reads `main.scn` of `files`; its includes are looked up in `files` too.
  init(_ files: [String: String], selfAddresses: AddressSet = .empty) {
    let main = files["main.scn"] ?? ""
    self.init(main: Array(main.utf8), files, selfAddresses: selfAddresses)
  }

  init(_ text: String, selfAddresses: AddressSet = .empty) {
    self.init(["main.scn": text], selfAddresses: selfAddresses)
  }

  init(main: [UInt8], _ files: [String: String] = [:], selfAddresses: AddressSet = .empty) {
    var sources = SourceMap()
    (plan, diagnostics) = ScenarioReader.read(
      path: "main.scn", bytes: main, sources: &sources, selfAddresses: selfAddresses
    ) { path in
      files[path].map { .success(Array($0.utf8)) }
        ?? .failure(UnreadableFile(reason: "no such file"))
    }
    self.sources = sources
  }

  var codes: [String] { diagnostics.map(\.code.rawValue) }

  var rendered: String {
    let renderer = DiagnosticRenderer(sources: sources, style: .plain)
    return diagnostics.map { renderer.render($0) }.joined(separator: "\n")
  }
}

/// Text with marks like 1️⃣ taken out, and where they stood, in bytes.
struct MarkedText {
  let text: String
  let offsets: [Int]

  init(_ marked: String) {
    var text = ""
    var offsets: [(digit: Character, offset: Int)] = []
    for character in marked {
      if character.unicodeScalars.contains("\u{20E3}") {
        offsets.append((character, text.utf8.count))
      } else {
        text.append(character)
      }
    }
    self.text = text
    self.offsets = offsets.sorted { $0.digit < $1.digit }.map(\.offset)
  }
}
