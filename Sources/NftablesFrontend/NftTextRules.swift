package import Diagnostics
package import Rulesets

/// Where the rules of nft text stand: for each chain the places of its rules, in their order.
///
/// nft loads text, and lists what the kernel made of it; this finds the lines that the rules of the
/// listing came from. It knows the shape of the language and not its expressions, so that it need
/// not follow what nft learns. What it does not follow (rules placed by handle, files that cannot be
/// found) makes the chains concerned *not known*, and their rules keep their places in the listing.
///
/// ```swift
/// let rules = NftTextRules(inFile: file, of: &sources) { path in … }
/// rules.cite(in: &ruleset)
/// ```
package struct NftTextRules: Sendable {
  struct ChainName: Hashable {
    var family: Family
    var table: String
    var chain: String
  }

  /// One rule, and as much of it as tells it from its neighbours.
  struct TextRule: Hashable {
    /// From the first word of the rule to its last, whatever comment of the text follows.
    var span: SourceSpan
    /// The comment that belongs to the rule: `comment "ssh"`.
    var comment: String?
    var verdicts: Verdicts = []
    /// The rules of each chain without a name that stands in it (`jump { … }`).
    var blocks: [[TextRule]] = []
  }

  /// The verdicts that stand in a rule itself, not in one of its maps.
  struct Verdicts: OptionSet, Hashable {
    let rawValue: UInt8
    static let accept = Verdicts(rawValue: 1)
    static let drop = Verdicts(rawValue: 2)
    static let `continue` = Verdicts(rawValue: 4)
    static let `return` = Verdicts(rawValue: 8)
    static let jump = Verdicts(rawValue: 16)
    static let goto = Verdicts(rawValue: 32)
    static let reject = Verdicts(rawValue: 64)
  }

  var chains: [ChainName: [TextRule]] = [:]
  /// What the text does to them is not followed.
  var unknownChains: Set<ChainName> = []
  var unknownTables: Set<ChainName> = []
  var isUnknown = false

  /// Finds the rules of a text that nft takes.
  ///
  /// - Parameters:
  ///   - file: The text's number in `sources`.
  ///   - sources: The files; takes those that are included.
  ///   - loading: Gives the files that are included by a path in the text, which may be a pattern,
  ///     in the order in which nft reads them, under the names that they are shown by; nil where
  ///     they are not known.
  package init(
    inFile file: Int, of sources: inout SourceMap, loading: (_ path: String) -> [SourceFile]?
  ) {
    var scanner = NftTextScanner(sources[file].bytes, file: file)
    scanner.scan(including: { path in
      loading(path)?.map { ($0.bytes, sources.add($0)) }
    })
    chains = scanner.rules.chains
    unknownChains = scanner.rules.unknownChains
    unknownTables = scanner.rules.unknownTables
    isUnknown = scanner.rules.isUnknown
  }

  init() {}

  /// The places of a chain's rules, or nil where they are not known.
  ///
  /// - Parameters:
  ///   - family: The table's family.
  ///   - table: The table's name.
  ///   - chain: The chain's name.
  /// - Returns: The places in the order of the rules; empty for a chain that is not in the text.
  package func spans(family: Family, table: String, chain: String) -> [SourceSpan]? {
    rules(of: ChainName(family: family, table: table, chain: chain))?.map(\.span)
  }

  func rules(of name: ChainName) -> [TextRule]? {
    let table = ChainName(family: name.family, table: name.table, chain: "")
    if isUnknown || unknownTables.contains(table) || unknownChains.contains(name) { return nil }
    return chains[name] ?? []
  }
}

// Places in the text instead of places in the listing.
extension NftTextRules {
  /// Makes the rules of the ruleset that nft listed of the text point into the text.
  ///
  /// A chain whose rules in the text are not as many as the listing has, or differ from them in a
  /// comment or a verdict, keeps its places in the listing: no rule points to a line of another.
  package func cite(in ruleset: inout Ruleset) {
    for table in ruleset.tables.indices {
      let (family, name) = (ruleset.tables[table].family, ruleset.tables[table].name)
      for chain in ruleset.tables[table].chains.indices
      where !ruleset.tables[table].chains[chain].isAnonymous {
        let chainName = ruleset.tables[table].chains[chain].name
        guard let rules = rules(of: ChainName(family: family, table: name, chain: chainName))
        else { continue }
        cite(rules, chain: chain, in: &ruleset.tables[table])
      }
    }
  }

  private func cite(_ rules: [TextRule], chain index: Int, in table: inout Table) {
    let chain = table.chains[index]
    // A rule without a handle is a doubt about the chain, and no rule of the listing; those of a
    // chain without a name are listed without theirs.
    let listed = chain.rules.indices.filter {
      chain.isAnonymous || chain.rules[$0].handle != nil
    }
    guard listed.count == rules.count else { return }
    for (index, rule) in zip(listed, rules) {
      guard rule.comment == chain.rules[index].comment else { return }
      if let verdicts = Self.verdicts(of: chain.rules[index]), verdicts != rule.verdicts { return }
    }
    for (position, rule) in zip(listed, rules) {
      table.chains[index].rules[position].provenance.span = rule.span
      citeChains(inside: rule, chain.rules[position], in: &table)
    }
  }

  /// Cites the rules of chains without a name: by their own places, or else by that of the rule
  /// that they stand in.
  private func citeChains(inside rule: TextRule, _ listed: Rule, in table: inout Table) {
    var targets: [Int] = []
    for statement in listed.statements {
      guard case .verdict(let verdict) = statement else { continue }
      switch verdict {
      case .jump(let target), .goto(let target):
        if table.chains[target].isAnonymous { targets.append(target) }
      case .accept, .drop, .continue, .return: break
      }
    }
    for target in targets {
      for position in table.chains[target].rules.indices {
        table.chains[target].rules[position].provenance.span = rule.span
      }
    }
    guard rule.blocks.count == targets.count else { return }
    for (block, target) in zip(rule.blocks, targets) { cite(block, chain: target, in: &table) }
  }

  /// The verdicts of a rule; nil where a part of it is not covered, which may hold one.
  private static func verdicts(of rule: Rule) -> Verdicts? {
    var verdicts: Verdicts = []
    for statement in rule.statements {
      switch statement {
      case .verdict(let verdict):
        switch verdict {
        case .accept: verdicts.insert(.accept)
        case .drop: verdicts.insert(.drop)
        case .continue: verdicts.insert(.continue)
        case .return: verdicts.insert(.return)
        case .jump: verdicts.insert(.jump)
        case .goto: verdicts.insert(.goto)
        }
      case .reject: verdicts.insert(.reject)
      case .unmodelled, .diverts: return nil
      case .match, .verdictMap, .gate, .object, .mangle, .notrack, .translate, .setUpdate, .inert,
        .duplicate:
        break
      }
    }
    return verdicts
  }
}
