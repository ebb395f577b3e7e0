import Foundation
import LinuxKernel
import TestSupport
import Testing

/// What the README shows is what the program prints.
@Suite("The README", .serialized)
struct ReadmeTests {
  /// A command and what the README shows below it.
  struct Example {
    var command: String
    var lines: Range<Int>
  }

  private static let file = Pack.root.appending(path: "README.md")

  private static func lines() throws -> [String] {
    try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
  }

  /// The commands of the blocks that are marked `console`, with the lines that follow each.
  private static func examples(in lines: [String]) -> [Example] {
    var examples: [Example] = []
    var isInside = false
    var isCommand = false
    for (number, line) in lines.enumerated() {
      if line == "```console" {
        isInside = true
      } else if line.hasPrefix("```") {
        isInside = false
      } else if isInside, line.hasPrefix("$ ") {
        examples.append(
          Example(command: String(line.dropFirst(2)), lines: number + 1..<number + 1))
        isCommand = line.hasSuffix("\\")
      } else if isInside, let last = examples.indices.last {
        if isCommand {
          examples[last].command += "\n\(line)"
          examples[last].lines = number + 1..<number + 1
          isCommand = line.hasSuffix("\\")
        } else {
          examples[last].lines = examples[last].lines.lowerBound..<number + 1
        }
      }
    }
    return examples
  }

  /// What a command prints, in the folder of the README, as a terminal would show it.
  private static func output(of command: String) throws -> [String] {
    let programs = URL(fileURLWithPath: try Pack.program()).deletingLastPathComponent().path
    let output = try ChildProcess.run(
      "/bin/sh",
      ["-c", "cd '\(Pack.root.path)' && PATH='\(programs)':$PATH && exec 2>&1 && \(command)"],
      timeout: .seconds(60), limit: 1 << 20)
    var lines = String(decoding: output.output, as: UTF8.self).components(separatedBy: "\n")
    while lines.last == "" { lines.removeLast() }
    return lines
  }

  /// Text without how long something took, and from which port it was sent.
  private static func timeless(_ lines: some Collection<String>) -> [String] {
    var lines = lines.map {
      $0.replacing(/\([0-9.]+ (ms|s)\)/, with: "(TIME)").replacing(/[ ]+$/, with: "")
        .replacing(/192\.0\.2\.1:[0-9]+/, with: "192.0.2.1:PORT")
    }
    while lines.last == "" { lines.removeLast() }
    return lines
  }

  @Test func `shows what the program prints`() throws {
    try compare(atLeast: 3) { !$0.contains("--replay") && !$0.contains(" verify ") }
  }

  @Test(
    .enabled(
      if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
      "needs root: makes network namespaces"))
  func `shows what the wire says`() throws {
    let network = try ProbeNetwork()
    let rules = try String(
      contentsOf: Pack.root.appending(path: "Scenarios/two-hosts/two-hosts.nft"), encoding: .utf8)
    try network.load(.far, rules.replacing("{ 50000, 50001 }", with: "50000"))
    try network.listen(tcp: [50000, 50001])
    try compare(atLeast: 1, { $0.contains(" verify ") }) { command in
      let programs = URL(fileURLWithPath: try Pack.program()).deletingLastPathComponent().path
      let text = try network.shell(
        .near,
        "cd '\(Pack.root.path)' && PATH='\(programs)':$PATH && { \(command) 2>&1 || true; }")
      var lines = text.components(separatedBy: "\n")
      while lines.last == "" { lines.removeLast() }
      return lines
    }
  }

  @Test(
    .enabled(
      if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
      "needs root: makes network namespaces and loads nftables rules"))
  func `shows what the kernel confirms`() throws {
    try compare(atLeast: 1) { $0.contains("--replay") }
  }

  /// Holds the examples whose commands are meant against what the program prints.
  private func compare(
    atLeast count: Int, _ isMeant: (String) -> Bool,
    run: (String) throws -> [String] = { try ReadmeTests.output(of: $0) }
  ) throws {
    var lines = try Self.lines()
    let examples = Self.examples(in: lines).filter { isMeant($0.command) }
    #expect(examples.count >= count)
    if Machine.environment("RECORD_GOLDEN") != nil {
      for example in examples.reversed() {
        lines.replaceSubrange(
          example.lines, with: try run(example.command) + [""])
      }
      let text = lines.joined(separator: "\n").replacing("\n\n```\n", with: "\n```\n")
      try Data(text.utf8).write(to: Self.file)
      Issue.record("recorded README.md")
      return
    }
    for example in examples {
      #expect(
        Self.timeless(lines[example.lines])
          == Self.timeless(try run(example.command)), "\(example.command)")
    }
  }

  @Test func `names every command, and no other`() throws {
    let help = try Self.output(of: "portproof --help")
    let commands = help.drop { $0 != "Commands:" }.dropFirst().prefix { !$0.isEmpty }
      .filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
      .compactMap { $0.split(separator: " ").first.map(String.init) }
    #expect(commands.contains("check"))
    let rows = try Self.lines().filter { $0.hasPrefix("| `") && !$0.hasPrefix("| `Scenarios/") }
    let named = rows.compactMap { $0.dropFirst(3).split { " `".contains($0) }.first }
    #expect(named.map(String.init) == commands)
  }

  @Test func `names every target of the package`() throws {
    let package = try String(
      contentsOf: Pack.root.appending(path: "Package.swift"), encoding: .utf8)
    let readme = try Self.lines().joined(separator: "\n")
    let folders = try FileManager.default.contentsOfDirectory(
      atPath: Pack.root.appending(path: "Sources").path)
    for target in folders where package.contains("name: \"\(target)\"") {
      #expect(readme.contains(target), "\(target)")
    }
  }

  @Test func `names files that are there`() throws {
    let readme = try Self.lines().joined(separator: "\n")
    for match in readme.matches(of: /Scenarios\/[a-z\/.-]+\.(scn|json|nft|yaml)/) {
      #expect(FileManager.default.fileExists(atPath: Pack.root.path + "/\(match.0)"), "\(match.0)")
    }
    for pack in Pack.entries where !pack.contains("/bad/") {
      #expect(readme.contains("`Scenarios/\(pack)`"), "\(pack)")
    }
    #expect(readme.contains("```sh\n.ci/test\n```"))
  }
}
