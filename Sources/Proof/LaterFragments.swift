internal import Addresses
internal import Rulesets

/// Fragments after the first carry no transport header, so whatever reads one BREAKs.
///
/// Source: net/netfilter/nft_payload.c, `nft_payload_eval`, which takes nothing from the transport
/// header of a packet with a fragment offset.
enum LaterFragments {
  /// Connection tracking puts fragments together at this priority (`NF_IP_PRI_CONNTRACK_DEFRAG`).
  private static let reassembly = -400

  /// Whether fragments can come to a hook as such on either side.
  static func mayMeet(_ old: Ruleset, _ new: Ruleset, at hook: Hook) -> Bool {
    if hook == .ingress || hook == .egress { return true }
    for ruleset in [old, new] {
      let tracking = Tracking(ruleset)
      guard tracking.runs(for: .ipv4), tracking.runs(for: .ipv6) else { return true }
      let early = HookForm.places(in: ruleset) { _, base in
        base.hook == hook && base.priority <= reassembly
      }
      if !early.isEmpty { return true }
    }
    return false
  }

  /// The ruleset as fragments after the first meet it.
  static func ruleset(_ ruleset: Ruleset) -> Ruleset {
    var ruleset = ruleset
    for table in ruleset.tables.indices {
      for chain in ruleset.tables[table].chains.indices {
        for rule in ruleset.tables[table].chains[chain].rules.indices {
          let statements = ruleset.tables[table].chains[chain].rules[rule].statements
          ruleset.tables[table].chains[chain].rules[rule].statements = statements.map {
            $0.readsTransport ? never : $0
          }
        }
      }
    }
    return ruleset
  }

  /// A register in which every packet has a fragment offset, in units of eight octets (RFC 791 §3.1).
  static var register: DimensionRegister {
    var register = DimensionRegister()
    let words = (0..<UInt128(8)).map { flags in
      Interval(flags << 13 | 1, flags << 13 | 0x1FFF)
    }
    _ = register.field("ip frag-off", domain: IntervalSet(words))
    return register
  }

  private static let never = Statement.match(
    Match(.constant(0, .boolean), .equal, .value(1)))
}

extension Statement {
  /// Whether the statement ends its rule where there is no transport header.
  fileprivate var readsTransport: Bool {
    switch self {
    case .match(let match):
      if match.left.readsTransport { return true }
      if case .expression(let right) = match.right { return right.readsTransport }
      return false
    case .verdictMap(let key, _), .object(_, .mapped(let key, _)): return key.readsTransport
    case .mangle(let selector, let value):
      return Expression.selector(selector).readsTransport || value.readsTransport
    case .setUpdate(let update): return update.key.readsTransport
    case .translate(let translation):
      return [translation.address, translation.port].contains { $0?.readsTransport == true }
    case .reject(_, let requiring): return requiring.contains { $0.readsTransport }
    case .verdict, .gate, .object(_, .named), .notrack, .inert, .duplicate, .diverts, .unmodelled:
      return false
    }
  }
}

extension Expression {
  fileprivate var readsTransport: Bool {
    switch self {
    case .constant, .unmodelled: return false
    case .selector(let selector):
      if selector.requiring.contains(where: { $0.readsTransport }) { return true }
      switch selector.field {
      case .payload(let field): return field.base == .transport || field.base == .inner
      case .option(let header):
        switch header.holder {
        // Whether there is an option reads 0 where there is no header to hold one.
        case .tcpOption, .sctpChunk, .dccpOption: return header.reading != .presence
        case .ipv4Option, .ipv6Extension: return false
        }
      case .meta, .connection, .extensionHeader, .environment: return false
      }
    case .masked(let operand, _, _), .shifted(let operand, _, _): return operand.readsTransport
    case .concatenation(let parts): return parts.contains { $0.readsTransport }
    case .lookup(let key, _): return key.readsTransport
    }
  }
}

extension Guard {
  fileprivate var readsTransport: Bool {
    switch self {
    case .icmpType, .icmpv6Type: true
    case .ipv4, .ipv6, .transport, .ethernetInput, .etherType, .possibly, .possiblyOfProtocol:
      false
    }
  }
}
