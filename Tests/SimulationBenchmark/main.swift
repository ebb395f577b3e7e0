import Addresses
import Diagnostics
import Glibc
import NftablesFrontend
import Rulesets
import Simulation
import Wire

// Simulated packets per second: the Talos example ruleset, and a list of 100,000 rules.

struct Generator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    var mixed = state ^ state >> 33
    mixed = mixed &* 0xFF51_AFD7_ED55_8CCD
    return mixed ^ mixed >> 33
  }
}

func packets(_ count: Int) -> [Packet] {
  var random = Generator(state: 7)
  let ports: [UInt16] = [22, 53, 443, 2379, 4789, 6443, 10250, 50000, 50001, 30000]
  var list: [Packet] = []
  while list.count < count {
    let source = IPAddress.ipv4(
      IPv4Address(rawValue: 0xAC14_0000 | UInt32.random(in: 0..<512, using: &random)))
    let destination = IPAddress.ipv4(IPv4Address(rawValue: 0xAC14_0002))
    let port = ports.randomElement(using: &random) ?? 22
    let from = UInt16.random(in: 1024..<65535, using: &random)
    let segment: PacketBuilder.Segment =
      Bool.random(using: &random)
      ? .tcp(TCPHeader(sourcePort: from, destinationPort: port), payload: [])
      : .udp(UDPHeader(sourcePort: from, destinationPort: port, payloadByteCount: 0), payload: [])
    guard let bytes = PacketBuilder.packet(from: source, to: destination, carrying: segment),
      let eth0 = InterfaceName("eth0")
    else { continue }
    do throws(PacketLayout.Malformation) {
      list.append(
        try Packet(bytes: bytes, input: .named(eth0, index: 2), frame: Packet.Frame()))
    } catch { continue }
  }
  return list
}

func seconds(_ body: () -> Void) -> Double {
  var start = timespec()
  var end = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &start)
  body()
  unsafe clock_gettime(CLOCK_MONOTONIC, &end)
  return Double(end.tv_sec - start.tv_sec) + Double(end.tv_nsec - start.tv_nsec) / 1e9
}

func contents(of path: String) -> [UInt8] {
  let descriptor = unsafe open(path, O_RDONLY)
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = unsafe buffer.withUnsafeMutableBytes {
      unsafe read(descriptor, $0.baseAddress, $0.count)
    }
    guard count > 0 else { return bytes }
    bytes += buffer[..<count]
  }
}

func measure(_ name: String, _ ruleset: Ruleset, count: Int) {
  let pool = packets(1024)
  var rates: [Double] = []
  var simulator = Simulator(Program(ruleset))
  var accepted = 0
  for _ in 0..<5 {
    accepted = 0
    let time = seconds {
      for index in 0..<count
      where simulator.answer(at: .input, pool[index & 1023]).verdict == .accept { accepted += 1 }
    }
    rates.append(Double(count) / time)
  }
  let median = rates.sorted()[2]
  print("\(name)  \(Int(median))  packets/s  (\(accepted) of \(count) accepted)")
}

let fixture = String(#filePath.dropLast("SimulationBenchmark/main.swift".count))
var sources = SourceMap()
let reading = NftablesReader.read(
  contents(of: fixture + "Fixtures/Simulation/talos.json"), name: "talos.json", sources: &sources)
if let ruleset = reading.ruleset {
  measure("simulate talos control plane, input", ruleset, count: 1_000_000)
}

var rules: [Rule] = []
let port = Selector(
  .payload(
    PayloadField(base: .transport, bitOffset: 16, bitLength: 16, type: .port, name: "tcp dport")),
  requiring: [.transport(6)])
let address = Selector(
  .payload(
    PayloadField(
      base: .network, bitOffset: 96, bitLength: 32, type: .ipv4Address, name: "ip saddr")),
  requiring: [.ipv4])
for index in 0..<100_000 {
  let number = UInt128(0x0A00_0000 + index)
  rules.append(
    Rule(statements: [
      .match(Match(.selector(address), .equal, .value(number))),
      .match(Match(.selector(port), .equal, .value(22))), .verdict(.accept),
    ]))
}
let list = Ruleset(tables: [
  Table(
    family: .inet, name: "t",
    chains: [
      Chain(
        name: "c", base: BaseChain(kind: .filter, hook: .input, priority: 0, policy: .drop),
        rules: rules)
    ])
])
measure("simulate 100,000 rules, none matches", list, count: 300)
