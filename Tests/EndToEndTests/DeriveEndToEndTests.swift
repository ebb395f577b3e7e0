import Foundation
import LinuxKernel
import Testing

@Suite("Scenario files derived, end to end")
struct DeriveEndToEndTests {
  private struct Answer {
    var status: Int32
    var output: String
    var errors: String
  }

  private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()

  /// Runs the program in a folder that holds configurations of the pack.
  private func inFolder(
    _ body: (_ folder: String, _ run: (String...) throws -> Answer) throws -> Void
  ) throws {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "portproof-derive-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      at: folder.appending(path: "lines/more"), withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let pack = Self.tests.deletingLastPathComponent().appending(path: "Scenarios/talos")
    for name in ["controlplane.yaml", "accept.yaml"] {
      try FileManager.default.copyItem(
        at: pack.appending(path: name), to: folder.appending(path: name))
    }
    let program = try EndToEndTests.program()
    func run(_ words: String...) throws -> Answer {
      let output = try ChildProcess.run(
        "/bin/sh", ["-c", "cd \"$0\" && exec \"$@\"", folder.path, program] + words,
        timeout: .seconds(60), limit: 1 << 22)
      guard case .exited(let status) = output.ending else {
        Issue.record("\(words) ended so: \(output.ending)")
        return Answer(status: -1, output: "", errors: "")
      }
      return Answer(
        status: status, output: String(decoding: output.output, as: UTF8.self),
        errors: String(decoding: output.errors, as: UTF8.self))
    }
    try body(folder.path, run)
  }

  private func expectGolden(_ name: String, _ text: String) throws {
    let file = Self.tests.appending(path: "Golden/EndToEnd/\(name)")
    if Machine.environment("RECORD_GOLDEN") != nil {
      try Data(text.utf8).write(to: file)
      Issue.record("recorded \(name)")
      return
    }
    #expect(text == String(decoding: try Data(contentsOf: file), as: UTF8.self))
  }

  @Test func `what is derived can be checked at once`() throws {
    try inFolder { folder, run in
      let derived = try run(
        "derive", "--from", "talos", "controlplane.yaml", "--with", "node=172.20.0.2,fd00:20::2")
      #expect(derived.status == 0)
      #expect(derived.errors == "")
      try expectGolden("derive.scn", derived.output)
      try Data(derived.output.utf8).write(to: URL(fileURLWithPath: folder + "/node.scn"))
      let check = try run("check", "node.scn")
      #expect(check.status == 0, "\(check.output)\(check.errors)")
      #expect(check.output.contains("13 lines: 13 hold"), "\(check.output)")
      let lint = try run("lint", "node.scn")
      #expect(lint.output == "13 lines, 0 warnings\n", "\(lint.errors)")
    }
  }

  @Test func `files are named from where the scenario is`() throws {
    try inFolder { folder, run in
      for output in ["lines/more/node.scn", "./node.scn", folder + "/lines/node.scn"] {
        let derived = try run(
          "derive", "--from", "talos", "./controlplane.yaml", "--with", "patch=accept.yaml",
          "--with", "version=1.14", "--output", output)
        #expect(derived.status == 0)
        #expect(derived.output == "")
        #expect(derived.errors.contains("the node's addresses are not known"))
        let check = try run("check", output)
        #expect(check.status == 0, "\(check.output)\(check.errors)")
      }
      let text = try String(contentsOfFile: folder + "/lines/more/node.scn", encoding: .utf8)
      #expect(text.contains("talos \"../../controlplane.yaml\" on node"))
      #expect(text.contains("with patch \"../../accept.yaml\""))
    }
  }

  @Test func `what cannot be said is told, with status 3`() throws {
    try inFolder { folder, run in
      let rule = """
        apiVersion: v1alpha1
        kind: NetworkRuleConfig
        name: echo
        portSelector:
          ports: [8]
          protocol: icmp
        ingress:
          - subnet: 10.0.0.0/8

        """
      try Data(rule.utf8).write(to: URL(fileURLWithPath: folder + "/icmp.yaml"))
      let derived = try run(
        "derive", "--from", "talos", "icmp.yaml", "--with", "node=10.0.0.1", "--output", "icmp.scn")
      #expect(derived.status == 3)
      #expect(
        derived.errors.contains("rule \"echo\" is about icmp, where Talos takes the checksum"),
        "\(derived.errors)")
      #expect(try run("check", "icmp.scn").status == 0)
    }
  }

  @Test func `what is no configuration of Talos is refused`() throws {
    var text = ""
    for words in [
      ["node.yaml"], ["--from", "nft", "node.nft"], ["--from", "talos-chains", "node.yaml"],
      ["--from", "talos", "/nowhere/node.yaml"],
      ["--from", "talos", "node.yaml", "--with", "node=cp1"],
      ["--from", "talos", "node.yaml", "--with", "node=169.254.116.108"],
    ] {
      let output = try ChildProcess.run(
        try EndToEndTests.program(), ["derive"] + words, timeout: .seconds(60), limit: 1 << 20)
      #expect(output.ending == .exited(2), "\(words)")
      #expect(output.output == [], "\(words)")
      text += "$ portproof derive \(words.joined(separator: " "))\n"
      text += String(decoding: output.errors, as: UTF8.self)
    }
    try expectGolden("derive-errors.txt", text)
  }
}
