import Diagnostics
import Documents
import Foundation
import NftablesFrontend
import Rulesets
import Testing

/// Rulesets of other projects with a kernel's verdicts, which lie beside the repository.
enum Corpus {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  static let folder = root.deletingLastPathComponent().appending(path: "shared/corpora")
  static let isHere =
    FileManager.default.fileExists(atPath: folder.path)
    || ProcessInfo.processInfo.environment["CI"] != nil

  static let vectorFiles: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "vectors").path))
    ?? []).filter { $0.hasSuffix(".json") }.sorted()

  /// The ruleset of a file of `vectors/`.
  static func vectorRuleset(_ name: String) throws -> NftablesReader.Reading {
    let bytes = try [UInt8](Data(contentsOf: folder.appending(path: "vectors/\(name)")))
    return try read(bytes, name: name)
  }

  /// The rulesets of `traps.jsonl`, by name.
  static func traps() throws -> [(name: String, reading: NftablesReader.Reading)] {
    let text = try String(contentsOf: folder.appending(path: "traps.jsonl"), encoding: .utf8)
    return try text.split(separator: "\n").map { line in
      let bytes = Array(line.utf8)
      let name = try JSONDocument(reading: bytes).value["name"]?.string
      return (try #require(name), try read(bytes, name: "traps.jsonl"))
    }
  }

  private static func read(_ bytes: [UInt8], name: String) throws -> NftablesReader.Reading {
    var sources = SourceMap()
    let file = sources.add(SourceFile(name: name, bytes: bytes))
    let document = try JSONDocument(reading: bytes)
    let node = try #require(document.member("ruleset_json", of: document.root))
    return NftablesReader.read(document, node, file: file)
  }
}
