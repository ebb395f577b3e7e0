internal import Addresses
internal import Diagnostics
internal import Documents
internal import Rulesets

// What JSON does not tell, told again by nft itself.
//
// Each rule or statement that is at hand as text is put into a regular chain of its own, beside
// empty stand-ins for the chains, sets and objects that it names. That is loaded and listed; the
// statements that come back take the place of those that were not told.
extension NftLowering {
  /// Tells losses again, as far as there are words for them and nft takes these.
  mutating func retell(by retelling: NftRetelling) {
    let told = losses.filter { $0.text != nil }
    guard !told.isEmpty else { return }
    let prefix = freePrefix()
    var plan = NftRetellingPlan(ruleset: ruleset, types: listingText?.types ?? [:], prefix: prefix)
    for (number, loss) in told.enumerated() { plan.add(loss, number: number) }
    switch retelling(plan.commands) {
    case .failed(let reason):
      for loss in told { explain(loss, "it could not be loaded to be read: \(reason)") }
    case .listing(let bytes):
      guard let document = try? JSONDocument(reading: bytes, limits: NftablesReader.limits) else {
        for loss in told { explain(loss, "what nft made of it cannot be read") }
        return
      }
      splice(document, told, plan, prefix)
    }
  }

  /// A beginning that no chain's name has.
  private func freePrefix() -> String {
    var prefix = "portproof"
    while ruleset.tables.contains(where: { $0.chains.contains { $0.name.hasPrefix(prefix) } }) {
      prefix += "-"
    }
    return prefix
  }

  /// Puts what was told into the places of what was lost.
  private mutating func splice(
    _ retold: JSONDocument, _ told: [NftLoss], _ plan: NftRetellingPlan, _ prefix: String
  ) {
    let original = document
    let place = (table, established)
    defer {
      document = original
      (table, established) = place
    }
    document = retold
    let rules = retoldRules(prefix)
    // Of a rule that takes the place of two, the chain's later ones move on.
    var moved: [NftRetellingPlan.Place: Int] = [:]
    for (number, loss) in told.enumerated() {
      let chain = NftRetellingPlan.Place(
        table: loss.table, chain: ruleset.tables[loss.table].chains[loss.chain].name)
      var loss = loss
      loss.rule += moved[chain, default: 0]
      guard let rewriting = plan.rewritings[number],
        let nodes = completeRules(rewriting, rules, inTable: loss.table)
      else {
        explain(loss, "nft does not take it as text")
        continue
      }
      table = loss.table
      let chainCount = ruleset.tables[table].chains.count
      append(
        rewriting.anonymous, rules,
        from: ruleset.tables[table].chains[loss.chain].rules[loss.rule])
      let variants = nodes.map { statements(ofRule: $0) }
      if let doubt = put(variants, inPlaceOf: loss) {
        ruleset.tables[table].chains.removeSubrange(chainCount...)
        explain(loss, doubt)
      } else if loss.statement == nil {
        moved[chain, default: 0] += variants.count - 1
      }
    }
  }

  /// The rules of a loss that was told as a whole, with the chains inside it; nil where it was not.
  private func completeRules(
    _ rewriting: NftRetellingPlan.Rewriting, _ rules: [NftRetellingPlan.Place: [Node]],
    inTable table: Int
  ) -> [Node]? {
    func count(_ chain: String) -> Int {
      rules[NftRetellingPlan.Place(table: table, chain: chain)]?.count ?? 0
    }
    guard count(rewriting.chain) == rewriting.ruleCount,
      rewriting.anonymous.allSatisfy({ count($0.name) == $0.rules.count })
    else { return nil }
    return rules[NftRetellingPlan.Place(table: table, chain: rewriting.chain)]
  }

  /// The rules of the chains that were made up, by the tables they belong to and their names.
  private func retoldRules(_ prefix: String) -> [NftRetellingPlan.Place: [Node]] {
    var rules: [NftRetellingPlan.Place: [Node]] = [:]
    guard let list = document.member("nftables", of: document.root) else { return [:] }
    var children = document.children(of: list)
    while let child = children.next(in: document) {
      guard let member = document.onlyMember(of: child), document.isString(member.name, "rule"),
        let table = tableNumber(of: member.value), let chain = string("chain", of: member.value),
        chain.hasPrefix(prefix)
      else { continue }
      rules[NftRetellingPlan.Place(table: table, chain: chain), default: []].append(member.value)
    }
    return rules
  }

  /// Adds the chains without a name that stand in a rule; their rules come from where the rule does.
  private mutating func append(
    _ anonymous: [NftAnonymousChains.NamedChain], _ rules: [NftRetellingPlan.Place: [Node]],
    from rule: Rule
  ) {
    let first = ruleset.tables[table].chains.count
    for (offset, chain) in anonymous.enumerated() {
      let number = ruleset.tables[table].chains.count { $0.isAnonymous } + 1
      tables[table].chains[chain.name] = first + offset
      // The name that the kernel gives, but for the number (net/netfilter/nf_tables_api.c).
      ruleset.tables[table].chains.append(Chain(name: "__chain\(number)", isAnonymous: true))
    }
    for (offset, chain) in anonymous.enumerated() {
      let place = NftRetellingPlan.Place(table: table, chain: chain.name)
      for node in rules[place] ?? [] {
        ruleset.tables[table].chains[first + offset].rules.append(
          Rule(
            comment: string("comment", of: node), statements: statements(ofRule: node),
            provenance: rule.provenance))
      }
    }
  }

  private mutating func statements(ofRule node: Node) -> [Statement] {
    guard let expressions = document.member("expr", of: node) else { return [] }
    return statements(expressions)
  }

  /// Puts told statements where they belong.
  ///
  /// - Returns: Why they do not belong there; nil where they were put.
  private mutating func put(_ variants: [[Statement]], inPlaceOf loss: NftLoss) -> String? {
    let chain = ruleset.tables[loss.table].chains[loss.chain]
    var rule = chain.rules[loss.rule]
    if let statement = loss.statement {
      guard variants.count == 1, variants[0].count == 1 else {
        return "nft makes more of it than one statement"
      }
      rule.statements[statement] = variants[0][0]
      ruleset.tables[loss.table].chains[loss.chain].rules[loss.rule] = rule
      return nil
    }
    let listed = rule.statements.filter { if case .unmodelled = $0 { false } else { true } }
    for statements in variants {
      let translation = XtablesTranslation(listed: listed, retold: statements, family: family)
      if let doubt = translation.doubt(about: loss.extensions) { return doubt }
    }
    let rules = variants.map { statements in
      var copy = rule
      copy.statements = statements
      return copy
    }
    ruleset.tables[loss.table].chains[loss.chain].rules.replaceSubrange(
      loss.rule...loss.rule, with: rules)
    return nil
  }

  /// Says why something stays what is not covered.
  private mutating func explain(_ loss: NftLoss, _ reason: String) {
    let extensionReason = Self.extensionReason
    func explained(_ statement: Statement) -> Statement {
      guard case .unmodelled(var unmodelled) = statement else { return statement }
      guard loss.statement != nil || unmodelled.reason == extensionReason else { return statement }
      unmodelled.reason = "\(unmodelled.reason), and \(reason)"
      return .unmodelled(unmodelled)
    }
    let rule = ruleset.tables[loss.table].chains[loss.chain].rules[loss.rule]
    let statements = rule.statements.enumerated().map { index, statement in
      loss.statement == nil || loss.statement == index ? explained(statement) : statement
    }
    ruleset.tables[loss.table].chains[loss.chain].rules[loss.rule].statements = statements
  }
}
