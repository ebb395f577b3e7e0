import Foundation
import NftablesFrontend
import Rulesets
import Simulation
import Testing

/// Data with verdicts that a Linux kernel gave, beside the repository.
private let corpora = root.deletingLastPathComponent().appending(path: "shared/corpora")

private let isHere =
  ProcessInfo.processInfo.environment["CI"] != nil
  || FileManager.default.fileExists(atPath: corpora.path)

/// How answers stand to the kernel's verdicts.
private struct Tally {
  var agree = 0
  var unknown = 0
  var wrong: [String] = []

  var total: Int { agree + unknown + wrong.count }
  var unknownShare: Double { Double(unknown) / Double(max(1, total)) }

  mutating func judge(_ answer: String, _ expected: [String: String], _ name: String) {
    var told: [String: String] = [:]
    for pair in hooks(answer).split(separator: ",") {
      let parts = pair.split(separator: ":").map(String.init)
      if parts.count == 2 { told[parts[0]] = parts[1] == "reject" ? "drop" : parts[1] }
    }
    // A hook whose verdict is known must have the kernel's, whatever else is not known.
    for (hook, verdict) in told where verdict != "unknown" && hook != "ingress" {
      guard let kernel = expected[hook] else { continue }
      if kernel != verdict {
        wrong.append("\(name): \(hook) \(verdict), kernel \(kernel)")
        return
      }
    }
    if told.values.contains("unknown") || outcome(answer) == "unknown" {
      unknown += 1
    } else if Set(told.keys).subtracting(["ingress"]) != Set(expected.keys) {
      wrong.append("\(name): entered \(told), kernel \(expected)")
    } else {
      agree += 1
    }
  }
}

private func outcome(_ answer: String) -> String { verdict(answer) }

private typealias Object = [String: Any]

private func object(_ data: Data) throws -> Object {
  try #require(JSONSerialization.jsonObject(with: data) as? Object)
}

/// A packet of the corpora as a line for the simulator.
private func line(_ packet: Object) throws -> [UInt8] {
  var question: Object = [:]
  if packet["l3_hex"] != nil {
    for name in ["l3_hex", "iif", "local", "oif", "smac", "dmac", "vlan"] {
      question[name] = packet[name]
    }
    question["state"] = packet["ctstate"]
    if packet["local"] as? Bool == true { question["iif"] = nil }
  } else {
    let names = [
      "family": "family", "src": "saddr", "dst": "daddr", "proto": "protocol", "sport": "sport",
      "dport": "dport", "flags": "flags", "iif": "iif",
    ]
    for (theirs, ours) in names { question[ours] = packet[theirs] }
  }
  return Array(try JSONSerialization.data(withJSONObject: question))
}

private func run(_ ruleset: Any, _ host: Object, _ name: String) throws -> SimulateRun {
  let data = try JSONSerialization.data(withJSONObject: ruleset)
  let description = try JSONSerialization.data(withJSONObject: host)
  return SimulateRun(
    try SimulationTests.ruleset(reading: data, name: name),
    host: try Simulation.Host(reading: Array(description)))
}

private func host(_ interfaces: [Object], by device: String) -> Object {
  [
    "interfaces": interfaces, "routes": [["to": "default", "dev": device]], "forwarding": true,
    "rp_filter": 0, "route_localnet": true,
  ]
}

@Suite("Against a kernel") struct ConformanceTests {
  @Test(.enabled(if: isHere, "needs the corpora beside the repository"))
  func `every trap is answered rightly, or not known`() throws {
    let host = host(
      [
        ["name": "eth0", "addresses": ["10.0.0.1/24", "fd00:0::1/64"]],
        ["name": "eth1", "addresses": ["10.1.0.1/24", "fd00:1::1/64"]],
      ], by: "eth1")
    var tally = Tally()
    let text = try String(contentsOf: corpora.appending(path: "traps.jsonl"), encoding: .utf8)
    for entry in text.split(separator: "\n") {
      let trap = try object(Data(entry.utf8))
      let name = trap["name"] as? String ?? ""
      var run = try run(#require(trap["ruleset_json"]), host, name)
      var answer = ""
      let packets =
        (trap["pre_packets"] as? [Object] ?? []) + [try #require(trap["packet"] as? Object)]
      for packet in packets {
        answer = String(decoding: try run.answer(line(packet)), as: UTF8.self)
      }
      tally.judge(answer, trap["hooks_seen"] as? [String: String] ?? [:], name)
    }
    #expect(tally.wrong.isEmpty, "\(tally.wrong)")
    #expect(tally.total > 0)
    #expect(tally.unknownShare <= 0.2, "\(tally.unknown) of \(tally.total)")
  }

  @Test(
    .enabled(if: isHere, "needs the corpora beside the repository"),
    arguments: [(false, 0.15), (true, 0.2)])
  func `every vector is answered rightly, or not known`(isStateful: Bool, most: Double) throws {
    var tally = Tally()
    let files = try FileManager.default.contentsOfDirectory(
      at: corpora.appending(path: "vectors"), includingPropertiesForKeys: nil)
    for file in files where file.pathExtension == "json" {
      let vectors = try object(Data(contentsOf: file))
      let isOfKind = (vectors["stateful"] as? [Any] ?? []).isEmpty != isStateful
      guard isOfKind else { continue }
      let environment = try #require(vectors["env"] as? Object)
      let devices = environment["devices"] as? [Object] ?? []
      let interfaces: [Object] = devices.map {
        [
          "name": $0["name"] ?? "", "index": $0["ifindex"] ?? 0, "mac": $0["mac"] ?? "",
          "addresses": [$0["v4"] ?? "", $0["v6"] ?? ""],
        ]
      }
      let host = host(interfaces, by: environment["default_dev"] as? String ?? "")
      let name = file.lastPathComponent
      var run = try run(#require(vectors["ruleset_json"]), host, name)
      for vector in vectors["vectors"] as? [Object] ?? [] {
        let packet = try #require(vector["packet"] as? Object)
        let answer = String(decoding: try run.answer(line(packet)), as: UTF8.self)
        tally.judge(answer, vector["hooks"] as? [String: String] ?? [:], name)
      }
    }
    #expect(tally.wrong.isEmpty, "\(tally.wrong.prefix(5))")
    #expect(tally.total > 0)
    #expect(tally.unknownShare <= most, "\(tally.unknown) of \(tally.total)")
  }
}
