import Addresses
import Diagnostics
import Foundation
import LinuxKernel
import NftablesFrontend
import Rulesets
import Sandbox
import Simulation
import TestSupport
import Testing
import Wire

private let root = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent()

/// Every ruleset of the fixtures, as text and as nft lists it.
private let fixtures: [String] = {
  let folder = root.appending(path: "Tests/Fixtures/Simulation")
  let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
  return (names ?? []).filter { $0.hasSuffix(".nft") }.map { String($0.dropLast(4)) }.sorted()
}()

@Suite("The simulator against this kernel")
struct SimulationAgainstKernelTests {
  /// Draws packets to what a ruleset compares.
  private struct PacketSource {
    private var random: SeededGenerator
    private var addresses: [IPAddress]
    private var ports: [UInt16]

    init(_ text: String, seed: UInt64) {
      random = SeededGenerator(seed: seed)
      let words = text.split { !$0.isHexDigit && $0 != "." && $0 != ":" }
      addresses = ["10.0.0.1", "10.1.0.1", "10.0.0.5", "10.1.0.9", "198.51.100.7"]
        .compactMap { IPAddress($0) }
      addresses += ["fd00:0::1", "fd00:1::1", "fd00:0::5", "2001:db8::7"].compactMap {
        IPAddress($0)
      }
      for address in words.compactMap({ IPAddress($0) }) {
        for step in [-1, 0, 1] {
          let value = UInt128(
            truncatingIfNeeded: Int128(truncatingIfNeeded: address.rawValue)
              &+ Int128(step))
          addresses.append(
            IPAddress(address.family, rawValue: value & address.family.highestAddress))
        }
      }
      ports = [1, 53, 80, 443, 40_000]
      for number in words.compactMap({ UInt16($0) }) {
        ports += [number &- 1, number, number &+ 1]
      }
    }

    mutating func draw() -> SandboxPacket? {
      guard let source = addresses.randomElement(using: &random),
        let destination = addresses.randomElement(using: &random),
        let name = InterfaceName(Bool.random(using: &random) ? "eth0" : "eth1"),
        let own = ["10.0.0.1", "10.1.0.1", "fd00::1", "fd00:1::1"].compactMap({ IPAddress($0) })
          .filter({ $0.family == destination.family }).randomElement(using: &random),
        let from = ports.randomElement(using: &random),
        let to = ports.randomElement(using: &random),
        let isLocal = Optional(Int.random(in: 0..<6, using: &random) == 0),
        let bytes = PacketBuilder.packet(
          from: isLocal ? own : source, to: destination, carrying: segment(from, to),
          hopLimit: [1, 2, 64, 255].randomElement(using: &random) ?? 64)
      else { return nil }
      return SandboxPacket(
        bytes: bytes, origin: isLocal ? .local : .received(name, Packet.Frame()))
    }

    private mutating func segment(_ from: UInt16, _ to: UInt16) -> PacketBuilder.Segment {
      switch Int.random(in: 0..<8, using: &random) {
      case 0...3:
        let flags: [TCPHeader.Flags] = [.syn, .syn, [.syn, .ack], .ack, .rst, [.fin, .ack], []]
        return .tcp(
          TCPHeader(
            sourcePort: from, destinationPort: to,
            flags: flags.randomElement(using: &random) ?? .syn),
          payload: [])
      case 4...5:
        return .udp(
          UDPHeader(sourcePort: from, destinationPort: to, payloadByteCount: 2), payload: [1, 2])
      case 6:
        let type = UInt8([0, 3, 8, 11, 128, 129].randomElement(using: &random) ?? 8)
        return .icmp(ICMPHeader(type: type, code: 0), payload: [])
      default: return .other(TransportProtocol(rawValue: 47), [0, 0, 8, 0])
      }
    }
  }

  @Test(
    .enabled(
      if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
      "needs root: makes network namespaces and loads nftables rules"),
    arguments: fixtures)
  func `no verdict of the simulator is another than the kernel's`(fixture: String) throws {
    let folder = root.appending(path: "Tests/Fixtures/Simulation")
    let text = try String(contentsOf: folder.appending(path: "\(fixture).nft"), encoding: .utf8)
    let listing = try Data(contentsOf: folder.appending(path: "\(fixture).json"))
    var sources = SourceMap()
    let reading = NftablesReader.read(Array(listing), name: fixture, sources: &sources)
    let host = try Simulation.Host(
      reading: Array(
        """
        {"interfaces": [
          {"name": "lo", "index": 1, "addresses": ["127.0.0.1/8", "::1/128"]},
          {"name": "eth0", "index": 2, "addresses": ["10.0.0.1/24", "fd00:0::1/64"]},
          {"name": "eth1", "index": 3, "addresses": ["10.1.0.1/24", "fd00:1::1/64"]}],
         "routes": [{"to": "default", "dev": "eth1"}], "forwarding": true, "rp_filter": 0,
         "route_localnet": true, "accept_local": false}
        """.utf8))
    var simulator = Simulator(Program(try #require(reading.ruleset)), host: host)
    // The referee lets no packet leave its last hook, so none opens a connection.
    simulator.keepsConnections = false

    var source = PacketSource(text, seed: 1)
    let packets = (0..<400).compactMap { _ in source.draw() }
    let runner = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let tool = URL(fileURLWithPath: runner).deletingLastPathComponent().path + "/portproof"
    let verdicts = try KernelReferee(ruleset: Array(text.utf8), host: host, executable: tool)
      .verdicts(for: packets)

    var compared = 0
    for (packet, kernel) in zip(packets, verdicts) {
      let question: Packet
      let name: String
      switch packet.origin {
      case .received(let device, let frame):
        question = try Packet(bytes: packet.bytes, input: host.device(device), frame: frame)
        name = device.description
      case .local:
        question = try Packet(bytes: packet.bytes, output: .unknown)
        name = "nothing"
      }
      let report = simulator.report(on: question)
      // A packet that came in does not pass output; an answer of the host to it does.
      let isLocal = packet.origin == .local
      let hooks = report.hooks.prefix { isLocal || $0.hook != .output }.filter {
        $0.hook != .ingress
      }
      if report.verdict != .unknown {
        let known = Set(hooks.map(\.hook))
        #expect(
          known == Set(kernel.byHook.keys),
          "\(PacketPrinter.print(packet: packet.bytes)) by \(name)")
      }
      for entered in hooks {
        let expected: HookVerdicts.Verdict
        switch entered.verdict {
        case .accept: expected = .accept
        case .drop, .reject: expected = .drop
        case .unknown: continue
        }
        compared += 1
        #expect(
          kernel[entered.hook] == expected,
          "\(entered.hook): \(PacketPrinter.print(packet: packet.bytes)) by \(name): \(report.because)"
        )
      }
    }
    // Of which device a chain at ingress is, nft does not list, so nothing is known there.
    #expect(compared > 100 || fixture == "ingress")
  }
}
