import Foundation
import LinuxKernel
import Replay
import Rulesets
import Simulation
import Testing

@testable import CommandLineTool

/// Namespaces need root, or an environment that must have them.
private let canUnshare: ConditionTrait = .enabled(
  if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
  "needs root: makes network namespaces and loads nftables rules")

private let root = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().path

@Suite("Checking with the kernel's word on it")
struct CheckReplayTests {
  /// The program, beside the one that runs the tests.
  private static func program() throws -> String {
    let runner = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(fileURLWithPath: runner).deletingLastPathComponent().path + "/portproof"
  }

  private func check(
    _ words: [String], in folder: Folder, replaying replay: Replay
  ) throws -> RunStatus {
    let reports = [
      "--quiet", "--output", folder.path + "/out", "--report", "json=\(folder.path)/r.json",
      "--report", "junit=\(folder.path)/r.xml", "--replay", "--bundle", folder.path + "/bundle",
    ]
    let parsed = try #require(
      try ArgumentParser.parse((words + reports)[...], of: CheckCommand.row))
    return CheckCommand(arguments: parsed, console: Console(parsed))
      .run(proving: CheckCommand.prove, replaying: replay)
  }

  /// One firewall with two rules, as nft lists it.
  private static func listing(_ last: String = #"[{"drop": null}]"#) -> String {
    """
    {"nftables": [
      {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
      {"table": {"family": "inet", "name": "t", "handle": 1}},
      {"chain": {"family": "inet", "table": "t", "name": "in", "handle": 1, "type": "filter",
        "hook": "input", "prio": 0, "policy": "accept"}},
      {"rule": {"family": "inet", "table": "t", "chain": "in", "handle": 2, "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}},
          "right": 22}}, {"accept": null}]}},
      {"rule": {"family": "inet", "table": "t", "chain": "in", "handle": 3, "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}},
          "right": 80}}, {"drop": null}]}},
      {"rule": {"family": "inet", "table": "t", "chain": "in", "handle": 4, "expr": \(last)}}]}
    """
  }

  private static let scenario = """
    host node = 10.0.0.2 iface eth0
    firewall fw = nft "fw.json" on node
    suite "s" {
      10.0.0.1 -> node 22 tcp expect deny id ssh xfail "open"
      10.0.0.1 -> node 80 tcp expect deny id web severity info
    }

    """

  @Test(canUnshare) func `agreement is evidence in every report`() throws {
    let folder = try Folder()
    _ = try folder.write("fw.json", Self.listing())
    let file = try folder.write("a.scn", Self.scenario)
    #expect(
      try check([file], in: folder, replaying: Replay(executable: try Self.program())) == .holds)
    let json = try folder.read("r.json")
    #expect(json.contains(#""replay": "agrees""#))
    #expect(json.contains(#""disagreements": 0"#))
    #expect(
      try folder.read("r.xml").contains(
        #"<property name="replay" value="agrees (1 packet)"/>"#))
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/bundle"))
  }

  @Test(canUnshare) func `a model that is wrong is found out, whatever the line's severity`() throws
  {
    let folder = try Folder()
    _ = try folder.write("fw.json", Self.listing())
    let file = try folder.write("a.scn", Self.scenario)
    // One verdict foretold wrongly: of the packet that the second rule drops.
    let wrong = Replay(executable: try Self.program()) { prediction in
      guard let last = prediction.hooks.last, last.verdict == .drop else { return prediction }
      var altered = prediction
      altered.hooks[altered.hooks.count - 1].verdict = .accept
      return altered
    }
    let words = [file, "--fail-on", "critical"]
    #expect(try check(words, in: folder, replaying: wrong) == .broken)

    let text = try folder.read("out")
    #expect(text.contains("input: the model says accept, the kernel says drop"), "\(text)")
    // Both traces side by side: the rule is the same, whatever the model made of it.
    #expect(text.contains(/inet t in handle 3  drop +inet t in handle 3  drop/), "\(text)")
    #expect(text.contains(" of 2 packets replayed in the kernel disagree"), "\(text)")
    #expect(text.contains("input !"), "\(text)")
    let json = try folder.read("r.json")
    #expect(json.contains(#""code": "mismatch.model-kernel""#))
    #expect(json.contains(#""replay": "disagrees""#))
    #expect(try folder.read("r.xml").contains(#"<failure type="mismatch.model-kernel""#))

    // The bundle holds all that is needed to ask both again.
    #expect(text.contains("\(folder.path)/bundle/web"), "\(text)")
    #expect(try folder.read("bundle/web/ruleset.json") == Self.listing())
    let readme = try folder.read("bundle/web/README.md")
    #expect(readme.contains("portproof simulate --ruleset ruleset.json"), "\(readme)")
    #expect(try folder.read("bundle/web/kernel.txt").hasPrefix("Linux \(Machine.kernelRelease)"))
    #expect(try folder.read("bundle/web/traces.txt").contains("input !"))
    let again = try ChildProcess.run(
      "/bin/sh",
      [
        "-c",
        "cd '\(folder.path)/bundle/web' && \(try Self.program()) simulate --ruleset ruleset.json"
          + " --host host.json --packets packets.jsonl",
      ], timeout: .seconds(60), limit: 1 << 20)
    #expect(
      String(decoding: again.output, as: UTF8.self).contains(
        #""hooks":{"prerouting":"accept","input":"drop"}"#))
  }

  @Test(canUnshare) func `a proof that the model does not bear out is a mismatch too`() throws {
    let folder = try Folder()
    _ = try folder.write("fw.json", Self.listing())
    let file = try folder.write("a.scn", Self.scenario)
    let wrong = Replay(executable: try Self.program()) { prediction in
      var altered = prediction
      altered.verdict = .accept
      return altered
    }
    #expect(try check([file], in: folder, replaying: wrong) == .broken)
    #expect(try folder.read("r.json").contains(#""code": "mismatch.proof-model""#))
    #expect(try folder.read("out").contains("it is proved to be dropped"))
  }

  @Test(canUnshare) func `what one packet leaves in a limit is not what the next one meets`() throws
  {
    let folder = try Folder()
    // One packet an hour: the second would be dropped.
    let limit = #"{"limit": {"rate": 1, "burst": 1, "per": "hour", "inv": true}}"#
    _ = try folder.write("fw.json", Self.listing("[\(limit), {\"drop\": null}]"))
    let file = try folder.write(
      "a.scn",
      """
      host node = 10.0.0.2 iface eth0
      firewall fw = nft "fw.json" on node
      10.0.0.1 -> node 443 tcp expect allow
      10.0.0.3 -> node 443 tcp expect allow
      10.0.0.4 -> node 443 tcp expect allow

      """)
    let replay = Replay(executable: try Self.program())
    #expect(try check([file], in: folder, replaying: replay) == .holds)
    #expect(try folder.read("r.json").contains(#""disagreements": 0"#))
    let xml = try folder.read("r.xml")
    #expect(xml.contains(#"value="agrees (3 packets)""#), "\(xml)")
  }

  @Test(canUnshare) func `a ruleset that the kernel does not take stays unreplayed, and says why`()
    throws
  {
    let folder = try Folder()
    _ = try folder.write(
      "fw.json", Self.listing(#"[{"xt": {"type": "match", "name": "quux"}}, {"drop": null}]"#))
    let file = try folder.write("a.scn", Self.scenario)
    #expect(
      try check([file], in: folder, replaying: Replay(executable: try Self.program())) == .holds)
    #expect(try folder.read("r.json").contains(#""replay": "not possible: "#))
    #expect(try folder.read("out") == "")
  }

  @Test func `a machine without a sandbox makes the status 3, and the answers stand`() throws {
    let folder = try Folder()
    _ = try folder.write("fw.json", Self.listing())
    let file = try folder.write("a.scn", Self.scenario)
    let replay = Replay(executable: "/bin/false")
    #expect(try check([file], in: folder, replaying: replay) == .notKnown)
    #expect(try folder.read("r.json").contains(#""passed": 2"#))
    #expect(try folder.read("r.json").contains(#""impossible_because": ""#))
    #expect(try folder.read("r.xml").contains(#"<error type="environment.sandbox""#))
    #expect(try folder.read("out").contains("2 lines: 2 hold, not replayed"))
  }
}
