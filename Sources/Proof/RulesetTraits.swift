internal import Addresses
internal import PacketSets
internal import Rulesets

/// What a ruleset does at all, so that a walk may leave out what it does not.
extension RulesetWalk {
  /// The hooks at which something runs, and those at which connections are looked up before it.
  func hooksThatMatter(_ hooks: [Hook], _ family: IPFamily) -> [Hook] {
    if hasTranslations {
      // The kernel translates at each of these, whether a chain stands there or not.
      return hooks.filter { ![.ingress, .egress].contains($0) || hasBaseChains(at: $0, family) }
    }
    guard let last = hooks.lastIndex(where: { hasBaseChains(at: $0, family) }) else { return [] }
    return hooks[...last].filter {
      $0 == .prerouting || $0 == .output || hasBaseChains(at: $0, family)
    }
  }

  private func hasBaseChains(at hook: Hook, _ family: IPFamily) -> Bool {
    ruleset.tables.contains { table in
      let isSeen =
        hook == .ingress || hook == .egress
        ? table.family == .netdev || table.family == .inet : table.family.covers(family)
      return !table.isDormant && isSeen && table.chains.contains { $0.base?.hook == hook }
    }
  }

  /// Whether some bridge chain could stop a frame.
  var mayFilterBridgedFrames: Bool {
    ruleset.tables.contains { table in
      table.family == .bridge && !table.isDormant
        && table.chains.contains { chain in
          guard let base = chain.base else { return false }
          return base.policy == .drop || !chain.rules.isEmpty
        }
    }
  }

  /// Whether some rule takes packets out of tracking, translates them or moves their zone.
  static func connectionsChange(in ruleset: Ruleset) -> Bool {
    ruleset.tables.contains { table in
      table.chains.contains { chain in
        chain.rules.contains { rule in
          rule.statements.contains { statement in
            switch statement {
            case .notrack, .translate, .unmodelled: true
            case .mangle(let selector, _):
              if case .connection = selector.field { true } else { false }
            case .match, .verdict, .verdictMap, .reject, .gate, .object, .setUpdate, .inert,
              .duplicate, .diverts:
              false
            }
          }
        }
      }
    }
  }

  /// Whether some rule translates addresses.
  static func translates(_ ruleset: Ruleset) -> Bool {
    ruleset.tables.contains { table in
      table.chains.contains { chain in
        chain.rules.contains { rule in
          rule.statements.contains { statement in
            if case .translate = statement { true } else { false }
          }
        }
      }
    }
  }
}
