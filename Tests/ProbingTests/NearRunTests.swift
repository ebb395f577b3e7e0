import Addresses
import Capture
import Foundation
import LinuxKernel
import TestSupport
import Testing

@testable import Probing

@Suite("A run from the near end", canMakeNetworks, .serialized)
struct NearRunTests {
  private let ends: Ends

  init() throws { ends = try #require(Ends.all.first) }

  private func temporaryFile() -> String {
    NSTemporaryDirectory() + "/portproof-\(UUID().uuidString).pcapng"
  }

  /// The comments of the packets of a pcapng file, in their order.
  ///
  /// Source: draft-ietf-opsawg-pcapng §4.3; the enhanced packet block is 6, `opt_comment` is 1.
  private func comments(of file: [UInt8]) -> [String] {
    func number(_ offset: Int, _ size: Int) -> Int {
      file[offset..<offset + size].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    var result: [String] = []
    var block = 0
    while block + 12 <= file.count {
      let end = block + number(block + 4, 4)
      if number(block, 4) == 6 {
        var option = block + 28 + (number(block + 20, 4) + 3) / 4 * 4
        while option + 4 <= end - 4, number(option, 2) != 0 {
          let size = number(option + 2, 2)
          if number(option, 2) == 1 {
            result.append(String(decoding: file[option + 4..<option + 4 + size], as: UTF8.self))
          }
          option += 4 + (size + 3) / 4 * 4
        }
      }
      block = end
    }
    return result
  }

  /// The flags of every TCP segment that crossed the cable, from the near end's sight.
  private func segments(
    _ network: ProbeNetwork, from near: IPAddress, _ body: () throws -> Void
  ) throws -> [(isOutgoing: Bool, flags: UInt8, sequence: UInt32)] {
    let interface = try #require(InterfaceName("near0"))
    final class Box: @unchecked Sendable { var capture: LiveCapture? }
    let box = Box()
    try network.inside(.near) { box.capture = try LiveCapture(interface) }
    guard var capture = box.capture.take() else { throw Errno.noSuchFile }
    try body()
    var result: [(isOutgoing: Bool, flags: UInt8, sequence: UInt32)] = []
    while try capture.wait(atMost: .milliseconds(100)) {
      _ = try capture.drain { _, bytes in
        guard let seen = SeenPacket(bytes), case .tcp(let segment) = seen.content else { return }
        result.append((seen.source == near, segment.flags, segment.sequence))
      }
    }
    return result
  }

  @Test(arguments: Ends.all)
  func `the kernel resets nothing, and every half-opened connection is reset by us`(
    _ ends: Ends
  ) throws {
    let network = try ProbeNetwork()
    try network.listen(tcp: Array(1000..<1050))
    let key = RunKey.fresh()
    let probes = (1000..<1050).map { Probe(from: ends.near, to: ends.far, .tcp($0)) }
    let segments = try segments(network, from: ends.near) {
      let observations = try network.observe(probes, key: key)
      #expect(observations.allSatisfy { $0.answer == .synAcknowledgement })
      #expect(Set(observations.map(\.sourcePort)).count == 1)
    }
    let resets = segments.filter { $0.isOutgoing && $0.flags & SeenPacket.Segment.reset != 0 }
    // One for each: the kernel's own would look the same, and be as many again.
    #expect(resets.count == 50)
    #expect(
      resets.allSatisfy {
        $0.flags == SeenPacket.Segment.reset && $0.sequence == key.initialSequenceNumber &+ 1
      })
    #expect(segments.filter(\.isOutgoing).count == 100)
    #expect(try network.shell(.far, "ss -Htan state syn-recv").isEmpty)
  }

  @Test(arguments: [ProbeRun.Means.raw, .connect])
  func `with a tenth of all packets lost nothing is missed`(_ means: ProbeRun.Means) throws {
    let network = try ProbeNetwork()
    try network.load(
      .far,
      """
      table inet t {
        chain input {
          type filter hook input priority 0; policy accept;
          numgen random mod 10 == 0 drop
        }
      }
      """)
    try network.listen(tcp: Array(1000..<1200))
    try network.shell(.far, "sysctl -qw net.ipv4.icmp_ratelimit=0")
    // Nine losses in a row are as rare as a wrong disk read.
    let probes = (1000..<1400).map {
      Probe(
        from: ends.near, to: ends.far, .tcp($0), transmissions: 9, timeout: .milliseconds(50))
    }
    let observations = try network.observe(probes, means: means)
    #expect(observations.prefix(200).allSatisfy { $0.answer == .synAcknowledgement })
    #expect(observations.dropFirst(200).allSatisfy { $0.answer == .reset })
    let sent = observations.reduce(0) { $0 + $1.transmissions }
    #expect(sent > 400 && sent < 600, "\(sent)")
  }

  @Test(arguments: [ProbeRun.Means.raw, .connect])
  func `a run goes on without privileges`(_ means: ProbeRun.Means) throws {
    let network = try ProbeNetwork()
    try network.listen(tcp: [1000])
    try network.answer(udp: 1000) { $0 }
    let observations = try network.observe(
      [
        Probe(from: ends.near, to: ends.far, .tcp(1000)),
        Probe(from: ends.near, to: ends.far, .tcp(1001)),
        Probe(from: ends.near, to: ends.far, .udp(1000)),
      ], means: means, isUnprivileged: true)
    #expect(
      observations.map(\.answer) == [.synAcknowledgement, .reset, .reply(carriesToken: false)])
  }

  @Test func `a run that cannot be made says what helps`() throws {
    let network = try ProbeNetwork()
    let probe = Probe(from: ends.near, to: ends.far, .tcp(1000))
    try network.inside(.near) {
      try Privileges.dropPrivileges()
      #expect(!Privileges.maySendRaw)
      #expect(ProbeRun.Means.best == .connect)
      #expect(throws: ProbeRunError.rawRefused(.notPermitted)) {
        _ = try ProbeRun([probe], key: .fresh(), means: .raw).sourcePorts
      }
      #expect(throws: ProbeRunError.captureNeedsRaw) {
        _ = try ProbeRun([probe], key: .fresh(), means: .connect, capture: "/tmp/x").sourcePorts
      }
    }
    #expect(ProbeRunError.rawRefused(.notPermitted).help != nil)
  }

  @Test(arguments: [ProbeRun.Means.raw, .connect])
  func `every packet of a run is in its capture, with what it is`(
    _ means: ProbeRun.Means
  ) throws {
    let network = try ProbeNetwork()
    try network.listen(tcp: [1000])
    try network.load(.far, NearTCPTests.ruleset)
    let file = temporaryFile()
    defer { try? FileManager.default.removeItem(atPath: file) }
    let kinds: [Probe.Kind] = [.tcp(1000), .tcp(1001), .tcp(2000), .tcp(2003), .udp(1001)]
    let observations = try network.observe(
      kinds.map { Probe(from: ends.near, to: ends.far, $0, timeout: .milliseconds(100)) },
      means: means, capture: file)
    let comments = comments(of: Array(try Data(contentsOf: URL(fileURLWithPath: file))))
    func told(_ probe: Int) -> [String] {
      observations[probe].packets.map { comments[$0 - 1] }
    }
    if means == .raw {
      #expect(told(0) == ["probe 0, SYN 1 of 2", "probe 0, SYN-ACK", "probe 0, RST of ours"])
    } else {
      #expect(told(0).first == "probe 0, SYN 1 of 2")
    }
    #expect(told(2) == ["probe 2, SYN 1 of 2", "probe 2, SYN 2 of 2"])
    #expect(told(3).last == "probe 3, ICMP error 3/13 of 192.0.2.2")
    #expect(
      told(4) == ["probe 4, datagram 1 of 2", "probe 4, ICMP error 3/3 of 192.0.2.2"])
    #expect(observations.flatMap(\.packets).sorted() == Array(1...comments.count))
  }

  @Test(arguments: [ProbeRun.Means.raw, .connect])
  func `a probe has the source port that it asks for`(_ means: ProbeRun.Means) throws {
    let network = try ProbeNetwork()
    try network.load(
      .far,
      """
      table inet t {
        chain input {
          type filter hook input priority 0; policy drop;
          meta l4proto { tcp, udp } th sport 53 accept
        }
      }
      """)
    try network.answer(udp: 1000) { $0 }
    var probes: [Probe] = []
    for port in [53, nil] as [UInt16?] {
      for kind in [Probe.Kind.tcp(1001), .udp(1000)] {
        probes.append(
          Probe(
            from: ends.near, to: ends.far, kind, sourcePort: port, timeout: .milliseconds(100)))
      }
    }
    let observations = try network.observe(probes, means: means)
    #expect(
      observations.map(\.answer) == [
        .reset, .reply(carriesToken: false), .silence, .silence,
      ])
    #expect(observations.prefix(2).map(\.sourcePort) == [53, 53])
  }

  @Test(arguments: [ProbeRun.Means.raw, .connect])
  func `probes that look the same are all answered, together and one after the other`(
    _ means: ProbeRun.Means
  ) throws {
    let network = try ProbeNetwork()
    try network.answer(udp: 1000) { $0 }
    let ends = ends
    try network.inside(.near) {
      let probes = [Probe.Kind.tcp(1001), .udp(1000), .tcp(1001), .udp(1000)].map {
        Probe(from: ends.near, to: ends.far, $0, sourcePort: 40_053)
      }
      let answers = [.reset, .reply(carriesToken: false)] as [Observation.Answer]
      var run = try ProbeRun(probes, key: .fresh(), rate: .unlimited, means: means)
      #expect(try run.run().map(\.answer) == answers + answers)
      for half in [[0, 1], [2, 3]] {
        let observations = try run.ask(half.map { (index: $0, probe: probes[$0]) })
        #expect(observations.map(\.answer) == answers, "\(half)")
      }
    }
  }

  @Test func `connections wait for descriptors, and all end`() throws {
    let network = try ProbeNetwork()
    try network.load(.far, NearTCPTests.ruleset)
    try network.listen(tcp: [1000])
    let ends = ends
    let probes = [1000, 1001, 2000, 2000, 2000, 2000, 1000, 1001].map {
      Probe(from: ends.near, to: ends.far, .tcp($0), timeout: .milliseconds(100))
    }
    try network.inside(.near) {
      var transport = try ConnectTransport(probes, key: .fresh(), most: 2)
      var connections = 0
      var findings: [Finding] = []
      var left = probes.indices.map { (index: $0, times: 2) }
      while let (index, times) = left.first {
        left.removeFirst()
        let (sending, _) = transport.send(index)
        Clocks.sleep(.milliseconds(5))
        try transport.receive(&findings)
        switch sending {
        case .sent:
          connections += 1
          if times > 1 { left.append((index, times - 1)) } else { transport.end(index) }
        case .later: left.append((index, times))
        case .refused(let error): throw error
        }
        try #require(connections + left.count < 1000)
      }
      #expect(connections == 16)
      #expect(Set(findings.map(\.probe)) == [0, 1, 6, 7])
    }
  }

  @Test func `paced probes are all rejected where a limit lets few errors go`() throws {
    let network = try ProbeNetwork()
    try network.load(.far, NearTCPTests.ruleset)
    // More than the burst, which a first run has used up.
    func probes(isPaced: Bool) -> [Probe] {
      (0..<9).map { _ in
        Probe(
          from: ends.near, to: ends.far, .tcp(2002), timeout: .milliseconds(100),
          isPaced: isPaced)
      }
    }
    let rejected = Observation.Answer.icmpError(type: 3, code: 3, sender: ends.far)
    let first = try network.observe(probes(isPaced: false))
    #expect(first.contains { $0.answer == .silence })
    let second = try network.observe(probes(isPaced: true))
    #expect(second.allSatisfy { $0.answer == rejected })
  }

  @Test func `no more packets go to one address than the rate allows`() throws {
    let network = try ProbeNetwork()
    let probes = (1000..<1200).map { Probe(from: ends.near, to: ends.far, .tcp($0)) }
    let start = Clocks.monotonic
    let observations = try network.observe(probes, rate: .perTarget(400))
    #expect(observations.allSatisfy { $0.answer == .reset })
    #expect(Clocks.monotonic - start > .milliseconds(450))
  }

  @Test func `a run that is stopped calls nothing silent`() throws {
    let network = try ProbeNetwork()
    try network.load(.far, NearTCPTests.ruleset)
    let ends = ends
    try network.inside(.near) {
      var run = try ProbeRun(
        [Probe(from: ends.near, to: ends.far, .tcp(2000), timeout: .seconds(60))],
        key: .fresh())
      let start = Clocks.monotonic
      let observations = try run.run(
        isStopped: { Clocks.monotonic - start > .milliseconds(200) })
      #expect(observations.map(\.answer) == [.failed(.interrupted)])
    }
  }

  @Test func `a probe can be asked again, and what comes too late is told`() throws {
    let network = try ProbeNetwork()
    for port in [1000, 1001] as [UInt16] {
      try network.answer(udp: port) { payload in
        usleep(300_000)
        return payload
      }
    }
    let ends = ends
    try network.inside(.near) {
      let probes = [1000, 1001].map {
        Probe(
          from: ends.near, to: ends.far, .udp($0), transmissions: 1, timeout: .milliseconds(100))
      }
      let reply = Observation.Answer.reply(carriesToken: false)
      var run = try ProbeRun(probes, key: .fresh())
      let first = try run.ask([(0, probes[0])])
      #expect(first.map(\.answer) == [.silence])
      #expect(run.lateAnswers == [:])
      var patient = probes[1]
      patient.timeout = .seconds(5)
      let second = try run.ask([(1, patient)])
      #expect(second.map(\.answer) == [reply])
      #expect(run.lateAnswers == [0: reply])
      patient = probes[0]
      patient.timeout = .seconds(5)
      #expect(try run.ask([(0, patient)]).map(\.answer) == [reply])
      #expect(run.lateAnswers == [:])
      #expect(run.statistics.sent == 3)
      #expect(try run.finish() == [:])
    }
  }
}
