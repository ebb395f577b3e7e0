/// Draws rulesets over what the model covers.
///
/// What is left out, and why: see the target's README.
struct RulesetGenerator {
  var draw: Draw
  var pool: ValuePool
  /// Whether packets leave something behind that later ones meet: limits, changed sets, numbers.
  let isStateful: Bool

  private(set) var tree = RulesetTree(tables: [])
  /// The named sets and maps of the table at hand: name, its fields' texts and what it maps to.
  var sets: [SetPlan] = []
  var objects: [(kind: String, name: String)] = []
  /// The chains that the rule at hand may go to.
  var targets: [String] = []

  struct SetPlan {
    var name: String
    var fields: [RuleField]
    var data: ValueKind?
    var isVerdicts = false
    var isDynamic = false
  }

  init(seed: UInt64) {
    draw = Draw(seed: seed)
    isStateful = draw.chance(20)
    pool = ValuePool(&draw)
  }

  mutating func ruleset() -> RulesetTree {
    for number in 0..<draw.pick(weighted: [(6, 1), (4, 2), (1, 3)]) {
      let family = draw.pick(weighted: [(8, "ip"), (6, "ip6"), (12, "inet"), (3, "netdev")])
      tree.tables.append(table(family, "t\(number)"))
    }
    return tree
  }

  private mutating func table(_ family: String, _ name: String) -> RulesetTree.Table {
    var table = RulesetTree.Table(family: family, name: name, isDormant: draw.chance(5))
    sets = []
    objects = []
    if draw.chance(40) {
      for number in 0..<draw.number(0...2) {
        let (kind, text) = object()
        objects.append((kind, "o\(number)"))
        table.objects.append((kind, "o\(number)", text))
      }
    }
    let plainChains = (0..<draw.number(0...3)).map { "c\($0)" }
    // Any chain but the last may go by a set's verdicts, so those go to the last.
    targets = plainChains.suffix(1)
    for number in 0..<draw.pick(weighted: [(4, 0), (4, 1), (3, 2), (1, 3)]) {
      if let set = namedSet("s\(number)", family) { table.sets.append(set) }
    }
    targets = plainChains
    // Chains are registered in another order than they run in, now and then.
    for number in 0..<draw.number(1...3) {
      table.chains.append(baseChain(family, "b\(number)"))
      if draw.chance(12), let twin = twin(of: table.chains[number], family) {
        table.chains[number].rules.insert([Clause(twin.mark)], at: 0)
        table.chains.append(twin.chain)
        break
      }
    }
    for (number, name) in plainChains.enumerated() {
      // A chain goes only to later ones, so that no walk runs in a circle.
      targets = Array(plainChains.dropFirst(number + 1))
      let place = RulePlace(family: family, hook: "any", isNat: false)
      let rules = (0..<draw.number(1...4)).map { _ in rule(place) }
      table.chains.append(RulesetTree.Chain(name: name, base: nil, rules: rules))
    }
    return table
  }

  /// Where a rule stands.
  struct RulePlace {
    var family: String
    /// `any` in a chain that rules of several hooks may go to.
    var hook: String
    var isNat: Bool
  }

  private mutating func baseChain(_ family: String, _ name: String) -> RulesetTree.Chain {
    if family == "netdev" || family == "inet" && draw.chance(8) {
      return ingressChain(family, name)
    }
    let isNat = draw.chance(12)
    let hook =
      isNat
      ? draw.pick(["prerouting", "input", "output", "postrouting"])
      : draw.pick(
        weighted: [
          (5, "prerouting"), (6, "input"), (6, "forward"), (4, "output"), (4, "postrouting"),
        ])
    let type: String
    let priority: Int
    if isNat {
      type = "nat"
      priority = draw.pick(hook == "prerouting" || hook == "output" ? [-100, -90] : [100, 110])
    } else {
      type = hook == "output" && draw.chance(10) ? "route" : "filter"
      priority = draw.pick(weighted: [
        (8, 0), (2, -1), (2, 10), (2, -150), (2, -300), (1, -250), (1, 300), (1, 150),
      ])
    }
    let policy = draw.chance(20) ? "drop" : "accept"
    targets = isNat ? [] : targets
    let place = RulePlace(family: family, hook: hook, isNat: isNat)
    let rules = (0..<draw.number(1...5)).map { _ in rule(place) }
    return RulesetTree.Chain(
      name: name, base: "type \(type) hook \(hook) priority \(priority); policy \(policy);",
      rules: rules)
  }

  /// A chain that sees the frames of one device or of several, before all else.
  private mutating func ingressChain(_ family: String, _ name: String) -> RulesetTree.Chain {
    let devices = draw.some(1...3, of: ["eth0", "eth0", "eth1", "wg0", "lo"])
    let names = devices.enumerated().filter { !devices[..<$0].contains($1) }.map { $1 }
    let place = RulePlace(family: family, hook: "ingress", isNat: false)
    let rules = (0..<draw.number(1...5)).map { _ in rule(place) }
    let device =
      names.count == 1
      ? "device \(names[0])" : "devices = { \(names.joined(separator: ", ")) }"
    let priority = draw.pick(weighted: [(4, 0), (2, -500), (2, 10), (1, -1)])
    let policy = draw.chance(12) ? "drop" : "accept"
    return RulesetTree.Chain(
      name: name,
      base: "type filter hook ingress \(device) priority \(priority); policy \(policy);",
      rules: rules)
  }

  /// A chain at the same place as another, and what the other does that it asks for.
  private mutating func twin(
    of chain: RulesetTree.Chain, _ family: String
  ) -> (chain: RulesetTree.Chain, place: RulePlace, mark: String)? {
    guard let base = chain.base, base.contains("type filter") else { return nil }
    let words = base.split(separator: " ")
    guard let hook = words.firstIndex(of: "hook") else { return nil }
    let place = RulePlace(family: family, hook: String(words[hook + 1]), isNat: false)
    let sign = draw.pick(["", "!= "])
    let rules = [
      [Clause("meta mark \(sign)0x2a"), Clause(draw.pick(["drop", "accept", "drop"]))],
      rule(place),
    ]
    return (
      RulesetTree.Chain(name: "twin", base: base, rules: rules), place, "meta mark set 0x2a"
    )
  }

  private mutating func object() -> (String, String) {
    guard isStateful, draw.chance(70) else { return ("counter", "") }
    if draw.chance(50) {
      let over = draw.chance(50) ? "over " : ""
      return ("quota", "\(over)\(draw.number(1...4_000)) bytes")
    }
    let over = draw.chance(50) ? "over " : ""
    return ("limit", "rate \(over)\(draw.number(1...3))/hour burst \(draw.number(1...20)) packets")
  }

  /// What a rule is about: packets of one protocol, or any.
  struct Theme {
    var network: RuleField.Network
    var transport: RuleField.Transport
  }

  mutating func theme(_ family: String) -> Theme {
    var theme: Theme
    switch family {
    case "ip": theme = Theme(network: .ipv4, transport: .any)
    case "ip6": theme = Theme(network: .ipv6, transport: .any)
    default:
      theme = Theme(
        network: draw.pick(weighted: [(3, .any), (3, .ipv4), (2, .ipv6)]), transport: .any)
    }
    theme.transport = draw.pick(weighted: [
      (8, .any), (9, .tcp), (6, .udp), (1, .sctp), (1, .udplite), (4, .icmp), (4, .icmpv6),
      (1, .ah), (1, .esp), (1, .dccp), (5, .none),
    ])
    if theme.transport == .icmp, theme.network == .ipv6 { theme.transport = .icmpv6 }
    if theme.transport == .icmpv6, theme.network == .ipv4 { theme.transport = .icmp }
    if theme.transport == .icmp { theme.network = .ipv4 }
    if theme.transport == .icmpv6 { theme.network = .ipv6 }
    return theme
  }

  /// The fields that rules of a theme can ask for.
  func fields(_ theme: Theme, _ place: RulePlace) -> [(Int, RuleField)] {
    var all = FieldCatalogue.network + FieldCatalogue.transport + FieldCatalogue.meta
    // nft takes what it can infer out of the listing, and the other way round a rule that says
    // both lists like one that says one; so nothing is said twice.
    if place.family == "inet" || place.family == "netdev", theme.network == .any {
      all += FieldCatalogue.families
    }
    return all.compactMap { field in
      guard field.network == .any || field.network == theme.network else { return nil }
      guard field.transport == .any || field.transport == theme.transport else { return nil }
      if let hooks = field.hooks, !hooks.contains(place.hook) { return nil }
      let isOwn = field.transport == theme.transport && theme.transport != .any
      return (field.weight * (isOwn ? 3 : 1), field)
    }
  }

  mutating func rule(_ place: RulePlace) -> [RulesetTree.Clause] {
    let theme = theme(place.family)
    let fields = fields(theme, place)
    var clauses: [RulesetTree.Clause] = []
    var said: Set<String> = []
    for _ in 0..<draw.pick(weighted: [(2, 0), (8, 1), (6, 2), (2, 3)]) {
      let field = draw.pick(weighted: fields)
      guard said.insert(field.text).inserted else { continue }
      clauses.append(match(field, fields, place))
    }
    if draw.chance(25) { clauses.append(side(theme, place, fields)) }
    if draw.chance(15) {
      let field = draw.pick(weighted: fields)
      if said.insert(field.text).inserted { clauses.append(match(field, fields, place)) }
    }
    if let end = end(theme, place, fields) { clauses.append(end) }
    if clauses.isEmpty { clauses.append(RulesetTree.Clause("counter")) }
    return clauses
  }
}
