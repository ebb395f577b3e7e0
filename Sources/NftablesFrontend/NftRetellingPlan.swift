internal import Rulesets

/// The commands that have losses told again.
struct NftRetellingPlan {
  /// A chain of a table, by the table's number.
  struct Place: Hashable {
    var table: Int
    var chain: String
  }

  /// What became of a loss.
  struct Rewriting {
    /// The chain whose rules it is.
    var chain: String
    var ruleCount: Int
    /// Chains that had no name inside it.
    var anonymous: [NftAnonymousChains.NamedChain]
  }

  /// Rewritings by the number of the loss; a loss whose text does not end has none.
  private(set) var rewritings: [Int: Rewriting] = [:]

  private let ruleset: Ruleset
  private let types: [NftListingText.Name: String]
  private let prefix: String
  private var rules: [(part: Int, text: String)] = []
  private var words: [Int: Set<Substring>] = [:]

  /// - Parameters:
  ///   - ruleset: What was read so far.
  ///   - types: The types of sets where text tells them.
  ///   - prefix: What the names of all chains begin with that are made up.
  init(ruleset: Ruleset, types: [NftListingText.Name: String], prefix: String) {
    self.ruleset = ruleset
    self.types = types
    self.prefix = prefix
  }

  /// Adds what a loss needs; its part has the loss's number.
  mutating func add(_ loss: NftLoss, number: Int) {
    let chain = "\(prefix)\(number)"
    guard let text = loss.text, let named = NftAnonymousChains(in: text, prefix: chain) else {
      return
    }
    let variants = Self.guards(loss, ruleset.tables[loss.table].family)
    rewritings[number] = Rewriting(
      chain: chain, ruleCount: variants.count, anonymous: named.chains)
    words[loss.table, default: []].formUnion(Self.words(of: text))
    let place = "\(name(of: loss.table)) "
    for name in [chain] + named.chains.map(\.name) {
      rules.append((number, "add chain \(place)\(name)"))
    }
    for chain in named.chains {
      for rule in chain.rules { rules.append((number, "add rule \(place)\(chain.name) \(rule)")) }
    }
    for variant in variants {
      rules.append((number, "add rule \(place)\(chain) \(variant)\(named.rule)"))
    }
  }

  /// All commands; those that declare what rules name have parts of their own.
  var commands: [(part: Int, text: String)] {
    var list: [(part: Int, text: String)] = []
    var part = -1
    func declare(_ text: String) {
      list.append((part, text))
      part -= 1
    }
    for table in words.keys.sorted() {
      for text in declarations(of: table) { declare(text) }
    }
    return list + rules
  }

  private func name(of table: Int) -> String {
    "\(ruleset.tables[table].family.rawValue) \(ruleset.tables[table].name)"
  }

  /// What stands before a rule that is told again.
  ///
  /// The xtables matches of transport headers hold for no fragment but a first one; nft's own do not
  /// look. Source: net/netfilter/xt_tcpudp.c, xt_multiport.c.
  private static func guards(_ loss: NftLoss, _ family: Family) -> [String] {
    let transport: Set<String> = ["tcp", "udp", "multiport", "icmp", "icmp6"]
    guard loss.extensions.contains(where: { $0.kind == .match && transport.contains($0.name) })
    else { return [""] }
    switch family {
    case .ip: return ["ip frag-off & 0x1fff == 0 "]
    case .ip6: return ["exthdr frag missing ", "frag frag-off 0 "]
    case .inet, .arp, .bridge, .netdev: return [""]
    }
  }

  /// The words of a text, where names may be among them.
  private static func words(of text: String) -> Set<Substring> {
    Set(text.split { !($0.isLetter || $0.isNumber || "_-./\\@".contains($0)) })
  }

  /// The table, and what rules told again name of it: chains and objects without contents.
  private func declarations(of index: Int) -> [String] {
    let table = ruleset.tables[index]
    let words = self.words[index] ?? []
    let name = self.name(of: index)
    var list = ["add table \(name)"]
    for chain in table.chains where chain.base == nil && words.contains(Substring(chain.name)) {
      list.append("add chain \(name) \(chain.name)")
    }
    for set in table.sets where words.contains("@\(set.name)") {
      list.append(declaration(of: set, table))
    }
    for object in table.objects where words.contains(Substring(object.name)) {
      guard let body = Self.body(of: object.kind) else { continue }
      list.append("add \(object.kind.rawValue) \(name) \(object.name) \(body)")
    }
    return list
  }

  /// A set of the same type; its other properties do not show in the rules that name it.
  private func declaration(of set: NamedSet, _ table: Table) -> String {
    let contents = set.contents
    var type = "type " + RulesetPrinter.typeNames(contents.keyTypes)
    switch contents.dataKind {
    case .verdict: type += " : verdict"
    case .object(let kind): type += " : \(kind.rawValue)"
    case .values(let types): type += " : " + RulesetPrinter.typeNames(types)
    case nil: break
    }
    let name = NftListingText.Name(family: table.family, table: table.name, chain: set.name)
    type = types[name] ?? type
    // A set that rules change must be one that can be changed.
    let flags: String
    switch contents.dataKind {
    case .verdict, .object: flags = ""
    case .values, nil: flags = " flags dynamic,timeout;"
    }
    let kind = contents.dataKind == nil ? "set" : "map"
    return "add \(kind) \(table.family.rawValue) \(table.name) \(set.name) { \(type);\(flags) }"
  }

  private static func body(of kind: StatefulObject.Kind) -> String? {
    switch kind {
    case .counter: "{ packets 0 bytes 0; }"
    case .quota: "{ over 1 bytes; }"
    case .limit: "{ rate 1/second; }"
    case .ctTimeout: "{ protocol tcp; policy = { established : 100 }; }"
    case .ctExpectation: "{ protocol tcp; dport 1; timeout 1s; size 1; }"
    case .ctHelper: "{ type \"ftp\" protocol tcp; }"
    case .synproxy: "{ mss 1460; wscale 7; }"
    case .secmark, .tunnel: nil
    }
  }
}
