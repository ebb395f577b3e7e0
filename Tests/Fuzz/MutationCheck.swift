import Dispatch
import KernelComparison
import Sandbox
import Simulation
import Synchronization

/// Whether the comparison with the kernel finds deliberate mistakes of the simulator.
enum MutationCheck {
  /// How long it may take to find one.
  static let limit = Duration.seconds(120)

  #if FAULTS
  /// - Returns: 0 where every fault was found in time.
  static func run(_ options: Options) -> Int32 {
    if options.listsFaults {
      for fault in Fault.allCases { say(fault.rawValue) }
      return 0
    }
    var faults = Fault.allCases
    if let name = options.fault {
      guard let fault = Fault(rawValue: name) else {
        say("there is no fault \(name)")
        return 2
      }
      faults = [fault]
    }
    var isComplete = true
    for fault in faults {
      let started = ContinuousClock.now
      let found = find(fault, options)
      let seconds = Int((ContinuousClock.now - started) / .seconds(1))
      if let found {
        say("found in \(seconds) s   \(fault.rawValue)   trial \(found)")
      } else {
        say("NOT FOUND in \(seconds) s   \(fault.rawValue)")
        isComplete = false
      }
    }
    return isComplete ? 0 : 1
  }

  /// - Returns: the first trial whose kernel contradicts the faulty simulator, and not the sound
  ///   one.
  private static func find(_ fault: Fault, _ options: Options) -> UInt64? {
    let found = Mutex<UInt64?>(nil)
    let deadline = ContinuousClock.now + limit
    DispatchQueue.concurrentPerform(iterations: options.workers) { number in
      let worker = Worker(number: number)
      var trial = UInt64(number)
      while ContinuousClock.now < deadline, found.withLock({ $0 }) == nil {
        if shows(fault, trial, options, worker) { found.withLock { $0 = $0 ?? trial } }
        trial += UInt64(options.workers)
      }
    }
    return found.withLock { $0 }
  }

  private static func shows(
    _ fault: Fault, _ number: UInt64, _ options: Options, _ worker: Worker
  ) -> Bool {
    let trial = Trial(number: number, seed: options.seed, packetCount: options.packets)
    worker.loader.readsListingAlone = trial.isListedAlone
    guard let loaded = worker.loader.load(trial.tree) else { return false }
    do throws(SandboxError) {
      let kernel = try worker.verdicts(
        of: trial.packets, under: loaded.tree.text, on: trial.host, after: trial.connections)
      func disputes(_ fault: Fault?) -> Bool {
        Fault.$switchedOn.withValue(fault) {
          var comparison = Comparison(loaded.ruleset, host: trial.host, after: trial.connections)
          comparison.compare(trial.packets, kernel, provesEvery: 0)
          return !comparison.disagreements.isEmpty
        }
      }
      return disputes(fault) && !disputes(nil)
    } catch {
      return false
    }
  }
  #else
  static func run(_ options: Options) -> Int32 {
    say("built without faults; see Tests/Fuzz/mutation-check")
    return 2
  }
  #endif
}
