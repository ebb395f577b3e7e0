import Foundation
import LinuxKernel
import Testing

@Suite(
  "Hosts whose rules iptables-nft loads",
  .enabled(
    if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
    "needs root: makes network namespaces and loads rules with iptables-nft"))
struct IptablesHostTests {
  /// Runs commands of a shell in a network namespace of their own, with a scenario in `$scenario`,
  /// a free folder in `$folder` and the program in `$portproof`.
  private func run(_ commands: String, scenario: String) throws -> (output: String, status: Int32) {
    let folder = FileManager.default.temporaryDirectory.appending(path: "\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try scenario.write(toFile: "\(folder)/host.scn", atomically: true, encoding: .utf8)
    let script = """
      set -e; PATH=/usr/sbin:/sbin:/usr/bin:/bin
      folder=\(folder) scenario=\(folder)/host.scn portproof=\(try EndToEndTests.program())
      ip link set lo up
      ip link add eth0 type veth peer name far0; ip addr add 192.0.2.1/24 dev eth0
      ip link set eth0 up; ip link set far0 up
      \(commands)
      """
    let output = try ChildProcess.run(
      "/usr/bin/unshare", ["-n", "/bin/sh", "-c", script], timeout: .seconds(120),
      limit: 1 << 24)
    let text = String(decoding: output.output + output.errors, as: UTF8.self)
    guard case .exited(let status) = output.ending else { return (text, -1) }
    return (text, status)
  }

  private static let docker = """
    for chain in DOCKER DOCKER-USER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2; do
      iptables-nft -N $chain
    done
    iptables-nft -P FORWARD DROP
    iptables-nft -A FORWARD -j DOCKER-USER
    iptables-nft -A FORWARD -j DOCKER-ISOLATION-STAGE-1
    iptables-nft -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    iptables-nft -A FORWARD -o docker0 -j DOCKER
    iptables-nft -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
    iptables-nft -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp --dport 80 -j ACCEPT
    iptables-nft -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
    iptables-nft -A DOCKER-ISOLATION-STAGE-1 -j RETURN
    iptables-nft -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
    iptables-nft -A DOCKER-USER -j RETURN
    iptables-nft -t nat -N DOCKER
    iptables-nft -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
    iptables-nft -t nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
    iptables-nft -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
    iptables-nft -t nat -A DOCKER -i docker0 -j RETURN
    iptables-nft -t nat -A DOCKER ! -i docker0 -p tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
    iptables-nft -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    iptables-nft -A INPUT -p tcp -m multiport --dports 22,443 -m comment --comment admin -j ACCEPT
    iptables-nft -A INPUT -p icmp --icmp-type 8 -m limit --limit 5/sec -j ACCEPT
    iptables-nft -A INPUT -j REJECT --reject-with icmp-host-prohibited

    """

  private static let dockerScenario = """
    host me = 192.0.2.1
    192.0.2.9 -> me tcp/22 expect allow
    192.0.2.9 -> me tcp/443 expect allow
    192.0.2.9 -> me tcp/23 expect deny

    """

  @Test func `lines are proved of a live host with Docker's rules`() throws {
    let (text, status) = try run(
      Self.docker + "$portproof check --live $scenario", scenario: Self.dockerScenario)
    #expect(status == 0, "\(text)")
    #expect(text.contains("3 lines: 3 hold"), "\(text)")
  }

  @Test func `a line that does not hold names the rule of the host`() throws {
    let (text, status) = try run(
      Self.docker + "$portproof check --live $scenario",
      scenario: "host me = 192.0.2.1\n192.0.2.9 -> me tcp/23 expect allow\n")
    #expect(status == 1, "\(text)")
    #expect(text.contains("ip filter INPUT handle "), "\(text)")
    #expect(text.contains("counter reject with icmp host-prohibited"), "\(text)")
  }

  @Test func `the same host's saved JSON is not known, and says what to give instead`() throws {
    let (text, status) = try run(
      Self.docker + "nft -j list ruleset >$folder/saved.json 2>/dev/null\n"
        + "$portproof check --ruleset $folder/saved.json $scenario",
      scenario: Self.dockerScenario)
    #expect(status == 3, "\(text)")
    #expect(text.contains("warning[nft.xtables]"), "\(text)")
    #expect(text.contains("--live"), "\(text)")
    #expect(text.contains("`nft list ruleset`"), "\(text)")
    #expect(text.contains("0 hold, 3 not known"), "\(text)")
  }

  @Test func `the same host's saved text is known, with a warning of what it may lack`() throws {
    let (text, status) = try run(
      Self.docker + "nft list ruleset >$folder/saved.nft 2>/dev/null\n"
        + "$portproof check --ruleset $folder/saved.nft $scenario",
      scenario: Self.dockerScenario)
    #expect(status == 0, "\(text)")
    #expect(text.contains("warning[nft.translated-text]"), "\(text)")
  }

  @Test func `of a saved text a rule is not believed that may say less than iptables loaded`()
    throws
  {
    // In nft's text these are `fib saddr type unicast accept` and `ct status dnat accept`.
    let rules = """
      iptables-nft -A INPUT -p tcp --dport 22 -m addrtype --src-type UNICAST --dst-type LOCAL -j ACCEPT
      iptables-nft -A INPUT -p tcp --dport 23 -m conntrack --ctstate NEW,DNAT -j ACCEPT
      iptables-nft -A INPUT -j DROP
      nft list ruleset >$folder/saved.nft 2>/dev/null

      """
    for read in ["--ruleset $folder/saved.nft", "--live"] {
      let (text, status) = try run(
        rules + "$portproof check \(read) $scenario",
        scenario: """
          host me = 192.0.2.1
          192.0.2.9 -> me tcp/22 expect deny
          192.0.2.9 -> me tcp/23 expect deny
          192.0.2.9 -> me tcp/24 expect deny

          """)
      #expect(status == 3, "\(text)")
      #expect(text.contains("3 lines: 1 holds, 2 not known"), "\(text)")
    }
  }

  @Test func `lines are proved of a live host with the rules of kube-proxy in iptables mode`()
    throws
  {
    let rules = """
      for chain in KUBE-SERVICES KUBE-EXTERNAL-SERVICES KUBE-NODEPORTS KUBE-FORWARD KUBE-FIREWALL; do
        iptables-nft -N $chain
      done
      iptables-nft -A INPUT -m conntrack --ctstate NEW -m comment --comment "externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
      iptables-nft -A INPUT -m comment --comment "health check service ports" -j KUBE-NODEPORTS
      iptables-nft -A INPUT -j KUBE-FIREWALL
      iptables-nft -A FORWARD -m comment --comment "forwarding rules" -j KUBE-FORWARD
      iptables-nft -A KUBE-EXTERNAL-SERVICES -d 192.0.2.1/32 -p tcp -m comment --comment "no endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30080 -j REJECT
      iptables-nft -A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
      iptables-nft -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
      iptables-nft -A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
      iptables-nft -A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
      for chain in KUBE-SERVICES KUBE-MARK-MASQ KUBE-POSTROUTING KUBE-SVC-A KUBE-SEP-1 KUBE-SEP-2; do
        iptables-nft -t nat -N $chain
      done
      iptables-nft -t nat -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
      iptables-nft -t nat -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
      iptables-nft -t nat -A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m tcp --dport 53 -j KUBE-SVC-A
      iptables-nft -t nat -A KUBE-SVC-A -m statistic --mode random --probability 0.5 -j KUBE-SEP-1
      iptables-nft -t nat -A KUBE-SVC-A -j KUBE-SEP-2
      iptables-nft -t nat -A KUBE-SEP-1 -s 10.244.0.2/32 -j KUBE-MARK-MASQ
      iptables-nft -t nat -A KUBE-SEP-1 -p tcp -m tcp -j DNAT --to-destination 10.244.0.2:53
      iptables-nft -t nat -A KUBE-SEP-2 -p tcp -m tcp -j DNAT --to-destination 10.244.0.3:53
      iptables-nft -t nat -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
      iptables-nft -t nat -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
      iptables-nft -t nat -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
      iptables-nft -t nat -A KUBE-POSTROUTING -j MASQUERADE --random-fully
      iptables-nft -A INPUT -p tcp -m multiport --dports 10250,6443 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT
      iptables-nft -A INPUT -j DROP
      $portproof check --live $scenario
      """
    let (text, status) = try run(
      rules,
      scenario: """
        host node = 192.0.2.1
        192.0.2.9 -> node tcp/10250 expect allow
        192.0.2.9 -> node tcp/6443 expect allow
        192.0.2.9 -> node tcp/10255 expect deny

        """)
    #expect(status == 0, "\(text)")
    #expect(text.contains("3 lines: 3 hold"), "\(text)")
  }
}
