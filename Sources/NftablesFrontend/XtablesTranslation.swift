internal import Rulesets

/// Which of libxtables' translations are relied on.
///
/// nft asks libxtables for the text of an extension, and not every text says all that the extension
/// does: it leaves out what it has no words for, and prints nothing where the extension is not
/// installed. A translation is relied on only if the extension is known and each of them shows in
/// the rule by the statements that it must have become.
///
/// Source: iptables 1.8.9, the `xlate` functions of extensions/, held against the kernel's
/// net/netfilter/xt_*.c.
struct XtablesTranslation {
  /// The rule as nft's JSON lists it, without the extensions.
  let listed: [Statement]
  /// The rule as it was told again.
  let retold: [Statement]
  let family: Family

  /// Why the translation of a rule with these extensions is not relied on; nil where it is.
  func doubt(about extensions: [XtablesExtension]) -> String? {
    guard let verdicts = decisions(of: listed), let translated = decisions(of: retold) else {
      return "a part of its translation is not covered"
    }
    var expected = verdicts
    for name in extensions where name.kind == .target {
      if let decision = Self.decision(of: name.name) { expected.append(decision) }
    }
    // A prefix of LOG may hold quotes and whole statements; a target may be missing.
    guard translated == expected else { return "its translation decides otherwise than the rule" }
    for name in Set(extensions) {
      let count = extensions.count { $0 == name }
      if let doubt = doubt(about: name, count: count) { return doubt }
    }
    return nil
  }

  /// What ends a rule, as far as a rule of iptables can have it.
  private enum Decision: Hashable {
    case verdict(Verdict)
    case reject
    case translate(Translation.Kind)
    case divert
  }

  /// The decisions of a rule in order; nil where a statement is not covered.
  private func decisions(of statements: [Statement]) -> [Decision]? {
    var list: [Decision] = []
    for statement in statements {
      switch statement {
      case .verdict(let verdict): list.append(.verdict(verdict))
      case .reject: list.append(.reject)
      case .translate(let translation): list.append(.translate(translation.kind))
      case .diverts: list.append(.divert)
      case .unmodelled: return nil
      case .match, .verdictMap, .gate, .object, .mangle, .notrack, .setUpdate, .inert, .duplicate:
        break
      }
    }
    return list
  }

  private static func decision(of target: String) -> Decision? {
    switch target {
    case "REJECT": .reject
    case "DNAT": .translate(.destination)
    case "SNAT": .translate(.source)
    case "MASQUERADE": .translate(.masquerade)
    case "REDIRECT": .translate(.redirect)
    case "NFQUEUE": .divert
    default: nil
    }
  }

  private func doubt(about name: XtablesExtension, count: Int) -> String? {
    let quoted = "the translation of the \(name.kind.rawValue) `\(name.name)`"
    let unknown = "\(quoted) is not relied on"
    let missing = "\(quoted) is missing"
    switch (name.kind, name.name) {
    case (.match, "comment"): return nil
    case (.match, "conntrack"), (.match, "state"):
      let added = added { field in
        if case .connection(let key) = field { key.key != .mark } else { false }
      }
      guard added.count >= count else { return missing }
      return added.contains(where: isDoubtfulConnection) ? unknown : nil
    case (.match, "multiport"):
      // The inversion of `--ports`, which becomes a concatenation, is not translated.
      let added = added { Self.isPort($0) }
      if added.contains(where: isConcatenation) { return unknown }
      return added.count >= count ? nil : missing
    case (.match, "tcp"), (.match, "udp"):
      let added = added { field in
        if case .payload(let payload) = field { payload.base == .transport } else { false }
      }
      return added.count >= count ? nil : missing
    case (.match, "addrtype"):
      // With `--src-type` a `--dst-type` beside it is not translated. IPv6 has types of its own.
      let added = added { field in
        guard case .environment(let field) = field, case .fib(let inputs, "type") = field.source
        else { return false }
        return inputs.first == "daddr"
      }
      guard added.count >= max(count, 1) else { return unknown }
      return family == .ip || added.allSatisfy(isLocalOnly) ? nil : unknown
    case (.match, "mac"): return isAdded(count, "ether saddr") ? nil : missing
    case (.match, "limit"): return gateCount(retold) >= gateCount(listed) + count ? nil : missing
    case (.match, "owner"):
      // Where a packet has no socket, an inverted match holds, and nft's BREAKs.
      let added = added { $0 == .meta(.userID) || $0 == .meta(.groupID) }
      guard added.count >= count else { return missing }
      return added.contains(where: { $0.operator != .equal }) ? unknown : nil
    case (.match, "icmp"):
      return isAdded(count, "icmp type") || isAdded(count, "ip protocol") ? nil : missing
    case (.match, "icmp6"): return isAdded(count, "icmpv6 type") ? nil : missing
    case (.match, "iprange"):
      return isAdded(count, "ip saddr", "ip daddr", "ip6 saddr", "ip6 daddr") ? nil : missing
    case (.match, "mark"): return isAdded(count) { $0 == .meta(.mark) } ? nil : missing
    case (.match, "connmark"):
      return isAdded(count) {
        if case .connection(let key) = $0 { key.key == .mark } else { false }
      }
        ? nil : missing
    case (.match, "pkttype"): return isAdded(count) { $0 == .meta(.packetType) } ? nil : missing
    case (.match, "length"): return isAdded(count) { $0 == .meta(.length) } ? nil : missing
    case (.match, "ttl"): return isAdded(count, "ip ttl") ? nil : missing
    case (.match, "hl"): return isAdded(count, "ip6 hoplimit") ? nil : missing
    case (.match, "dscp"): return isAdded(count, "ip dscp", "ip6 dscp") ? nil : missing
    case (.match, "statistic"):
      // Of `--mode nth` the packet that is counted first differs.
      return isAdded(max(count, 1)) { $0 == .meta(.random) } ? nil : unknown
    case (.target, "LOG"), (.target, "NFLOG"):
      let logs = retold.count {
        if case .inert(let text) = $0 { text.hasPrefix("log") } else { false }
      }
      return logs >= count ? nil : missing
    case (.target, "REJECT"), (.target, "DNAT"), (.target, "SNAT"), (.target, "MASQUERADE"),
      (.target, "REDIRECT"), (.target, "NFQUEUE"):
      return nil
    case (.target, "MARK"):
      return changes { $0 == .meta(.mark) } >= count ? nil : missing
    case (.target, "CONNMARK"): return doubtAboutConnectionMark(count, missing, unknown)
    case (.target, "TCPMSS"):
      return changes { if case .option = $0 { true } else { false } } >= count ? nil : missing
    case (.target, "DSCP"):
      let wanted = family == .ip6 ? "ip6 dscp" : "ip dscp"
      return changes { Self.name(of: $0) == wanted } >= count ? nil : missing
    case (.target, "CT"), (.target, "NOTRACK"):
      return retold.contains(.notrack) ? nil : unknown
    default: return unknown
    }
  }

  /// Whether a statement has a form that a translation takes which is not exact.
  static func isDoubtful(_ statement: Statement, family: Family) -> Bool {
    let translation = XtablesTranslation(listed: [], retold: [statement], family: family)
    for match in ["multiport", "addrtype", "owner", "conntrack", "statistic"] {
      let name = XtablesExtension(kind: .match, name: match)
      // Without a count nothing is missing, so that only the form is judged.
      let isThere = !translation.added { Self.isOf(match, $0) }.isEmpty
      if isThere, translation.doubt(about: name, count: 0) != nil { return true }
    }
    let mark = XtablesExtension(kind: .target, name: "CONNMARK")
    return translation.changes { Self.isConnectionMark($0) } > 0
      && translation.doubt(about: mark, count: 0) != nil
  }

  /// Whether a rule does something, as it does with a target.
  static func hasEnd(_ statements: [Statement]) -> Bool {
    statements.contains { statement in
      switch statement {
      case .match, .gate: false
      case .inert(let text): text.hasPrefix("log")
      case .verdict, .verdictMap, .reject, .object, .mangle, .notrack, .translate, .setUpdate,
        .duplicate, .diverts, .unmodelled:
        true
      }
    }
  }

  private static func isConnectionMark(_ field: Field) -> Bool {
    if case .connection(let key) = field { key.key == .mark } else { false }
  }

  /// Whether a match of this name may have become a comparison of the field.
  private static func isOf(_ match: String, _ field: Field) -> Bool {
    switch field {
    case .payload: return match == "multiport" && isPort(field)
    case .meta(let key):
      return match == "owner" && (key == .userID || key == .groupID)
    case .connection(let key): return match == "conntrack" && key.key != .mark
    case .environment(let field):
      switch field.source {
      case .fib(_, "type"): return match == "addrtype"
      case .numberGenerator: return match == "statistic"
      case .fib, .route, .socket, .osf, .ipsec, .hash: return false
      }
    case .extensionHeader, .option: return false
    }
  }

  // MARK: - What shows in the rule

  /// Matches of the retold rule that read a field, without those that are listed as such; empty
  /// where the listed ones are not all found again.
  private func added(_ isWanted: (Field) -> Bool) -> [Match] {
    var after = matches(retold, isWanted)
    for match in matches(listed, isWanted) {
      guard let index = after.firstIndex(of: match) else { return [] }
      after.remove(at: index)
    }
    return after
  }

  private func isAdded(_ count: Int, _ isWanted: (Field) -> Bool) -> Bool {
    added(isWanted).count >= count
  }

  private func isAdded(_ count: Int, _ names: String...) -> Bool {
    added { field in Self.name(of: field).map { names.contains($0) } ?? false }.count >= count
  }

  private func matches(_ statements: [Statement], _ isWanted: (Field) -> Bool) -> [Match] {
    statements.compactMap { statement in
      guard case .match(let match) = statement, match.left.fields.contains(where: isWanted) else {
        return nil
      }
      return match
    }
  }

  private static func name(of field: Field) -> String? {
    if case .payload(let payload) = field { payload.name } else { nil }
  }

  private static func isPort(_ field: Field) -> Bool {
    guard let name = name(of: field) else { return false }
    return name.hasSuffix(" sport") || name.hasSuffix(" dport")
  }

  private func isConcatenation(_ match: Match) -> Bool {
    if case .concatenation = match.left { true } else { false }
  }

  private func gateCount(_ statements: [Statement]) -> Int {
    statements.count { if case .gate = $0 { true } else { false } }
  }

  private func changes(_ isWanted: (Field) -> Bool) -> Int {
    retold.count { statement in
      if case .mangle(let selector, _) = statement { isWanted(selector.field) } else { false }
    }
  }

  /// The states SNAT and DNAT become the status alone, whatever state stands beside them; times
  /// are rounded.
  private func isDoubtfulConnection(_ match: Match) -> Bool {
    match.left.fields.contains { field in
      guard case .connection(let key) = field else { return false }
      switch key.key {
      case .state, .direction, .sourceAddress, .destinationAddress, .sourcePort, .destinationPort,
        .transportProtocol, .networkProtocol:
        return false
      case .status, .mark, .expiration, .helper, .label, .bytes, .packets, .zone, .id, .eventmask,
        .secmark, .averagePacket:
        return true
      }
    }
  }

  /// For IPv6 the extension asks for all of several types at once; the local one is the same.
  private func isLocalOnly(_ match: Match) -> Bool { match.right == .value(2) }

  /// Masks of CONNMARK are not translated as the kernel applies them.
  private func doubtAboutConnectionMark(
    _ count: Int, _ missing: String, _ unknown: String
  ) -> String? {
    var found = 0
    for statement in retold {
      guard case .mangle(let selector, let value) = statement else { continue }
      let isMark =
        if case .connection(let key) = selector.field { key.key == .mark } else {
          selector.field == .meta(.mark)
        }
      guard isMark else { continue }
      found += 1
      switch value {
      case .constant: break
      // A mark that becomes itself is what some masks are folded to.
      case .selector(let source): if source.field == selector.field { return unknown }
      case .masked, .shifted, .concatenation, .lookup, .unmodelled: return unknown
      }
    }
    return found >= count ? nil : missing
  }
}

extension Expression {
  /// The fields that the value is made of.
  fileprivate var fields: [Field] {
    switch self {
    case .selector(let selector): [selector.field]
    case .masked(let inner, _, _), .shifted(let inner, _, _): inner.fields
    case .concatenation(let parts): parts.flatMap(\.fields)
    case .lookup(let key, _): key.fields
    case .constant, .unmodelled: []
    }
  }
}
