import Addresses
import Foundation
import LinuxKernel
import Probing
import TestSupport

/// How long the wire takes to be asked, over a virtual cable; needs root.
///
/// nmap and masscan are asked the same where they are installed.
struct ProbingBenchmark {
  private static let open: [UInt16] = [
    1, 22, 25, 53, 80, 110, 143, 443, 993, 3306, 5432, 6379, 8080, 8443, 9090, 10_250, 30_000,
    50_000, 60_000, 65_535,
  ]
  private static let policies = [
    ("accept", ""),
    ("tcp reset", "tcp dport != @open reject with tcp reset"),
    ("drop", "tcp dport != @open drop"),
  ]

  private let network: ProbeNetwork
  private let near: IPAddress
  private let far: IPAddress

  static func run() throws {
    guard Machine.effectiveUserID == 0 else { throw Failure("needs root") }
    let benchmark = try ProbingBenchmark()
    try benchmark.expectations()
    try benchmark.datagrams()
    for policy in policies { try benchmark.sweep(policy.0, rule: policy.1) }
  }

  private init() throws {
    guard let near = IPAddress(ProbeNetwork.near.ipv4), let far = IPAddress(ProbeNetwork.far.ipv4)
    else { throw Failure("an address cannot be read") }
    self.near = near
    self.far = far
    network = try ProbeNetwork()
    try network.listen(tcp: Self.open)
  }

  private func load(_ rule: String) throws {
    try network.load(
      .far,
      """
      table inet t {
        set open {
          type inet_service
          elements = { \(Self.open.map(String.init).joined(separator: ", ")) }
        }
        chain input {
          type filter hook input priority 0; policy accept;
          \(rule)
        }
      }
      """)
  }

  /// Runs probes from the near end, and gives the answers and the time from opening to closing.
  private func ask(
    _ probes: [Probe], _ means: ProbeRun.Means, key: RunKey = .fresh()
  ) throws -> (time: Duration, answers: [Observation.Answer], statistics: ProbeRun.Statistics) {
    final class Box: @unchecked Sendable {
      var answers: [Observation.Answer] = []
      var time = Duration.zero
      var statistics = ProbeRun.Statistics()
    }
    let box = Box()
    try network.inside(.near) {
      let start = ContinuousClock.now
      var run = try ProbeRun(probes, key: key, rate: .unlimited, means: means)
      box.answers = try run.run().map(\.answer)
      box.statistics = run.statistics
      _ = consume run
      box.time = ContinuousClock.now - start
    }
    return (box.time, box.answers, box.statistics)
  }

  /// 1,000 expectations, of which every second is dropped.
  private func expectations() throws {
    try load("tcp dport 20000-20999 tcp dport & 1 == 0 drop")
    for (transmissions, timeout) in [(1, 500), (2, 250)] {
      for means in [ProbeRun.Means.raw, .connect] {
        let probes = (20_000..<21_000).map {
          Probe(
            from: near, to: far, .tcp($0), transmissions: transmissions,
            timeout: .milliseconds(timeout))
        }
        var times: [Duration] = []
        for _ in 0..<5 {
          let (time, answers, _) = try ask(probes, means)
          times.append(time)
          for (index, answer) in answers.enumerated()
          where answer != (index.isMultiple(of: 2) ? .silence : .reset) {
            throw Failure("port \(20_000 + index): \(answer)")
          }
        }
        Figure.print(
          "probing 1,000 ports, 500 dropped, \(transmissions) x \(timeout) ms, \(means)",
          times.sorted()[2])
      }
    }
  }

  /// 1,000 UDP ports with a responder behind them, of which every second is dropped.
  private func datagrams() throws {
    try load("udp dport 20000-20999 udp dport & 1 == 0 drop")
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let tool = URL(filePath: own).deletingLastPathComponent().appending(path: "portproof").path
    let file = NSTemporaryDirectory() + "/portproof-\(UUID()).jsonl"
    defer { try? FileManager.default.removeItem(atPath: file) }
    let key = RunKey.fresh()
    let digits = key.octets.map { String(format: "%02x", $0) }.joined()
    let assignment =
      #"{"schema":"portproof.respond/1","key":"\#(digits)","addresses":["\#(far)"],"#
      + #""peers":["\#(near)"],"tcp":"","udp":"20000-20999","seconds":20,"connect":false}"#
    let network = network
    let hasEnded = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      _ = try? network.shell(
        .far, "(cat; sleep 8) | \(tool) respond --assignment - >\(file) || true",
        input: assignment + "\n")
      hasEnded.signal()
    }
    func told() -> [Substring] {
      let bytes = (try? Data(contentsOf: URL(filePath: file))) ?? Data()
      return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
    let deadline = ContinuousClock.now + .seconds(10)
    while !told().contains(where: { $0.contains(#""ready""#) }) {
      guard ContinuousClock.now < deadline else { throw Failure("no responder") }
      usleep(10_000)
    }
    let probes = (20_000..<21_000).map { Probe(from: near, to: far, .udp($0)) }
    let (time, answers, _) = try ask(probes, .raw, key: key)
    hasEnded.wait()
    let arrivals = told().filter { $0.contains(#""arrival""#) }
    let seen = Set(
      arrivals.compactMap { line in
        line.split(separator: #""dport":"#).last.flatMap { Int($0.prefix { $0.isNumber }) }
      })
    var ambiguous = 0
    for (index, answer) in answers.enumerated() {
      let isDropped = index.isMultiple(of: 2)
      guard answer == (isDropped ? .silence : .reply(carriesToken: true)) else {
        throw Failure("port \(20_000 + index): \(answer)")
      }
      if isDropped, !seen.contains(20_000 + index) { ambiguous += 1 }
    }
    Figure.print(
      "probing 1,000 UDP ports, 500 dropped, 2 x 500 ms, with a responder", time,
      note: "\(ambiguous) that neither were answered nor arrived")
  }

  /// All ports of one host.
  private func sweep(_ name: String, rule: String) throws {
    try load(rule)
    let probes = (1...UInt16.max).map { Probe(from: near, to: far, .tcp($0)) }
    let expected: Observation.Answer = name == "drop" ? .silence : .reset
    let listening = Set(Self.open)
    for means in [ProbeRun.Means.raw, .connect] {
      var times: [Duration] = []
      var lost = 0
      for _ in 0..<5 {
        let (time, answers, statistics) = try ask(probes, means)
        times.append(time)
        lost += statistics.lost
        for (index, answer) in answers.enumerated() {
          let port = UInt16(index + 1)
          guard answer == (listening.contains(port) ? .synAcknowledgement : expected) else {
            throw Failure("port \(port) of \(name): \(answer)")
          }
        }
      }
      Figure.print(
        "probing all ports, \(name), 2 x 500 ms, \(means)", times.sorted()[2],
        note: "slowest of 5: \(times.sorted()[4]); \(lost) lost in capture")
    }
    let address = ProbeNetwork.far.ipv4
    try compare(name, "nmap", "nmap -n -Pn -sS -T4 -p1-65535 --host-timeout 150s \(address)")
    try compare(
      name, "masscan",
      "masscan --adapter near0 --source-ip \(ProbeNetwork.near.ipv4) --rate 100000 --wait 2"
        + " --router-mac $(ip neigh show \(address) | awk '{ print $5 }') -p1-65535 \(address)")
  }

  private func compare(_ name: String, _ program: String, _ command: String) throws {
    guard (try? network.shell(.near, "command -v \(program)")) != nil else { return }
    let start = ContinuousClock.now
    let output = try network.shell(.near, "\(command) 2>&1 </dev/null || true")
    let time = ContinuousClock.now - start
    let found = output.split(separator: "\n").count {
      $0.contains(" open ") || $0.contains("open port")
    }
    Figure.print(
      "  \(program), \(name)", time, note: "\(found) of \(Self.open.count) open ports found")
  }
}
