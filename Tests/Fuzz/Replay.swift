import Foundation
import KernelComparison
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
      let kernel = try KernelReferee(ruleset: fixture.text, host: host)
        .verdicts(for: fixture.sandboxPackets).map(\.byHook)
      for (number, (now, recorded)) in zip(kernel, fixture.verdicts).enumerated()
      where now != recorded {
        say("packet \(number): kernel \(now), recorded \(recorded)")
      }
      var comparison = Comparison(ruleset, host: host)
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
}
