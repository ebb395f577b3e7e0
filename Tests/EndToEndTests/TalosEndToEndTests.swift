import Foundation
import LinuxKernel
import TestSupport
import Testing

@Suite("Machine configurations, end to end")
struct TalosEndToEndTests {
  private static let configuration =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/EndToEnd/controlplane.yaml").path

  private struct Answer {
    var status: Int32
    var output: String
    var errors: String
  }

  private func run(_ words: String...) throws -> Answer {
    let output = try ChildProcess.run(
      try EndToEndTests.program(), words, timeout: .seconds(60), limit: 1 << 22)
    guard case .exited(let status) = output.ending else {
      Issue.record("\(words) ended so: \(output.ending)")
      return Answer(status: -1, output: "", errors: "")
    }
    return Answer(
      status: status, output: String(decoding: output.output, as: UTF8.self),
      errors: String(decoding: output.errors, as: UTF8.self))
  }

  private func inFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "portproof-talos-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  private func write(_ text: String, to path: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }

  private static let node = "node=172.20.0.2,fd00::2"

  @Test(.enabled(if: Kernel.isUsable, "needs network namespaces"))
  func `a converted configuration loads, and lists back as the same ruleset`() throws {
    try inFolder { folder in
      let converted = try run(
        "convert", "--from", "talos", Self.configuration, "--with", Self.node, "--with",
        "version=1.13")
      #expect(converted.status == 0, "\(converted.errors)")
      #expect(converted.output.contains("type filter hook input priority -140; policy drop;"))
      try write(converted.output, to: folder + "/node.nft")
      // nft loads the text into a namespace and lists what the kernel then holds.
      let same = try run(
        "diff", "talos:\(Self.configuration)", folder + "/node.nft", "--with", Self.node)
      #expect(same.status == 0, "\(same.output)\(same.errors)")
      #expect(same.output == "in sync: controlplane.yaml and node.nft hold the same rules\n")
      let again = try run("convert", "--from", "nft", folder + "/node.nft")
      try write(again.output, to: folder + "/again.nft")
      let twice = try run("diff", folder + "/node.nft", folder + "/again.nft")
      #expect(twice.status == 0, "\(twice.output)\(twice.errors)")
    }
  }

  @Test func `without the node's addresses a conversion says what it cannot tell`() throws {
    let converted = try run("convert", "--from", "talos", Self.configuration)
    #expect(converted.status == 3)
    #expect(converted.errors.contains("warning[convert.possible]"))
  }

  @Test func `drift is told rule by rule, with both places and a packet that notices`() throws {
    try inFolder { folder in
      let text = try String(contentsOfFile: Self.configuration, encoding: .utf8)
      try write(
        text.replacing("172.20.0.0/24", with: "172.20.0.0/23"), to: folder + "/wider.yaml")
      let answer = try run(
        "diff", "talos:\(Self.configuration)", "talos:\(folder)/wider.yaml", "--with", Self.node)
      #expect(answer.status == 1)
      #expect(answer.output.contains("changed rule  inet talos ingress\n"))
      #expect(answer.output.contains("controlplane.yaml:7:7\n"))
      #expect(answer.output.contains("wider.yaml:7:7\n"))
      #expect(answer.output.contains("not equivalent: a packet meets two fates at input\n"))
      #expect(answer.output.contains("172.20.1.0:1024 > "), "\(answer.output)")

      // Another order of rules that only accept changes the rules, but no packet's fate.
      let documents = text.components(separatedBy: "---\n")
      let turned =
        ([documents[0]] + documents[1...].reversed().map { $0.hasSuffix("\n") ? $0 : $0 + "\n" })
        .joined(separator: "---\n")
      try write(turned, to: folder + "/turned.yaml")
      let moved = try run(
        "diff", "talos:\(Self.configuration)", "talos:\(folder)/turned.yaml", "--with", Self.node,
        "--format", "json")
      #expect(moved.status == 1)
      #expect(moved.output.contains(#""schema": "portproof.diff/1""#))
      #expect(moved.output.contains(#""change": "moved""#))
      #expect(moved.output.contains(#""answer": "equivalent""#), "\(moved.output)")
    }
  }

  @Test func `a scenario is checked against a configuration and its patches`() throws {
    try inFolder { folder in
      try write(
        try String(contentsOfFile: Self.configuration, encoding: .utf8),
        to: folder + "/controlplane.yaml")
      try write(
        """
        apiVersion: v1alpha1
        kind: NetworkRuleConfig
        name: trustd-ingress
        portSelector:
          ports: [50001]
          protocol: tcp
        ingress:
          - subnet: 172.20.0.0/24

        """, to: folder + "/trustd.yaml")
      func scenario(_ options: String) -> String {
        """
        host cp1 = 172.20.0.2
        host cp2 = 172.20.0.3
        group worker = 172.20.0.5-172.20.0.9
        firewall cp-host = talos "controlplane.yaml" on cp1, cp2 \(options)
        worker -> cp1 50001 tcp expect allow
        worker -> cp2 10250 tcp expect allow
        any except 172.20.0.0/24 -> cp1, cp2 { 10250 tcp, 50001 tcp, 22 tcp } expect deny
        worker -> cp1 22 tcp expect allow in kubespan

        """
      }
      try write(scenario("with version \"1.13\""), to: folder + "/without.scn")
      let without = try run("check", folder + "/without.scn")
      #expect(without.status == 1)
      #expect(without.output.contains("4 lines: 3 hold, 1 does not hold"), "\(without.output)")
      try write(scenario("with patch \"trustd.yaml\""), to: folder + "/with.scn")
      let with = try run("check", folder + "/with.scn")
      #expect(with.status == 0, "\(with.output)\(with.errors)")
      try write(scenario("with version \"1.x\""), to: folder + "/wrong.scn")
      let wrong = try run("check", folder + "/wrong.scn")
      #expect(wrong.status == 2)
      #expect(wrong.errors.contains("'1.x' is no version of Talos"))
    }
  }

  @Test func `operands and options that are none are told with what was meant`() throws {
    let cases: [(words: [String], says: String)] = [
      (["talso:a.yaml", "b.nft"], "did you mean 'talos'?"),
      (["talos:a.yaml", "b.nft", "--with", "versoin=1"], "did you mean 'version'?"),
      (["a.nft", "b.nft", "--with", "version=1.13"], "it has none"),
      (["talos:a.yaml", "b.nft", "--with", "node=here"], "'here' is not an address"),
      (["talos:/nowhere.yaml", "talos:b.yaml"], "cannot read '/nowhere.yaml'"),
    ]
    for (words, says) in cases {
      let output = try ChildProcess.run(
        try EndToEndTests.program(), ["diff"] + words, timeout: .seconds(60), limit: 1 << 20)
      #expect(output.ending == .exited(2), "\(words)")
      #expect(String(decoding: output.errors, as: UTF8.self).contains(says), "\(words)")
    }
  }
}
