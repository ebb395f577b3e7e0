import Addresses
import Diagnostics
import Outcomes
import Scenarios
import Testing

@Suite("A scenario file")
struct ScenarioReaderTests {
  @Test(.enabled(if: Repository.hasSpecification, "needs the specification beside the repository"))
  func `like the sample of the specification parses`() throws {
    let sample = try Repository.sample()
    let files = ["main.scn": sample, "inventory.scn": "# nothing but what the sample declares\n"]
    // Its firewalls are of kinds that are read later; all else must be right.
    #expect(Set(Reading(files).codes) == ["scenario.kind-not-yet"])

    let lines = sample.split(separator: "\n", omittingEmptySubsequences: false)
    let withoutFirewalls = lines.filter { !$0.hasPrefix("firewall") }.joined(separator: "\n")
    let reading = Reading(files.merging(["main.scn": withoutFirewalls]) { $1 })
    #expect(reading.codes == [])
    let plan = try #require(reading.plan)
    #expect(
      plan.flows.map(\.text).prefix(2) == [
        "worker -> cp 50001 tcp expect allow", "cp -> cp etcd expect allow",
      ])
    #expect(plan.flows.filter { $0.id.split(separator: "/").count == 2 }.count == 7)
    #expect(plan.flows.allSatisfy { $0.severity == .critical && $0.suite == "bootstrap" })
  }

  @Test func `with every production and clause is read`() throws {
    let reading = Reading(
      main: try Repository.fixture("every-production.scn"),
      ["inventory.scn": String(decoding: try Repository.fixture("inventory.scn"), as: UTF8.self)])
    #expect(reading.rendered == "")
    let plan = try #require(reading.plan)
    #expect(plan.firewalls.map(\.kind) == ["nft", "live", "nft"])
    #expect(plan.hosts.map(\.agent) == ["alpha", nil])
    #expect(plan.interfaces.map(\.interface) == ["eth0"])
    #expect(plan.flows.count == 22)
  }
}
