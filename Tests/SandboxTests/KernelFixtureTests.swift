import Foundation
import KernelComparison
import LinuxKernel
import Sandbox
import Simulation
import Testing

private let folder = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().appending(path: "Fixtures/kernel")

private let fixtures: [String] = {
  let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
  return (names ?? []).filter { $0.hasSuffix(".json") }.sorted()
}()

/// Rulesets and packets over which the model and a kernel once differed.
@Suite("Cases that were disputed")
struct KernelFixtureTests {
  @Test func `there are some`() { #expect(!fixtures.isEmpty) }

  @Test(arguments: fixtures)
  func `neither simulator nor prover contradicts what a kernel did`(name: String) throws {
    let fixture = try KernelFixture(folder.appending(path: name))
    let host = try Simulation.Host(reading: Array(fixture.host.utf8))
    var comparison = Comparison(
      try #require(fixture.read), host: host, after: fixture.sandboxConnections)
    comparison.compare(fixture.sandboxPackets, fixture.verdicts, provesEvery: 1)
    for found in comparison.disagreements {
      Issue.record("packet \(found.packet), \(found.side.rawValue): \(found.words)")
    }
    #expect(comparison.verdicts + comparison.unknown.values.reduce(0, +) > 0)
  }

  @Test(
    .enabled(
      if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
      "needs root: makes network namespaces and loads nftables rules"),
    arguments: fixtures)
  func `this kernel does what was recorded`(name: String) throws {
    let fixture = try KernelFixture(folder.appending(path: name))
    let runner = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let tool = URL(fileURLWithPath: runner).deletingLastPathComponent().path + "/portproof"
    #expect(try fixture.ask(executable: tool) == fixture.verdicts)
  }
}
