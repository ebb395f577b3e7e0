import Diagnostics
import Foundation
import KernelComparison
import LinuxKernel
import Netfilter
import Sandbox
import Simulation

/// One fixture, held against the kernel of this machine, the simulator and the prover.
enum Replay {
  /// - Returns: 1 where any of them does not say what is recorded.
  static func run(_ path: String) -> Int32 {
    do {
      let fixture = try KernelFixture(URL(filePath: path))
      say(fixture.ruleset.joined(separator: "\n"))
      let host = try Simulation.Host(reading: Array(fixture.host.utf8))
      guard let ruleset = fixture.read else {
        say("its listing is not read")
        return 1
      }
      let kernel = try fixture.ask()
      for (number, (now, recorded)) in zip(kernel, fixture.verdicts).enumerated()
      where now != recorded {
        say("packet \(number): kernel \(now), recorded \(recorded)")
      }
      var comparison = Comparison(ruleset, host: host, after: fixture.sandboxConnections)
      comparison.compare(fixture.sandboxPackets, kernel, provesEvery: 1)
      for found in comparison.disagreements {
        say("packet \(found.packet), \(found.side.rawValue): \(found.words)")
      }
      say("\(comparison.verdicts) verdicts alike; not known: \(comparison.unknown)")
      return comparison.disagreements.isEmpty && kernel == fixture.verdicts ? 0 : 1
    } catch {
      say("\(path): \(error)")
      return 2
    }
  }

  /// Writes into a fixture what the kernel of this machine lists and does.
  static func record(_ path: String) -> Int32 {
    do {
      var fixture = try KernelFixture(URL(filePath: path))
      let host = try Simulation.Host(reading: Array(fixture.host.utf8))
      let text = NSTemporaryDirectory() + "portproof-record-\(getpid()).nft"
      defer { try? FileManager.default.removeItem(atPath: text) }
      try Data(fixture.commands).write(to: URL(filePath: text))
      var sources = SourceMap()
      guard case .loaded(let listing) = try LibnftablesReader().translate(text, into: &sources)
      else {
        say("\(path): not loaded")
        return 1
      }
      let kernel = try fixture.ask()
      fixture = KernelFixture(
        why: fixture.why, kernel: Machine.kernelRelease,
        ruleset: fixture.ruleset.joined(separator: "\n"), listing: listing.json,
        text: fixture.bytecode == nil && fixture.text == nil ? nil : listing.text,
        bytecode: fixture.bytecode == nil ? nil : listing.bytecode, host: host,
        connections: fixture.sandboxConnections, packets: fixture.sandboxPackets, verdicts: kernel)
      try fixture.file.write(to: URL(filePath: path))
      return 0
    } catch {
      say("\(path): \(error)")
      return 2
    }
  }
}
