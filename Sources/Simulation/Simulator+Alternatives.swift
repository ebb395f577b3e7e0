import Addresses
import Rulesets

extension Simulator {
  /// Notes that the way goes on here and also at `position`.
  ///
  /// - Returns: false in a walk that follows one way only, which then ends.
  mutating func fork(
    to position: Int32, _ environment: Environment, _ reason: Int32, _ rule: Int32
  ) -> Bool {
    note(reason, rule)
    guard isExploring else { return false }
    alternatives.append(
      Alternative(position: position, returns: returns, environment: environment))
    return true
  }

  /// Follows everything that an unmodelled statement could do: decide, end the rule or the chain,
  /// or go on, having changed whatever a statement can change.
  mutating func forkEverything(
    _ position: Int, _ next: Int, _ packet: borrowing Packet, _ environment: Environment,
    _ reason: Int32, _ rule: Int32
  ) -> End {
    note(reason, rule)
    var changed = environment
    changed.forget(
      mayStopTracking: mayStopTracking(packet, environment), isTracked: phase == .after,
      mayTranslate: decidingChain < 0 || program.chains[Int(decidingChain)].isNat)
    collect(.drop, environment)
    collect(.accept, changed)
    alternatives.append(
      Alternative(position: Int32(next), returns: returns, environment: changed))
    alternatives.append(
      Alternative(
        position: Int32(position + 1), rule: rule, next: Int32(next), returns: returns,
        environment: changed))
    var outer = returns
    if let back = outer.popLast() {
      alternatives.append(Alternative(position: back, returns: outer, environment: changed))
    } else {
      collect(.policy, changed)
    }
    return .joined
  }

  /// Follows every verdict that a map can give, and a miss.
  mutating func forkVerdicts(
    _ set: Int, _ position: Int, _ next: Int, _ packet: borrowing Packet,
    _ environment: Environment, _ rule: Int32
  ) -> End {
    if program.sets[set].search == .missing {
      return forkEverything(
        position, next, packet, environment, program.sets[set].missingReason, rule)
    }
    if !program.sets[set].hasCatchAll {
      alternatives.append(
        Alternative(position: Int32(next), returns: returns, environment: environment))
    }
    for verdict in program.sets[set].possibleVerdicts {
      switch verdict {
      case .accept: collect(.accept, environment)
      case .drop: collect(.drop, environment)
      case .continue:
        alternatives.append(
          Alternative(
            position: Int32(position + 1), rule: rule, next: Int32(next), returns: returns,
            environment: environment))
      case .return:
        var outer = returns
        if let back = outer.popLast() {
          alternatives.append(Alternative(position: back, returns: outer, environment: environment))
        } else {
          collect(.policy, environment)
        }
      case .jump(let target):
        alternatives.append(
          Alternative(
            position: target, returns: returns + [Int32(next)], environment: environment))
      case .goto(let target):
        alternatives.append(
          Alternative(position: target, returns: returns, environment: environment))
      case .unmodelled(let reason):
        _ = forkEverything(position, next, packet, environment, reason, rule)
      }
    }
    return .joined
  }

  /// What a lookup finds, or that it is not known.
  enum Lookup {
    case miss
    case hit(Int)
    /// An element that packets added.
    case added(DynamicSet.Element)
    case unknown(Int32)
  }

  mutating func find(_ set: Int, _ first: Int) -> Lookup {
    let width = program.sets[set].width
    if program.sets[set].search == .missing { return .unknown(program.sets[set].missingReason) }
    if unknownRegisters != 0 {
      for part in 0..<width where unknownRegisters >> UInt64(first + part) & 1 != 0 {
        if program.sets[set].isEmpty, state.sets[Int32(set)] == nil { return .miss }
        return .unknown(unknownReason)
      }
    }
    if program.sets[set].isDynamic, let entry = dynamicEntry(set, first) {
      switch entry {
      case .present(let element): return .added(element)
      case .uncertain: return .unknown(fixedReasons.changedSet)
      case .absent: return program.sets[set].hasCatchAll ? .hit(CompiledSet.catchAll) : .miss
      }
    }
    switch program.sets[set].find(registers, first) {
    case .miss: return .miss
    case .hit(let element):
      let doubt = program.sets[set].doubt(element)
      return doubt >= 0 ? .unknown(doubt) : .hit(element)
    }
  }

  /// Passes the gate of the element that a lookup hit.
  ///
  /// - Returns: nil where it is not known and the walk follows one way only.
  mutating func passesElement(
    _ lookup: Lookup, _ set: Int, _ first: Int, _ next: Int, _ packet: borrowing Packet,
    _ environment: Environment, _ rule: Int32, _ hook: Hook
  ) -> Bool? {
    let answer: GatePlan.Answer
    let reason: Int32
    switch lookup {
    case .miss, .unknown: return true
    case .hit(let element):
      let gate = program.sets[set].gate(element)
      guard gate >= 0 else { return true }
      answer = admit(Int(gate), packet, hook)
      reason = program.gates[Int(gate)].reason
    case .added(let element):
      guard !element.gates.isEmpty else { return true }
      (answer, reason) = admitDynamic(set, first, packet, hook)
    }
    switch answer {
    case .passes: return true
    case .breaks: return false
    case .unknown: return fork(to: Int32(next), environment, reason, rule) ? true : nil
    }
  }

  /// Adds an end that a chain can come to while alternatives are followed.
  mutating func collect(_ end: End, _ environment: Environment) {
    switch end {
    case .accept: ends.accepting.insert(environment)
    case .drop: ends.drops = true
    case .reject(let rejection): ends.rejections.insert(rejection)
    case .policy:
      if chainPolicyDrops { ends.drops = true } else { ends.accepting.insert(environment) }
    case .unknown, .rewritten: ends.isIncomplete = true
    case .joined: break
    }
  }

  /// Every end that a chain, or a hook, can come to.
  struct Ends {
    var accepting: Set<Environment> = []
    var drops = false
    var rejections: Set<Int32> = []
    /// Not every way was followed to its end.
    var isIncomplete = false

    var areAllDropping: Bool {
      accepting.isEmpty && !isIncomplete && (drops || !rejections.isEmpty)
    }
    var areAllAccepting: Bool {
      !accepting.isEmpty && !drops && rejections.isEmpty && !isIncomplete
    }
  }

  /// Follows every way through one base chain.
  mutating func explore(
    chain: Int, _ packet: borrowing Packet, _ start: Environment, hook: Hook
  ) {
    isExploring = true
    chainPolicyDrops = program.chains[chain].isPolicyDrop
    visited.removeAll(keepingCapacity: true)
    alternatives.removeAll(keepingCapacity: true)
    alternatives.append(
      Alternative(position: program.chains[chain].start, returns: [], environment: start))
    while let way = alternatives.popLast() {
      guard visited.count < Self.explorationLimit, alternatives.count < Self.explorationLimit else {
        note(fixedReasons.budget, -1)
        ends.isIncomplete = true
        break
      }
      returns = way.returns
      var environment = way.environment
      let end = follow(way, packet, &environment, hook: hook)
      collect(end, environment)
    }
    isExploring = false
  }
}
