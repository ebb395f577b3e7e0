import Addresses
import Foundation

// Benchmarks: `swift run -c release Benchmarks [--referee] [WORDS]` prints figure and unit of every
// benchmark whose name holds all the words. `--referee` asks Z3 the same questions (slow; needs
// Python's z3-solver).

let words = CommandLine.arguments.dropFirst().filter { !$0.hasPrefix("--") }
let referee = CommandLine.arguments.contains("--referee") ? Referee() : nil

func isWanted(_ name: String) -> Bool { words.allSatisfy { name.contains($0) } }

do {
  for family in IPFamily.allCases {
    for shape in RuleListShape.allCases {
      for count in [10_000, 100_000] where shape != .overlaps || count == 10_000 {
        let benchmark = ProofBenchmark(shape: shape, count: count, family: family)
        if isWanted(benchmark.name) { try benchmark.run(referee: referee) }
      }
    }
  }
  if isWanted("simulate") { try SimulationBenchmark.run() }
  if isWanted("sandbox") { try SandboxBenchmark.run() }
  if isWanted("capture") { try CaptureBenchmark.run() }
  if isWanted("talos") { try TalosBenchmark.run() }
  if isWanted("probing") { try ProbingBenchmark.run() }
  if isWanted("program") { try ProgramBenchmark.run() }
} catch {
  FileHandle.standardError.write(Data("failed: \(error)\n".utf8))
  exit(1)
}
