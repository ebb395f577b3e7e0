internal import Addresses
internal import Documents
internal import Rulesets

// Statements.
extension NftLowering {
  /// Lowers one statement; what is not covered becomes ``Statement/unmodelled(_:)``.
  mutating func statement(_ node: Node) -> Statement {
    if let text = document.string(node) {
      markDynamic(setsNamedIn: text)
      if let update = setUpdate(inText: text) { return update }
      losesText = true
      return .unmodelled(Unmodelled(text: text, reason: Self.textReason))
    }
    do throws(NotModelled) {
      guard let member = document.onlyMember(of: node), let name = document.string(member.name)
      else { throw NotModelled(reason: "a statement has one name") }
      return try statement(name, member.value)
    } catch {
      // It may have been a change to a set that is not understood.
      markDynamic(setsNamedIn: document.text(of: node))
      return .unmodelled(Unmodelled(text: compactText(of: node), reason: error.reason))
    }
  }

  static let textReason = "nft lists this statement as text, not as JSON"
  static let extensionReason = "nft does not list the parameters of xtables extensions"

  private mutating func statement(_ name: String, _ node: Node) throws(NotModelled) -> Statement {
    switch name {
    case "match": return try match(node)
    case "accept": return .verdict(.accept)
    case "drop": return .verdict(.drop)
    case "continue": return .verdict(.continue)
    case "return": return .verdict(.return)
    case "jump", "goto": return .verdict(try jump(name, node))
    case "vmap":
      let (key, map) = try keyAndMap(node, .verdict)
      if case .anonymous = map, hasShiftedPart(key) {
        throw NotModelled(reason: "nft lists wrong constants beside such a concatenation")
      }
      return .verdictMap(key: key, map: map)
    case "reject": return try reject(node)
    case "counter":
      guard document.kind(of: node) == .string || document.member("map", of: node) != nil else {
        return .inert("counter")
      }
      return .object(.counter, try objectReference(node, .counter))
    case "log": return .inert(logText(node))
    case "last": return .inert("last")
    case "limit":
      if let reference = try objectReferenceIfAny(node, .limit) {
        return .object(.limit, reference)
      }
      return .gate(limit(node))
    case "quota":
      if let reference = try objectReferenceIfAny(node, .quota) {
        return .object(.quota, reference)
      }
      return .gate(quota(node))
    case "ct count": return .gate(connectionCount(node))
    case "ct helper": return .object(.ctHelper, try objectReference(node, .ctHelper))
    case "ct timeout": return .object(.ctTimeout, try objectReference(node, .ctTimeout))
    case "ct expectation":
      return .object(.ctExpectation, try objectReference(node, .ctExpectation))
    case "secmark": return .object(.secmark, try objectReference(node, .secmark))
    case "mangle": return try mangle(node)
    case "reset": return try reset(node)
    case "notrack": return .notrack
    case "dnat", "snat", "masquerade", "redirect": return try translation(name, node)
    case "set", "map": return try setUpdate(node)
    case "meter": return try meter(node)
    case "dup": return .duplicate(duplicateText(node))
    case "fwd", "tproxy", "synproxy", "queue", "flow":
      return .diverts(
        Unmodelled(
          text: divertingText(name, node) ?? "\(name) \(compactText(of: node))",
          reason: "what becomes of the packet is not in the ruleset"))
    case "xt":
      let kind = string("type", of: node).flatMap(XtablesExtension.Kind.init(rawValue:))
      extensions.append(
        XtablesExtension(kind: kind ?? .match, name: string("name", of: node) ?? ""))
      throw NotModelled(reason: Self.extensionReason)
    default: throw NotModelled(reason: "`\(name)` statements are not covered")
    }
  }

  /// Sets that a statement names and may change are no longer what the listing shows.
  private mutating func markDynamic(setsNamedIn text: String) {
    for part in text.split(separator: "@").dropFirst() {
      let name = part.prefix { $0.isLetter || $0.isNumber || "_-./\\".contains($0) }
      if let index = tables[table].sets[String(name)] {
        ruleset.tables[table].sets[index].isDynamic = true
      }
    }
  }

  // MARK: - Verdicts

  private func jump(_ name: String, _ node: Node) throws(NotModelled) -> Verdict {
    guard let target = string("target", of: node) else {
      throw NotModelled(reason: "`\(name)` has a target")
    }
    guard let chain = tables[table].chains[target] else {
      throw NotModelled(reason: "the chain `\(target)` is not in the listing")
    }
    return name == "jump" ? .jump(chain: chain) : .goto(chain: chain)
  }

  /// A verdict as an element of a map holds it.
  func verdict(_ node: Node) throws(NotModelled) -> Verdict {
    guard let member = document.onlyMember(of: node), let name = document.string(member.name) else {
      throw NotModelled(reason: "a verdict has one name")
    }
    switch name {
    case "accept": return .accept
    case "drop": return .drop
    case "continue": return .continue
    case "return": return .return
    case "jump", "goto": return try jump(name, member.value)
    default: throw NotModelled(reason: "the verdict `\(name)` is not covered")
    }
  }

  private mutating func reject(_ node: Node) throws(NotModelled) -> Statement {
    let kind = string("type", of: node)
    func code(_ type: DataType, _ standard: UInt8) throws(NotModelled) -> UInt8 {
      guard let expression = document.member("expr", of: node) else { return standard }
      return UInt8(try constant(expression, type))
    }
    switch kind {
    case "tcp reset": return .reject(.tcpReset, requiring: ImpliedGuards.tcp)
    case "icmp":
      return .reject(
        .icmp(code: try code(.icmpCode, 3)), requiring: family == .ip ? [] : ImpliedGuards.ipv4)
    case "icmpv6":
      return .reject(
        .icmpv6(code: try code(.icmpv6Code, 4)),
        requiring: family == .ip6 ? [] : ImpliedGuards.ipv6)
    case "icmpx": return .reject(.icmpx(code: try code(.icmpxCode, 1)), requiring: [])
    case nil:
      // Without a type nft means the code "port unreachable" of whatever family the packet is.
      switch family {
      case .ip: return .reject(.icmp(code: 3), requiring: [])
      case .ip6: return .reject(.icmpv6(code: 4), requiring: [])
      case .inet, .arp, .bridge, .netdev: return .reject(.icmpx(code: 1), requiring: [])
      }
    case let other?: throw NotModelled(reason: "`reject with \(other)` is not covered")
    }
  }

  // MARK: - State

  func limit(_ node: Node) -> Gate {
    guard let amount = unsigned("rate", of: node), let period = string("per", of: node),
      let seconds = Self.periods[period]
    else { return other(node, "this rate is not covered") }
    let rateUnit = string("rate_unit", of: node) ?? "packets"
    guard let factor = Self.unitFactors[rateUnit] else {
      return other(node, "this rate is not covered")
    }
    let burst = unsigned("burst", of: node) ?? 5
    let burstUnit = string("burst_unit", of: node) ?? rateUnit
    let isBytes = rateUnit != "packets"
    let over = isTrue("inv", of: node)
    let (total, overflow) = amount.multipliedReportingOverflow(by: factor)
    let (burstTotal, burstOverflow) = burst.multipliedReportingOverflow(
      by: Self.unitFactors[burstUnit] ?? 1)
    guard !overflow, !burstOverflow else { return other(node, "this rate is not covered") }
    var text = "limit rate \(over ? "over " : "")\(amount)"
    text += isBytes ? " \(rateUnit)/\(period)" : "/\(period)"
    if burst != 0 { text += " burst \(burst) \(isBytes ? burstUnit : "packets")" }
    return .limit(
      text: text,
      rate: Gate.Rate(amount: total, isBytes: isBytes, seconds: seconds, burst: burstTotal),
      over: over)
  }

  func quota(_ node: Node) -> Gate {
    let isObject = document.member("bytes", of: node) != nil
    let unit = string("val_unit", of: node) ?? "bytes"
    let usedUnit = string("used_unit", of: node) ?? "bytes"
    guard let amount = unsigned(isObject ? "bytes" : "val", of: node),
      let factor = Self.unitFactors[unit], let usedFactor = Self.unitFactors[usedUnit]
    else { return other(node, "this quota is not covered") }
    let over = isTrue("inv", of: node)
    let used = unsigned("used", of: node) ?? 0
    let (total, overflow) = amount.multipliedReportingOverflow(by: factor)
    let (usedTotal, usedOverflow) = used.multipliedReportingOverflow(by: usedFactor)
    guard !overflow, !usedOverflow else { return other(node, "this quota is not covered") }
    var text = "quota \(over ? "over " : "")\(amount) \(unit)"
    if used != 0 { text += " used \(used) \(usedUnit)" }
    return .quota(text: text, byteCount: total, used: usedTotal, over: over)
  }

  func connectionCount(_ node: Node) -> Gate {
    guard let count = unsigned("val", of: node).flatMap({ UInt32(exactly: $0) }) else {
      return other(node, "this count is not covered")
    }
    let over = isTrue("inv", of: node)
    return .connectionCount(
      text: "ct count \(over ? "over " : "")\(count)", count: count, over: over)
  }

  private func other(_ node: Node, _ reason: String) -> Gate {
    .other(Unmodelled(text: compactText(of: node), reason: reason))
  }

  private static let periods: [String: UInt64] = [
    "second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800,
  ]
  private static let unitFactors: [String: UInt64] = [
    "packets": 1, "bytes": 1, "kbytes": 1_024, "mbytes": 1_048_576, "gbytes": 1_073_741_824,
  ]

  /// The object that a statement names, or finds through a map.
  private mutating func objectReferenceIfAny(
    _ node: Node, _ kind: StatefulObject.Kind
  ) throws(NotModelled) -> ObjectReference? {
    if let name = document.string(node) { return .named(name) }
    guard let map = document.member("map", of: node) else { return nil }
    let (key, reference) = try keyAndMap(map, .object(kind))
    return .mapped(key: key, map: reference)
  }

  private mutating func objectReference(
    _ node: Node, _ kind: StatefulObject.Kind
  ) throws(NotModelled) -> ObjectReference {
    guard let reference = try objectReferenceIfAny(node, kind) else {
      throw NotModelled(reason: "`\(kind.rawValue)` names an object")
    }
    return reference
  }

  // MARK: - Changes

  private mutating func mangle(_ node: Node) throws(NotModelled) -> Statement {
    guard let keyNode = document.member("key", of: node),
      let value = document.member("value", of: node), let key = document.onlyMember(of: keyNode),
      let name = document.string(key.name)
    else { throw NotModelled(reason: "`mangle` has a key and a value") }
    // `icmp code set 0` is listed as `th sport set th sport & 65280`, without what it requires.
    if document.string(document.member("protocol", of: key.value) ?? key.value) == "th",
      document.onlyMember(of: value) != nil
    {
      throw NotModelled(reason: "nft does not list whose octets are written")
    }
    let selector = try selector(name, key.value)
    return .mangle(selector, value: expression(value, constantsAs: selector.field.type))
  }

  /// `reset tcp option …`: the option is overwritten, so that it is absent from here on.
  private mutating func reset(_ node: Node) throws(NotModelled) -> Statement {
    guard let option = document.onlyMember(of: node), let name = document.string(option.name) else {
      throw NotModelled(reason: "`reset` names an option")
    }
    let selector = try selector(name, option.value)
    guard case .option(let header) = selector.field, header.reading == .presence else {
      throw NotModelled(reason: "`reset` names an option")
    }
    return .mangle(selector, value: .constant(0, .boolean))
  }

  private mutating func translation(
    _ name: String, _ node: Node
  ) throws(NotModelled) -> Statement {
    guard let kind = Translation.Kind(rawValue: name) else {
      throw NotModelled(reason: "`\(name)` is not covered")
    }
    var translation = Translation(kind: kind, flags: strings("flags", of: node))
    for flag in strings("type_flags", of: node) where flag == "prefix" {
      if !translation.flags.contains("prefix") { translation.flags.append(flag) }
    }
    let addressFamily: IPFamily
    switch string("family", of: node) {
    case "ip":
      addressFamily = .ipv4
      if family != .ip { translation.requiring = ImpliedGuards.ipv4 }
    case "ip6":
      addressFamily = .ipv6
      if family != .ip6 { translation.requiring = ImpliedGuards.ipv6 }
    default:
      addressFamily =
        family == .ip6 || established.network == .ipv6 ? .ipv6 : .ipv4
    }
    let type: DataType = addressFamily == .ipv4 ? .ipv4Address : .ipv6Address
    if let address = document.member("addr", of: node) {
      (translation.address, translation.addressUpper) = try bounds(address, type)
    }
    if let port = document.member("port", of: node) {
      (translation.port, translation.portUpper) = try bounds(port, .port)
    }
    return .translate(translation)
  }

  /// One value, or the two ends of a range.
  private mutating func bounds(
    _ node: Node, _ type: DataType
  ) throws(NotModelled) -> (Expression, Expression?) {
    if let member = document.onlyMember(of: node) {
      if document.isString(member.name, "range") || document.isString(member.name, "prefix") {
        let interval = try interval(node, type)
        return (.constant(interval.lower, type), .constant(interval.upper, type))
      }
    }
    return (try modelledExpression(node, constantsAs: type), nil)
  }

  private mutating func setUpdate(_ node: Node) throws(NotModelled) -> Statement {
    guard let operation = string("op", of: node).flatMap(SetUpdate.Operation.init(rawValue:)),
      let element = document.member("elem", of: node),
      let setNode = document.member("set", of: node) ?? document.member("map", of: node)
    else { throw NotModelled(reason: "a change to a set has an operation, a set and an element") }
    let set = try setReference(setNode, keyTypes: [], dataKind: nil)
    guard case .named(let index) = set else {
      throw NotModelled(reason: "the set that is changed is not in the listing")
    }
    ruleset.tables[table].sets[index].isDynamic = true
    var keyNode = element
    var timeout: UInt64?
    if let member = document.onlyMember(of: element), document.isString(member.name, "elem"),
      let value = document.member("val", of: member.value)
    {
      keyNode = value
      if document.member("timeout", of: member.value) != nil {
        ruleset.tables[table].sets[index].hasTimeout = true
        timeout = unsigned("timeout", of: member.value)
      }
    }
    let keyTypes = ruleset.tables[table].sets[index].contents.keyTypes
    let key = try modelledExpression(
      keyNode, constantsAs: keyTypes.first ?? .integer(bits: 32), components: keyTypes)
    var data: Expression?
    if let dataNode = document.member("data", of: node) {
      let dataTypes = ruleset.tables[table].sets[index].contents.dataTypes
      data = expression(dataNode, constantsAs: dataTypes.first ?? .integer(bits: 32))
    }
    return .setUpdate(
      SetUpdate(
        operation: operation, set: set, key: named(key, asIn: set), data: data,
        gates: try gates("stmt", of: node), timeout: timeout))
  }

  /// A change to a map, which nft lists as text; nil where it is not understood.
  mutating func setUpdate(inText text: String) -> Statement? {
    guard let json = NftMapUpdateText.json(of: text),
      let update = try? JSONDocument(reading: Array(json.utf8), limits: NftablesReader.limits)
    else { return nil }
    let original = document
    defer { document = original }
    document = update
    let before = established
    guard case .setUpdate(let lowered) = statement(update.root), lowered.isModelled else {
      established = before
      return nil
    }
    return .setUpdate(lowered)
  }

  private mutating func gates(_ name: String, of node: Node) throws(NotModelled) -> [Gate] {
    guard let list = document.member(name, of: node) else { return [] }
    var gates: [Gate] = []
    for child in document.elements(of: list) ?? [list] {
      switch statement(child) {
      case .gate(let gate): gates.append(gate)
      case .inert: break
      case .match, .verdict, .verdictMap, .reject, .object, .mangle, .notrack, .translate,
        .setUpdate, .duplicate, .diverts, .unmodelled:
        gates.append(other(child, "this element state is not covered"))
      }
    }
    return gates
  }

  /// `meter name { key statement }`: the older spelling of a change to a set with state per element.
  private mutating func meter(_ node: Node) throws(NotModelled) -> Statement {
    guard let name = string("name", of: node), let keyNode = document.member("key", of: node),
      let index = tables[table].sets[name], tables[table].unreadableSets[index] == nil
    else { return .gate(other(node, "the set of this meter is not in the listing")) }
    ruleset.tables[table].sets[index].isDynamic = true
    var elementNode = keyNode
    if let member = document.onlyMember(of: keyNode), document.isString(member.name, "elem"),
      let value = document.member("val", of: member.value)
    {
      elementNode = value
    }
    let key = try modelledExpression(elementNode, constantsAs: .integer(bits: 32))
    return .setUpdate(
      SetUpdate(
        operation: .update, set: .named(index), key: key, gates: try gates("stmt", of: node)))
  }
}

extension SetUpdate {
  /// Whether all parts of it are covered.
  fileprivate var isModelled: Bool {
    Rule(statements: [.setUpdate(self)]).unmodelled.isEmpty
  }
}
