import Addresses
import Dispatch
import Foundation
import KernelComparison
import Sandbox
import Simulation
import Synchronization
import Wire

/// Trials until the time is up.
final class Run: Sendable {
  private let options: Options
  private let started = ContinuousClock.now
  private let total = Mutex(Tally())
  /// How many disagreements are shrunk and printed.
  private static let shown = 40

  init(_ options: Options) { self.options = options }

  private var isOver: Bool {
    ContinuousClock.now - started > .seconds(options.minutes * 60)
  }

  /// Runs all trials and prints what they came to.
  func perform() -> Tally {
    if let only = options.only {
      attempt(only, Worker(number: 0))
    } else {
      DispatchQueue.concurrentPerform(iterations: options.workers) { number in
        let worker = Worker(number: number)
        var trial = UInt64(number)
        while !isOver, trial < options.trials {
          attempt(trial, worker)
          trial += UInt64(options.workers)
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

  private func attempt(_ number: UInt64, _ worker: Worker) {
    if options.isVerbose { say("trial \(number)") }
    let trial = Trial(number: number, seed: options.seed, packetCount: options.packets)
    var tally = Tally()
    defer { total.withLock { $0.add(tally) } }
    worker.loader.readsListingAlone = trial.isListedAlone
    let loaded = worker.loader.load(trial.tree)
    for (text, reason) in worker.loader.takeRefused() {
      tally.refusedRules += 1
      if options.isVerbose { tally.refused["\(reason)  \(text)", default: 0] += 1 }
    }
    guard let loaded else {
      tally.notLoaded += 1
      tally.failures[worker.loader.failure, default: 0] += 1
      return
    }
    if options.only != nil { say(loaded.tree.text) }
    let kernel: [KernelVerdicts]
    do throws(SandboxError) {
      kernel = try worker.verdicts(
        of: trial.packets, under: loaded.tree.text, on: trial.host, after: trial.connections)
    } catch {
      tally.failures["\(error)", default: 0] += 1
      return
    }
    var comparison = Comparison(loaded.ruleset, host: trial.host, after: trial.connections)
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
    let before = total.withLock { $0.disagreeing }
    tally.disagreeing = 1
    guard before < Self.shown || options.only != nil else { return }
    show(number, trial, loaded.tree, first, of: comparison.disagreements.count, worker)
  }

  /// Shrinks a disagreement, prints it and writes it down.
  private func show(
    _ number: UInt64, _ trial: Trial, _ tree: RulesetTree, _ first: Disagreement, of count: Int,
    _ worker: Worker
  ) {
    var shrinker = Shrinker(tree, trial.packets, first) { tree, packets in
      worker.disagreement(
        tree, packets, on: trial.host, after: trial.connections, side: first.side)
    }
    shrinker.shrink()
    let found = shrinker.disagreement
    say(
      """
      trial \(number), packet \(first.packet), \(found.side) (\(count) in all) \
      at \(found.hook.map { "\($0)" } ?? "the way"), \(summary(trial.host))
      \(shrinker.tree.text)\(trial.connections.map(text).joined())\(shrinker.packets.map(text).joined(separator: "\n"))
        \(found.words)
      """)
    guard let folder = options.fixtures,
      let fixture = worker.fixture(
        shrinker.tree, shrinker.packets, on: trial.host, after: trial.connections,
        why: "\(found.side.rawValue): \(found.words)")
    else { return }
    do {
      try fixture.file.write(
        to: URL(filePath: folder).appending(path: "seed-\(options.seed)-trial-\(number).json"))
    } catch {
      say("  could not be written: \(error)")
    }
  }

  private func text(_ packet: SandboxPacket) -> String {
    var origin = "local"
    if case .received(let name, let frame) = packet.origin {
      origin = "by \(name)"
      if let source = frame.source { origin += " from \(source)" }
      if let destination = frame.destination { origin += " to \(destination)" }
      if let vlan = frame.vlan { origin += " vlan \(vlan)" }
    }
    return
      "  \(PacketPrinter.print(packet: packet.bytes)) \(origin)\n    \(hexadecimal(packet.bytes))"
  }

  private func text(_ connection: SandboxConnection) -> String {
    let earlier = connection.earlier
    return "  there was \(earlier.transport) \(earlier.source) \(earlier.sourcePort) to "
      + "\(earlier.destination) \(earlier.destinationPort), mark \(earlier.mark)"
      + "\(earlier.isAnswered ? ", answered" : "")\n"
  }

  /// What differs between the hosts of a run.
  private func summary(_ host: Simulation.Host) -> String {
    "forwarding \(host.isForwarding), rp_filter \(host.reversePathFilter), "
      + "route_localnet \(host.routesLocalnet)"
  }
}

/// Prints a line at once, for whoever follows a long run.
func say(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }
