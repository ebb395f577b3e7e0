import Foundation
import Testing

/// Compares text with a file under `Tests/Golden/Scenarios`.
///
/// With `RECORD_GOLDEN=1` the file is written, and the test fails so that nobody forgets to look.
func expectGolden(
  _ name: String, _ text: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let file = Repository.goldens.appending(path: name)
  if ProcessInfo.processInfo.environment["RECORD_GOLDEN"] == "1" {
    try FileManager.default.createDirectory(
      at: Repository.goldens, withIntermediateDirectories: true)
    try text.write(to: file, atomically: true, encoding: .utf8)
    Issue.record("recorded \(name)", sourceLocation: sourceLocation)
    return
  }
  let golden = try? String(contentsOf: file, encoding: .utf8)
  #expect(golden == text, "\(name) differs", sourceLocation: sourceLocation)
}
