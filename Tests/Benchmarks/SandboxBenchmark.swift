import Addresses
import Foundation
import Rulesets
import Sandbox
import Simulation
import Wire

/// How many packets a second the kernel answers, and how long a ruleset takes to be loaded.
struct SandboxBenchmark {
  private static func host() throws -> Simulation.Host {
    try Simulation.Host(
      reading: Array(
        """
        {"interfaces": [
          {"name": "eth0", "addresses": ["10.0.0.1/24", "fd00:0::1/64"]},
          {"name": "eth1", "addresses": ["10.1.0.1/24", "fd00:1::1/64"]}],
         "routes": [{"to": "default", "dev": "eth1"}], "forwarding": true}
        """.utf8))
  }

  /// A chain of `count` rules at input and forward, of which the first three and the last decide.
  ///
  /// - Parameters:
  ///   - count: How many rules each chain has.
  ///   - tracked: A number by which rulesets that ask for the state of connections differ; nil for
  ///     one that does not.
  /// - Returns: nft commands.
  private static func ruleset(_ count: Int, tracked: Int? = nil) -> [UInt8] {
    var rules = "tcp dport 22 accept\nudp dport 53 drop\nip saddr 10.0.0.66 drop\n"
    if let tracked {
      rules = "ct state established,related accept\nct state invalid drop\n"
      rules += "tcp dport \(20_000 + tracked) accept\n"
    }
    for number in 3..<count - 1 { rules += "tcp dport \(1000 + number) accept\n" }
    rules += "tcp dport 443 drop\n"
    var text = "table inet t {\n"
    for hook in ["input", "forward"] {
      text += "chain \(hook) {\ntype filter hook \(hook) priority 0; policy accept;\n\(rules)}\n"
    }
    return Array((text + "}\n").utf8)
  }

  private static func packets(_ count: Int) throws -> [SandboxPacket] {
    guard let eth0 = InterfaceName("eth0") else { throw Failure("an interface has no name") }
    return try (0..<count).map { number in
      let source = IPAddress.ipv4(IPv4Address(rawValue: 0x0A00_0002 + UInt32(number % 200)))
      // Half to the host itself, half to another.
      let destination = IPAddress.ipv4(
        IPv4Address(rawValue: number.isMultiple(of: 2) ? 0x0A00_0001 : 0x0A01_0009))
      let port = UInt16([22, 53, 443, 8080][number / 2 % 4])
      guard
        let bytes = PacketBuilder.packet(
          from: source, to: destination,
          carrying: .tcp(TCPHeader(sourcePort: 40_000, destinationPort: port), payload: []))
      else { throw Failure("a packet cannot be built") }
      return SandboxPacket(bytes: bytes, origin: .received(eth0, Packet.Frame()))
    }
  }

  static func run() throws {
    let runner = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let tool = URL(fileURLWithPath: runner).deletingLastPathComponent().path + "/portproof"
    let host = try host()
    let start = ContinuousClock.now
    var session = try SandboxSession(host: host, executable: tool)
    Figure.print("sandbox start", ContinuousClock.now - start)
    for count in [10, 100, 1000] {
      try load(&session, count: count)
      try session.load(ruleset(count))
      try answer(&session, count: count)
    }
  }

  private static func load(_ session: inout SandboxSession, count: Int) throws {
    let packets = try packets(1)
    var times: [Duration] = []
    for number in 0..<(count > 100 ? 20 : 200) {
      let ruleset = ruleset(count, tracked: number)
      let start = ContinuousClock.now
      try session.load(ruleset)
      _ = try session.verdicts(for: packets)
      times.append(ContinuousClock.now - start)
    }
    times.sort()
    Figure.print(
      "sandbox load and ask once, \(count) rules a hook", times[times.count / 2],
      note: String(format: "best %.2f ms", times[0].seconds * 1e3))
  }

  private static func answer(_ session: inout SandboxSession, count: Int) throws {
    let packets = try packets(count > 100 ? 10_000 : 100_000)
    var times: [Duration] = []
    var accepted = 0
    let ticks = processorTicks(of: session.processID)
    for _ in 0..<5 {
      let start = ContinuousClock.now
      let verdicts = try session.verdicts(for: packets)
      times.append(ContinuousClock.now - start)
      accepted = verdicts.count { $0[.input] == .accept || $0[.forward] == .accept }
    }
    times.sort()
    let rates = times.map { Int(Double(packets.count) / $0.seconds) }
    Figure.print(
      "sandbox answers, \(count) rules a hook", "\(rates[2]) packets/s",
      note: "best \(rates[0]); \(accepted) of \(packets.count) accepted")
    // The kernel's work for a packet is done in the child's time, whatever else the machine does.
    let spent = processorTicks(of: session.processID) - ticks
    Figure.print(
      "sandbox answers, \(count) rules a hook, of the child's time",
      "\(5 * packets.count * 100 / max(spent, 1)) packets/s")
  }

  /// The processor time of a process, in hundredths of a second; proc_pid_stat(5).
  private static func processorTicks(of process: Int32?) -> Int {
    guard let process,
      let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
    else { return 0 }
    let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
    return fields.count > 12 ? (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0) : 0
  }
}
