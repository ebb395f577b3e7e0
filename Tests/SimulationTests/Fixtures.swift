import Diagnostics
import Foundation
import NftablesFrontend
import Rulesets
import Simulation
import Testing

/// The root of the repository.
let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

/// A ruleset of the fixtures, as `nft -j list ruleset` listed it.
func ruleset(_ name: String) throws -> Ruleset {
  let file = root.appending(path: "Tests/Fixtures/Simulation/\(name).json")
  return try ruleset(reading: Data(contentsOf: file), name: name)
}

func ruleset(reading data: Data, name: String) throws -> Ruleset {
  var sources = SourceMap()
  let reading = NftablesReader.read(Array(data), name: name, sources: &sources)
  return try #require(reading.ruleset, "\(name): \(reading.diagnostics.map(\.message))")
}

/// Two networks, a default route by the second, forwarding on.
let hostDescription = """
  {"interfaces": [
    {"name": "eth0", "index": 2, "mac": "02:00:00:00:00:01",
     "addresses": ["10.0.0.1/24", "fd00:0::1/64"]},
    {"name": "eth1", "index": 3, "addresses": ["10.1.0.1/24", "fd00:1::1/64"]}],
   "routes": [{"to": "default", "dev": "eth1"}], "forwarding": true, "rp_filter": 0,
   "route_localnet": true, "accept_local": false}
  """

func host(_ text: String = hostDescription) throws -> Simulation.Host {
  try Simulation.Host(reading: Array(text.utf8))
}

/// The answers to packet lines, asked one after the other.
func answers(_ name: String, _ lines: [String], _ host: Simulation.Host? = nil) throws -> [String] {
  var run = SimulateRun(try ruleset(name), host: host)
  var answers: [String] = []
  for line in lines {
    answers.append(String(decoding: try run.answer(Array(line.utf8)), as: UTF8.self))
  }
  return answers
}

/// The word after `"verdict":`.
func verdict(_ answer: String) -> String {
  String(answer.dropFirst(#"{"verdict":""#.count).prefix { $0 != "\"" })
}

/// The object after `"hooks":`.
func hooks(_ answer: String) -> String {
  guard let range = answer.range(of: #""hooks":{"#) else { return "none" }
  return String(answer[range.upperBound...].prefix { $0 != "}" })
    .replacingOccurrences(of: "\"", with: "")
}
