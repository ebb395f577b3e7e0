import Addresses
import Foundation
import LinuxKernel
import Netfilter
import Sandbox
import Simulation
import Synchronization

// Kernel, simulator and prover on drawn rulesets and packets.
//
//   swift run -c release Fuzz [--seed N] [--minutes M] [--trials N] [--workers N] [--packets N]
//                             [--only NUMBER] [--fixtures DIR] [--verbose]
//   swift run -c release Fuzz --fixture FILE | --record FILE
//   Tests/Fuzz/mutation-check [--fault NAME] [--list-faults]
//
// Prints every disagreement and what was compared; exits 1 if there was a disagreement.
@main
enum FuzzProgram {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    switch arguments.first {
    case SandboxChild.argument: exit(SandboxChild.run())
    case NetfilterChild.argument: exit(NetfilterChild.run(Array(arguments.dropFirst())))
    default: break
    }
    guard let options = Options(arguments) else {
      FileHandle.standardError.write(Data("not understood: \(arguments)\n".utf8))
      exit(2)
    }

    if options.listsFaults || options.checksMutations || options.fault != nil {
      exit(MutationCheck.run(options))
    }
    if let fixture = options.recorded { exit(Replay.record(fixture)) }
    if let fixture = options.fixture { exit(Replay.run(fixture)) }
    let run = Run(options)
    let tally = run.perform()
    exit(tally.disagreements == 0 && tally.verdicts > 0 ? 0 : 1)
  }
}

struct Options {
  var seed: UInt64 = 1
  var minutes = 1.0
  var workers = 2
  /// How many rulesets at most.
  var trials = UInt64.max
  var packets = 300
  var only: UInt64?
  var fixtures: String?
  var fixture: String?
  var recorded: String?
  var fault: String?
  var listsFaults = false
  var checksMutations = false
  var isVerbose = false
  var proofStride = 4

  init?(_ arguments: [String]) {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      switch argument {
      case "--seed":
        guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { return nil }
        seed = value
      case "--minutes":
        guard let value = rest.popFirst().flatMap({ Double($0) }) else { return nil }
        minutes = value
      case "--workers":
        guard let value = rest.popFirst().flatMap({ Int($0) }), value > 0 else { return nil }
        workers = value
      case "--packets":
        guard let value = rest.popFirst().flatMap({ Int($0) }), value > 0 else { return nil }
        packets = value
      case "--proof-every":
        guard let value = rest.popFirst().flatMap({ Int($0) }) else { return nil }
        proofStride = value
      case "--trials":
        guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { return nil }
        trials = value
      case "--only":
        guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { return nil }
        only = value
      case "--fixtures": fixtures = rest.popFirst()
      case "--fault":
        guard let value = rest.popFirst() else { return nil }
        fault = value
      case "--list-faults": listsFaults = true
      case "--mutation-check": checksMutations = true
      case "--record": recorded = rest.popFirst()
      case "--fixture": fixture = rest.popFirst()
      case "--verbose": isVerbose = true
      default: return nil
      }
    }
  }
}
