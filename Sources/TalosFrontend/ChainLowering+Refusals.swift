internal import Addresses
internal import Rulesets

// What the kernel does not take.
extension ChainLowering {
  /// The rules that the kernel does not take from this version, in order.
  ///
  /// Up to 1.12.4 the end of a range was written as the number after it, and the number after the
  /// highest is none: the kernel answers EINVAL (siderolabs/talos#12890).
  package func refusals(of chains: [ChainSpecification]) -> [Refusal] {
    if features.loadsRangesToTheEnd { return [] }
    var refusals: [Refusal] = []
    for (chainIndex, chain) in chains.enumerated() {
      for (ruleIndex, rule) in chain.rules.enumerated() {
        if let range = unfinishedRange(of: rule) {
          refusals.append(Refusal(chain: chainIndex, rule: ruleIndex, range: range))
        }
      }
    }
    return refusals
  }

  /// The text of the first range that ends at the highest number of its kind.
  private func unfinishedRange(of specification: ChainRuleSpecification) -> String? {
    for rule in rules(of: specification) {
      for case .match(let match) in rule.statements {
        guard case .set(.anonymous(let contents)) = match.right, let type = contents.keyTypes.first
        else { continue }
        let highest: UInt128
        switch type {
        case .ipv4Address: highest = IPFamily.ipv4.highestAddress
        case .ipv6Address: highest = IPFamily.ipv6.highestAddress
        case .port, .integer(bits: 16): highest = UInt128(UInt16.max)
        // Sets of other types have no ranges.
        default: continue
        }
        for case let interval? in contents.elements.map(\.key.first)
        where interval.upper == highest {
          return ValuePrinter.text(interval, type)
        }
      }
    }
    return nil
  }

  /// A table that may drop any packet where the one that was asked for drops some.
  func refusedTable(_ chains: [ChainSpecification], _ refusal: Refusal) -> Table {
    let cause = chains[refusal.chain].rules[refusal.rule]
    let dropping = chains.filter { chain in
      chain.policy == .drop || chain.rules.contains { $0.decision == .drop }
    }
    return Table(
      family: .inet, name: ChainSpecification.tableName,
      chains: dropping.map { chain in
        Chain(
          name: chain.name,
          base: BaseChain(kind: chain.kind, hook: chain.hook, priority: chain.priority),
          rules: [
            Rule(
              statements: [.verdict(.drop)],
              certainty: .possible(reason: Self.refusalReason(refusal.range)),
              provenance: cause.provenance)
          ])
      })
  }

  static func refusalReason(_ range: String) -> String {
    "the kernel refuses the range \(range) from this version of Talos, and no rule is loaded"
  }

  /// How many netlink messages it takes to load the rules of `chains`: one for each rule and two
  /// for each set.
  ///
  /// Before 1.13.9 some 270 messages were too many for the kernel's buffers
  /// (siderolabs/talos#14001).
  package func messageCount(of chains: [ChainSpecification]) -> Int {
    chains.reduce(0) { total, chain in
      total
        + chain.rules.reduce(0) { count, specification in
          count
            + rules(of: specification).reduce(0) { rules, rule in
              rules + 1 + 2 * rule.statements.count { $0.looksUpAnonymousSet }
            }
        }
    }
  }
}

extension Statement {
  fileprivate var looksUpAnonymousSet: Bool {
    if case .match(let match) = self, case .set(.anonymous) = match.right { true } else { false }
  }
}
