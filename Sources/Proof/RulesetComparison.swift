internal import Addresses
internal import PacketSets
package import Rulesets

/// Holds two rulesets against each other, hook by hook, for every packet.
///
/// ```swift
/// var comparison = RulesetComparison(live, wanted)
/// switch comparison.result() { … }
/// ```
package struct RulesetComparison {
  private let old: Ruleset
  private let new: Ruleset
  private var naming: SharedStateNaming
  private let hasCommonState: Bool
  private let translates: Bool
  private var register = DimensionRegister()

  package init(_ old: Ruleset, _ new: Ruleset) {
    self.old = old
    self.new = new
    naming = SharedStateNaming(old, new)
    hasCommonState = old.hasCommonState || new.hasCommonState
    translates = RulesetWalk.translates(old) || RulesetWalk.translates(new)
  }

  /// What two walks over the same packets come to.
  enum Finding {
    case same
    case different(Equivalence.Difference)
    case unknown([String])
    /// Other packets come to gates that were taken for one.
    case parted(Set<String>)
  }

  /// Whether the rulesets treat every packet alike.
  package mutating func result() -> Equivalence {
    // Each round takes at least one gate for two, so there are no more rounds than gates.
    while true {
      switch round() {
      case .same: return .equivalent
      case .different(let difference): return .different(difference)
      case .unknown(let reasons): return .notKnown(reasons: reasons)
      case .parted(let names): naming.part(names)
      }
    }
  }

  private mutating func round() -> Finding {
    let hooks = Self.order.filter { hook in
      !HookForm.places(in: old) { $1.hook == hook }.isEmpty
        || !HookForm.places(in: new) { $1.hook == hook }.isEmpty
    }
    let differing = hooks.filter { !areOfOneForm(at: $0) }
    let asked = hasCommonState && !differing.isEmpty ? hooks : differing
    var reasons: [String] = []
    for hook in asked {
      switch compare(at: hook) {
      case .same: continue
      case .different(let difference): return .different(difference)
      case .parted(let names): return .parted(names)
      case .unknown(let because):
        for reason in because where !reasons.contains(reason) { reasons.append(reason) }
      }
    }
    if let reason = unwalkedDifference { reasons.append(reason) }
    return reasons.isEmpty ? .same : .unknown(reasons)
  }

  /// The hooks in the order in which a reader asks about them.
  private static let order: [Hook] = [
    .input, .forward, .output, .prerouting, .postrouting, .ingress, .egress,
  ]

  private func areOfOneForm(at hook: Hook) -> Bool {
    let form = HookForm(hook, of: old)
    return form.tellsAll && form == HookForm(hook, of: new)
  }

  /// What differs where no walk goes: chains for frames and for ARP, helpers of connections.
  private var unwalkedDifference: String? {
    for family in [Family.bridge, .arp] {
      let left = HookForm(old) { of, _ in of == family }
      if left != HookForm(new, where: { of, _ in of == family }) || !left.tellsAll {
        return "chains of family \(family.rawValue) are not followed"
      }
    }
    if old.helpers != new.helpers { return "helpers and timeouts of connections differ" }
    return nil
  }

  /// One hook: as a whole, then chain by chain where that does not tell.
  private mutating func compare(at hook: Hook) -> Finding {
    let whole = compare(old, new, at: hook)
    let isWhole = if case .same = whole { !translates } else { true }
    if isWhole, case .unknown = whole {} else if isWhole { return whole }
    let parts = compareChains(at: hook)
    if case .same = parts { return .same }
    if case .parted = parts { return parts }
    if case .unknown = whole { return whole }
    return .unknown(["address translation between chains of \(hook.rawValue)"])
  }

  /// Chain by chain: where each does the same, and they run in one order, so does the hook.
  private mutating func compareChains(at hook: Hook) -> Finding {
    let isMeant = { (family: Family, base: BaseChain) in
      base.hook == hook && family != .bridge && family != .arp
    }
    let left = HookForm.places(in: old, where: isMeant)
    let right = HookForm.places(in: new, where: isMeant)
    let forms = (HookForm(hook, of: old).entries, HookForm(hook, of: new).entries)
    guard left.count == right.count, left.count > 1, !hasCommonState else {
      return .unknown([])
    }
    for index in left.indices {
      let one = forms.0[index]
      let two = forms.1[index]
      guard one.table == two.table, left[index].base.priority == right[index].base.priority,
        left[index].base.kind == right[index].base.kind
      else { return .unknown([]) }
      if one == two, one.chain.gaps.isEmpty { continue }
      guard left[index].base.kind == .filter else { return .unknown([]) }
      let finding = compare(
        old.isolating(table: left[index].table, chain: left[index].chain),
        new.isolating(table: right[index].table, chain: right[index].chain), at: hook)
      switch finding {
      case .same: continue
      case .different, .unknown: return .unknown([])
      case .parted: return finding
      }
    }
    return .same
  }

  /// Holds two rulesets against each other at one hook.
  private mutating func compare(_ old: Ruleset, _ new: Ruleset, at hook: Hook) -> Finding {
    var reasons: [String] = []
    let fragments = LaterFragments.mayMeet(old, new, at: hook)
    for isLaterFragment in fragments ? [false, true] : [false] {
      var left = RulesetWalk(isLaterFragment ? LaterFragments.ruleset(old) : old)
      var right = RulesetWalk(isLaterFragment ? LaterFragments.ruleset(new) : new)
      left.shared = SharedState(gates: naming.gates.old, answers: naming.answers)
      right.shared = SharedState(gates: naming.gates.new, answers: naming.answers)
      register = isLaterFragment ? LaterFragments.register : DimensionRegister()
      for question in HookQuestion.all(at: hook) {
        switch compare(&left, &right, question, isLaterFragment: isLaterFragment) {
        case .same: continue
        case .unknown(let because):
          for reason in because where !reasons.contains(reason) { reasons.append(reason) }
        case .different(let difference): return .different(difference)
        case .parted(let names): return .parted(names)
        }
      }
    }
    return reasons.isEmpty ? .same : .unknown(reasons)
  }

  private mutating func compare(
    _ left: inout RulesetWalk, _ right: inout RulesetWalk, _ question: HookQuestion,
    isLaterFragment: Bool
  ) -> Finding {
    register.forgetVariables()
    left.shared?.forgetArrivals()
    right.shared?.forgetArrivals()
    let (olds, oldOverflow) = left.parts(of: question, &register)
    let (news, newOverflow) = right.parts(of: question, &register)
    if let overflow = oldOverflow ?? newOverflow { return .unknown([overflow]) }
    let gates = GateCheck(question: question, register: register)
    let parted = gates.differing(left.shared, right.shared)
    if !parted.isEmpty { return .parted(parted) }
    let pairing = PartPairing(question: question, register: register)
    switch pairing.finding(olds, news) {
    case .same: return .same
    case .unknown(let reasons): return .unknown(reasons)
    case .different(let pair):
      guard !isLaterFragment else {
        return .unknown(["fragments after the first are treated differently"])
      }
      return .different(pairing.difference(of: pair))
    }
  }
}

extension Ruleset {
  /// What rules give connections besides a verdict, in order.
  fileprivate var helpers: [String] {
    var texts: [String] = []
    for table in tables {
      let printer = RulePrinter(table)
      for chain in table.chains {
        for rule in chain.rules {
          for case .object(let kind, let reference) in rule.statements {
            switch kind {
            case .counter, .quota, .limit: continue
            case .ctHelper, .ctTimeout, .ctExpectation, .synproxy, .secmark, .tunnel:
              texts.append(printer.text(of: .object(kind, reference)))
            }
          }
        }
      }
    }
    return texts
  }
}
