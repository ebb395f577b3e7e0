import Addresses
import Rulesets

/// Rules in few words, as `nft` lists them in a table of family inet.
enum RulesetBuilder {
  static func addresses(
    _ isSource: Bool, _ prefixes: [String], isNegated: Bool = false
  ) -> Statement {
    let intervals = prefixes.compactMap { try? IPPrefix(reading: $0) }
    precondition(intervals.count == prefixes.count, "a prefix is misspelt")
    let isIPv4 = intervals.first?.family != .ipv6
    let field =
      isIPv4
      ? PayloadField(
        base: .network, bitOffset: isSource ? 96 : 128, bitLength: 32, type: .ipv4Address,
        name: isSource ? "ip saddr" : "ip daddr")
      : PayloadField(
        base: .network, bitOffset: isSource ? 64 : 192, bitLength: 128, type: .ipv6Address,
        name: isSource ? "ip6 saddr" : "ip6 daddr")
    let left = Expression.selector(
      Selector(.payload(field), requiring: [isIPv4 ? .ipv4 : .ipv6]))
    return .match(
      Match(
        left, isNegated ? .notEqual : .equal, operand(intervals.map(\.interval), field.type)))
  }

  static func port(_ intervals: [ClosedRange<UInt16>], _ transport: UInt8) -> Statement {
    let field = PayloadField(
      base: .transport, bitOffset: 16, bitLength: 16, type: .port,
      name: transport == 6 ? "tcp dport" : "udp dport")
    let left = Expression.selector(
      Selector(.payload(field), requiring: [.transport(transport)]))
    let values = intervals.map { Interval(UInt128($0.lowerBound), UInt128($0.upperBound)) }
    return .match(Match(left, .equal, operand(values, .port)))
  }

  static func meta(_ key: MetaKey, _ values: [UInt128], isNegated: Bool = false) -> Statement {
    .match(
      Match(
        .selector(Selector(.meta(key))), isNegated ? .notEqual : .equal,
        operand(values.map { Interval($0) }, key.type)))
  }

  static func input(_ names: String...) -> Statement {
    meta(.inputName, names.compactMap { InterfaceName($0)?.rawValue })
  }

  /// `ct state`, as bits: established 2, related 4, new 8, invalid 1.
  static func state(_ bits: UInt128) -> Statement {
    let key = ConnectionKey(key: .state, type: .connectionState)
    return .match(Match(.selector(Selector(.connection(key))), .anyBit, .value(bits)))
  }

  static func limit(_ packets: UInt64) -> Statement {
    .gate(
      .limit(
        text: "limit rate \(packets)/second",
        rate: Gate.Rate(amount: packets, isBytes: false, seconds: 1, burst: packets), over: false))
  }

  static func rule(_ statements: Statement...) -> Rule { Rule(statements: statements) }

  private static func operand(_ given: [Interval], _ type: DataType) -> Match.Operand {
    // The kernel holds no set whose elements overlap; those that only touch stay two.
    let overlap = given.indices.contains { index in
      given[..<index].contains { $0.overlaps(given[index]) }
    }
    let intervals = overlap ? IntervalSet(given).intervals : given
    if intervals.count == 1 {
      return intervals[0].lower == intervals[0].upper
        ? .value(intervals[0].lower) : .range(intervals[0])
    }
    return .set(
      .anonymous(
        SetContents(keyTypes: [type], elements: intervals.map { SetElement(key: [$0]) })))
  }

  static func ruleset(
    hook: Hook = .input, priority: Int = 0, policy: BaseChain.Policy = .drop, _ rules: [Rule],
    calling others: [Rule] = []
  ) -> Ruleset {
    var chains = [
      Chain(
        name: "base",
        base: BaseChain(kind: .filter, hook: hook, priority: priority, policy: policy),
        rules: rules)
    ]
    if !others.isEmpty { chains.append(Chain(name: "called", rules: others)) }
    return Ruleset(tables: [Table(family: .inet, name: "t", chains: chains)])
  }
}
