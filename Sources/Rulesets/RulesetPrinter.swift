private import Addresses

/// Prints a whole ruleset as text that `nft -f` loads, as far as the model covers it.
package struct RulesetPrinter: Sendable {
  /// Why a part of a ruleset cannot be written as text that loads.
  package struct Gap: Hashable, Sendable {
    package var place: String
    package var reason: String
  }

  /// What of `ruleset` nft could not load as printed, in order.
  package static func gaps(in ruleset: Ruleset) -> [Gap] {
    var gaps: [Gap] = []
    for table in ruleset.tables {
      let place = "table \(table.family.rawValue) \(table.name)"
      for set in table.sets {
        let types = set.contents.keyTypes + set.contents.dataTypes
        if types.contains(where: { name(of: $0) == nil }) {
          gaps.append(
            Gap(place: "\(place), set \(set.name)", reason: "its type has no name of its own"))
        }
      }
      for object in table.objects {
        switch object.kind {
        case .counter: break
        case .quota, .limit:
          if object.gate == nil {
            gaps.append(Gap(place: "\(place), \(object.name)", reason: "its rate is not covered"))
          }
        case .ctHelper, .ctTimeout, .ctExpectation, .synproxy, .secmark, .tunnel:
          gaps.append(
            Gap(
              place: "\(place), \(object.name)",
              reason: "the model keeps only the name of a \(object.kind.rawValue)"))
        }
      }
      for chain in table.chains {
        if let base = chain.base, base.hook == .ingress || base.hook == .egress,
          base.devices?.isEmpty ?? true
        {
          gaps.append(
            Gap(place: "\(place), chain \(chain.name)", reason: "its device is not known"))
        }
        for rule in chain.rules {
          for unmodelled in rule.unmodelled where !isDiverting(unmodelled, in: rule) {
            gaps.append(
              Gap(place: "\(place), chain \(chain.name)", reason: unmodelled.reason))
          }
        }
      }
      if !table.flowtables.isEmpty {
        gaps.append(Gap(place: place, reason: "the model keeps only the name of a flowtable"))
      }
    }
    return gaps
  }

  /// Statements that divert a packet print as nft text of their own.
  private static func isDiverting(_ unmodelled: Unmodelled, in rule: Rule) -> Bool {
    rule.statements.contains { statement in
      if case .diverts(let diverted) = statement { return diverted == unmodelled }
      return false
    }
  }

  package init() {}

  package func text(of ruleset: Ruleset) -> String {
    ruleset.tables.map { text(of: $0) }.joined(separator: "\n")
  }

  package func text(of table: Table) -> String {
    var lines = ["table \(table.family.rawValue) \(table.name) {"]
    if table.isDormant { lines.append("  flags dormant") }
    for object in table.objects { lines += self.lines(of: object) }
    let printer = RulePrinter(table)
    for set in table.sets { lines += self.lines(of: set, printer) }
    for chain in table.chains {
      lines.append("  chain \(chain.name) {")
      if let base = chain.base { lines.append("    \(text(of: base))") }
      for rule in chain.rules {
        lines.append("    \(printer.text(of: rule.withoutImpliedFamily(in: table.family)))")
      }
      lines.append("  }")
    }
    lines.append("}")
    return lines.joined(separator: "\n") + "\n"
  }

  /// The line that makes a chain a base chain: `type filter hook input priority 0; policy drop;`.
  package func text(of base: BaseChain) -> String {
    var text = "type \(base.kind.rawValue) hook \(base.hook.rawValue)"
    if let devices = base.devices, !devices.isEmpty {
      let names = devices.map { "\"\($0)\"" }.joined(separator: ", ")
      text += devices.count == 1 ? " device \(names)" : " devices = { \(names) }"
    }
    return "\(text) priority \(base.priority); policy \(base.policy.rawValue);"
  }

  private func lines(of object: StatefulObject) -> [String] {
    let body: String
    switch object.kind {
    case .counter: body = "packets 0 bytes 0"
    case .limit, .quota:
      guard let gate = object.gate else { return [] }
      // The gate's text begins with the statement's name, which the object's head already says.
      body = String(gate.text.dropFirst(object.kind.rawValue.count + 1))
    case .ctHelper, .ctTimeout, .ctExpectation, .synproxy, .secmark, .tunnel: return []
    }
    return ["  \(object.kind.rawValue) \(object.name) {", "    \(body)", "  }"]
  }

  private func lines(of set: NamedSet, _ printer: RulePrinter) -> [String] {
    let contents = set.contents
    var type = Self.typeNames(contents.keyTypes)
    switch contents.dataKind {
    case .verdict: type += " : verdict"
    case .values(let types):
      let hasRanges = contents.elements.contains { element in
        if case .ranges = element.data { true } else { false }
      }
      type += " : \(hasRanges ? "interval " : "")\(Self.typeNames(types))"
    case .object(let kind): type += " : \(kind.rawValue)"
    case nil: break
    }
    var lines = [
      "  \(contents.dataKind == nil ? "set" : "map") \(set.name) {", "    type \(type)",
    ]
    if let size = set.size { lines.append("    size \(size)") }
    var flags: [String] = []
    let hasRanges = contents.elements.contains { element in
      element.key.contains { $0.lower != $0.upper }
    }
    if hasRanges { flags.append("interval") }
    if set.isDynamic, !hasRanges { flags.append("dynamic") }
    if set.hasTimeout { flags.append("timeout") }
    if !flags.isEmpty { lines.append("    flags \(flags.joined(separator: ","))") }
    if !contents.elements.isEmpty || contents.hasCatchAll {
      lines.append("    elements = \(printer.text(of: contents))")
    }
    return lines + ["  }"]
  }

  /// The type of a key or of a map's data: `ipv4_addr . inet_service`.
  package static func typeNames(_ types: [DataType]) -> String {
    types.map { name(of: $0) ?? "integer" }.joined(separator: " . ")
  }

  /// nft's name of a data type; nil where it has none outside `typeof`.
  static func name(of type: DataType) -> String? {
    switch type {
    case .ipv4Address: "ipv4_addr"
    case .ipv6Address: "ipv6_addr"
    case .etherAddress: "ether_addr"
    case .interfaceName: "ifname"
    case .interfaceIndex: "iface_index"
    case .interfaceType: "iface_type"
    case .mark: "mark"
    case .port: "inet_service"
    case .transportProtocol: "inet_proto"
    case .networkProtocol: "nf_proto"
    case .etherType: "ether_type"
    case .icmpType: "icmp_type"
    case .icmpv6Type: "icmpv6_type"
    case .icmpCode: "icmp_code"
    case .icmpv6Code: "icmpv6_code"
    case .icmpxCode: "icmpx_code"
    case .tcpFlags: "tcp_flag"
    case .dscp: "dscp"
    case .ecn: "ecn"
    case .connectionState: "ct_state"
    case .connectionStatus: "ct_status"
    case .connectionDirection: "ct_dir"
    case .connectionLabel: "ct_label"
    case .packetType: "pkt_type"
    case .userID: "uid"
    case .groupID: "gid"
    case .realm: "realm"
    case .classID: "classid"
    case .time: "time"
    case .day: "day"
    case .hour: "hour"
    case .fibAddressType: "fib_addrtype"
    case .boolean: "boolean"
    case .string: nil
    case .integer: nil
    }
  }
}

extension Guard {
  /// Whether this is a guard, or may be it where the listing does not tell.
  fileprivate func mayTest(_ family: Guard) -> Bool {
    if case .possibly = self { true } else { self == family }
  }
}

extension Rule {
  /// The rule with a test of the protocol before fields of ICMP that are read in both families.
  ///
  /// For `icmp type` alone nft tests the family too where a table has both; after
  /// `meta l4proto icmp` it does not. Where a listing does not tell which it was, the rule is printed
  /// as it was listed.
  fileprivate func withoutImpliedFamily(in family: Family) -> Rule {
    switch family {
    case .inet, .bridge, .netdev: break
    case .ip, .ip6, .arp: return self
    }
    var rule = self
    rule.statements = []
    var tested: Set<UInt8> = []
    for statement in statements {
      if case .match(let match) = statement {
        if case .selector(let selector) = match.left, selector.field == .meta(.l4proto),
          match.operator == .equal, case .value(let value) = match.right
        {
          tested.insert(UInt8(truncatingIfNeeded: value))
        }
        let protocols: [(number: UInt8, family: Guard)] = [(1, .ipv4), (58, .ipv6)]
        for (number, family) in protocols
        where match.left.guards.contains(.transport(number))
          && !match.left.guards.contains(where: { $0.mayTest(family) })
          && tested.insert(number).inserted
        {
          rule.statements.append(
            .match(
              Match(.selector(Selector(.meta(.l4proto))), .equal, .value(UInt128(number)))))
        }
      }
      rule.statements.append(statement)
    }
    return rule
  }
}
