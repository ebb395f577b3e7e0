import Foundation
import LinuxKernel
import TestSupport
import Testing

/// Namespaces need root, or an environment that must have them.
let canMakeNetworks: ConditionTrait = .enabled(
  if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
  "needs root: makes network namespaces")

/// The built program as it probes one namespace from another.
@Suite("Probes of the built program", canMakeNetworks, .serialized)
struct ProbeEndToEndTests {
  private let network: ProbeNetwork
  private let folder = NSTemporaryDirectory() + "/portproof-probe-\(UUID().uuidString)"

  init() throws {
    network = try ProbeNetwork()
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try network.load(.far, Self.ruleset)
    try network.listen(tcp: [22, 81, 90])
  }

  private static let ruleset = """
    table inet filter {
      chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        tcp dport { 22, 80 } accept
        tcp dport 81 reject with tcp reset
        tcp dport 82 reject
      }
    }
    """

  private static let hosts = """
    host near = \(ProbeNetwork.near.ipv4), \(ProbeNetwork.near.ipv6)
    host far = \(ProbeNetwork.far.ipv4), \(ProbeNetwork.far.ipv6)

    """

  /// Runs the program at the near end on a scenario.
  private func run(
    _ command: String, _ scenario: String, _ options: String = ""
  ) throws -> EndToEndTests.Answer {
    try Self.hosts.appending(scenario).write(
      toFile: folder + "/t.scn", atomically: true, encoding: .utf8)
    try Self.ruleset.write(toFile: folder + "/fw.nft", atomically: true, encoding: .utf8)
    let text = try network.shell(
      .near,
      "cd \(folder); rc=0; \(try EndToEndTests.program()) \(command) t.scn \(options) 2>errors "
        + "|| rc=$?; echo \"status $rc\"")
    let status = text.split(separator: "\n").last.flatMap { Int32($0.dropFirst("status ".count)) }
    return EndToEndTests.Answer(
      status: status ?? -1, output: text,
      errors: (try? String(contentsOfFile: folder + "/errors", encoding: .utf8)) ?? "")
  }

  /// What a report says of its lines: their statuses and codes.
  private func results(_ name: String) throws -> [(status: String, code: String)] {
    let data = try Data(contentsOf: URL(filePath: folder + "/" + name))
    let report = try #require(
      try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let results = try #require(report["results"] as? [[String: Any]])
    return results.map { ($0["status"] as? String ?? "", $0["code"] as? String ?? "") }
  }

  @Test func `lines are judged by what the wire says, and by nothing less`() throws {
    _ = try run(
      "probe",
      """
      near -> far 22 tcp expect allow
      near -> far 80 tcp expect allow
      near -> far 82 tcp expect reject with port-unreachable
      near -> far 83 tcp expect deny
      near -> far 84 tcp expect drop
      near -> far 90 tcp expect allow
      near -> far 53 udp expect deny
      far -> near 22 tcp expect allow
      near -> far 22 tcp expect deny id strange
      """, "--report json=r.json --report junit=r.xml")
    let results = try results("r.json")
    #expect(
      results.map(\.status) == [
        "passed", "unknown", "passed", "passed", "passed", "failed", "unknown", "skipped", "failed",
      ])
    #expect(
      results.map(\.code) == [
        "verdict.allow", "probe.reset-ambiguous", "verdict.reject", "verdict.drop", "verdict.drop",
        "verdict.drop", "probe.udp-silence", "skipped", "verdict.allow",
      ])
    let xml = try String(contentsOfFile: folder + "/r.xml", encoding: .utf8)
    #expect(xml.contains("<error type=\"probe.reset-ambiguous\""))
    #expect(xml.contains("<failure type=\"verdict.drop\""))
  }

  @Test func `nothing holds of a target that shows no life`() throws {
    try network.load(
      .far,
      """
      table inet f {
        chain c {
          type filter hook input priority 0; policy drop;
          icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        }
      }
      """)
    let answer = try run(
      "probe", "near -> far 22 tcp expect deny\nnear -> far 23 tcp expect drop",
      "--report json=r.json")
    #expect(answer.status == 3)
    #expect(try results("r.json").map(\.code) == ["probe.no-canary", "probe.no-canary"])
  }

  @Test func `a canary of the command line shows life`() throws {
    let answer = try run(
      "probe", "near -> far 23 tcp expect deny", "--canary 22/tcp --report json=r.json")
    #expect(answer.status == 0)
    #expect(try results("r.json").map(\.code) == ["verdict.drop"])
  }

  @Test func `what the file says and the host does not do is a mismatch`() throws {
    // The kernel blocks what the listing allows: as siderolabs/talos#9009.
    try network.load(
      .far, Self.ruleset.replacingOccurrences(of: "{ 22, 80 } accept", with: "22 accept"))
    let answer = try run(
      "verify",
      """
      firewall far-host = nft "fw.nft" on far
      near -> far 22 tcp expect allow
      near -> far 80 tcp expect allow
      near -> far 81 tcp expect reject with tcp-reset
      near -> far 83 tcp expect deny
      """, "--report json=r.json")
    #expect(answer.status == 1)
    let results = try results("r.json")
    #expect(results.map(\.status) == ["passed", "failed", "passed", "passed"])
    #expect(results[1].code == "mismatch.static-live")
  }

  @Test func `a closed port that the rules let through is allowed`() throws {
    let answer = try run(
      "verify",
      """
      firewall far-host = nft "fw.nft" on far
      near -> far 22 tcp expect allow
      near -> far 80 tcp expect allow
      """, "--report json=r.json")
    #expect(answer.status == 0)
    #expect(try results("r.json").map(\.code) == ["verdict.allow", "verdict.allow"])
  }

  @Test func `a dry run says what would be sent, and sends nothing`() throws {
    try network.load(
      .near,
      """
      table inet seen {
        chain sent {
          type filter hook output priority 0;
          meta l4proto { tcp, udp } counter
        }
      }
      """)
    let answer = try run(
      "probe", "near -> far { 22-23 tcp, 53 udp } expect allow\nany -> any 22 tcp expect deny",
      "--dry-run")
    #expect(answer.status == 0)
    #expect(
      answer.output.contains("192.0.2.1 > 192.0.2.2  tcp/22 syn, up to 2 times, 500 ms each"))
    #expect(answer.output.contains("nothing was sent"))
    #expect(try network.shell(.near, "nft list ruleset").contains("counter packets 0 bytes 0"))
  }

  @Test func `every packet is kept where that is asked, and reports name them`() throws {
    let answer = try run(
      "probe", "near -> far 22 tcp expect allow\nnear -> far 90 tcp expect allow",
      "--capture evidence --report junit=r.xml")
    #expect(answer.output.contains("evidence/run.pcapng, packets "))
    let listed = try network.shell(.near, "tcpdump -nr \(folder)/evidence/run.pcapng 2>/dev/null")
    #expect(listed.contains("192.0.2.2.22 > 192.0.2.1."))
    let xml = try String(contentsOfFile: folder + "/r.xml", encoding: .utf8)
    #expect(xml.contains("[[ATTACHMENT|evidence/run.pcapng]]"))
  }

  @Test func `an ordinary user probes by connecting`() throws {
    _ = try network.shell(.near, "chmod 777 \(folder)")
    try Self.hosts.appending("near -> far 22 tcp expect allow\nnear -> far 83 tcp expect deny")
      .write(toFile: folder + "/t.scn", atomically: true, encoding: .utf8)
    let program = try EndToEndTests.program()
    _ = try network.shell(.near, "cp \(program) \(folder)/portproof; chmod 755 \(folder)/portproof")
    let text = try network.shell(
      .near,
      "cd \(folder); setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "
        + "--bounding-set=-all ./portproof probe t.scn --format json")
    #expect(text.contains("\"passed\": 2"))
    #expect(text.contains("connect(2), without privileges"))
  }
}
