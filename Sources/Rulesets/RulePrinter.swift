/// Prints rules and their parts as nft text.
///
/// ```swift
/// RulePrinter(table).text(of: rule)  // tcp dport { 4240, 10250 } ct state new accept
/// ```
///
/// Guards are not printed: nft inserts them again. What is not covered prints as its own text.
package struct RulePrinter: Sendable {
  let table: Table

  /// Makes a printer for rules of `table`, which holds the names of chains and sets.
  package init(_ table: Table) { self.table = table }

  /// The statements of a rule, and its comment.
  package func text(of rule: Rule) -> String {
    var text = rule.statements.map { self.text(of: $0) }.joined(separator: " ")
    if let comment = rule.comment { text += (text.isEmpty ? "" : " ") + "comment \"\(comment)\"" }
    return text
  }

  package func text(of statement: Statement) -> String {
    switch statement {
    case .match(let match): return text(of: match)
    case .verdict(let verdict): return text(of: verdict)
    case .verdictMap(let key, let map): return "\(text(of: key)) vmap \(text(of: map))"
    case .reject(let rejection, _): return "reject with \(text(of: rejection))"
    case .gate(let gate): return gate.text
    case .object(let kind, let reference): return text(of: reference, kind)
    case .mangle(let selector, let value): return mangle(selector, value)
    case .notrack: return "notrack"
    case .translate(let translation): return text(of: translation)
    case .setUpdate(let update): return text(of: update)
    case .inert(let text), .duplicate(let text): return text
    case .diverts(let unmodelled), .unmodelled(let unmodelled): return unmodelled.text
    }
  }

  package func text(of verdict: Verdict) -> String {
    switch verdict {
    case .accept: "accept"
    case .drop: "drop"
    case .continue: "continue"
    case .return: "return"
    case .jump(let chain): "jump \(name(ofChain: chain))"
    case .goto(let chain): "goto \(name(ofChain: chain))"
    }
  }

  private func name(ofChain index: Int) -> String {
    table.chains.indices.contains(index) ? table.chains[index].name : "chain #\(index)"
  }

  // MARK: - Comparisons

  package func text(of match: Match) -> String {
    let left = text(of: match.left)
    let types = types(of: match.left)
    let type = types.first ?? .integer(bits: 32)
    let isBitmask = Symbols.isBitmask(type)
    let right: String
    switch match.right {
    case .value(let value):
      switch match.operator {
      case .anyBit, .noBit: right = ValuePrinter.flags(value, type, ",")
      case .equal, .notEqual, .less, .greater, .lessOrEqual, .greaterOrEqual:
        right = ValuePrinter.text(value, type)
      }
    case .range(let interval): right = ValuePrinter.text(interval, type)
    case .values(let values):
      right = zip(values, types).map { ValuePrinter.text($0, $1) }.joined(separator: " . ")
    case .set(let set): right = text(of: set)
    case .expression(let expression): right = text(of: expression)
    }
    switch match.operator {
    case .anyBit: return "\(left) \(right)"
    case .noBit: return "\(left) ! \(right)"
    case .equal:
      // Without an operator nft asks whether any of the flags is set.
      if isBitmask || isMasked(match.left), !isSet(match.right) { return "\(left) == \(right)" }
      return "\(left) \(right)"
    case .notEqual, .less, .greater, .lessOrEqual, .greaterOrEqual:
      return "\(left) \(match.operator.rawValue) \(right)"
    }
  }

  private func isMasked(_ expression: Expression) -> Bool {
    switch expression {
    case .masked, .shifted: true
    case .constant, .selector, .concatenation, .lookup, .unmodelled: false
    }
  }

  private func isSet(_ operand: Match.Operand) -> Bool {
    switch operand {
    case .set: true
    case .value, .range, .values, .expression: false
    }
  }

  // MARK: - Expressions

  package func text(of expression: Expression) -> String {
    switch expression {
    case .constant(let value, let type): return ValuePrinter.text(value, type)
    case .selector(let selector): return text(of: selector.field)
    case .masked(let operand, let mask, let flip): return masked(operand, mask, flip)
    case .shifted(let operand, let left, let count):
      return "\(grouped(operand)) \(left ? "<<" : ">>") \(count)"
    case .concatenation(let parts):
      return parts.map { text(of: $0) }.joined(separator: " . ")
    case .lookup(let key, let map): return "\(text(of: key)) map \(text(of: map))"
    case .unmodelled(let unmodelled): return unmodelled.text
    }
  }

  /// `x & m`, `x | f`, `x ^ f`, or two of them: `&` binds tightest, then `^`, then `|`.
  private func masked(_ operand: Expression, _ mask: UInt128, _ flip: UInt128) -> String {
    let type = types(of: operand).first ?? .integer(bits: 32)
    let all: UInt128 = type.bitWidth >= 128 ? .max : (1 << UInt128(type.bitWidth)) - 1
    var text = grouped(operand)
    func constant(_ value: UInt128) -> String {
      guard Symbols.isBitmask(type) else { return ValuePrinter.text(value, type) }
      let flags = ValuePrinter.flags(value, type, " | ")
      return flags.contains("|") ? "(\(flags))" : flags
    }
    if mask & flip == 0, flip != 0 {
      if mask | flip != all { text += " & \(constant(mask))" }
      return "\(text) | \(constant(flip))"
    }
    if mask != all || flip == 0 { text += " & \(constant(mask))" }
    return flip == 0 ? text : "\(text) ^ \(constant(flip))"
  }

  private func grouped(_ expression: Expression) -> String {
    isMasked(expression) ? "(\(text(of: expression)))" : text(of: expression)
  }

  package func text(of field: Field) -> String {
    switch field {
    case .payload(let field):
      return field.name ?? "@\(field.base.rawValue),\(field.bitOffset),\(field.bitLength)"
    case .meta(let key):
      switch key {
      case .inputIndex, .outputIndex, .inputName, .outputName, .inputType, .outputType,
        .inputGroup, .outputGroup:
        return key.rawValue
      case .length, .nfproto, .l4proto, .etherProtocol, .priority, .mark, .inputKind, .outputKind,
        .inputVRF, .inputVRFName, .inputBridgeName, .outputBridgeName, .userID, .groupID, .cgroup,
        .realm, .packetType, .secpath, .ipsec, .secmark, .nftrace, .cpu, .random, .time, .day,
        .hour:
        return "meta \(key.rawValue)"
      }
    case .connection(let key): return text(of: key)
    case .extensionHeader(let header), .option(let header): return header.name
    case .environment(let field): return field.text
    }
  }

  private func text(of key: ConnectionKey) -> String {
    var words = ["ct"]
    if let direction = key.direction { words.append(direction.rawValue) }
    switch key.key {
    case .sourceAddress, .destinationAddress:
      words.append(key.type == .ipv4Address ? "ip" : "ip6")
    case .state, .direction, .status, .mark, .expiration, .helper, .label, .sourcePort,
      .destinationPort, .transportProtocol, .networkProtocol, .bytes, .packets, .zone, .id,
      .eventmask, .secmark, .averagePacket:
      break
    }
    words.append(key.key == .eventmask ? "event" : key.key.rawValue)
    return words.joined(separator: " ")
  }

  /// How the components of an expression are meant.
  func types(of expression: Expression) -> [DataType] {
    switch expression {
    case .constant(_, let type): return [type]
    case .selector(let selector): return [selector.field.type]
    case .masked(let operand, _, _), .shifted(let operand, _, _): return types(of: operand)
    case .concatenation(let parts): return parts.flatMap { types(of: $0) }
    case .lookup(_, let map):
      guard let contents = contents(of: map) else { return [] }
      return contents.dataTypes
    case .unmodelled: return []
    }
  }

  // MARK: - Sets

  func contents(of reference: SetReference) -> SetContents? {
    switch reference {
    case .named(let index):
      table.sets.indices.contains(index) ? table.sets[index].contents : nil
    case .anonymous(let contents): contents
    case .missing: nil
    }
  }

  package func text(of reference: SetReference) -> String {
    switch reference {
    case .named(let index):
      table.sets.indices.contains(index) ? "@\(table.sets[index].name)" : "@set #\(index)"
    case .anonymous(let contents): text(of: contents)
    case .missing(let name): "@\(name)"
    }
  }

  /// The elements in braces.
  package func text(of contents: SetContents) -> String {
    var parts = contents.elements.map { text(of: $0, in: contents) }
    if contents.hasCatchAll {
      parts.append("*" + (contents.catchAll.map { " : \(text(of: $0, in: contents))" } ?? ""))
    }
    return parts.isEmpty ? "{ }" : "{ \(parts.joined(separator: ", ")) }"
  }

  private func text(of element: SetElement, in contents: SetContents) -> String {
    var text = zip(element.key, contents.keyTypes).map { ValuePrinter.text($0, $1) }
      .joined(separator: " . ")
    for gate in element.gates { text += " \(gate.text)" }
    if let data = element.data { text += " : \(self.text(of: data, in: contents))" }
    return text
  }

  package func text(of data: ElementData, in contents: SetContents) -> String {
    switch data {
    case .verdict(let verdict): text(of: verdict)
    case .values(let values):
      zip(values, contents.dataTypes).map { ValuePrinter.text($0, $1) }.joined(separator: " . ")
    case .ranges(let ranges):
      zip(ranges, contents.dataTypes).map { ValuePrinter.text($0, $1) }.joined(separator: " . ")
    case .object(let name): "\"\(name)\""
    case .unmodelled(let unmodelled): unmodelled.text
    }
  }
}

extension SetContents {
  /// The types of a map's values; none for verdicts and objects.
  package var dataTypes: [DataType] {
    switch dataKind {
    case .values(let types): types
    case .verdict, .object, nil: []
    }
  }
}
