import Diagnostics
import Foundation
import NftablesFrontend
import Proof
import Rulesets
import Simulation

// Agreement of the two programs over one model: for every ruleset of a folder of corpora, random
// packets, each asked of the simulator and of the prover.
//
//   swift run -c release Agreement [CORPORA] [--packets N] [--seed N] [--only WORD]
//
// Prints what was compared and every disagreement; exits 1 if there is one.

var corpora = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().appending(path: "shared/corpora")
var packetCount = 1_000
var seed: UInt64 = 1
var only = ""
var arguments = Array(CommandLine.arguments.dropFirst())
while !arguments.isEmpty {
  let argument = arguments.removeFirst()
  switch argument {
  case "--packets": packetCount = Int(arguments.removeFirst()) ?? packetCount
  case "--seed": seed = UInt64(arguments.removeFirst()) ?? seed
  case "--only": only = arguments.removeFirst()
  default: corpora = URL(filePath: argument)
  }
}

do {
  var comparison = Comparison(packetCount: packetCount, seed: seed)
  for (name, listing) in try CorpusRulesets.all(in: corpora)
  where only.isEmpty || name.contains(only) {
    try comparison.compare(name, listing)
  }
  print(comparison.summary)
  exit(comparison.disagreements == 0 && comparison.rulesets > 0 ? 0 : 1)
} catch {
  FileHandle.standardError.write(Data("failed: \(error)\n".utf8))
  exit(2)
}
