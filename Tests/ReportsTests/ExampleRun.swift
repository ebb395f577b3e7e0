import Diagnostics
import Outcomes

/// A run that has one claim of each kind, with everything a claim can carry.
struct ExampleRun {
  var sources = SourceMap()
  var outcome: RunOutcome

  init() {
    let text = """
      suite "bootstrap" severity critical {
        worker -> cp 50001 tcp expect allow
        any -> cp 22 tcp expect deny because "only over the \u{7}bastion & <jump>"
        nodes -> nodes 8472 udp expect allow
        nodes -> nodes icmpv6 type echo-request expect reject
        old -> cp 80 tcp expect deny skip "gone"
      }

      """
    let file = sources.add(SourceFile(name: "cluster.scn", bytes: Array(text.utf8)))
    func span(_ words: String, line: Int) -> SourceSpan? {
      let start = Array(text.utf8).split(separator: 10, omittingEmptySubsequences: false)
        .prefix(line - 1).reduce(0) { $0 + $1.count + 1 }
      let line = String(
        text.split(separator: "\n", omittingEmptySubsequences: false)[line - 1])
      guard let range = line.firstRange(of: words) else { return nil }
      let offset = line.utf8.distance(from: line.startIndex, to: range.lowerBound)
      return SourceSpan(
        file: file, lower: start + offset, upper: start + offset + words.utf8.count)
    }
    let policy = RuleCitation(
      firewall: "cp-host", family: "inet", table: "talos", chain: "ingress", handle: nil,
      text: "policy drop", isPolicy: true, source: "controlplane.json:1:212")
    let rule = RuleCitation(
      firewall: "cp-host", family: "inet", table: "talos", chain: "ingress", handle: 12,
      text: "tcp dport { 22, 50000 } accept", isPolicy: false, source: "controlplane.json:1:820")
    outcome = RunOutcome(
      toolVersion: "1.2.3",
      claims: [
        ClaimOutcome(
          id: "bootstrap/1", suite: "bootstrap", scenario: "worker -> cp 50001 tcp expect allow",
          file: "cluster.scn", line: 2, column: 3, expectationSpan: span("allow", line: 2),
          severity: .critical, tags: ["talos", "join"], status: .failed, expected: "allow",
          observed: .drop, code: "verdict.drop",
          message: "dropped by the policy of inet talos ingress",
          counterexample: PacketDescription(
            family: "ip", sourceAddress: "172.20.0.5", destinationAddress: "172.20.0.2",
            transportProtocol: "tcp", sourcePort: 1024, destinationPort: 50001, flags: ["syn"],
            state: "new", inputInterface: "eth0",
            further: [.init(name: "ip ttl", value: "1")]),
          decidedBy: policy,
          trace: [
            TraceStep(hook: "input", rule: rule, verdict: "no match"),
            TraceStep(hook: "input", rule: policy, verdict: "policy drop"),
          ], assumptions: ["limit rate 5/second not exceeded"],
          hint: "accept tcp dport 50001 from 172.20.0.5-172.20.0.9 before the end of `ingress`",
          evidence: .init(replay: ReplayEvidence(.agrees, packetCount: 2)), seconds: 0.0123),
        ClaimOutcome(
          id: "bootstrap/2", suite: "bootstrap", scenario: "any -> cp 22 tcp expect deny",
          file: "cluster.scn", line: 3, column: 3, expectationSpan: span("deny", line: 3),
          because: "only over the \u{7}bastion & <jump>", status: .failed, expected: "deny",
          observed: .mixed, code: "verdict.mixed",
          message: "some packets pass: 'tcp dport { 22, 50000 } accept'",
          counterexample: PacketDescription(
            family: "ip6", sourceAddress: "fd00::1", destinationAddress: "fd00:20::2",
            transportProtocol: "tcp", sourcePort: 40000, destinationPort: 22, state: "new"),
          decidedBy: rule,
          evidence: .init(
            replay: ReplayEvidence(
              .disagrees, packetCount: 3,
              omissions: [.init(reason: "rests on limit rate 5/second", count: 1)],
              mismatches: [
                ReplayMismatch(
                  between: .modelAndKernel, firewall: "cp-host",
                  packet: PacketDescription(
                    family: "ip6", sourceAddress: "fd00::1", destinationAddress: "fd00:20::2",
                    transportProtocol: "tcp", sourcePort: 40000, destinationPort: 22,
                    inputInterface: "eth0"),
                  summary: "input: the model says accept, the kernel says drop",
                  hooks: [
                    HookComparison(hook: "prerouting", model: "accept", kernel: "accept"),
                    HookComparison(
                      hook: "input", model: "accept", kernel: "drop",
                      modelTrace: [TraceStep(hook: "input", rule: rule, verdict: "accept")],
                      kernelTrace: [
                        TraceStep(hook: "input", rule: policy, verdict: "policy drop")
                      ]),
                  ], bundle: "portproof-mismatch/bootstrap-2")
              ]))),
        ClaimOutcome(
          id: "bootstrap/3", suite: "bootstrap", scenario: "nodes -> nodes 8472 udp expect allow",
          file: "cluster.scn", line: 4, column: 3, expectationSpan: span("allow", line: 4),
          status: .unknown, expected: "allow", observed: .unknown, code: "unknown.unmodelled",
          message: "depends on what the model does not cover", decidedBy: rule,
          reasons: ["`meta cgroup 5` of inet talos ingress handle 9 is not modelled"]),
        ClaimOutcome(
          id: "bootstrap/4", suite: "bootstrap",
          scenario: "nodes -> nodes icmpv6 type echo-request expect reject", file: "cluster.scn",
          line: 5, column: 3, status: .passed, expected: "reject", observed: .reject,
          code: "verdict.reject", message: "rejected",
          evidence: .init(replay: ReplayEvidence(.notPossible("the kernel lacks it"))),
          seconds: 1.5),
        ClaimOutcome(
          id: "bootstrap/5", suite: "bootstrap", scenario: "old -> cp 80 tcp expect deny",
          file: "cluster.scn", line: 6, column: 3, severity: .low, status: .skipped,
          expected: "deny", observed: .unknown, code: "skipped", message: "gone"),
        ClaimOutcome(
          id: "edge/1", suite: "edge v1.2", scenario: "a -> b 80 tcp expect allow",
          file: "edge.scn", line: 1, column: 1, status: .passed, expected: "allow",
          observed: .allow, code: "verdict.allow", message: "accepted"),
        ClaimOutcome(
          id: "edge/2", suite: "edge v1.2", scenario: "a -> b 80 tcp expect allow",
          file: "edge.scn", line: 2, column: 1, status: .passed, expected: "allow",
          observed: .allow, code: "verdict.allow", message: "accepted"),
      ], startedAt: 1_709_210_096, seconds: 1.523, hostname: "build-7",
      properties: [.init(name: "kernel", value: "6.1.0 \"x\"\n<y>")],
      replay: ReplaySummary(
        packetCount: 5, disagreementCount: 1,
        omissions: [.init(reason: "rests on limit rate 5/second", count: 1)]))
  }
}
