import Diagnostics
import Foundation
import Rulesets
import TalosFrontend
import Testing

enum Repository {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  static let fixtures = root.appending(path: "Tests/Fixtures/TalosFrontend")
  static let goldens = root.appending(path: "Tests/Golden/TalosFrontend")

  static func fixture(_ name: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: fixtures.appending(path: name)))
  }
}

/// Rulesets that follow from the source of Talos, which lie beside the repository.
enum DerivedRulesets {
  private static let file = Repository.root.deletingLastPathComponent()
    .appending(path: "shared/corpora/talos-goldens.txt")
  static let areHere =
    FileManager.default.fileExists(atPath: file.path)
    || ProcessInfo.processInfo.environment["CI"] != nil

  /// The tables of the file by their titles; where a title has two, the second ends in ` 2`.
  static func tables() throws -> [String: String] {
    let text = try String(contentsOf: file, encoding: .utf8)
    var tables: [String: String] = [:]
    var title = ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("### ") {
        title = String(line.dropFirst(4))
      } else if line.hasPrefix("table ") {
        if tables[title] != nil { title += " 2" }
        tables[title] = "\(line)\n"
      } else {
        tables[title, default: ""] += "\(line)\n"
      }
    }
    return tables
  }
}

/// Compares text with a file under `Tests/Golden/TalosFrontend`.
///
/// With `RECORD_GOLDEN=1` the file is written, and the test fails so that nobody forgets to look.
func expectGolden(
  _ name: String, _ text: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let file = Repository.goldens.appending(path: name)
  if ProcessInfo.processInfo.environment["RECORD_GOLDEN"] == "1" {
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try text.write(to: file, atomically: true, encoding: .utf8)
    Issue.record("recorded \(name)", sourceLocation: sourceLocation)
    return
  }
  let golden = try? String(contentsOf: file, encoding: .utf8)
  #expect(golden == text, "\(name) differs", sourceLocation: sourceLocation)
}
