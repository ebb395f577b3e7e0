import Foundation
import KernelComparison
import LinuxKernel
import Sandbox
import Simulation

/// What one thread of a run has: a way to load rulesets and a kernel to ask.
final class Worker {
  private var session: SandboxSession?
  var loader: Loader

  init(number: Int) { loader = Loader(worker: number) }

  deinit { loader.close() }

  /// What the kernel does with packets under a ruleset that has just been loaded.
  func verdicts(
    of packets: [SandboxPacket], under text: String, on host: Simulation.Host,
    after connections: [SandboxConnection]
  ) throws(SandboxError) -> [KernelVerdicts] {
    do throws(SandboxError) {
      if session == nil {
        session = try SandboxSession(host: host)
      } else {
        try session?.replaceHost(host)
      }
      try session?.load(Array(text.utf8))
      try session?.add(connections)
      return try session?.verdicts(for: packets).map(\.byHook) ?? []
    } catch {
      session = nil
      throw error
    }
  }

  /// The first disagreement that a smaller case shows, loaded anew.
  func disagreement(
    _ tree: RulesetTree, _ packets: [SandboxPacket], on host: Simulation.Host,
    after connections: [SandboxConnection], side: Disagreement.Side
  ) -> Disagreement? {
    guard let loaded = loader.load(tree, repairs: false) else { return nil }
    do throws(SandboxError) {
      let kernel = try verdicts(of: packets, under: tree.text, on: host, after: connections)
      var comparison = Comparison(loaded.ruleset, host: host, after: connections)
      comparison.compare(packets, kernel, provesEvery: side == .prover ? 1 : 0)
      return comparison.disagreements.first { $0.side == side }
    } catch {
      return nil
    }
  }

  /// The case as a fixture, with the kernel's verdicts.
  func fixture(
    _ tree: RulesetTree, _ packets: [SandboxPacket], on host: Simulation.Host,
    after connections: [SandboxConnection], why: String
  ) -> KernelFixture? {
    guard let loaded = loader.load(tree, repairs: false),
      let kernel = try? verdicts(of: packets, under: tree.text, on: host, after: connections)
    else { return nil }
    return KernelFixture(
      why: why, kernel: Machine.kernelRelease, ruleset: tree.text, listing: loaded.listing,
      text: loaded.text, bytecode: loaded.bytecode, host: host, connections: connections,
      packets: packets, verdicts: kernel)
  }
}
