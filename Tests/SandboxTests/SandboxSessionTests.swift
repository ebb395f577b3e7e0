import Addresses
import Foundation
import LinuxKernel
import Netfilter
import Rulesets
import Sandbox
import Simulation
import TestSupport
import Testing

@Suite("A sandbox that is kept")
struct SandboxSessionTests {
  private func drop(port: Int) -> [UInt8] {
    Array(
      """
      table inet t {
        chain c {
          type filter hook input priority 0; policy accept;
          udp dport \(port) drop
        }
      }

      """.utf8)
  }

  @Test(canUnshare, arguments: [true, false])
  func `one ruleset takes the place of the other`(isPrivileged: Bool) throws {
    let workshop = try Workshop()
    var session = try SandboxSession(
      host: try twoNetworks(), executable: try workshop.tool(isPrivileged: isPrivileged))
    for port in [53, 54, 53] {
      try session.load(drop(port: port))
      let verdicts = try session.verdicts(for: Array(repeating: question, count: 1000))
      #expect(verdicts.count == 1000)
      for each in verdicts { #expect(each[.input] == (port == 53 ? .drop : .accept)) }
    }
  }

  @Test(canUnshare) func `nothing of a ruleset is left for the next`() throws {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    let ruleset = Array(
      """
      table ip t {
        set seen { type ipv4_addr; flags dynamic; }
        chain c {
          type filter hook input priority 0; policy drop;
          ip saddr @seen limit rate over 1/day burst 2 packets accept
          add @seen { ip saddr } drop
        }
      }

      """.utf8)
    for _ in 0..<3 {
      try session.load(ruleset)
      let verdicts = try session.verdicts(for: Array(repeating: question, count: 5))
      #expect(verdicts.map { $0[.input] } == [.drop, .drop, .drop, .accept, .accept])
    }
  }

  @Test(canUnshare) func `a flow that the host has with itself is forgotten`() throws {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    let ruleset = Array(
      """
      table ip t {
        chain c {
          type filter hook output priority 0; policy drop;
          ct status confirmed drop
          ct state new accept
        }
      }

      """.utf8)
    var packet = SandboxPacket(bytes: question.bytes, origin: .local)
    packet.bytes.replaceSubrange(12..<20, with: [10, 0, 0, 1, 10, 1, 0, 1])
    for _ in 0..<2 {
      try session.load(ruleset)
      let verdicts = try session.verdicts(for: [packet, packet])
      #expect(verdicts.map { $0[.output] } == [.accept, .drop])
    }
  }

  @Test(canUnshare) func `a fragment does not wait for the next ruleset`() throws {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    var first = question
    // More follows: the first eight octets of a datagram of sixteen.
    first.bytes.replaceSubrange(6..<8, with: [0x20, 0])
    first.bytes.replaceSubrange(10..<12, with: [0x34, 0x98])
    first.bytes.replaceSubrange(24..<28, with: [0, 16, 0, 0])
    var last = question
    last.bytes.replaceSubrange(6..<8, with: [0, 1])
    last.bytes.replaceSubrange(10..<12, with: [0x54, 0x97])
    let tracking = Array(
      """
      table ip t {
        chain c { type filter hook prerouting priority 0; ct state invalid drop; }
      }

      """.utf8)
    try session.load(tracking)
    #expect(try session.verdicts(for: [first])[0].byHook == [.prerouting: .drop])
    try session.load(tracking)
    #expect(try session.verdicts(for: [last])[0].byHook == [.prerouting: .drop])
    try session.load(tracking)
    let both = try session.verdicts(for: [first, last])
    #expect(both.contains { $0[.input] == .accept })
  }

  @Test(canUnshare) func `what one ruleset has the kernel track is not tracked for the next`()
    throws
  {
    let workshop = try Workshop()
    let (keeper, program) = try confined(workshop, namespaces: 2)
    defer { withExtendedLifetime(keeper) {} }
    // More follows. Tracking keeps it from the rules until the rest is there.
    var fragment = question
    fragment.bytes.replaceSubrange(6..<8, with: [0x20, 0])
    fragment.bytes.replaceSubrange(10..<12, with: [0x34, 0x98])
    let tracking = Array(
      "table ip t { chain c { type filter hook prerouting priority 0; ct state invalid drop; }; }"
        .utf8)
    let plain = Array(
      "table ip t { chain c { type filter hook prerouting priority 0; udp dport 54 drop; }; }".utf8)
    for _ in 0..<10 {
      var session = try start(program)
      // Of the two namespaces each has tracked before it has its turn again, at once.
      for _ in 0..<3 {
        try session.load(tracking)
        #expect(try session.verdicts(for: [question])[0][.prerouting] == .accept)
      }
      try session.load(plain)
      #expect(try session.verdicts(for: [fragment])[0].byHook == [.prerouting: .accept])
    }
  }

  @Test(canUnshare) func `the sandbox sends nothing by itself that rules could count`() throws {
    let workshop = try Workshop()
    var description = try twoNetworks()
    // Groups are reported to routers, and again after random times.
    description.interfaces[0].groups = try ["239.1.2.3", "ff05::1:3"].map {
      try #require(IPAddress($0))
    }
    var session = try SandboxSession(host: description, executable: workshop.tool)
    try session.load(
      Array(
        """
        table netdev t {
          set seen { typeof meta mark; flags dynamic; size 16; }
          chain i {
            type filter hook ingress devices = { "eth0", "eth1" } priority 0;
            meta mark set 0
            meta mark @seen drop
            add @seen { meta mark }
          }
        }
        table inet t {
          set seen { typeof meta mark; flags dynamic; size 16; }
          chain o { type filter hook output priority -400; meta mark set 0 add @seen { meta mark }; }
          chain p { type filter hook postrouting priority -400; meta mark set 0 add @seen { meta mark }; }
          chain i { type filter hook prerouting priority 0; meta mark @seen drop; }
        }

        """.utf8))
    usleep(1_500_000)
    let quiet = try session.verdicts(for: [question])[0]
    #expect(quiet.byHook == [.ingress: .accept, .prerouting: .accept, .input: .accept])
    // What is sent is seen, so the silence was one.
    #expect(try session.verdicts(for: [question])[0].byHook == [.ingress: .drop])
    var own = SandboxPacket(bytes: question.bytes, origin: .local)
    own.bytes.replaceSubrange(12..<20, with: [10, 1, 0, 1, 10, 1, 0, 9])
    try session.load(
      Array(
        """
        table inet t {
          set seen { typeof meta mark; flags dynamic; size 16; }
          chain o { type filter hook output priority -400; meta mark set 0 add @seen { meta mark }; }
          chain i { type filter hook prerouting priority 0; meta mark @seen drop; }
        }

        """.utf8))
    let verdicts = try session.verdicts(for: [question, own, question])
    #expect(verdicts.map { $0[.prerouting] } == [.accept, nil, .drop])
  }

  @Test(canUnshare) func `packets of one source are told apart`() throws {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    try session.load(drop(port: 54))
    var other = question
    other.bytes.replaceSubrange(22..<24, with: [0, 54])
    // The checksum of UDP may be absent.
    other.bytes.replaceSubrange(26..<28, with: [0, 0])
    let eth0 = try #require(InterfaceName("eth0"))
    // The last is an address of those that the sandbox gives by itself.
    for source in ["02:00:00:00:00:09", "02:52:00:00:00:02"] {
      let frame = Packet.Frame(source: MACAddress(source))
      let packets = (0..<40).map { number in
        var packet = number.isMultiple(of: 3) ? other : question
        if !number.isMultiple(of: 5) { packet.origin = .received(eth0, frame) }
        return packet
      }
      let verdicts = try session.verdicts(for: packets)
      for (number, each) in verdicts.enumerated() {
        #expect(each[.input] == (number.isMultiple(of: 3) ? .drop : .accept), "\(number)")
      }
    }
  }

  @Test(canUnshare) func `packets of the host and from outside go in turn`() throws {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    try session.load(
      Array(
        """
        table ip t {
          chain i { type filter hook input priority 0; iifname "lo" udp dport 53 reject; }
          chain o { type filter hook output priority 0; ip daddr 10.1.0.9 drop; }
        }

        """.utf8))
    var own = SandboxPacket(bytes: question.bytes, origin: .local)
    own.bytes.replaceSubrange(12..<20, with: [10, 0, 0, 1, 10, 1, 0, 1])
    var away = own
    away.bytes.replaceSubrange(16..<20, with: [10, 1, 0, 9])
    let verdicts = try session.verdicts(
      for: (0..<30).map { [own, question, away][$0 % 3] })
    for (number, each) in verdicts.enumerated() {
      switch number % 3 {
      case 0:
        #expect(
          each.byHook == [
            .output: .accept, .postrouting: .accept, .prerouting: .accept, .input: .drop,
          ])
      case 1: #expect(each.byHook == [.prerouting: .accept, .input: .accept])
      default: #expect(each.byHook == [.output: .drop])
      }
    }
  }

  @Test(canUnshare) func `a ruleset that is refused leaves none, and the sandbox is usable`() throws
  {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    try session.load(drop(port: 53))
    let refused = #expect(throws: SandboxError.self) {
      try session.load(Array("table inet t { frobnicate }".utf8))
    }
    guard case .rejected = refused else {
      Issue.record("\(String(describing: refused))")
      return
    }
    #expect(throws: SandboxError.nothingLoaded) { try session.verdicts(for: [question]) }
    try session.load(drop(port: 53))
    #expect(try session.verdicts(for: [question])[0][.input] == .drop)
  }

  @Test(canUnshare) func `a sandbox that crashed says so, and begins anew`() throws {
    let workshop = try Workshop()
    let fatal = workshop.folder + "/fatal"
    // The first process of the tool is ended by the ruleset under test; the next one is not.
    let program = try workshop.program(
      "[ -e \(fatal) ] && exec $TOOL \"$@\"; : >\(fatal); echo 'nft: assertion failed' >&2; "
        + "kill -6 $$")
    let error = #expect(throws: SandboxError.self) {
      _ = try SandboxSession(host: try twoNetworks(), executable: program)
    }
    #expect(error == .crashed(signal: 6, words: "nft: assertion failed"))

    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    let process = session.processID
    kill(try #require(process), SIGKILL)
    #expect(throws: SandboxError.crashed(signal: 9, words: "")) {
      try session.load(drop(port: 53))
    }
    try session.load(drop(port: 53))
    #expect(try session.verdicts(for: [question])[0][.input] == .drop)
  }

  @Test(canUnshare) func `another host takes the place of the first`() throws {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    try session.load(drop(port: 54))
    #expect(try session.verdicts(for: [question])[0][.input] == .accept)
    var host = session.host
    host.interfaces[0].addresses = [.init(try #require(IPAddress("10.0.0.9")), length: 24)]
    try session.replaceHost(host)
    #expect(throws: SandboxError.nothingLoaded) { try session.verdicts(for: [question]) }
    try session.load(drop(port: 54))
    #expect(try session.verdicts(for: [question])[0][.input] == nil)
  }

  @Test(canUnshare, .timeLimit(.minutes(1)), arguments: [true, false], [true, false])
  func `a sandbox ends with the process that holds it`(
    isPrivileged: Bool, whileWorking: Bool
  ) async throws {
    let workshop = try Workshop()
    let tool = try workshop.tool(isPrivileged: isPrivileged)
    let note: String = workshop.folder + "/namespace"
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [tool = tool as String, note = note as String, whileWorking = whileWorking as Bool] in
      var session = try SandboxSession(host: try twoNetworks(), executable: tool)
      try session.load(Array("table inet t { chain c { ip saddr 10.0.0.5 drop; }; }".utf8))
      let process = session.processID ?? 0
      try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/ns/net")
        .write(toFile: note, atomically: false, encoding: .utf8)
      guard whileWorking else {
        kill(getpid(), SIGKILL)
        return
      }
      Thread.detachNewThread {
        // A tenth of a second of the child's time, which it comes by in no other way.
        while processorTicks(of: process) < 10 { usleep(1000) }
        kill(getpid(), SIGKILL)
      }
      _ = try session.verdicts(for: Array(repeating: question, count: 1_000_000))
    }
    let namespace = try String(contentsOfFile: note, encoding: .utf8)
    #expect(namespace.hasPrefix("net:["))
    // Nobody ends the child, so it is waited for.
    let deadline = ContinuousClock.now + .seconds(20)
    while let process = processes(in: namespace).first {
      try #require(ContinuousClock.now < deadline, "process \(process) is still in it")
      usleep(1000)
    }
  }

  @Test(canUnshare, .timeLimit(.minutes(1)))
  func `the namespaces of a child that is killed are gone`() throws {
    let workshop = try Workshop()
    let (keeper, program) = try confined(workshop, namespaces: 2)
    defer { withExtendedLifetime(keeper) {} }
    for _ in 0..<4 {
      var first = try start(program)
      var second = try start(program)
      #expect(throws: SandboxError.namespaceRefused(step: .network, .noSpace)) {
        _ = try SandboxSession(host: try twoNetworks(), executable: program)
      }
      // There is no room for a second one beside each, so they wait for their own.
      for port in [54, 53, 54, 53] {
        try first.load(drop(port: port))
        let verdict = try first.verdicts(for: [question])[0][.input]
        #expect(verdict == (port == 53 ? .drop : .accept))
      }
      try second.load(drop(port: 53))
      for process in [first.processID, second.processID] {
        kill(try #require(process), SIGKILL)
      }
      #expect(throws: SandboxError.crashed(signal: SIGKILL, words: "")) {
        try first.verdicts(for: [question])
      }
      #expect(throws: SandboxError.crashed(signal: SIGKILL, words: "")) {
        try second.verdicts(for: [question])
      }
    }
  }

  /// The tool where only so many network namespaces can be at a time, while the keeper is there.
  private func confined(
    _ workshop: Workshop, namespaces: Int
  ) throws -> (keeper: Keeper, program: String) {
    let keeper = Keeper(
      try KeptChild(
        "/usr/bin/unshare",
        [
          "--user", "--map-root-user", "sh", "-c",
          "echo \(namespaces) >/proc/sys/user/max_net_namespaces && echo && exec sleep 60",
        ]))
    _ = try keeper.child.receive(1, until: Clocks.monotonic + .seconds(20))
    let program = try workshop.program(
      "exec nsenter -t \(keeper.child.processID) -U --preserve-credentials $TOOL \"$@\"")
    return (keeper, program)
  }

  private final class Keeper {
    let child: KeptChild

    init(_ child: consuming KeptChild) { self.child = child }
  }

  /// Starts a sandbox as soon as there is room for its namespace, which the kernel clears by itself.
  private func start(_ program: String) throws -> SandboxSession {
    let host = try twoNetworks()
    let deadline = ContinuousClock.now + .seconds(20)
    while true {
      do throws(SandboxError) {
        return try SandboxSession(host: host, executable: program)
      } catch {
        let isFull = error == .namespaceRefused(step: .network, .noSpace)
        guard isFull, ContinuousClock.now < deadline else { throw error }
      }
      usleep(10_000)
    }
  }

  @Test(canUnshare, .timeLimit(.minutes(1)), arguments: [true, false])
  func `the namespace of the caller stays as it is`(isPrivileged: Bool) throws {
    let workshop = try Workshop()
    let tool = try workshop.tool(isPrivileged: isPrivileged)
    let note = workshop.folder + "/keeper"
    let program = try workshop.program(
      """
      [ "$INSIDE" ] || INSIDE=1 exec unshare -n "$0" "$@"
      nft add table ip mine
      ip link add eth0 type veth peer name far
      ip link set eth0 up; ip link set far up
      while [ $(ip -6 -o addr show -tentative | grep -c eth0) = 0 ]; do :; done
      while [ $(ip -6 -o addr show -tentative | grep -c far) = 0 ]; do :; done
      sleep 60 >/dev/null 2>&1 <&1 &
      \(stateOfNetwork) >\(workshop.folder)/before
      echo $! >\(note).new; mv \(note).new \(note)
      exec \(tool) "$@"
      """)
    func state() throws -> [UInt8] {
      let keeper = try #require(
        Int32(try String(contentsOfFile: note, encoding: .utf8).dropLast()))
      let output = try ChildProcess.run(
        "/usr/bin/nsenter", ["-t", "\(keeper)", "-n", "sh", "-c", stateOfNetwork],
        timeout: .seconds(20), limit: 1 << 24)
      try #require(output.ending == .exited(0))
      return output.output
    }
    defer {
      if let text = try? String(contentsOfFile: note, encoding: .utf8),
        let keeper = Int32(text.dropLast())
      {
        kill(keeper, SIGKILL)
      }
    }
    let host = try twoNetworks()
    var before: [UInt8] = []
    do {
      var session = try SandboxSession(host: host, executable: program)
      before = try Files.read(workshop.folder + "/before")
      try session.load(drop(port: 53))
      #expect(try session.verdicts(for: [question])[0][.input] == .drop)
      #expect(try state() == before)
    }
    #expect(try state() == before)
    #expect(String(decoding: before, as: UTF8.self).contains("net.ipv4.ip_forward = 0"))
    #expect(String(decoding: before, as: UTF8.self).contains("table ip mine"))
  }

  private let stateOfNetwork =
    "{ nft list ruleset; ip -d link; ip addr; ip route show table all; "
    + "sysctl -a 2>/dev/null | grep -E '^net.ipv[46].(conf|ip_forward)'; }"

  private func processes(in namespace: String) -> [String] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return all.filter {
      Int($0) != nil
        && (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/ns/net"))
          == namespace
    }
  }
}

/// The processor time of a process, in hundredths of a second; proc_pid_stat(5).
private func processorTicks(of process: Int32) -> Int {
  guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else {
    return .max
  }
  let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
  guard fields.count > 12 else { return .max }
  return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
}
