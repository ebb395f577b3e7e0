internal import Addresses
internal import Documents
internal import Rulesets

// What a statement reads: fields, operations on them, maps.
extension NftLowering {
  /// Lowers a value that a statement reads; a construct that is not covered becomes
  /// ``Expression/unmodelled(_:)`` with its text.
  ///
  /// - Parameters:
  ///   - node: the value.
  ///   - type: how a constant is meant.
  /// - Returns: the expression, covered or not.
  mutating func expression(_ node: Node, constantsAs type: DataType) -> Expression {
    do throws(NotModelled) {
      return try modelledExpression(node, constantsAs: type)
    } catch {
      return .unmodelled(Unmodelled(text: compactText(of: node), reason: error.reason))
    }
  }

  /// Lowers a value that a statement reads.
  ///
  /// - Parameters:
  ///   - node: the value.
  ///   - type: how a constant is meant.
  ///   - components: how constants inside a concatenation are meant, where that is known.
  /// - Returns: the expression.
  /// - Throws: ``NotModelled`` where the model has no such value.
  mutating func modelledExpression(
    _ node: Node, constantsAs type: DataType, components: [DataType] = []
  ) throws(NotModelled) -> Expression {
    if isConstant(node) { return .constant(try constant(node, type), type) }
    guard let member = document.onlyMember(of: node), let name = document.string(member.name) else {
      throw NotModelled(reason: "an expression has one name")
    }
    switch name {
    case "&", "|", "^": return try bitwise(name, member.value, constantsAs: type)
    case "<<", ">>": return try shift(name, member.value, constantsAs: type)
    case "concat":
      var parts: [Expression] = []
      var children = document.children(of: member.value)
      while let child = children.next(in: document) {
        let known = parts.count < components.count ? components[parts.count] : type
        parts.append(try modelledExpression(child, constantsAs: known))
      }
      return .concatenation(parts)
    case "map": return try lookup(member.value, dataTypes: [type])
    default: return .selector(try selector(name, member.value))
    }
  }

  /// `(x & mask) ^ flip` from `&`, `|` and `^` with constants, folded into one.
  private mutating func bitwise(
    _ name: String, _ list: Node, constantsAs type: DataType
  ) throws(NotModelled) -> Expression {
    guard let operands = document.elements(of: list), let first = operands.first else {
      throw NotModelled(reason: "`\(name)` has no operands")
    }
    var value = try modelledExpression(first, constantsAs: type)
    let valueType = self.type(of: value)
    for operand in operands.dropFirst() {
      guard isConstant(operand) else {
        throw NotModelled(reason: "both sides of `\(name)` are read from the packet")
      }
      let number = try constant(operand, valueType)
      let all: UInt128 =
        valueType.bitWidth >= 128 ? .max : (1 << UInt128(valueType.bitWidth)) - 1
      var (inner, mask, flip) = (value, all, UInt128(0))
      if case .masked(let operand, let innerMask, let innerFlip) = value {
        (inner, mask, flip) = (operand, innerMask, innerFlip)
      }
      switch name {
      case "&": (mask, flip) = (mask & number, flip & number)
      case "|": (mask, flip) = (mask & ~number, flip & ~number | number)
      default: flip ^= number
      }
      value = .masked(inner, mask: mask, flip: flip)
    }
    return value
  }

  private mutating func shift(
    _ name: String, _ list: Node, constantsAs type: DataType
  ) throws(NotModelled) -> Expression {
    guard let operands = document.elements(of: list), operands.count == 2,
      isConstant(operands[1])
    else { throw NotModelled(reason: "`\(name)` takes a value and a constant") }
    let value = try modelledExpression(operands[0], constantsAs: type)
    let count = try constant(operands[1], .integer(bits: 8))
    switch value {
    case .selector(let selector), .masked(.selector(let selector), _, _):
      guard let bits = extent(of: selector.field) else { break }
      guard bits.octets == 1 else {
        throw NotModelled(reason: "such a shift depends on the byte order of the machine")
      }
      if case .masked = value { break }
      // So bits in the midst of an octet are brought down: the field means them there already.
      if name == ">>", bits.below > 0 {
        guard count == UInt128(bits.below) else {
          throw NotModelled(reason: "this shift of a part of an octet is not covered")
        }
        bringsPartDown = bringsPartDown || selector.field.type != .dscp
        return value
      }
    case .constant, .masked, .shifted, .concatenation, .lookup, .unmodelled: break
    }
    return .shifted(value, left: name == "<<", by: UInt8(count))
  }

  /// How many octets a field of a header touches, and how many bits of the last are below it.
  private func extent(of field: Field) -> (octets: Int, below: Int)? {
    guard case .payload(let payload) = field else { return nil }
    let end = payload.bitOffset + payload.bitLength
    let octets = (end + 7) / 8 - payload.bitOffset / 8
    return (octets, (8 - end % 8) % 8)
  }

  /// Whether the kernel looks a field up in named sets as other numbers than it has.
  ///
  /// nft 1.0.6 has it brought down by a shift in the byte order of the machine, and does not list
  /// that: `ip6 dscp @s`.
  func isLookedUpSwapped(_ expression: Expression) -> Bool {
    guard case .selector(let selector) = expression, let bits = extent(of: selector.field) else {
      return false
    }
    return bits.octets > 1 && bits.below > 0
  }

  /// How the value of an expression is meant.
  func type(of expression: Expression) -> DataType {
    switch expression {
    case .constant(_, let type): type
    case .selector(let selector): selector.field.type
    case .masked(let operand, _, _), .shifted(let operand, _, _): type(of: operand)
    case .concatenation(let parts): parts.first.map { type(of: $0) } ?? .integer(bits: 32)
    case .lookup(_, let map): dataTypes(of: map).first ?? .integer(bits: 32)
    case .unmodelled: .integer(bits: 128)
    }
  }

  /// The types of an expression's components.
  func types(of expression: Expression) -> [DataType] {
    if case .concatenation(let parts) = expression { return parts.map { type(of: $0) } }
    return [type(of: expression)]
  }

  private func dataTypes(of map: SetReference) -> [DataType] {
    let kind: SetContents.DataKind? =
      switch map {
      case .named(let index): ruleset.tables[table].sets[index].contents.dataKind
      case .anonymous(let contents): contents.dataKind
      case .missing: nil
      }
    return if case .values(let types) = kind { types } else { [] }
  }

  /// `key map data`, with data of `dataTypes` where the map is written in the rule.
  mutating func lookup(
    _ node: Node, dataTypes: [DataType]
  ) throws(NotModelled) -> Expression {
    let (key, map) = try keyAndMap(node, .values(dataTypes))
    return .lookup(key: key, map: map)
  }

  /// The key of a map or verdict map and the map itself.
  mutating func keyAndMap(
    _ node: Node, _ kind: SetContents.DataKind
  ) throws(NotModelled) -> (key: Expression, map: SetReference) {
    guard let keyNode = document.member("key", of: node) ?? document.member("left", of: node),
      let data = document.member("data", of: node) ?? document.member("right", of: node)
    else { throw NotModelled(reason: "a map has a key and data") }
    bringsPartDown = false
    let key = try modelledExpression(keyNode, constantsAs: .integer(bits: 32))
    let map = try setReference(data, keyTypes: types(of: key), dataKind: kind)
    if case .named = map, isLookedUpSwapped(key) {
      throw NotModelled(reason: "such a lookup depends on the byte order of the machine")
    }
    return (named(key, asIn: map), map)
  }
}

// Fields.
extension NftLowering {
  /// The field that a named expression reads.
  mutating func selector(_ name: String, _ node: Node) throws(NotModelled) -> Selector {
    switch name {
    case "payload": return try payload(node)
    case "meta": return try meta(node)
    case "ct": return try connection(node)
    case "exthdr": return try optional(.ipv6Extension, node)
    case "tcp option": return try optional(.tcpOption, node)
    case "ip option": return try optional(.ipv4Option, node)
    case "sctp chunk": return try optional(.sctpChunk, node)
    case "dccp option": return try optional(.dccpOption, node)
    case "fib", "rt", "socket", "osf", "ipsec", "numgen", "jhash", "symhash":
      return try environment(name, node)
    default: throw NotModelled(reason: "`\(name)` expressions are not covered")
    }
  }

  private mutating func payload(_ node: Node) throws(NotModelled) -> Selector {
    guard let header = string("protocol", of: node), let name = string("field", of: node) else {
      return try rawPayload(node)
    }
    guard document.member("tunnel", of: node) == nil else {
      throw NotModelled(reason: "headers inside a tunnel are not covered")
    }
    guard let field = PayloadFields.field(name, of: header) else {
      throw NotModelled(reason: "`\(header) \(name)` is not covered")
    }
    if let ruleTests, ruleTests.holesMask(of: field) {
      throw NotModelled(reason: "nft lists only a part of the bits that this tests")
    }
    if header == "vlan", established.etherType == nil, family != .bridge, family != .netdev {
      // There the listing says `vlan id 5` for 802.1Q and 802.1ad tags alike.
      throw NotModelled(reason: "the listing does not say which kind of VLAN tag is meant")
    }
    let guards = ImpliedGuards.guards(
      header: header, field: name, family: family, established: established)
    switch header {
    case "ip": established.network = .ipv4
    case "ip6": established.network = .ipv6
    default: break
    }
    return Selector(.payload(field), requiring: guards)
  }

  private func rawPayload(_ node: Node) throws(NotModelled) -> Selector {
    guard let base = string("base", of: node).flatMap({ PayloadField.Base(rawValue: $0) }),
      let offset = integer("offset", of: node), let length = integer("len", of: node),
      0...65_535 ~= offset, 1...128 ~= length
    else { throw NotModelled(reason: "this part of the packet is not covered") }
    return Selector(
      .payload(
        PayloadField(
          base: base, bitOffset: offset, bitLength: length, type: .integer(bits: length))))
  }

  private func meta(_ node: Node) throws(NotModelled) -> Selector {
    guard let name = string("key", of: node) else {
      throw NotModelled(reason: "`meta` has a key")
    }
    if let key = MetaKey(rawValue: name) { return Selector(.meta(key)) }
    let key: MetaKey? =
      switch name {
      case "ibriport", "ibrname", "ibriname": .inputBridgeName
      case "obriport", "obrname", "obriname": .outputBridgeName
      case "ibrpvid", "ibrvproto", "broute", "ibrhwaddr": nil
      case "skuid": .userID
      case "skgid": .groupID
      default: nil
      }
    guard let key else { throw NotModelled(reason: "`meta \(name)` is not covered") }
    return Selector(.meta(key))
  }

  private func connection(_ node: Node) throws(NotModelled) -> Selector {
    guard var name = string("key", of: node) else { throw NotModelled(reason: "`ct` has a key") }
    var addressFamily: IPFamily? =
      switch string("family", of: node) {
      case "ip": .ipv4
      case "ip6": .ipv6
      default: nil
      }
    if name.hasPrefix("ip ") { (name, addressFamily) = (String(name.dropFirst(3)), .ipv4) }
    if name.hasPrefix("ip6 ") { (name, addressFamily) = (String(name.dropFirst(4)), .ipv6) }
    let direction: ConnectionKey.Direction?
    switch string("dir", of: node) {
    case nil: direction = nil
    case "original": direction = .original
    case "reply": direction = .reply
    case let other?: throw NotModelled(reason: "`ct \(other)` is not covered")
    }
    guard let key = ConnectionKey.Key(rawValue: name == "event" ? "eventmask" : name) else {
      throw NotModelled(reason: "`ct \(name)` is not covered")
    }
    // Without a family the listing of nft 1.0.6 means the one that a match settled.
    let isGeneric = addressFamily == nil
    addressFamily = addressFamily ?? established.network
    let type: DataType
    switch key {
    case .state: type = .connectionState
    case .direction: type = .connectionDirection
    case .status: type = .connectionStatus
    case .mark: type = .mark
    case .expiration, .eventmask, .id, .secmark: type = .integer(bits: 32)
    case .helper: type = .string
    case .label: type = .connectionLabel
    case .sourceAddress, .destinationAddress:
      guard let addressFamily else {
        throw NotModelled(reason: "the family of `ct \(name)` is not in the listing")
      }
      type = addressFamily == .ipv4 ? .ipv4Address : .ipv6Address
    case .sourcePort, .destinationPort: type = .port
    case .transportProtocol: type = .transportProtocol
    case .networkProtocol: type = .networkProtocol
    case .bytes, .packets, .averagePacket: type = .integer(bits: 64)
    case .zone: type = .integer(bits: 16)
    }
    var guards: [Guard] = []
    // The kernel BREAKs where the entry is of the other family than the key names.
    if !isGeneric, type == .ipv4Address, family != .ip { guards = ImpliedGuards.ipv4 }
    if !isGeneric, type == .ipv6Address, family != .ip6 { guards = ImpliedGuards.ipv6 }
    return Selector(
      .connection(ConnectionKey(key: key, direction: direction, type: type)), requiring: guards)
  }

  private func optional(
    _ holder: OptionalHeader.Holder, _ node: Node
  ) throws(NotModelled) -> Selector {
    let guards: [Guard] =
      switch holder {
      case .ipv6Extension: family == .ip6 ? [] : ImpliedGuards.ipv6
      case .ipv4Option: family == .ip ? [] : ImpliedGuards.ipv4
      // nft inserts none here: the kernel itself looks whether the packet is TCP, SCTP or DCCP,
      // and reads the option as absent where it is not (net/netfilter/nft_exthdr.c).
      case .tcpOption, .sctpChunk, .dccpOption: []
      }
    func selector(_ kind: UInt8, _ bits: OptionalHeaders.Bits?, _ name: String) -> Selector {
      let header = OptionalHeader(
        holder: holder, kind: kind,
        reading: bits.map { .bits(offset: $0.offset, length: $0.length) } ?? .presence,
        type: bits?.type ?? .boolean, name: text(of: name, in: holder, isPresence: bits == nil))
      let isExtension = holder == .ipv6Extension
      return Selector(isExtension ? .extensionHeader(header) : .option(header), requiring: guards)
    }
    if let name = string("name", of: node) {
      let known: (kind: UInt8, fields: [String: OptionalHeaders.Bits])? =
        switch holder {
        case .ipv6Extension: OptionalHeaders.ipv6Extension(name)
        case .tcpOption: OptionalHeaders.tcpOption(name)
        case .ipv4Option: OptionalHeaders.ipv4Option(name)
        case .sctpChunk: OptionalHeaders.sctpChunk(name)
        case .dccpOption: nil
        }
      guard let known, document.member("offset", of: node) == nil else {
        throw NotModelled(reason: "`\(holder.rawValue) \(name)` is not covered")
      }
      guard let fieldName = string("field", of: node) else {
        return selector(known.kind, nil, name)
      }
      guard let bits = known.fields[fieldName] else {
        throw NotModelled(reason: "`\(holder.rawValue) \(name) \(fieldName)` is not covered")
      }
      return selector(known.kind, bits, "\(name) \(fieldName)")
    }
    // `tcp option @3,8,16`, and the presence of a DCCP option by its number.
    if let kind = integer("base", of: node) ?? integer("type", of: node), 0...255 ~= kind {
      guard let offset = integer("offset", of: node), let length = integer("len", of: node) else {
        return selector(UInt8(kind), nil, "\(kind)")
      }
      guard 0...2_048 ~= offset, 1...128 ~= length else {
        throw NotModelled(reason: "this part of the option is not covered")
      }
      // The presence of an option without a name is listed as eight bits of nothing.
      return selector(
        UInt8(kind), (offset, length, .integer(bits: length)), "@\(kind),\(offset),\(length)")
    }
    throw NotModelled(reason: "this \(holder.rawValue) is not covered")
  }

  private func text(
    of name: String, in holder: OptionalHeader.Holder, isPresence: Bool
  ) -> String {
    switch holder {
    case .ipv6Extension: isPresence ? "exthdr \(name)" : name
    case .tcpOption, .ipv4Option, .sctpChunk, .dccpOption: "\(holder.rawValue) \(name)"
    }
  }

  private func environment(_ name: String, _ node: Node) throws(NotModelled) -> Selector {
    let source: EnvironmentField.Source
    let type: DataType
    let text: String
    switch name {
    case "fib":
      let inputs = strings("flags", of: node)
      guard let result = string("result", of: node) else {
        throw NotModelled(reason: "`fib` has a result")
      }
      source = .fib(inputs: inputs, result: result)
      switch result {
      case "type": type = .fibAddressType
      case "oif": type = .interfaceIndex
      case "oifname": type = .interfaceName
      case "check": type = .boolean
      default: throw NotModelled(reason: "`fib … \(result)` is not covered")
      }
      text = "fib \(inputs.joined(separator: " . ")) \(result)"
    case "rt":
      guard let key = string("key", of: node) else { throw NotModelled(reason: "`rt` has a key") }
      let addressFamily = string("family", of: node)
      switch key {
      case "nexthop":
        let isIPv6 = addressFamily.map { $0 == "ip6" } ?? (established.network == .ipv6)
        type = isIPv6 ? .ipv6Address : .ipv4Address
      case "classid": type = .realm
      case "mtu": type = .integer(bits: 16)
      case "ipsec": type = .boolean
      default: throw NotModelled(reason: "`rt \(key)` is not covered")
      }
      source = .route(key)
      text = "rt \(addressFamily.map { "\($0) " } ?? "")\(key)"
    case "socket":
      guard let key = string("key", of: node) else {
        throw NotModelled(reason: "`socket` has a key")
      }
      switch key {
      case "mark": type = .mark
      case "transparent", "wildcard": type = .integer(bits: 8)
      default: throw NotModelled(reason: "`socket \(key)` is not covered")
      }
      source = .socket(key)
      text = "socket \(key)"
    case "osf":
      source = .osf
      type = .string
      text =
        "osf \(string("ttl", of: node).map { "ttl \($0) " } ?? "")\(string("key", of: node) ?? "name")"
    case "ipsec":
      guard let key = string("key", of: node) else {
        throw NotModelled(reason: "`ipsec` has a key")
      }
      source = .ipsec
      let addressFamily = string("family", of: node)
      switch key {
      case "reqid", "spi": type = .integer(bits: 32)
      case "saddr", "daddr": type = addressFamily == "ip6" ? .ipv6Address : .ipv4Address
      default: throw NotModelled(reason: "`ipsec \(key)` is not covered")
      }
      text =
        "ipsec \(string("dir", of: node) ?? "in") spnum \(integer("spnum", of: node) ?? 0) "
        + "\(addressFamily.map { "\($0) " } ?? "")\(key)"
    case "numgen":
      let modulus = UInt32(exactly: unsigned("mod", of: node) ?? 0) ?? 0
      let offset = UInt32(exactly: unsigned("offset", of: node) ?? 0) ?? 0
      let mode = string("mode", of: node) ?? "inc"
      source = .numberGenerator(isRandom: mode == "random", modulus: modulus, offset: offset)
      type = .integer(bits: 32)
      text = "numgen \(mode) mod \(modulus)\(offset == 0 ? "" : " offset \(offset)")"
    default:
      let modulus = UInt32(exactly: unsigned("mod", of: node) ?? 0) ?? 0
      let offset = UInt32(exactly: unsigned("offset", of: node) ?? 0) ?? 0
      source = .hash(modulus: modulus, offset: offset)
      type = .integer(bits: 32)
      text = "\(name) \(compactText(of: node))"
    }
    return Selector(.environment(EnvironmentField(source: source, type: type, text: text)))
  }
}
