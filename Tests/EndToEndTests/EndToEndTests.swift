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

  private static let fixtures =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().path + "/Fixtures"

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

  @Test(arguments: [
    "check", "probe", "verify", "respond", "explain", "simulate", "diff", "convert", "derive",
    "fmt", "lint", "doctor",
    "completions",
  ])
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
      [], ["chekc"], ["check", "--rulset", "x"], ["lnit", "x"], ["doctor", "--fromat", "json"],
      ["doctor", "--format", "xml"],
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

  @Test func `fmt rewrites files, names those that change, and leaves wrong ones alone`() throws {
    let folder = NSTemporaryDirectory() + "/portproof-fmt-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    func write(_ text: String, to name: String) throws {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }
    func text(of name: String) throws -> String {
      String(decoding: try Files.read("\(folder)/\(name)"), as: UTF8.self)
    }
    let (messy, tidy, wrong) = ("a→b tcp/22 expect allow # one\n", "# tidy\n", "a -> b 22\n")
    let canonical = "a -> b 22 tcp expect allow  # one\n"
    func writeAll() throws {
      try write(messy, to: "a.scn")
      try write(tidy, to: "b.scn")
      try write(wrong, to: "c.scn")
    }
    try writeAll()
    let files = ["a", "b", "c"].map { "\(folder)/\($0).scn" }
    let check = try run("fmt", "--check", files[0], files[1])
    #expect(check.status == 1)
    #expect(check.output == "\(files[0])\n")
    #expect(check.errors == "")
    #expect(try text(of: "a.scn") == messy)
    #expect(try run("fmt", "--check", files[0], files[2]).status == 2)
    let all = try run("fmt", files[0], files[1], files[2])
    #expect(all.status == 2)
    #expect(all.output == "\(files[0])\n")
    #expect(all.errors.contains("\(files[2]):1:8"), "\(all.errors)")
    #expect(try text(of: "a.scn") == canonical)
    #expect(try text(of: "b.scn") == tidy)
    #expect(try text(of: "c.scn") == wrong)
    let again = try run("fmt", files[0], files[1])
    #expect(again.status == 0)
    #expect(again.output == "")
    try writeAll()
    let quiet = try run("fmt", "--quiet", files[0])
    #expect(quiet.status == 0)
    #expect(quiet.output == "")
    #expect(try text(of: "a.scn") == canonical)
    #expect(try run("fmt", "\(folder)/none.scn").status == 2)
    #expect(try run("fmt", "-", files[0]).status == 2)
  }

  @Test func `fmt formats what comes by standard input`() throws {
    func piped(_ text: String, _ words: String) throws -> Answer {
      let output = try ChildProcess.run(
        "/bin/sh", ["-c", "printf '%s\\n' '\(text)' | \(try Self.program()) fmt \(words)"],
        timeout: .seconds(60), limit: 1 << 16)
      guard case .exited(let status) = output.ending else { throw CancellationError() }
      return Answer(
        status: status, output: String(decoding: output.output, as: UTF8.self),
        errors: String(decoding: output.errors, as: UTF8.self))
    }
    let good = try piped("a→b  tcp/22 expect allow", "-")
    #expect(good.status == 0)
    #expect(good.output == "a -> b 22 tcp expect allow\n")
    let check = try piped("a→b  tcp/22 expect allow", "--check -")
    #expect(check.status == 1)
    #expect(check.output == "<standard input>\n")
    let wrong = try piped("a→b 22", "-")
    #expect(wrong.status == 2)
    #expect(wrong.output == "")
    #expect(wrong.errors.contains("<standard input>:1:"), "\(wrong.errors)")
  }

  /// A scenario beside a ruleset, both in a folder of their own.
  private func withScenario(
    _ lines: String, _ body: (_ folder: String, _ file: String) throws -> Void
  ) throws {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "portproof-check-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let ruleset = """
      {"nftables": [
      {"table": {"family": "inet", "name": "t", "handle": 1}},
      {"chain": {"family": "inet", "table": "t", "name": "c", "handle": 1, "type": "filter", \
      "hook": "input", "prio": 0, "policy": "drop"}},
      {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 2, "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, \
      "right": 22}}, {"accept": null}]}},
      {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 3, "expr": [
        {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established"]}}, \
      {"accept": null}]}}]}

      """
    try Data(ruleset.utf8).write(to: URL(fileURLWithPath: folder + "/fw.json"))
    let text = "firewall fw = nft \"fw.json\" on 10.0.0.2\nsuite \"s\" {\n\(lines)}\n"
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/a.scn"))
    try body(folder, folder + "/a.scn")
  }

  @Test func `check proves, and fails with the packet, the rule and the line`() throws {
    let lines = """
        10.0.0.1 -> 10.0.0.2 22 tcp expect allow
        10.0.0.1 -> 10.0.0.2 23 tcp expect allow
        10.0.0.1 -> 10.0.0.2 24 tcp expect deny

      """
    try withScenario(lines) { folder, file in
      let answer = try run("check", file, "--report", "json=\(folder)/r.json")
      #expect(answer.status == 1)
      #expect(answer.errors == "")
      let shown = answer.output.replacing("\(folder)/", with: "").split(separator: "\n")
        .dropLast().joined(separator: "\n")
      try expectGolden("check.txt", shown + "\n")
      #expect(answer.output.contains("3 lines: 2 hold, 1 does not hold"))
      #expect(Files.exists(folder + "/r.json"))
      let quiet = try run("check", file, "--only", "nothing", "--quiet")
      #expect(quiet.status == 2)
      #expect(
        quiet.output == "stopped early: no line carries the tag 'nothing'\nnothing was checked  "
          + (quiet.output.split(separator: "  ").last ?? ""))
    }
  }

  @Test func `explain shows the way of one exact packet`() throws {
    let ruleset = Self.fixtures + "/Proof/marks.json"
    let packet =
      #"{"hook": "input", "family": "ip", "saddr": "10.0.1.5", "daddr": "10.0.0.1", "#
      + #""protocol": "tcp", "dport": 22, "iif": "eth0", "state": "new", "mark": 1}"#
    let dropped = try run("explain", "--ruleset", ruleset, "--packet", packet)
    #expect(dropped.status == 0)
    #expect(dropped.output.contains(": drop\n"))
    #expect(dropped.output.contains("= decided by ruleset: inet m in: policy drop"))
    #expect(dropped.output.contains("meta mark 0x00000001 jump ssh  jump ssh"))
    let strange = try run("explain", "--ruleset", ruleset, "--packet", #"{"hook": "inputt"}"#)
    #expect(strange.status == 2)
    #expect(strange.errors.contains("error[simulate.wrong-packet]"))
    let both = try run("explain", "a", "--ruleset", ruleset, "--packet", packet)
    #expect(both.status == 2)
    #expect(both.errors.contains("error[usage.superfluous-operand]"))
    let without = try run("explain", "--packet", packet)
    #expect(without.status == 2)
  }

  @Test(
    .enabled(
      if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
      "needs root: makes network namespaces and loads nftables rules"))
  func `answers about text end at the line of the text`() throws {
    try withScenario("  10.0.0.1 -> 10.0.0.2 22, 23 tcp expect deny\n") { folder, file in
      let text = """
        # A host.
        include "set?.nft"
        include "/nowhere/*.nft"
        table inet t {
          chain c {
            type filter hook input priority 0; policy drop;
            jump d
            ip saddr @friends tcp dport {
              22, # ssh
              80
            } accept # that is the one
          }
        }

        """
      try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/fw.nft"))
      let sets = """
        table inet t {
          set friends { type ipv4_addr; elements = { 10.0.0.1 }; }
          chain d { tcp dport 23 accept; }
        }

        """
      try Data(sets.utf8).write(to: URL(fileURLWithPath: folder + "/sets.nft"))
      let answer = try run("check", file, "--firewall", "fw=nft:\(folder)/fw.nft")
      #expect(answer.status == 1, "\(answer.errors)")
      #expect(answer.output.contains("::: \(folder)/sets.nft:3:13"), "\(answer.output)")
      let scenario = try String(contentsOfFile: file, encoding: .utf8)
        .replacing("fw.json", with: "./none/../fw.nft").replacing("22, 23", with: "22")
      try Data(scenario.utf8).write(to: URL(fileURLWithPath: file))
      let declared = try run("check", file, "--report", "json=\(folder)/r.json")
      #expect(declared.status == 1, "\(declared.errors)")
      #expect(
        declared.output.replacing("\(folder)/", with: "").contains(
          """
            ::: fw.nft:8:5
             |
           8 |     ip saddr @friends tcp dport {
             |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ this rule decides
          """), "\(declared.output)")
      let report = String(decoding: try Files.read(folder + "/r.json"), as: UTF8.self)
      #expect(report.contains("fw.nft:8:5\""))
      #expect(!report.contains("as listed"))
    }
  }

  @Test func `a firewall that is not there is looked for from where it is named`() throws {
    try withScenario("  10.0.0.1 -> 10.0.0.2 22 tcp expect allow\n") { folder, file in
      try FileManager.default.removeItem(atPath: folder + "/fw.json")
      let declared = try run("check", file)
      #expect(declared.status == 2)
      #expect(declared.errors.contains("cannot read '\(folder)/fw.json'"))
      #expect(
        declared.errors.contains(
          "help: paths are relative to the folder of the file that names them"))
      let named = try run("check", file, "--firewall", "fw=nft:nowhere/fw.nft")
      #expect(named.status == 2)
      #expect(
        named.errors.contains("help: paths on the command line are relative to the current folder"))
      let absolute = try run("check", file, "--firewall", "fw=nft:/nowhere/fw.nft")
      #expect(absolute.status == 2)
      #expect(!absolute.errors.contains("relative to"))
    }
  }

  @Test func `explain shows the way, with status 0 whatever it is`() throws {
    try withScenario("") { folder, file in
      let dropped = try run("explain", "10.0.0.1", "10.0.0.2", "23/tcp", file)
      #expect(dropped.status == 0)
      #expect(dropped.output.hasPrefix("10.0.0.1 -> 10.0.0.2 23/tcp: drop\n"))
      let allowed = try run(
        "explain", "10.0.0.1", "10.9.9.9", "22/tcp", "--ruleset", folder + "/fw.json")
      #expect(allowed.output.hasPrefix("10.0.0.1 -> 10.9.9.9 22/tcp: allow\n"))
      let strange = try run("explain", "10.0.0.1", "wroker", "22/tcp", file)
      #expect(strange.status == 2)
      #expect(strange.errors.contains("<command line>:1:13"))
    }
  }

  @Test func `simulate answers packets in order, up to one that is none`() throws {
    try withScenario("") { folder, _ in
      let packet =
        #"{"hook": "input", "family": "ip", "saddr": "10.0.0.5", "daddr": "10.0.0.1", "#
        + #""protocol": "tcp", "sport": 40000, "dport": PORT, "flags": ["syn"], "state": "new"}"#
      let lines = [22, 23].map { packet.replacing("PORT", with: String($0)) } + ["nonsense"]
      let file = folder + "/p.jsonl"
      try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: file))
      let answer = try run("simulate", "--ruleset", folder + "/fw.json", "--packets", file)
      #expect(answer.status == 2)
      let verdicts = answer.output.split(separator: "\n").map { $0.prefix { $0 != "," } }
      #expect(verdicts == [#"{"verdict":"accept""#, #"{"verdict":"drop""#])
      #expect(answer.errors.contains("p.jsonl:3"))
      #expect(try run("simulate", "--packets", file).status == 2)
      #expect(try run("simulate", "--ruleset", folder + "/fw.json").status == 2)
    }
  }

  /// Runs `check` on a ruleset that comes through a pipe, with `commands` while it waits for it.
  private func checkWaiting(in folder: String, _ file: String, _ commands: String) throws
    -> ChildProcess.Ending
  {
    let script = """
      cd \(folder) && mv fw.json real.json && mkfifo fw.json || exit 99
      \(try Self.program()) check \(file) --quiet --report json=r.json >/dev/null 2>&1 &
      child=$!; sleep 0.5; kill -INT $child; sleep 0.2; \(commands); wait $child; exit $?
      """
    return try ChildProcess.run(
      "/bin/bash", ["-c", script], timeout: .seconds(30), limit: 1 << 20
    ).ending
  }

  @Test func `an interrupt ends the run, with the reports written`() throws {
    try withScenario("  10.0.0.1 -> 10.0.0.2 22 tcp expect allow\n") { folder, file in
      let ending = try checkWaiting(in: folder, file, "cat real.json >fw.json")
      #expect(ending == .exited(130))
      let report = String(decoding: try Files.read(folder + "/r.json"), as: UTF8.self)
      #expect(report.contains(#""stopped_because": "interrupted""#))
      #expect(report.contains(#""total": 0"#))
    }
  }

  @Test func `a second interrupt ends it at once`() throws {
    try withScenario("  10.0.0.1 -> 10.0.0.2 22 tcp expect allow\n") { folder, file in
      let ending = try checkWaiting(in: folder, file, "kill -INT $child")
      #expect(ending == .exited(130))
      #expect(!Files.exists(folder + "/r.json"))
    }
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
