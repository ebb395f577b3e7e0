extension RulesetGenerator {
  /// A statement that does not decide.
  mutating func side(
    _ theme: Theme, _ place: RulePlace, _ fields: [(Int, RuleField)]
  ) -> Clause {
    if isStateful, draw.chance(60), let gate = gate(fields) { return gate }
    switch draw.number(0...12) {
    case 0...1: return Clause(draw.pick(["counter", "log prefix \"fuzz\" group 7", "counter"]))
    case 2...4: return markSetting(fields)
    case 5:
      return draw.chance(50)
        ? Clause("ct mark set meta mark") : Clause("ct mark set \(markConstant())")
    case 6: return Clause("meta mark set ct mark")
    case 7 where place.hook == "prerouting" || place.hook == "output": return Clause("notrack")
    case 8, 9: return mangling(theme) ?? markSetting(fields)
    case 10:
      if let counter = objects.first(where: { $0.kind == "counter" }) {
        return Clause("counter name \"\(counter.name)\"")
      }
      return Clause("counter")
    case 11 where place.hook == "prerouting" || place.hook == "ingress":
      return Clause("meta pkttype set \(draw.pick(["host", "broadcast", "other"]))")
    default: return Clause("meta priority set 1:2")
    }
  }

  private mutating func markConstant() -> String {
    constant(RuleField(text: "meta mark", kind: .mark))
  }

  private mutating func markSetting(_ fields: [(Int, RuleField)]) -> Clause {
    switch draw.number(0...5) {
    case 0: return Clause("meta mark set meta mark | \(markConstant())")
    case 1: return Clause("meta mark set meta mark & \(markConstant())")
    case 2: return Clause("meta mark set meta mark ^ \(markConstant())")
    case 3:
      return map(to: .mark, fields, before: "meta mark set")
        ?? Clause("meta mark set \(markConstant())")
    default: return Clause("meta mark set \(markConstant())")
    }
  }

  /// Writes a field of the packet.
  private mutating func mangling(_ theme: Theme) -> Clause? {
    var choices: [RuleField] = []
    let names: [String]
    switch theme.network {
    case .ipv4: names = ["ip ttl", "ip dscp", "ip saddr", "ip daddr", "ip ecn", "ip id"]
    case .ipv6: names = ["ip6 hoplimit", "ip6 dscp", "ip6 saddr", "ip6 daddr", "ip6 ecn"]
    case .any: names = []
    }
    choices += FieldCatalogue.network.filter { names.contains($0.text) }
    let own: [String]
    switch theme.transport {
    case .tcp:
      own = ["tcp dport", "tcp sport", "tcp flags", "tcp option maxseg size", "tcp window"]
    case .udp: own = ["udp dport", "udp sport"]
    // Of one octet that ICMP begins with, the listing tells neither its name nor its protocol.
    case .any, .icmp, .icmpv6, .sctp, .udplite, .ah, .esp, .dccp, .none: own = []
    }
    choices += FieldCatalogue.transport.filter { own.contains($0.text) }
    guard !choices.isEmpty else { return nil }
    let field = draw.pick(choices)
    return Clause("\(field.text) set \(single(field))")
  }

  /// A statement that passes or not by what came before.
  private mutating func gate(_ fields: [(Int, RuleField)]) -> Clause? {
    let over = draw.chance(50) ? "over " : ""
    switch draw.number(0...6) {
    case 0:
      return Clause(
        "limit rate \(over)\(draw.number(1...3))/hour burst \(draw.number(1...20)) packets")
    case 1: return Clause("quota \(over)\(draw.number(1...4_000)) bytes")
    case 2:
      let modulus = draw.number(2...5)
      return Clause(
        "numgen inc mod \(modulus) \(draw.pick(["<", "==", "!="])) \(draw.number(0...modulus - 1))")
    case 3: return Clause("ct count \(over)\(draw.number(0...2))")
    case 4:
      guard let object = objects.first(where: { $0.kind != "counter" }) else { return nil }
      return Clause("\(object.kind) name \"\(object.name)\"")
    default:
      let dynamic = fitting(fields) { $0.isDynamic }
      guard !dynamic.isEmpty else { return nil }
      let plan = draw.pick(dynamic)
      let inner =
        draw.chance(25) ? " limit rate \(over)1/hour burst \(draw.number(1...3)) packets" : ""
      let operation = draw.pick(["add", "update", "add", "delete"])
      return Clause(
        "\(operation) @\(plan.name) { \(Self.key(plan.fields))\(operation == "delete" ? "" : inner) }"
      )
    }
  }

  /// What a rule ends with; nil where it ends with nothing.
  mutating func end(
    _ theme: Theme, _ place: RulePlace, _ fields: [(Int, RuleField)]
  ) -> Clause? {
    if place.isNat, draw.chance(70) { return translation(theme, place, fields) }
    if draw.chance(14), let map = verdictMap(fields) { return map }
    if !targets.isEmpty, draw.chance(25) {
      return Clause("\(draw.pick(["jump", "jump", "goto"])) \(draw.pick(targets))")
    }
    switch draw.number(0...20) {
    case 0...6: return Clause("drop")
    case 7...12: return Clause("accept")
    case 13, 14: return Clause("return")
    case 15: return Clause("continue")
    case 16, 17: return rejection(theme, place)
    default: return nil
    }
  }

  private mutating func rejection(_ theme: Theme, _ place: RulePlace) -> Clause {
    guard ["input", "forward", "output", "prerouting", "ingress"].contains(place.hook), !place.isNat
    else {
      return Clause("drop")
    }
    var forms = ["reject"]
    if theme.transport == .tcp { forms += ["reject with tcp reset"] }
    if theme.network == .ipv4 {
      forms += ["reject with icmp type port-unreachable", "reject with icmp type admin-prohibited"]
    }
    if theme.network == .ipv6 {
      forms += ["reject with icmpv6 type no-route", "reject with icmpv6 type admin-prohibited"]
    }
    if place.family == "inet" || place.family == "netdev", theme.network == .any {
      forms += ["reject with icmpx type host-unreachable", "reject with icmpx type no-route"]
    }
    return Clause(draw.pick(forms))
  }

  private mutating func translation(
    _ theme: Theme, _ place: RulePlace, _ fields: [(Int, RuleField)]
  ) -> Clause? {
    let hasPorts =
      switch theme.transport {
      case .tcp, .udp, .sctp: true
      default: false
      }
    let isSource = place.hook == "postrouting" || place.hook == "input"
    let port =
      hasPorts && draw.chance(50) ? ":\(constant(RuleField(text: "tcp dport", kind: .port)))" : ""
    // A port is rewritten only where the rule says which protocol has it.
    let guardian =
      port.isEmpty
      ? "" : "meta l4proto \(theme.transport == .tcp ? 6 : theme.transport == .udp ? 17 : 132) "
    if place.hook == "postrouting", draw.chance(40) {
      return Clause("\(guardian)masquerade\(port.isEmpty ? "" : " to \(port)")")
    }
    if !isSource, draw.chance(30) {
      return Clause("\(guardian)redirect\(port.isEmpty ? "" : " to \(port)")")
    }
    let word = isSource ? "snat" : "dnat"
    let family: String
    let kind: ValueKind
    switch theme.network {
    case .ipv4: (family, kind) = ("ip", .ipv4)
    case .ipv6: (family, kind) = ("ip6", .ipv6)
    case .any: (family, kind) = draw.chance(60) ? ("ip", .ipv4) : ("ip6", .ipv6)
    }
    let stated = place.family == "inet" ? " \(family)" : ""
    if kind == .ipv4, draw.chance(20),
      let map = map(to: .ipv4, fields, before: "\(word)\(stated) to")
    {
      return map
    }
    let field = RuleField(text: "address", kind: kind)
    let address = constant(field)
    let text = kind == .ipv6 && !port.isEmpty ? "[\(address)]" : address
    return Clause("\(guardian)\(word)\(stated) to \(text)\(port)")
  }
}
