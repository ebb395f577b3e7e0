import Foundation
import LinuxKernel
import Testing

@Suite("The built program")
struct EndToEndTests {
  struct Answer {
    var status: Int32
    var output: String
    var errors: String
  }

  /// The program beside the one that runs the tests.
  static func program() throws -> String {
    let runner = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(fileURLWithPath: runner).deletingLastPathComponent().path + "/portproof"
  }

  private func run(_ words: String...) throws -> Answer {
    let output = try ChildProcess.run(
      try Self.program(), words, timeout: .seconds(60), limit: 1 << 24)
    guard case .exited(let status) = output.ending else {
      Issue.record("\(words) ended so: \(output.ending)")
      return Answer(status: -1, output: "", errors: "")
    }
    return Answer(
      status: status, output: String(decoding: output.output, as: UTF8.self),
      errors: String(decoding: output.errors, as: UTF8.self))
  }

  private func expectGolden(
    _ name: String, _ text: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Golden/EndToEnd/\(name)")
    if Machine.environment("RECORD_GOLDEN") != nil {
      try Data(text.utf8).write(to: file)
      Issue.record("recorded \(name)", sourceLocation: sourceLocation)
      return
    }
    let golden = try String(decoding: Data(contentsOf: file), as: UTF8.self)
    #expect(text == golden, sourceLocation: sourceLocation)
  }

  @Test func `help is a result, with status 0`() throws {
    let help = try run("--help")
    #expect(help.status == 0)
    #expect(help.errors == "")
    try expectGolden("help.txt", help.output)
    #expect(try run("help").output == help.output)
    for line in help.output.split(separator: "\n") {
      #expect(line.count <= 100)
    }
  }

  @Test(arguments: ["lint", "doctor", "completions"])
  func `every command has help`(command: String) throws {
    let help = try run(command, "--help")
    #expect(help.status == 0)
    try expectGolden("help-\(command).txt", help.output)
    #expect(try run("help", command).output == help.output)
  }

  @Test func `the version is one line`() throws {
    let answer = try run("--version")
    #expect(answer.status == 0)
    #expect(answer.output.wholeMatch(of: /portproof [0-9]+\.[0-9]+\.[0-9]+\n/) != nil)
  }

  @Test func `usage errors go to standard error, with status 2 and what was meant`() throws {
    var text = ""
    for words in [
      [], ["chekc"], ["lnit", "x"], ["doctor", "--fromat", "json"], ["doctor", "--format", "xml"],
      ["lint"], ["lint", "/nowhere/cluster.scn"],
    ] {
      let output = try ChildProcess.run(
        try Self.program(), words, timeout: .seconds(60), limit: 1 << 20)
      #expect(output.ending == .exited(2), "\(words)")
      #expect(output.output == [], "\(words)")
      text += "$ portproof \(words.joined(separator: " "))\n"
      text += String(decoding: output.errors, as: UTF8.self)
    }
    try expectGolden("usage-errors.txt", text)
  }

  @Test func `lint reads a scenario and says how much there is`() throws {
    let file = NSTemporaryDirectory() + "/portproof-lint-\(UUID().uuidString).scn"
    defer { try? FileManager.default.removeItem(atPath: file) }
    try Data("10.0.0.1 -> 10.0.0.2 22 tcp expect allow\n".utf8)
      .write(to: URL(fileURLWithPath: file))
    let good = try run("lint", file)
    #expect(good.status == 0)
    #expect(good.output == "1 line, 0 warnings\n")
    try Data("10.0.0.1 -> wroker 22 tcp expect allow\n".utf8).write(to: URL(fileURLWithPath: file))
    let bad = try run("lint", file)
    #expect(bad.status == 2)
    #expect(bad.output == "")
    #expect(bad.errors.contains("\(file):1:13"))
  }

  @Test func `colour is drawn where it is asked for, and never by itself into a pipe`() throws {
    #expect(try !run("chekc").errors.contains("\u{1B}["))
    #expect(try run("doctor", "--color", "always").output.contains("\u{1B}["))
    #expect(try !run("doctor", "--color", "never").output.contains("\u{1B}["))
  }

  @Test func `output goes to the file that is named, and nowhere else`() throws {
    let file = NSTemporaryDirectory() + "/portproof-output-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: file) }
    let answer = try run("completions", "bash", "--output", file)
    #expect(answer.status == 0)
    #expect(answer.output == "")
    #expect(try run("completions", "bash").output == String(contentsOfFile: file, encoding: .utf8))
    let refused = try run("completions", "bash", "--output", "/nowhere/at/all")
    #expect(refused.status == 2)
    #expect(refused.errors.contains("cannot write '/nowhere/at/all'"))
  }

  @Test func `a reader that goes away is no error`() throws {
    let output = try ChildProcess.run(
      "/bin/bash",
      ["-c", "\(try Self.program()) completions zsh | true; echo ${PIPESTATUS[0]}"],
      timeout: .seconds(60), limit: 1 << 20)
    #expect(output.output == Array("0\n".utf8))
    #expect(output.errors == [])
  }

  @Test func `the program needs no Foundation`() throws {
    let output = try ChildProcess.run(
      "/usr/bin/ldd", [try Self.program()], timeout: .seconds(60), limit: 1 << 20)
    let libraries = String(decoding: output.output, as: UTF8.self)
    #expect(libraries.contains("libnftables"))
    #expect(!libraries.contains("Foundation"))
  }
}
