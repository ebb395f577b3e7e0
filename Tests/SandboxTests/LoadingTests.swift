import Addresses
import Diagnostics
import Foundation
import NftablesFrontend
import Rulesets
import Sandbox
import Simulation
import TestSupport
import Testing

@Suite("Loading what nft lists")
struct LoadingTests {
  private func model(_ listing: [UInt8]) -> Ruleset? {
    var sources = SourceMap()
    return NftablesReader.read(listing, name: "listing", sources: &sources).ruleset
  }

  @Test(canUnshare, hasCorpora) func `most listings of the corpora load`() throws {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    let files = try FileManager.default.contentsOfDirectory(
      at: corpora.appending(path: "vectors"), includingPropertiesForKeys: nil
    ).filter { $0.pathExtension == "json" }.sorted { $0.path < $1.path }
    var counts: [String: Int] = [:]
    var refused: [String: String] = [:]
    for file in files {
      let vectors = try #require(
        JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? Object)
      let listing = Array(
        try JSONSerialization.data(withJSONObject: vectors["ruleset_json"] ?? Object()))
      do throws(SandboxError) {
        try session.load(listing)
        counts["as listed", default: 0] += 1
        continue
      } catch {}
      do throws(SandboxError) {
        try session.load(listing, model: model(listing))
        counts["as text", default: 0] += 1
      } catch {
        counts["refused", default: 0] += 1
        refused[file.lastPathComponent] = "\(error)"
      }
    }
    for (how, count) in counts.sorted(by: { $0.key < $1.key }) { print("  \(count)  \(how)") }
    for (name, why) in refused.sorted(by: { $0.key < $1.key }) { print("  \(name): \(why)") }
    #expect(counts["as listed", default: 0] >= 110)
    #expect(refused.count <= 6)
  }

  @Test(canUnshare) func `a map may be listed before the chains that it leads to`() throws {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    try session.load(
      Array(
        #"""
        {"nftables": [
          {"metainfo": {"version": "1.0.6", "release_name": "x", "json_schema_version": 1}},
          {"table": {"family": "ip", "name": "t", "handle": 1}},
          {"map": {"family": "ip", "name": "m", "table": "t", "type": "inet_service", "handle": 1,
            "map": "verdict", "elem": [[53, {"jump": {"target": "end"}}]]}},
          {"chain": {"family": "ip", "table": "t", "name": "c", "handle": 2, "type": "filter",
            "hook": "input", "prio": 0, "policy": "accept"}},
          {"rule": {"family": "ip", "table": "t", "chain": "c", "handle": 4, "expr": [
            {"vmap": {"key": {"payload": {"protocol": "udp", "field": "dport"}}, "data": "@m"}}]}},
          {"chain": {"family": "ip", "table": "t", "name": "end", "handle": 3}},
          {"rule": {"family": "ip", "table": "t", "chain": "end", "handle": 5,
            "expr": [{"drop": null}]}}]}
        """#.utf8))
    #expect(try session.verdicts(for: [question])[0][.input] == .drop)
  }

  @Test(
    canUnshare,
    arguments: [
      (
        "table inet t { chain c { type filter hook input priority 0; iif wg7 drop; }; }", "text"
      ),
      (
        #"""
        {"nftables": [
          {"table": {"family": "ip", "name": "t", "handle": 1}},
          {"chain": {"family": "ip", "table": "t", "name": "c", "handle": 2, "type": "filter",
            "hook": "input", "prio": 0, "policy": "accept"}},
          {"rule": {"family": "ip", "table": "t", "chain": "c", "handle": 4, "expr": [
            {"match": {"op": "==", "left": {"meta": {"key": "iif"}}, "right": "wg7"}},
            {"drop": null}]}}]}
        """#, "listing"
      ),
      (
        "table netdev t { chain c { type filter hook ingress device \"wg7\" priority 0; drop; }; }",
        "device of a chain"
      ),
    ])
  func `an interface that the host lacks is there for the rules`(
    ruleset: String, name: String
  ) throws {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    try session.load(Array(ruleset.utf8))
    #expect(try session.verdicts(for: [question])[0][.input] == .accept)
  }

  @Test(canUnshare) func `what cannot be loaded is named`() throws {
    let workshop = try Workshop()
    var session = try SandboxSession(host: try twoNetworks(), executable: workshop.tool)
    let error = #expect(throws: SandboxError.self) {
      try session.load(
        Array(
          #"""
          {"nftables": [
            {"table": {"family": "ip", "name": "t", "handle": 1}},
            {"chain": {"family": "ip", "table": "t", "name": "c", "handle": 2}},
            {"rule": {"family": "ip", "table": "t", "chain": "c", "handle": 4, "expr": [
              {"jump": {"target": "gone"}}]}}]}
          """#.utf8))
    }
    guard case .rejected(let rejection) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(rejection.statement?.contains("gone") == true)
    #expect(rejection.reason == "Could not process rule: No such file or directory")
    #expect(rejection.kernelOption == nil)
  }

  @Test func `what the kernel may lack is named by its option`() {
    var rejection = RulesetRejection(
      words: "t.nft:3:5-12: Error: Could not process rule: No such file or directory\n"
        + "    tcp dport 80 synproxy mss 1460\n                 ^^^^^^^^\n",
      statement: "    tcp dport 80 synproxy mss 1460")
    #expect(rejection.kernelOption == "CONFIG_NFT_SYNPROXY")
    rejection.words = "t.nft:3:5-12: Error: syntax error, unexpected newline\n"
    #expect(rejection.kernelOption == nil)
  }
}
