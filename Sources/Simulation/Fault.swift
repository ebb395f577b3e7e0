#if FAULTS
internal import Rulesets

/// A deliberate mistake of the simulator, for asking whether the comparison with the kernel finds
/// it; there is none of this in the tool.
package enum Fault: String, Hashable, Sendable, CaseIterable {
  /// `!=` also holds where the packet has another protocol.
  case negationFlipsGuard = "negation-flips-guard"
  /// What is missing is unequal to everything, instead of ending the rule.
  case breakIsFalse = "break-is-false"
  /// Chains behind one that accepts do not run.
  case acceptIsFinal = "accept-is-final"
  /// Of chains with one priority the oldest runs first.
  case equalPriorityReversed = "equal-priority-reversed"
  case rangeEndExclusive = "range-end-exclusive"
  case gotoIsJump = "goto-is-jump"
  case jumpIsGoto = "jump-is-goto"
  case policyIgnored = "policy-ignored"
  case verdictMapMissGoesOn = "verdict-map-miss-goes-on"
  /// `tcp flags syn` asks for syn alone.
  case anyBitIsEquality = "any-bit-is-equality"
  case dropIsNotFinal = "drop-is-not-final"
  /// `!= { … }` is read as `{ … }`.
  case setNegationLost = "set-negation-lost"
  case synAckIsNew = "syn-ack-is-new"
  /// Rules before the lookup see its result.
  case stateKnownTooEarly = "state-known-too-early"
  /// The forward hook sees the packet as it came in.
  case hopLimitKept = "hop-limit-kept"
  /// Packets that begin no connection meet nat chains too.
  case allMeetTranslation = "all-meet-translation"
  /// Rules behind a translation see the old addresses.
  case translationUnseen = "translation-unseen"
  /// Chains of devices never run.
  case ingressUnseen = "ingress-unseen"
  case dormantRuns = "dormant-runs"
  /// Connections that others began are new.
  case earlierUnseen = "earlier-unseen"

  /// The mistake that simulators make which are built in the scope.
  @TaskLocal package static var switchedOn: Fault?
}

extension Program {
  /// Makes the mistakes that are in what a ruleset is compiled to.
  mutating func apply(_ fault: Fault) {
    if fault == .policyIgnored {
      for chain in chains.indices { chains[chain].isPolicyDrop = false }
    }
    if fault == .rangeEndExclusive {
      for set in sets.indices {
        for index in sets[set].uppers.indices
        where sets[set].uppers[index] > sets[set].lowers[index] {
          sets[set].uppers[index] -= 1
        }
      }
    }
    for position in instructions.indices {
      instructions[position] = faulty(instructions[position], at: position, fault)
    }
  }

  private mutating func faulty(
    _ instruction: Instruction, at position: Int, _ fault: Fault
  ) -> Instruction {
    switch (fault, instruction) {
    case (.negationFlipsGuard, .require), (.negationFlipsGuard, .requireFamily),
      (.negationFlipsGuard, .requireTransport):
      // An instruction that does nothing stands for the guard.
      return isNegated(after: position) ? .alterOther : instruction
    case (.rangeEndExclusive, .matchOctetRange(let field, let isNegated, let lower, let upper)):
      return .matchOctetRange(field, isNegated: isNegated, lower: lower, upper: upper - 1)
    case (.rangeEndExclusive, .inRange(_, _, let constant)):
      let upper = Int(constant) + 1
      if constants[upper] > constants[Int(constant)] { constants[upper] -= 1 }
      return instruction
    case (.gotoIsJump, .goto(let target)): return .jump(target)
    case (.jumpIsGoto, .jump(let target)): return .goto(target)
    case (.verdictMapMissGoesOn, .verdictMap(let set, _)):
      if !sets[Int(set)].hasCatchAll {
        sets[Int(set)].hasCatchAll = true
        sets[Int(set)].catchAllVerdict = .continue
      }
      return instruction
    case (.anyBitIsEquality, .compare(let register, .anyBit, let constant)):
      return .compare(register, .equal, constant: constant)
    case (.anyBitIsEquality, .matchOctets(let field, .anyBit, let value)):
      return .matchOctets(field, .equal, value)
    case (.dropIsNotFinal, .drop): return .accept
    case (.setNegationLost, .lookup(let set, let first, true)):
      return .lookup(set: set, first: first, isNegated: false)
    default: return instruction
    }
  }

  /// Whether the comparison that follows is a negated one.
  private func isNegated(after position: Int) -> Bool {
    for instruction in instructions[(position + 1)...] {
      switch instruction {
      case .matchOctets(_, let comparison, _), .compare(_, let comparison, _):
        return comparison == .notEqual
      case .matchOctetRange(_, let isNegated, _, _), .inRange(_, let isNegated, _),
        .lookup(_, _, let isNegated):
        return isNegated
      case .require, .requireFamily, .requireTransport, .load, .masked, .shifted, .constant,
        .copy, .alterOther:
        continue
      default: return false
      }
    }
    return false
  }
}
#endif
