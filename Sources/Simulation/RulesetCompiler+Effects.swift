import Rulesets

// What a host's own packets may change of the state between packets.
extension RulesetCompiler {
  /// The gates, counters and sets that some chains, and what they run, may change.
  func effects(of starts: [Int32]) -> Program.Effects {
    var gates: Set<Int32> = []
    var counters: Set<Int32> = []
    var sets: Set<Int32> = []
    var open = starts
    var seen: Set<Int32> = []
    while let start = open.popLast() {
      guard seen.insert(start).inserted else { continue }
      var position = Int(start)
      loop: while true {
        switch program.instructions[position] {
        case .endOfChain: break loop
        case .jump(let target), .goto(let target): open.append(target)
        case .verdictMap(let set, _):
          for verdict in program.sets[Int(set)].possibleVerdicts {
            switch verdict {
            case .jump(let target), .goto(let target): open.append(target)
            case .accept, .drop, .continue, .return, .unmodelled: break
            }
          }
          gates.formUnion(program.sets[Int(set)].gates)
        case .lookup(let set, _, _), .mapped(let set, _, _), .objectMap(let set, _):
          gates.formUnion(program.sets[Int(set)].gates)
          gates.insert(program.sets[Int(set)].catchAllGate)
          // A hit passes the gates of elements that packets added.
          let isGated = program.setChanges.contains { $0.set == set && !$0.gates.isEmpty }
          if isGated { sets.insert(set) }
        case .admit(let gate): gates.insert(gate)
        case .changeSet(let change): sets.insert(program.setChanges[Int(change)].set)
        case .load(.counter(let counter), _): counters.insert(counter)
        default: break
        }
        position += 1
      }
    }
    return Program.Effects(
      gates: gates.filter { $0 >= 0 }.sorted(), counters: counters.sorted(), sets: sets.sorted())
  }
}
