internal import Addresses
internal import Rulesets

/// For which families connection tracking runs.
///
/// The kernel turns it on per family when a rule that needs it is loaded
/// (net/netfilter/nf_conntrack_proto.c, `nf_ct_netns_get`); without it `nat` chains are never
/// entered.
struct Tracking: Sendable {
  private(set) var ipv4 = false
  private(set) var ipv6 = false

  init(_ ruleset: Ruleset) {
    for table in ruleset.tables {
      let both = Family.allCases.filter { $0 == table.family }
      for object in table.objects {
        switch object.kind {
        case .ctHelper, .ctTimeout, .ctExpectation, .synproxy: mark(both)
        case .counter, .quota, .limit, .secmark, .tunnel: continue
        }
      }
      for chain in table.chains {
        for rule in chain.rules {
          for statement in rule.statements { visit(statement, table.family) }
        }
      }
    }
  }

  func runs(for family: IPFamily) -> Bool { family == .ipv4 ? ipv4 : ipv6 }

  private mutating func mark(_ families: [Family]) {
    for family in families {
      if family.covers(.ipv4) { ipv4 = true }
      if family.covers(.ipv6) { ipv6 = true }
    }
  }

  private mutating func visit(_ statement: Statement, _ family: Family) {
    switch statement {
    case .match(let match):
      visit(match.left, family)
      switch match.right {
      case .expression(let right): visit(right, family)
      case .value, .range, .values, .set: break
      }
    case .verdictMap(let key, _): visit(key, family)
    case .mangle(let selector, let value):
      visit(.selector(selector), family)
      visit(value, family)
    case .translate(let translation):
      // `dnat ip to` in an inet table turns on IPv4 alone.
      if translation.requiring.contains(.ipv4) {
        ipv4 = ipv4 || family.covers(.ipv4)
      } else if translation.requiring.contains(.ipv6) {
        ipv6 = ipv6 || family.covers(.ipv6)
      } else {
        mark([family])
      }
      for value in translation.values { visit(value, family) }
    case .gate(.connectionCount): mark([family])
    case .object(.synproxy, _), .object(.ctHelper, _), .object(.ctTimeout, _),
      .object(.ctExpectation, _):
      mark([family])
    case .setUpdate(let update):
      visit(update.key, family)
      if let data = update.data { visit(data, family) }
      if update.gates.contains(where: { if case .connectionCount = $0 { true } else { false } }) {
        mark([family])
      }
    case .object(_, .mapped(let key, _)): visit(key, family)
    case .object(_, .named), .gate, .verdict, .reject, .notrack, .inert, .duplicate, .diverts,
      .unmodelled:
      break
    }
  }

  private mutating func visit(_ expression: Expression, _ family: Family) {
    switch expression {
    case .selector(let selector):
      if case .connection = selector.field { mark([family]) }
    case .masked(let inner, _, _), .shifted(let inner, _, _): visit(inner, family)
    case .concatenation(let parts): for part in parts { visit(part, family) }
    case .lookup(let key, _): visit(key, family)
    case .constant, .unmodelled: break
    }
  }
}
