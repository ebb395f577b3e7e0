import Foundation
import LinuxKernel
import Testing

/// Namespaces need root, or an environment that must have them.
private let canUnshare: ConditionTrait = .enabled(
  if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
  "needs root: makes network namespaces and becomes another user")

private let root = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().path

@Suite("The built program and the kernel")
struct ReplayEndToEndTests {
  /// A copy of the program and of the packs that every user may read.
  private final class Workshop {
    let folder = NSTemporaryDirectory() + "/portproof-replay-\(UUID().uuidString)"

    init() throws {
      let output = try ChildProcess.run(
        "/bin/sh",
        [
          "-c",
          "mkdir -p \(folder) && cp \(try EndToEndTests.program()) \(folder)/portproof && "
            + "cp -r \(root)/Scenarios \(folder)/ && chmod -R a+rX \(folder) && chmod 777 \(folder)",
        ], timeout: .seconds(60), limit: 1 << 16)
      try #require(output.ending == .exited(0))
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Runs a command line in the folder; `errors` is apart.
    func run(_ command: String) throws -> EndToEndTests.Answer {
      let output = try ChildProcess.run(
        "/bin/sh", ["-c", "cd \(folder) && \(command)"], timeout: .seconds(120), limit: 1 << 24)
      guard case .exited(let status) = output.ending else {
        Issue.record("\(command) ended so: \(output.ending)")
        return EndToEndTests.Answer(status: -1, output: "", errors: "")
      }
      return EndToEndTests.Answer(
        status: status, output: String(decoding: output.output, as: UTF8.self),
        errors: String(decoding: output.errors, as: UTF8.self))
    }
  }

  /// Without any privilege, as a user that only has a number.
  private static let unprivileged =
    "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "

  /// In a user namespace that allows no other, without capabilities.
  private static let confined =
    unprivileged + "unshare --user --map-root-user sh -c '"
    + "echo 0 > /proc/sys/user/max_user_namespaces && "
    + "exec setpriv --inh-caps=-all --bounding-set=-all "

  @Test(canUnshare, arguments: ["", unprivileged])
  func `the shipped pack is replayed, and the kernel agrees`(user: String) throws {
    let workshop = try Workshop()
    let answer = try workshop.run(
      "\(user)./portproof check Scenarios/talos/talos.scn --replay --report json=r.json")
    #expect(answer.status == 0, "\(answer.errors)")
    let line = try #require(answer.output.split(separator: "\n").last)
    let match = try #require(
      line.firstMatch(of: /48 lines: 48 hold, ([0-9]+) packets replayed in the kernel agree/),
      "\(line)")
    // First packets, answers and further packets.
    #expect(Int(match.1) ?? 0 >= 250)
    #expect(!answer.output.contains("connection of its protocol"), "\(answer.output)")
    let report = String(
      decoding: try Files.read(workshop.folder + "/r.json"), as: UTF8.self)
    #expect(report.contains(#""replay": "agrees""#))
    #expect(report.contains(#""disagreements": 0"#))
    // Nothing was left behind.
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: workshop.folder).sorted()
        == ["Scenarios", "portproof", "r.json"])
  }

  @Test(canUnshare) func `a counterexample is replayed as it is shown`() throws {
    let workshop = try Workshop()
    let answer = try workshop.run(
      "./portproof check Scenarios/talos/bad/trustd-missing.scn --replay")
    #expect(answer.status == 1)
    #expect(answer.output.contains("= replay     agrees (2 packets)"), "\(answer.output)")
    #expect(answer.output.contains("packets replayed in the kernel agree"), "\(answer.output)")
  }

  @Test(canUnshare) func `the limit of packets is kept`() throws {
    let workshop = try Workshop()
    let answer = try workshop.run(
      "./portproof check Scenarios/talos/talos.scn --only controlplane --replay"
        + " --replay-packets 1 --format json")
    #expect(answer.status == 0)
    let counts = answer.output.matches(of: /"packets": ([0-9]+),\n {8}"not_replayed"/)
    #expect(counts.count >= 30)
    #expect(counts.allSatisfy { Int($0.1) ?? 2 <= 1 })
  }

  @Test func `how many packets is a number`() throws {
    for wrong in ["0", "-1", "x", "10001"] {
      let output = try ChildProcess.run(
        try EndToEndTests.program(), ["check", "a.scn", "--replay", "--replay-packets=\(wrong)"],
        timeout: .seconds(60), limit: 1 << 20)
      #expect(output.ending == .exited(2))
      #expect(
        String(decoding: output.errors, as: UTF8.self).contains(
          "'--replay-packets' cannot be '\(wrong)'"))
    }
  }

  @Test(canUnshare) func `an explanation is replayed`() throws {
    let workshop = try Workshop()
    let flow = try workshop.run(
      "./portproof explain worker cp 50001/tcp Scenarios/talos/talos.scn --replay")
    #expect(flow.status == 0)
    #expect(flow.output.contains(/= replay     agrees \([0-9]+ packets\)/), "\(flow.output)")
    let packet = try workshop.run(
      """
      echo '{"interfaces": [{"name": "eth0", "addresses": ["172.20.0.2/24"]}]}' > host.json
      ./portproof explain --ruleset Scenarios/talos/rulesets/controlplane-block.json \
        --host host.json --replay --packet '{"saddr": "172.20.0.5", "daddr": "172.20.0.2", \
      "protocol": "tcp", "dport": 50001, "iif": "eth0"}'
      """)
    #expect(packet.status == 0, "\(packet.errors)")
    #expect(packet.output.contains("= replay     agrees (1 packet)"), "\(packet.output)")
    // Without a description of the host it is asked on the least one.
    let least = try workshop.run(
      """
      ./portproof explain --ruleset Scenarios/talos/rulesets/controlplane-block.json --replay \
        --packet '{"saddr": "203.0.113.9", "daddr": "172.20.0.2", "protocol": "tcp", \
      "dport": 50001, "iif": "eth0"}'
      """)
    #expect(least.status == 0, "\(least.errors)")
    #expect(least.output.contains(": drop\n"), "\(least.output)")
    #expect(least.output.contains("= replay     agrees (1 packet)"), "\(least.output)")
  }

  @Test(canUnshare) func `where no namespace is allowed the proofs stand, and the status says so`()
    throws
  {
    let workshop = try Workshop()
    let answer = try workshop.run(
      "\(Self.confined)./portproof check Scenarios/talos/talos.scn --replay'")
    #expect(answer.status == 3)
    #expect(answer.output.contains("48 lines: 48 hold, not replayed"), "\(answer.output)")
    #expect(answer.errors.contains("error[environment.sandbox]: nothing was replayed"))
    #expect(answer.errors.contains("user.max_user_namespaces is 0"), "\(answer.errors)")
  }

  @Test(
    canUnshare,
    arguments: [
      ("", "ok  sandbox: the kernel takes rulesets and packets of root"),
      (unprivileged, "ok  sandbox: the kernel takes rulesets and packets of user 65534"),
    ])
  func `doctor uses the sandbox to say that it works`(user: String, line: String) throws {
    let answer = try Workshop().run("\(user)./portproof doctor")
    #expect(answer.output.contains(line), "\(answer.output)")
  }

  @Test(canUnshare) func `doctor names the setting that forbids the sandbox`() throws {
    let answer = try Workshop().run("\(Self.confined)./portproof doctor'")
    #expect(answer.status == 3)
    #expect(answer.output.contains("no  sandbox: this user may not create a user namespace"))
    #expect(
      answer.output.contains(
        "help: user.max_user_namespaces is 0: `sysctl -w user.max_user_namespaces=15000`"),
      "\(answer.output)")
  }
}
