internal import Addresses
internal import Diagnostics
internal import Documents
internal import Rulesets

/// A construct that the model does not cover, on its way to the statement that holds it.
struct NotModelled: Error {
  /// Why, as a phrase.
  let reason: String
}

/// Lowers the objects of a libnftables listing to a ``Ruleset``.
///
/// The tokens of the document are the faithful picture of the file; this walks them once per kind
/// of object. Tables, chains and stateful objects come first, since verdict maps name chains that
/// the listing brings after them, then sets, then rules.
///
/// Source: libnftables-json(5).
struct NftLowering {
  typealias Node = JSONDocument.Node

  /// The document whose values are being lowered.
  var document: JSONDocument
  /// The file of the source map that spans point into.
  let file: Int
  var diagnostics: [Diagnostic] = []
  var ruleset = Ruleset()
  var tables: [TableIndex] = []
  /// What earlier matches of the rule being lowered say about its packets.
  var established = Established(family: .inet)
  /// Whether the constants being lowered are ARP operations, which have no type of their own.
  var comparesARPOperations = false
  /// Whether the expression at hand brings bits from the midst of an octet down, other than a DSCP.
  var bringsPartDown = false
  /// How many rules have been begun, which tells them apart.
  var ruleNumber = 0
  /// The table whose rules or sets are being lowered.
  var table = 0

  /// What the JSON does not tell.
  var losses: [NftLoss] = []
  /// Whether a statement of the rule being lowered is listed as text.
  var losesText = false
  /// The extensions of the rule being lowered whose parameters are not listed.
  var extensions: [XtablesExtension] = []
  /// The same ruleset as text, where that is at hand.
  let listingText: NftListingText?
  /// The same ruleset's bytecode, where that is at hand.
  let bytecode: NftBytecode?
  /// What the bytecode of the rule being lowered tests; nil where it is not at hand.
  private(set) var ruleTests: NftBytecode.Tests?
  private var tableNumbers: [TableKey: Int] = [:]

  private struct TableKey: Hashable {
    let family: Family
    let name: String
  }

  /// What names of a table stand for.
  struct TableIndex {
    var chains: [String: Int] = [:]
    var sets: [String: Int] = [:]
    /// Sets whose elements cannot all be represented, and why: whatever reads one is unmodelled.
    var unreadableSets: [Int: String] = [:]
    /// What is listed as the table's flags, where that is none: it may be dormant.
    var unreadableFlags: String?
  }

  init(
    document: JSONDocument, file: Int, listingText: NftListingText?, bytecode: NftBytecode?
  ) {
    self.bytecode = bytecode
    self.document = document
    self.file = file
    self.listingText = listingText
  }

  var family: Family { ruleset.tables[table].family }

  // MARK: - The list of objects

  /// Lowers everything in the list of objects.
  mutating func lower(objects list: Node) {
    let objects = kinds(of: list)
    for (kind, object) in objects {
      switch kind {
      case .metainfo: lower(metainfo: object)
      case .table: lower(table: object)
      case .chain, .set, .map, .meter, .flowtable, .statefulObject, .element, .rule: break
      }
    }
    for (kind, object) in objects {
      switch kind {
      case .chain: lower(chain: object)
      case .set, .map, .meter: declare(set: object, isMap: kind == .map)
      case .statefulObject(let kind): lower(object: object, kind: kind)
      case .flowtable: lower(flowtable: object)
      case .metainfo, .table, .element, .rule: break
      }
    }
    for (kind, object) in objects {
      switch kind {
      case .set, .map, .meter: lower(setContents: object)
      case .element: lower(element: object)
      case .metainfo, .table, .chain, .flowtable, .statefulObject, .rule: break
      }
    }
    lowerRules(objects)
  }

  private enum ObjectKind: Hashable {
    case metainfo, table, chain, rule, set, map, meter, element, flowtable
    case statefulObject(StatefulObject.Kind)
  }

  /// The objects of the list with their kinds; what is no known kind is told and left out.
  private mutating func kinds(of list: Node) -> [(ObjectKind, Node)] {
    var objects: [(ObjectKind, Node)] = []
    var children = document.children(of: list)
    while let child = children.next(in: document) {
      guard var member = document.onlyMember(of: child) else {
        report(.foreign("an object of a listing has one name"), at: child)
        continue
      }
      // `nft -j -f` reads a list of commands; those that only add say the same as a listing.
      if document.isString(member.name, "add") || document.isString(member.name, "create") {
        guard let inner = document.onlyMember(of: member.value) else {
          report(.foreign("an object of a listing has one name"), at: child)
          continue
        }
        member = inner
      }
      let name = document.string(member.name) ?? ""
      // A file of commands may begin with what clears the way; nothing is there to be cleared.
      if name == "destroy" || name == "flush", objects.allSatisfy({ $0.0 == .metainfo }) {
        continue
      }
      guard let kind = kind(named: name) else {
        report(.unknownObject(name, isCommand: Self.commands.contains(name)), at: member.name)
        continue
      }
      objects.append((kind, member.value))
    }
    return objects
  }

  private static let commands: Set<String> = [
    "insert", "replace", "delete", "destroy", "flush", "rename", "list", "reset",
  ]

  private func kind(named name: String) -> ObjectKind? {
    switch name {
    case "rule": .rule
    case "metainfo": .metainfo
    case "table": .table
    case "chain": .chain
    case "set": .set
    case "map": .map
    case "meter": .meter
    case "element": .element
    case "flowtable": .flowtable
    default: StatefulObject.Kind(rawValue: name).map { .statefulObject($0) }
    }
  }

  private mutating func lower(metainfo node: Node) {
    ruleset.nftVersion = string("version", of: node)
    if let version = document.member("json_schema_version", of: node) {
      guard let number = document.integer(version), number <= 1 else {
        report(.newerSchema(document.text(of: version)), at: version)
        return
      }
    }
  }

  private mutating func lower(table node: Node) {
    guard let family = requiredFamily(of: node), let name = requiredString("name", of: node) else {
      return
    }
    let key = TableKey(family: family, name: name)
    guard tableNumbers[key] == nil else { return }
    let listed = strings("flags", of: node)
    let place = NftListingText.Name(family: family, table: name, chain: "")
    let flags = listingText?.tableFlags[place] ?? listed
    var index = TableIndex()
    if flags.contains(where: { !Self.tableFlagNames.contains($0) }) {
      // nft 1.0.6 prints freed memory where a table has one flag (src/json.c, table_flags_json).
      index.unreadableFlags = flags.joined(separator: ", ")
      report(.unreadableFlags(index.unreadableFlags ?? ""), at: node)
    }
    tableNumbers[key] = ruleset.tables.count
    ruleset.tables.append(
      Table(
        family: family, name: name, handle: integer("handle", of: node),
        isDormant: flags.contains("dormant")))
    tables.append(index)
  }

  private static let tableFlagNames: Set<String> = ["dormant", "owner", "persist"]

  /// The table that an object says it belongs to.
  func tableNumber(of node: Node) -> Int? {
    guard let familyName = string("family", of: node), let family = Family(rawValue: familyName),
      let name = string("table", of: node)
    else { return nil }
    return tableNumbers[TableKey(family: family, name: name)]
  }

  /// The table that an object says it belongs to; it is an error if that is not listed.
  mutating func requiredTable(of node: Node) -> Int? {
    guard requiredFamily(of: node) != nil, requiredString("table", of: node) != nil else {
      return nil
    }
    guard let number = tableNumber(of: node) else {
      report(
        .missing("table \(string("family", of: node) ?? "") \(string("table", of: node) ?? "")"),
        at: document.member("table", of: node) ?? node)
      return nil
    }
    return number
  }

  private mutating func lower(chain node: Node) {
    guard let table = requiredTable(of: node), let name = requiredString("name", of: node) else {
      return
    }
    guard tables[table].chains[name] == nil else {
      report(.repeated("chain \(name)"), at: node)
      return
    }
    var chain = Chain(name: name, handle: integer("handle", of: node))
    if document.member("hook", of: node) != nil || document.member("type", of: node) != nil {
      chain.base = baseChain(node)
      if let hook = chain.base?.hook, hook == .ingress || hook == .egress,
        chain.base?.devices == nil
      {
        let (family, tableName) = (ruleset.tables[table].family, ruleset.tables[table].name)
        let place = NftListingText.Name(family: family, table: tableName, chain: name)
        chain.base?.devices = listingText?.devices[place]
      }
      if let flags = tables[table].unreadableFlags {
        let doubt = Unmodelled(
          text: "flags \(flags)", reason: "the listing does not tell whether the table is dormant")
        chain.rules.append(
          Rule(statements: [.unmodelled(doubt)], provenance: Provenance(span: span(of: node))))
      }
    }
    tables[table].chains[name] = ruleset.tables[table].chains.count
    ruleset.tables[table].chains.append(chain)
  }

  /// What makes a chain a base chain; a hook, type or policy that is not known is an error, since
  /// such a chain could drop anything.
  private mutating func baseChain(_ node: Node) -> BaseChain? {
    guard let hookName = requiredString("hook", of: node) else { return nil }
    guard let hook = Hook(rawValue: hookName) else {
      report(
        .unknownName("hook", hookName, Hook.allCases.map(\.rawValue)),
        at: document.member("hook", of: node) ?? node)
      return nil
    }
    let kindName = string("type", of: node) ?? "filter"
    guard let kind = BaseChain.Kind(rawValue: kindName) else {
      report(
        .unknownName("chain type", kindName, ["filter", "nat", "route"]),
        at: document.member("type", of: node) ?? node)
      return nil
    }
    let policyName = string("policy", of: node) ?? "accept"
    guard let policy = BaseChain.Policy(rawValue: policyName) else {
      report(
        .unknownName("policy", policyName, ["accept", "drop"]),
        at: document.member("policy", of: node) ?? node)
      return nil
    }
    guard let priority = document.member("prio", of: node).flatMap(priority) else {
      report(.unreadable("a priority"), at: document.member("prio", of: node) ?? node)
      return nil
    }
    // One name or several; `eth*` is one for names that are not told.
    var devices = document.member("dev", of: node).map { _ in strings("dev", of: node) }
    if devices?.contains(where: { $0.hasSuffix("*") }) == true { devices = nil }
    return BaseChain(
      kind: kind, hook: hook, priority: priority, policy: policy, devices: devices)
  }

  /// A priority as a number, or by one of nft's names with an offset (`filter - 5`).
  private func priority(_ node: Node) -> Int? {
    if let number = document.integer(node) { return number }
    guard let text = document.string(node) else { return nil }
    if let number = Int(text) { return number }
    let names = [
      "raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100,
      "out": 100,
    ]
    let parts = text.split(whereSeparator: { $0 == " " })
    guard let first = parts.first, let base = names[String(first)] else { return nil }
    let rest = parts.dropFirst().joined()
    return rest.isEmpty ? base : Int(rest).map { base + $0 }
  }

  private mutating func lower(flowtable node: Node) {
    guard let table = requiredTable(of: node), let name = requiredString("name", of: node) else {
      return
    }
    ruleset.tables[table].flowtables.append(name)
  }

  private mutating func lower(object node: Node, kind: StatefulObject.Kind) {
    guard let table = requiredTable(of: node), let name = requiredString("name", of: node) else {
      return
    }
    let gate: Gate? =
      switch kind {
      case .limit: limit(node)
      case .quota: quota(node)
      case .counter, .ctHelper, .ctTimeout, .ctExpectation, .synproxy, .secmark, .tunnel: nil
      }
    ruleset.tables[table].objects.append(StatefulObject(kind: kind, name: name, gate: gate))
  }

  // MARK: - Rules

  private mutating func lowerRules(_ objects: [(ObjectKind, Node)]) {
    var previous: Node?
    var place = (table: 0, chain: 0)
    for (kind, object) in objects where kind == .rule {
      // Rules come chain by chain: most are where the one before them was.
      if let previous, isInSameChain(previous, object) {
        append(ruleAt: object, to: place)
        continue
      }
      guard let table = requiredTable(of: object), let name = requiredString("chain", of: object)
      else { continue }
      guard let chain = tables[table].chains[name] else {
        report(.missing("chain \(name)"), at: document.member("chain", of: object) ?? object)
        continue
      }
      place = (table, chain)
      previous = object
      self.table = table
      append(ruleAt: object, to: place)
    }
  }

  private func isInSameChain(_ left: Node, _ right: Node) -> Bool {
    for name in ["chain", "table", "family"] {
      guard let first = document.member(name, of: left),
        let second = document.member(name, of: right), document.isSameString(first, second)
      else { return false }
    }
    return true
  }

  private mutating func append(ruleAt node: Node, to place: (table: Int, chain: Int)) {
    guard let expressions = document.member("expr", of: node),
      document.kind(of: expressions) == .array
    else {
      report(.lacks("expr"), at: node)
      return
    }
    losesText = false
    let rule = rule(node, expressions)
    let index = ruleset.tables[place.table].chains[place.chain].rules.count
    ruleset.tables[place.table].chains[place.chain].rules.append(rule)
    guard losesText || !extensions.isEmpty else { return }
    note(
      lossesOf: rule,
      NftLoss(table: place.table, chain: place.chain, rule: index, extensions: extensions))
  }

  /// Keeps what a rule's statements do not tell.
  private mutating func note(lossesOf rule: Rule, _ loss: NftLoss) {
    guard extensions.isEmpty else {
      extensions = []
      losses.append(loss)
      return
    }
    for (index, statement) in rule.statements.enumerated() {
      guard case .unmodelled(let unmodelled) = statement, unmodelled.reason == Self.textReason
      else { continue }
      var loss = loss
      loss.statement = index
      loss.text = unmodelled.text
      losses.append(loss)
    }
  }

  /// Finds the text of rules that JSON does not tell.
  mutating func findTexts() {
    guard let listingText else { return }
    for index in losses.indices where losses[index].statement == nil {
      let loss = losses[index]
      let table = ruleset.tables[loss.table]
      let chain = table.chains[loss.chain]
      guard let handle = chain.rules[loss.rule].handle else { continue }
      losses[index].text = listingText.rule(
        at: loss.rule, of: chain.rules.count, handle: handle,
        in: NftListingText.Name(family: table.family, table: table.name, chain: chain.name))
    }
  }

  private mutating func rule(_ node: Node, _ expressions: Node) -> Rule {
    let handle = integer("handle", of: node)
    if let bytecode, let handle {
      ruleTests = bytecode.tests(
        of: handle,
        in: NftListingText.Name(
          family: family, table: ruleset.tables[table].name,
          chain: string("chain", of: node) ?? ""))
    }
    defer { ruleTests = nil }
    var rule = Rule(
      statements: withEtherType(statements(expressions)),
      provenance: Provenance(span: span(of: node)))
    rule.handle = handle
    rule.comment = string("comment", of: node)
    return rule
  }

  /// Puts the test of the frame's type back that nft leaves out before a field of IP.
  private func withEtherType(_ statements: [Statement]) -> [Statement] {
    guard let type = ruleTests?.etherType, type == 0x0800 || type == 0x86DD,
      let field = PayloadFields.field("type", of: "ether"),
      !statements.contains(where: { $0.readsEtherType })
    else { return statements }
    // In a bridge every frame has a type, and a field of IP implies it.
    let implied: Guard = type == 0x0800 ? .ipv4 : .ipv6
    if family == .bridge, statements.contains(where: { requires(implied, $0) }) {
      return statements
    }
    let selector = Selector(
      .payload(field), requiring: family == .bridge ? [] : ImpliedGuards.ethernet)
    let test = Match(.selector(selector), .equal, .value(UInt128(type)))
    var statements = statements
    let first = statements.firstIndex { if case .match = $0 { true } else { false } }
    statements.insert(.match(test), at: first ?? 0)
    return statements
  }

  /// The statements of a rule.
  mutating func statements(_ expressions: Node) -> [Statement] {
    established = Established(family: family)
    ruleNumber += 1
    established.rule = ruleNumber
    if let ruleTests {
      // In a bridge the frame's type tells the family.
      established.testsFamily =
        ruleTests.family || family == .bridge && ruleTests.etherType != nil
    }
    var statements: [Statement] = []
    statements.reserveCapacity(count(of: expressions))
    var children = document.children(of: expressions)
    while let child = children.next(in: document) { statements.append(statement(child)) }
    statements = withRejectTestFirst(JoinedTests.doubted(in: withHiddenTests(statements)))
    return ruleTests?.joinsBounds == true ? BoundTests.doubted(in: statements) : statements
  }
}

// MARK: - Reading members

extension NftLowering {
  func string(_ name: String, of node: Node) -> String? {
    document.member(name, of: node).flatMap { document.string($0) }
  }

  func integer(_ name: String, of node: Node) -> Int? {
    document.member(name, of: node).flatMap { document.integer($0) }
  }

  func unsigned(_ name: String, of node: Node) -> UInt64? {
    document.member(name, of: node).flatMap { document.unsigned($0) }.flatMap {
      UInt64(exactly: $0)
    }
  }

  func isTrue(_ name: String, of node: Node) -> Bool {
    document.member(name, of: node).flatMap { document.boolean($0) } ?? false
  }

  /// The strings of a member that is one string or a list of strings.
  func strings(_ name: String, of node: Node) -> [String] {
    guard let member = document.member(name, of: node) else { return [] }
    if let one = document.string(member) { return [one] }
    return document.elements(of: member)?.compactMap { document.string($0) } ?? []
  }

  func count(of list: Node) -> Int {
    var count = 0
    var children = document.children(of: list)
    while children.next(in: document) != nil { count += 1 }
    return count
  }

  mutating func requiredString(_ name: String, of node: Node) -> String? {
    guard let text = string(name, of: node) else {
      report(.lacks(name), at: node)
      return nil
    }
    return text
  }

  private mutating func requiredFamily(of node: Node) -> Family? {
    guard let name = requiredString("family", of: node) else { return nil }
    guard let family = Family(rawValue: name) else {
      report(
        .unknownName("family", name, Family.allCases.map(\.rawValue)),
        at: document.member("family", of: node) ?? node)
      return nil
    }
    return family
  }

  /// Tells of xtables extensions that no text is at hand for.
  mutating func reportUnlistedExtensions() {
    let unlisted = losses.filter { $0.statement == nil }
    guard listingText == nil, let first = unlisted.first,
      let span = ruleset.tables[first.table].chains[first.chain].rules[first.rule].provenance.span
    else { return }
    report(.unlistedExtensions(ruleCount: unlisted.count), at: span)
  }

  func span(of node: Node) -> SourceSpan {
    let range = document.range(of: node)
    return SourceSpan(file: file, lower: range.lowerBound, upper: range.upperBound)
  }

  /// A value's text without the spaces between its tokens, cut where it is very long.
  func compactText(of node: Node) -> String {
    var text: [UInt8] = []
    var isInString = false
    var isEscaped = false
    for byte in document.bytes[document.range(of: node)] {
      if isInString {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isInString = false
        }
      } else if byte == UInt8(ascii: "\"") {
        isInString = true
      } else if byte <= 0x20 {
        continue
      }
      text.append(byte)
      if text.count >= 2_000, byte < 0x80 { return String(decoding: text, as: UTF8.self) + "…" }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

extension Statement {
  /// Whether the statement compares the type of the frame, or of what a VLAN tag carries.
  fileprivate var readsEtherType: Bool {
    guard case .match(let match) = self, case .selector(let selector) = match.left,
      case .payload(let field) = selector.field
    else { return false }
    return field.name == "ether type" || field.name == "vlan type"
  }
}
