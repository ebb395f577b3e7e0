internal import Rulesets

// Commands of a file: `add rule inet t c …`, `flush ruleset`, `table inet t { … }`.
extension NftTextScanner {
  /// Follows one command, up to what ends it.
  ///
  /// - Parameters:
  ///   - first: The word that it begins with.
  ///   - loading: Gives included files.
  mutating func command(_ first: String, _ loading: Loading) {
    switch first {
    case "include": return include(in: .file, loading)
    case "add", "create":
      if let object = word() { add(object, loading) } else { lose(.file) }
    case "insert": insert()
    case "delete", "destroy": delete()
    case "flush": flush()
    case "replace":
      if let object = word(), let name = ruleSpec(object) {
        lose(.chain(name))
      } else {
        lose(.file)
      }
    case "rename": rename()
    case "define", "redefine", "undefine", "list", "get", "reset", "describe", "export", "monitor",
      "import":
      break
    default: add(first, loading)
    }
    skipStatement()
  }

  private mutating func add(_ object: String, _ loading: Loading) {
    switch object {
    case "table":
      guard let (family, table) = tableSpec() else { return lose(.file) }
      if opensBlock() { tableBlock(family, table, loading) }
    case "chain":
      guard let name = chainSpec() else { return lose(.file) }
      if opensBlock() { chainBlock(name, loading) }
    case "set", "map", "element", "flowtable", "counter", "quota", "limit", "ct", "secmark",
      "synproxy", "tunnel":
      return
    default:
      guard let name = ruleSpec(object) else { return lose(.file) }
      append(placedRule(in: name), to: name)
    }
  }

  private mutating func insert() {
    guard let object = word(), let name = ruleSpec(object) else { return lose(.file) }
    if let rule = placedRule(in: name) {
      rules.chains[name, default: []].insert(rule, at: 0)
    } else {
      lose(.chain(name))
    }
  }

  /// The rule that comes next; nil where it says itself which rule it follows.
  private mutating func placedRule(in name: ChainName) -> TextRule? {
    let token = reader.next()
    guard token.kind == .word else {
      reader.putBack(token)
      return nil
    }
    switch reader.text(of: token) {
    case "handle", "position", "index": return nil
    default: return rule(from: token)
    }
  }

  private mutating func delete() {
    switch word() {
    case "table":
      guard let (family, table) = tableSpec(), table != "handle" else { return lose(.file) }
      forget { $0.family == family && $0.table == table }
    case "chain":
      guard let name = chainSpec(), name.table != "handle" else { return lose(.file) }
      guard name.chain != "handle" else {
        return lose(.table(ChainName(family: name.family, table: name.table, chain: "")))
      }
      forget { $0 == name }
    case "rule":
      guard let name = chainSpec() else { return lose(.file) }
      lose(.chain(name))
    case nil: lose(.file)
    default: return
    }
  }

  private mutating func flush() {
    switch word() {
    case "ruleset":
      guard let word = word() else { return forget { _ in true } }
      guard let family = Family(rawValue: word) else { return lose(.file) }
      forget { $0.family == family }
    case "table":
      guard let (family, table) = tableSpec() else { return lose(.file) }
      forget { $0.family == family && $0.table == table }
    case "chain":
      guard let name = chainSpec() else { return lose(.file) }
      forget { $0 == name }
    case nil: lose(.file)
    default: return
    }
  }

  /// After a chain has another name, neither name says which rules are meant.
  private mutating func rename() {
    guard word() == "chain", var name = chainSpec(), let newName = word() else {
      return lose(.file)
    }
    lose(.chain(name))
    name.chain = newName
    lose(.chain(name))
  }

  private mutating func forget(where isGone: (ChainName) -> Bool) {
    rules.chains = rules.chains.filter { !isGone($0.key) }
  }

  /// `[family] table`; without a family it is `ip`.
  private mutating func tableSpec(from first: String? = nil) -> (Family, String)? {
    guard let first = first ?? word() else { return nil }
    guard let family = Family(rawValue: first) else { return (.ip, first) }
    return word().map { (family, $0) }
  }

  /// `[family] table chain`.
  private mutating func chainSpec(from first: String? = nil) -> ChainName? {
    guard let (family, table) = tableSpec(from: first), let chain = word() else { return nil }
    return ChainName(family: family, table: table, chain: chain)
  }

  /// `[rule] [family] table chain`, whose first word is at hand.
  private mutating func ruleSpec(_ first: String) -> ChainName? {
    chainSpec(from: first == "rule" ? nil : first)
  }
}
