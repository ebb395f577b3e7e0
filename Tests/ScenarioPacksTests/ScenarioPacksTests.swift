import Outcomes
import Scenarios
import Testing

@Suite("The shipped scenario packs")
struct ScenarioPacksTests {
  @Test("answer as their files say", arguments: Pack.entries)
  func answers(path: String) throws {
    var reading = try Pack.read(path)
    var failures: [String: String] = [:]
    for outcome in reading.outcomes() where outcome.status != .passed {
      #expect(outcome.status == .failed, "\(outcome.scenario): \(outcome.message)")
      #expect(outcome.counterexample != nil, "\(outcome.scenario)")
      #expect(outcome.decidedBy != nil, "\(outcome.scenario)")
      #expect(outcome.hint != nil, "\(outcome.scenario)")
      failures[outcome.id] = outcome.code
    }
    #expect(failures == Pack.expectedFailures(path))
  }

  @Test("hold, but for those that are wrong on purpose", arguments: Pack.entries)
  func wrongOnPurpose(path: String) {
    #expect(Pack.expectedFailures(path).isEmpty != path.contains("/bad/"))
  }

  @Test func `there are the packs that are promised`() {
    let promised = [
      "calico/calico.scn", "cilium/cilium-vxlan.scn", "cilium/cilium.scn", "flannel/flannel.scn",
      "kubespan/kubespan.scn", "talos/accept.scn", "talos/listed-accept.scn", "talos/listed.scn",
      "talos/readiness.scn", "talos/talos.scn", "two-hosts/two-hosts.scn",
    ]
    #expect(Pack.entries.filter { !$0.contains("/bad/") } == promised)
    for pack in ["talos/bad/", "cilium/bad/"] {
      #expect(Pack.entries.filter { $0.hasPrefix(pack) }.count >= 4)
    }
  }

  @Test func `no file lies about`() throws {
    var used: Set<String> = []
    for path in Pack.entries { used.formUnion(try Pack.read(path).used) }
    #expect(Set(Pack.files(".scn") + Pack.files(".json") + Pack.files(".yaml")) == used)
    // Every listing was made of a text.
    let listings = Pack.files(".json").map { $0.dropLast(".json".count) }
    #expect(listings == Pack.files(".nft").map { $0.dropLast(".nft".count) })
  }

  @Test func `limits are told as assumptions`() throws {
    var reading = try Pack.read("talos/talos.scn")
    reading.plan.flows.removeAll { $0.id != "ping" }
    let ping = try #require(reading.outcomes().first)
    #expect(ping.assumptions.contains { $0.contains("limit rate 5/second") })
  }
}
