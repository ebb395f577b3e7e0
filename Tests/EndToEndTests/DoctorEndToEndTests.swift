import LinuxKernel
import TestSupport
import Testing

/// Namespaces need root, or an environment that must have them.
private let canUnshare: ConditionTrait = .enabled(
  if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
  "needs root: makes network namespaces and changes their settings")

private let openFiles = (
  finding: "!   open files: 1000 at once: so many connections are tried, and so many ports answer, "
    + "at the same time",
  help: "    help: `ulimit -n 65663` as root, or LimitNOFILE= of the service"
)

@Suite("doctor, on what matters for probes")
struct DoctorEndToEndTests {
  /// The findings about probes behind `commands` in a network namespace; the status is the last line.
  private func findings(_ commands: String, as user: String = "") throws -> [String] {
    let workshop = try Workshop()
    let text = try ProbeNetwork().shell(
      .near, "\(commands)\n\(user)\(workshop.tool) doctor && status=0 || status=$?; echo $status")
    let lines = text.split(separator: "\n").map(String.init)
    let first = try #require(lines.firstIndex { $0.contains("raw packets") }, "\(text)")
    return Array(lines[first...])
  }

  /// Every setting so that it lessens nothing.
  private static let best = """
    sysctl -q -w net.ipv4.ping_group_range="0 2147483647" net.ipv4.icmp_ratelimit=0 \
      net.ipv6.icmp.ratelimit=0
    sysctl -q -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.near0.rp_filter=2
    sysctl -q -w net.ipv4.icmp_echo_ignore_all=0 net.ipv6.icmp.echo_ignore_all=0
    ulimit -n 1000
    """

  @Test(canUnshare) func `finds nothing to change where nothing lessens what probes tell`() throws {
    // The limit of open files may not be raised everywhere, so it is a low one here.
    #expect(
      try findings(Self.best) == [
        "ok  raw packets: may be sent and captured",
        "ok  ping sockets: may be used (net.ipv4.ping_group_range is 0 2147483647)",
        "ok  echo answers: the kernel answers echo requests",
        "ok  ICMP errors: are not limited for each asker",
        "ok  rp_filter: strict at no interface",
        openFiles.finding, openFiles.help,
        "0",
      ])
  }

  @Test(canUnshare) func `names each setting that lessens it, and does not fail for it`() throws {
    let lines = try findings(
      Self.best + """

        sysctl -q -w net.ipv4.icmp_ratelimit=1000 net.ipv6.icmp.ratelimit=500
        sysctl -q -w net.ipv4.icmp_echo_ignore_all=1 net.ipv4.conf.near0.rp_filter=1
        sysctl -q -w net.ipv4.ping_group_range="1 0"
        """)
    #expect(
      lines == [
        "ok  raw packets: may be sent and captured",
        "ok  ping sockets: not allowed, and not needed, as raw packets are (permission denied; "
          + "net.ipv4.ping_group_range is 1 0)",
        "!   echo answers: net.ipv4.icmp_echo_ignore_all set: a ping of this machine looks dropped",
        "    help: `sysctl -w net.ipv4.icmp_echo_ignore_all=0`",
        "!   ICMP errors: after a few at once one in 1000 ms by IPv4, one in 500 ms by IPv6 to each "
          + "asker; further closed UDP ports and `reject` then look dropped",
        "    help: where this machine is asked: `sysctl -w net.ipv4.icmp_ratelimit=0`, "
          + "`sysctl -w net.ipv6.icmp.ratelimit=0`",
        "!   rp_filter: strict at near0: IPv4 packets whose answers would leave by another "
          + "interface are dropped before a rule sees them",
        "    help: `sysctl -w net/ipv4/conf/near0/rp_filter=2`",
        openFiles.finding, openFiles.help,
        "0",
      ])
    // The limit is on other messages: bit 3 stands for unreachable destinations.
    let masked = try findings(
      Self.best + "\nsysctl -q -w net.ipv4.icmp_ratelimit=1000 net.ipv4.icmp_ratemask=4096")
    #expect(masked.contains("ok  ICMP errors: are not limited for each asker"))
  }

  @Test(canUnshare) func `tells a user without privilege what raw packets and pings need`() throws {
    let lines = try findings(
      "sysctl -q -w net.ipv4.ping_group_range=\"1 0\"",
      as: "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all ")
    let raw = try #require(lines.first)
    #expect(
      raw.hasPrefix("!   raw packets: not permitted to capture at 'any': ")
        && raw.hasSuffix(
          "; without them probes are connections, of which a closed port and `reject` look alike"),
      "\(raw)")
    #expect(
      lines.dropFirst().prefix(3) == [
        "    help: run as root, or give the program the capability CAP_NET_RAW",
        "!   ping sockets: permission denied; net.ipv4.ping_group_range is 1 0; without them no echo "
          + "request is sent",
        "    help: `sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"` allows them to every user",
      ])
    // In a user namespace of its own the same user has both.
    let inside = try findings(
      "",
      as: "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "
        + "--bounding-set=-all unshare --user --map-root-user --net ")
    #expect(inside.first == "ok  raw packets: may be sent and captured")
  }
}
