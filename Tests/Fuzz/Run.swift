import Addresses
import Foundation
import Sandbox
import Simulation
import Synchronization
import Wire

/// Trials until the time is up.
final class Run: Sendable {
  private let options: Options
  private let started = ContinuousClock.now
  private let total = Mutex(Tally())
  /// How many disagreements are printed.
  private static let shown = 40

  init(_ options: Options) { self.options = options }

  private var isOver: Bool {
    ContinuousClock.now - started > .seconds(options.minutes * 60)
  }

  func perform() -> Tally {
    if let only = options.only {
      var loader = Loader(worker: 0)
      attempt(only, &loader)
    } else {
      DispatchQueue.concurrentPerform(iterations: options.workers) { worker in
        var loader = Loader(worker: worker)
        var number = UInt64(worker)
        while !isOver {
          attempt(number, &loader)
          number += UInt64(options.workers)
        }
      }
    }
    let seconds = (ContinuousClock.now - started) / .seconds(1)
    let tally = total.withLock { $0 }
    say("seed \(options.seed), \(Int(seconds)) s, \(options.workers) workers")
    say(tally.summary(seconds: seconds))
    if options.isVerbose {
      for (line, count) in tally.refused.sorted(by: { $0.value > $1.value }).prefix(40) {
        say("refused \(count)  \(line)")
      }
    }
    return tally
  }

  private func attempt(_ number: UInt64, _ loader: inout Loader) {
    let begun = ContinuousClock.now
    if options.isVerbose { say("trial \(number)") }
    defer {
      let took = ContinuousClock.now - begun
      if took > .seconds(5) { say("trial \(number) took \(took)") }
    }
    let trial = Trial(number: number, seed: options.seed, packetCount: options.packets)
    var tally = Tally()
    defer { total.withLock { $0.add(tally) } }
    let refusedBefore = loader.refusedLines.count
    let loaded = loader.load(trial.tree)
    for (text, reason) in loader.refusedLines[refusedBefore...] {
      tally.refusedRules += 1
      if options.isVerbose { tally.refused["\(reason)  \(text)", default: 0] += 1 }
    }
    guard let loaded else {
      tally.notLoaded += 1
      if let unread = loader.unread.last { tally.failures[unread, default: 0] += 1 }
      return
    }
    if options.only != nil { say(loaded.tree.text) }
    let kernel: [HookVerdicts]
    do throws(SandboxError) {
      kernel = try KernelReferee(ruleset: Array(loaded.tree.text.utf8), host: trial.host)
        .verdicts(for: trial.packets)
    } catch {
      tally.failures["\(error)", default: 0] += 1
      return
    }
    var comparison = Comparison(loaded.ruleset, host: trial.host)
    comparison.compare(trial.packets, kernel, provesEvery: options.proofStride)
    tally.rulesets += 1
    tally.rules += loaded.tree.tables.reduce(0) { $0 + $1.chains.reduce(0) { $0 + $1.rules.count } }
    tally.packets += trial.packets.count
    tally.verdicts += comparison.verdicts
    tally.unknown = comparison.unknown
    tally.proved = comparison.proved
    tally.provedUnknown = comparison.provedUnknown
    tally.disagreements += comparison.disagreements.count

    guard let first = comparison.disagreements.first else { return }
    let before = total.withLock { $0.disagreements }
    guard before < Self.shown || options.only != nil else { return }
    show(number, trial, loaded.tree, first, of: comparison.disagreements.count)
  }

  /// Prints the smallest case of a disagreement.
  private func show(
    _ number: UInt64, _ trial: Trial, _ tree: RulesetTree, _ first: Disagreement, of count: Int
  ) {
    var loader = Loader(worker: Int(number) + 1_000)
    defer { loader.close() }
    var shrinker = Shrinker(tree, trial.packets, first) { tree, packets in
      guard let loaded = loader.load(tree, repairs: false) else { return nil }
      do throws(SandboxError) {
        let kernel = try KernelReferee(ruleset: Array(tree.text.utf8), host: trial.host)
          .verdicts(for: packets)
        var comparison = Comparison(loaded.ruleset, host: trial.host)
        comparison.compare(packets, kernel, provesEvery: first.side == .prover ? 1 : 0)
        return comparison.disagreements.first
      } catch {
        return nil
      }
    }
    shrinker.shrink()
    say(
      """
      trial \(number), packet \(first.packet), \(first.side) (\(count) in all) \
      at \(shrinker.disagreement.hook.map { "\($0)" } ?? "the way"), \(trial.host.summary)
      \(shrinker.tree.text)\(shrinker.packets.map(text).joined(separator: "\n"))
        \(shrinker.disagreement.words)
      """)
  }

  private func text(_ packet: SandboxPacket) -> String {
    let origin: String
    switch packet.origin {
    case .local: origin = "local"
    case .received(let name, let frame):
      origin =
        "by \(name) from \(frame.source?.description ?? "-") to \(frame.destination?.description ?? "-") vlan \(frame.vlan.map { "\($0)" } ?? "-")"
    }
    return
      "  \(PacketPrinter.print(packet: packet.bytes)) \(origin)\n    \(hexadecimal(packet.bytes))"
  }
}

extension Simulation.Host {
  /// What differs between the hosts of a run.
  fileprivate var summary: String {
    "forwarding \(isForwarding) rp_filter \(reversePathFilter) route_localnet \(routesLocalnet)"
  }
}

/// Prints a line at once, for whoever follows a long run.
func say(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }

func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
