internal import Addresses
internal import Documents
internal import Rulesets

// Sets and maps: declarations, elements, references.
extension NftLowering {
  /// Gives a set its place in its table, so that rules and other sets can name it.
  mutating func declare(set node: Node, isMap: Bool) {
    guard let table = requiredTable(of: node), let name = requiredString("name", of: node) else {
      return
    }
    guard tables[table].sets[name] == nil else {
      report(.repeated("set \(name)"), at: node)
      return
    }
    self.table = table
    let flags = strings("flags", of: node)
    let index = ruleset.tables[table].sets.count
    tables[table].sets[name] = index
    var keyTypes: [DataType] = [.integer(bits: 32)]
    var dataKind: SetContents.DataKind?
    do throws(NotModelled) {
      guard let type = document.member("type", of: node) else {
        throw NotModelled(reason: "the set has no type")
      }
      keyTypes = try types(type)
      if let data = document.member("map", of: node) {
        dataKind = try self.dataKind(data)
      } else if isMap {
        throw NotModelled(reason: "the map does not say what it leads to")
      }
    } catch {
      tables[table].unreadableSets[index] = error.reason
    }
    ruleset.tables[table].sets.append(
      NamedSet(
        name: name, handle: integer("handle", of: node),
        contents: SetContents(keyTypes: keyTypes, dataKind: dataKind, elements: []),
        isDynamic: flags.contains("dynamic"),
        hasTimeout: flags.contains("timeout") || document.member("timeout", of: node) != nil,
        timeout: unsigned("timeout", of: node), size: integer("size", of: node)))
  }

  /// Reads the elements that a set is listed with.
  mutating func lower(setContents node: Node) {
    guard let table = tableNumber(of: node), let name = string("name", of: node),
      let index = tables[table].sets[name], let elements = document.member("elem", of: node)
    else { return }
    add(elements, toSet: index, inTable: table)
  }

  /// Reads the elements of an `element` command.
  mutating func lower(element node: Node) {
    guard let table = requiredTable(of: node), let name = requiredString("name", of: node) else {
      return
    }
    guard let index = tables[table].sets[name] else {
      report(.missing("set \(name)"), at: node)
      return
    }
    if let elements = document.member("elem", of: node) {
      add(elements, toSet: index, inTable: table)
    }
  }

  private mutating func add(_ elements: Node, toSet index: Int, inTable table: Int) {
    self.table = table
    established = Established(family: family)
    guard tables[table].unreadableSets[index] == nil else { return }
    var contents = ruleset.tables[table].sets[index].contents
    do throws(NotModelled) {
      let list = document.elements(of: elements) ?? [elements]
      if contents.elements.isEmpty {
        contents.keyTypes = namesInsteadOfIndices(contents.keyTypes, in: list)
      }
      for element in list { try add(element, to: &contents) }
      ruleset.tables[table].sets[index].contents = contents
      if contents.elements.contains(where: \.hasTimeout) {
        ruleset.tables[table].sets[index].hasTimeout = true
      }
    } catch {
      tables[table].unreadableSets[index] = error.reason
    }
  }

  /// Adds one element, or the catch-all.
  private mutating func add(
    _ node: Node, to contents: inout SetContents
  ) throws(NotModelled) {
    var key = node
    var data: ElementData?
    if let kind = contents.dataKind {
      guard let pair = document.elements(of: node), pair.count == 2 else {
        throw NotModelled(reason: "an element of a map is a key and what it leads to")
      }
      key = pair[0]
      data = try elementData(pair[1], kind)
    }
    var gates: [Gate] = []
    var hasTimeout = false
    if let member = document.onlyMember(of: key), document.isString(member.name, "elem") {
      guard let value = document.member("val", of: member.value) else {
        throw NotModelled(reason: "an element has a value")
      }
      key = value
      hasTimeout =
        document.member("timeout", of: member.value) != nil
        || document.member("expires", of: member.value) != nil
      gates = elementGates(member.value)
    }
    if document.isString(key, "*") {
      contents.hasCatchAll = true
      contents.catchAll = data
      guard gates.isEmpty else {
        throw NotModelled(reason: "a catch-all element with a limit is not covered")
      }
      return
    }
    contents.elements.append(
      SetElement(
        key: try intervals(key, contents.keyTypes), data: data, gates: gates,
        hasTimeout: hasTimeout))
  }

  /// One range per component of a key.
  private func intervals(_ node: Node, _ types: [DataType]) throws(NotModelled) -> [Interval] {
    guard let first = types.first else { throw NotModelled(reason: "the key has no type") }
    guard types.count > 1 else { return [try interval(node, first)] }
    guard let member = document.onlyMember(of: node) else {
      throw NotModelled(reason: "`\(compactText(of: node))` is no concatenation")
    }
    if document.isString(member.name, "range"), let ends = document.elements(of: member.value),
      ends.count == 2
    {
      let (lower, upper) = (try intervals(ends[0], types), try intervals(ends[1], types))
      var joined: [Interval] = []
      for (first, last) in zip(lower, upper) {
        guard first.lower <= last.upper else {
          throw NotModelled(reason: "a range ends before it begins")
        }
        joined.append(Interval(first.lower, last.upper))
      }
      return joined
    }
    guard document.isString(member.name, "concat"),
      let parts = document.elements(of: member.value), parts.count == types.count
    else { throw NotModelled(reason: "`\(compactText(of: node))` is no such concatenation") }
    var list: [Interval] = []
    for (part, type) in zip(parts, types) { list.append(try interval(part, type)) }
    return list
  }

  /// What a map's element leads to.
  private mutating func elementData(
    _ node: Node, _ kind: SetContents.DataKind
  ) throws(NotModelled) -> ElementData {
    switch kind {
    case .verdict:
      do throws(NotModelled) {
        return .verdict(try verdict(node))
      } catch {
        return .unmodelled(Unmodelled(text: compactText(of: node), reason: error.reason))
      }
    case .object:
      guard let name = document.string(node) else {
        throw NotModelled(reason: "`\(compactText(of: node))` is no object's name")
      }
      return .object(name)
    case .values(let types):
      let ranges = try intervals(node, types)
      if ranges.allSatisfy({ $0.lower == $0.upper }) { return .values(ranges.map(\.lower)) }
      return .ranges(ranges)
    }
  }

  /// Gates that an element carries: `limit`, `quota`, `ct count`; counters are none.
  private mutating func elementGates(_ node: Node) -> [Gate] {
    var gates: [Gate] = []
    var members = document.members(of: node)
    while let member = members.next(in: document) {
      switch document.string(member.name) {
      case "val", "timeout", "expires", "comment", "counter", "last": break
      case "limit": gates.append(limit(member.value))
      case "quota": gates.append(quota(member.value))
      case "ct count": gates.append(connectionCount(member.value))
      default:
        gates.append(
          .other(
            Unmodelled(
              text: compactText(of: member.value), reason: "this element state is not covered")))
      }
    }
    return gates
  }

  /// The set or map that a match or lookup names or holds.
  mutating func setReference(
    _ node: Node, keyTypes: [DataType], dataKind: SetContents.DataKind?
  ) throws(NotModelled) -> SetReference {
    if let text = document.string(node) { return try setReference(named: text) }
    var list = node
    if let member = document.onlyMember(of: node), document.isString(member.name, "set") {
      list = member.value
    }
    if let text = document.string(list), text.hasPrefix("@") {
      return try setReference(named: text)
    }
    let elements = document.elements(of: list) ?? [list]
    var contents = SetContents(
      keyTypes: namesInsteadOfIndices(keyTypes, in: elements), dataKind: dataKind, elements: [])
    contents.elements.reserveCapacity(elements.count)
    for element in elements { try add(element, to: &contents) }
    return .anonymous(contents)
  }

  private func setReference(named text: String) throws(NotModelled) -> SetReference {
    let name = text.hasPrefix("@") ? String(text.dropFirst()) : text
    guard let index = tables[table].sets[name] else { return .missing(name: name) }
    if let reason = tables[table].unreadableSets[index] {
      throw NotModelled(reason: "the elements of @\(name) cannot be represented: \(reason)")
    }
    return .named(index)
  }

  // MARK: - Interfaces by name

  // `iif` holds the index of an interface, and nft lists indices by the name that the interface has
  // at that moment. No packet carries index 0 or the empty name but one without a device, so
  // comparing names instead says the same, and the name is all that the listing tells.

  /// The types of a key whose interface indices are listed as names.
  func namesInsteadOfIndices(_ types: [DataType], in elements: [Node]) -> [DataType] {
    guard types.contains(.interfaceIndex) else { return types }
    return types.enumerated().map { position, type in
      guard type == .interfaceIndex, let element = elements.first else { return type }
      return isName(component(position, of: element, count: types.count))
        ? DataType.interfaceName : type
    }
  }

  private func component(_ position: Int, of element: Node, count: Int) -> Node {
    var node = element
    // An element of a map is a pair.
    if let pair = document.elements(of: node), let first = pair.first { node = first }
    while let member = document.onlyMember(of: node) {
      if document.isString(member.name, "elem"),
        let value = document.member("val", of: member.value)
      {
        node = value
      } else if document.isString(member.name, "concat"),
        let parts = document.elements(of: member.value), position < parts.count
      {
        return parts[position]
      } else {
        break
      }
    }
    return node
  }

  /// Whether a value is a name rather than a number.
  func isName(_ node: Node) -> Bool {
    guard let text = document.string(node) else { return false }
    return UInt32(text) == nil && !text.hasPrefix("@")
  }

  /// `key` with interface names for indices where the set's elements are names.
  func named(_ key: Expression, asIn set: SetReference) -> Expression {
    let keyTypes: [DataType]
    switch set {
    case .named(let index): keyTypes = ruleset.tables[table].sets[index].contents.keyTypes
    case .anonymous(let contents): keyTypes = contents.keyTypes
    case .missing: return key
    }
    if case .concatenation(let parts) = key, parts.count == keyTypes.count {
      return .concatenation(zip(parts, keyTypes).map { named($0, ifComparedAs: $1) })
    }
    return keyTypes.count == 1 ? named(key, ifComparedAs: keyTypes[0]) : key
  }

  func named(_ expression: Expression, ifComparedAs type: DataType) -> Expression {
    guard type == .interfaceName, case .selector(let selector) = expression else {
      return expression
    }
    switch selector.field {
    case .meta(.inputIndex): return .selector(Selector(.meta(.inputName)))
    case .meta(.outputIndex): return .selector(Selector(.meta(.outputName)))
    case .meta(.inputVRF): return .selector(Selector(.meta(.inputVRFName)))
    case .environment(var field):
      if case .fib(let inputs, "oif") = field.source {
        field.source = .fib(inputs: inputs, result: "oifname")
        field.type = .interfaceName
        field.text = "fib \(inputs.joined(separator: " . ")) oifname"
        return .selector(Selector(.environment(field), requiring: selector.requiring))
      }
      return expression
    case .payload, .connection, .extensionHeader, .option, .meta: return expression
    }
  }

  // MARK: - Types

  /// The component types of a set's key or a map's value.
  ///
  /// A type is a name (`ipv4_addr`), a list of names, names joined by ` . `, or, since nft 1.1,
  /// `{"typeof": expression}`.
  private mutating func types(_ node: Node) throws(NotModelled) -> [DataType] {
    if let text = document.string(node) {
      var list: [DataType] = []
      for name in text.split(separator: ".") { list.append(try type(named: trimmed(name))) }
      return list
    }
    if let elements = document.elements(of: node) {
      var list: [DataType] = []
      for element in elements { list += try types(element) }
      return list
    }
    guard let member = document.onlyMember(of: node), document.isString(member.name, "typeof")
    else { throw NotModelled(reason: "the type `\(compactText(of: node))` is not covered") }
    return types(
      of: try modelledExpression(member.value, constantsAs: .integer(bits: 32)))
  }

  private func trimmed(_ text: Substring) -> String {
    var text = text
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return String(text)
  }

  private mutating func dataKind(_ node: Node) throws(NotModelled) -> SetContents.DataKind {
    if let text = document.string(node) {
      if text == "verdict" { return .verdict }
      if let kind = StatefulObject.Kind(rawValue: text) { return .object(kind) }
    }
    return .values(try types(node))
  }

  private func type(named name: String) throws(NotModelled) -> DataType {
    switch name {
    case "ipv4_addr": return .ipv4Address
    case "ipv6_addr": return .ipv6Address
    case "ether_addr", "ll_addr": return .etherAddress
    case "inet_proto": return .transportProtocol
    case "inet_service": return .port
    case "mark": return .mark
    case "ifname": return .interfaceName
    case "iface_index": return .interfaceIndex
    case "iface_type": return .interfaceType
    case "icmp_type": return .icmpType
    case "icmpv6_type": return .icmpv6Type
    case "icmp_code": return .icmpCode
    case "icmpv6_code": return .icmpv6Code
    case "icmpx_code": return .icmpxCode
    case "tcp_flag": return .tcpFlags
    case "dscp": return .dscp
    case "ecn": return .ecn
    case "ct_state": return .connectionState
    case "ct_status": return .connectionStatus
    case "ct_dir": return .connectionDirection
    case "ct_label": return .connectionLabel
    case "pkt_type": return .packetType
    case "uid": return .userID
    case "gid": return .groupID
    case "realm": return .realm
    case "classid": return .classID
    case "time": return .time
    case "day": return .day
    case "hour": return .hour
    case "fib_addrtype": return .fibAddressType
    case "nf_proto": return .networkProtocol
    case "ether_type": return .etherType
    case "boolean": return .boolean
    case "arp_op": throw NotModelled(reason: "sets of ARP operations are not covered")
    case "mh_type", "igmp_type": return .integer(bits: 8)
    case "dccp_pkttype": return .integer(bits: 4)
    case "string": return .string
    // Of a `typeof` set nft 1.0.6 says no more: the widest number holds whatever is listed.
    case "integer": return .integer(bits: 128)
    case "devgroup", "bitmask": return .integer(bits: 32)
    default: throw NotModelled(reason: "the type `\(name)` is not covered")
    }
  }
}
