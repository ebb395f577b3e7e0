import Foundation

/// Z3, asked the same questions as the prover.
struct Referee {
  struct Verdict {
    let answers: [Bool]
    let seconds: Double
  }

  /// Writes the list to a file and lets the script beside this one answer it.
  ///
  /// - Throws: ``Failure`` where Python or its package `z3-solver` is missing.
  func answers(to list: RuleList) throws -> Verdict {
    let file = FileManager.default.temporaryDirectory.appending(path: "portproof-\(UUID()).txt")
    defer { try? FileManager.default.removeItem(at: file) }
    try list.exported.write(to: file, atomically: false, encoding: .utf8)
    let script = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "z3-referee.py").path
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", script, file.path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let lines = output.split(separator: "\n")
    guard process.terminationStatus == 0, lines.count == 2, let seconds = Double(lines[1]) else {
      throw Failure("the referee did not answer: \(output.prefix(200))")
    }
    return Verdict(answers: lines[0].map { $0 == "1" }, seconds: seconds)
  }
}
