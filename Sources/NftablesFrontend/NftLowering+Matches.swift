internal import Addresses
internal import Documents
internal import Rulesets

// Comparisons.
extension NftLowering {
  mutating func match(_ node: Node) throws(NotModelled) -> Statement {
    guard let leftNode = document.member("left", of: node),
      let right = document.member("right", of: node), let name = string("op", of: node)
    else { throw NotModelled(reason: "a match has an operator and two sides") }
    guard let symbol = Match.Operator(rawValue: name) else {
      throw NotModelled(reason: "the operator `\(name)` is not covered")
    }
    bringsPartDown = false
    var left = try modelledExpression(leftNode, constantsAs: .integer(bits: 32))
    if isName(right) { left = named(left, ifComparedAs: nameType(of: left)) }
    if document.boolean(right) != nil { left = presence(left) }
    if case .selector(let selector) = left, case .payload(let field) = selector.field {
      comparesARPOperations = field.name == "arp operation"
    }
    defer { comparesARPOperations = false }
    let match = try match(left, symbol, right)
    note(match)
    return .match(match)
  }

  private mutating func match(
    _ left: Expression, _ symbol: Match.Operator, _ right: Node
  ) throws(NotModelled) -> Match {
    if let set = try setOperand(right, types(of: left)) {
      let isMembership = symbol == .equal || symbol == .notEqual || symbol == .anyBit
      guard isMembership else {
        throw NotModelled(reason: "`\(symbol.rawValue)` with a set is not covered")
      }
      if case .anonymous = set, isListedWrongly(left) {
        throw NotModelled(reason: "nft lists wrong constants beside such a concatenation")
      }
      if case .named = set, isLookedUpSwapped(left) {
        throw NotModelled(reason: "such a lookup depends on the byte order of the machine")
      }
      // With a set the implicit operator is membership, for flags too.
      let isNegated = symbol == .notEqual
      return Match(named(left, asIn: set), isNegated ? .notEqual : .equal, .set(set))
    }
    if case .concatenation = left { return try concatenationMatch(left, symbol, right) }
    let type = type(of: left)
    guard isOperand(right) else {
      let expression = try modelledExpression(right, constantsAs: type)
      return Match(left, implicit(symbol, type), .expression(expression))
    }
    let interval: Interval
    if document.kind(of: right) == .array, !Symbols.isBitmask(type), !isMasked(left) {
      throw NotModelled(reason: "a list is compared with what is no set of flags")
    }
    interval = try self.interval(right, type)
    // Hours are listed in the local time of the host; a shift keeps a range but not an order.
    if type == .hour, symbol != .equal, symbol != .notEqual {
      throw NotModelled(reason: "the listing gives hours in the time of an unknown zone")
    }
    let isSingle = interval.lower == interval.upper
    let `operator` = implicit(symbol, type)
    if isSingle { return Match(left, `operator`, .value(interval.lower)) }
    switch `operator` {
    case .equal, .notEqual: return Match(left, `operator`, .range(interval))
    case .anyBit, .noBit, .less, .greater, .lessOrEqual, .greaterOrEqual:
      throw NotModelled(reason: "`\(symbol.rawValue)` with a range is not covered")
    }
  }

  /// The implicit operator compares for equality where a value is no set of flags.
  private func implicit(_ symbol: Match.Operator, _ type: DataType) -> Match.Operator {
    symbol == .anyBit && !Symbols.isBitmask(type) ? .equal : symbol
  }

  private func isMasked(_ expression: Expression) -> Bool {
    if case .masked = expression { true } else { false }
  }

  /// Whether the right side is a constant, a range or a prefix.
  private func isOperand(_ node: Node) -> Bool {
    if isConstant(node) { return true }
    guard let member = document.onlyMember(of: node) else { return false }
    return document.isString(member.name, "range") || document.isString(member.name, "prefix")
  }

  private mutating func concatenationMatch(
    _ left: Expression, _ symbol: Match.Operator, _ right: Node
  ) throws(NotModelled) -> Match {
    guard symbol == .equal || symbol == .notEqual, let member = document.onlyMember(of: right),
      document.isString(member.name, "concat"), let parts = document.elements(of: member.value),
      case .concatenation(let fields) = left, parts.count == fields.count
    else { throw NotModelled(reason: "this comparison of a concatenation is not covered") }
    let types = namesInsteadOfIndices(self.types(of: left), in: [right])
    let named = zip(fields, types).map { self.named($0, ifComparedAs: $1) }
    var values: [UInt128] = []
    for (part, type) in zip(parts, types) {
      let interval = try interval(part, type)
      guard interval.lower == interval.upper else {
        throw NotModelled(reason: "a range inside a concatenation is not covered")
      }
      values.append(interval.lower)
    }
    return Match(.concatenation(named), symbol, .values(values))
  }

  /// Whether nft 1.0.6 may list other constants than those that the kernel compares with.
  ///
  /// It tells the parts of an element apart by the widths of their types, and a plain number has
  /// none. Seen with `ip version . th sport { 4 . 1 }`, listed as `0 . 1024`, and with
  /// `ip length . meta mark { 40 . 1-5 }`, listed as `0 . 0x280000`; maps do not suffer.
  private func isListedWrongly(_ left: Expression) -> Bool {
    guard case .concatenation(let parts) = left else { return false }
    if bringsPartDown { return true }
    return parts.contains { part in
      switch part {
      case .shifted: return true
      case .selector(let selector):
        if case .integer = selector.field.type { return true }
        guard case .payload(let field) = selector.field else { return false }
        // Taken out of an octet, and put in its place without the listing saying so.
        return field.bitLength % 8 != 0 && (field.bitOffset % 8 != 0 || field.bitLength > 8)
      case .masked, .lookup, .constant, .concatenation, .unmodelled: return false
      }
    }
  }

  /// Whether a part of a concatenation is shifted, beside which the constants of maps are wrong too.
  func hasShiftedPart(_ expression: Expression) -> Bool {
    guard case .concatenation(let parts) = expression else { return false }
    return bringsPartDown
      || parts.contains { part in
        switch part {
        case .shifted: return true
        case .selector, .masked, .lookup, .constant, .concatenation, .unmodelled: return false
        }
      }
  }

  /// The right side as a set, if it is one.
  private mutating func setOperand(
    _ node: Node, _ types: [DataType]
  ) throws(NotModelled) -> SetReference? {
    if let text = document.string(node) {
      guard text.hasPrefix("@") else { return nil }
      return try setReference(node, keyTypes: types, dataKind: nil)
    }
    guard let member = document.onlyMember(of: node), document.isString(member.name, "set") else {
      return nil
    }
    return try setReference(node, keyTypes: types, dataKind: nil)
  }

  private func nameType(of expression: Expression) -> DataType {
    type(of: expression) == .interfaceIndex ? .interfaceName : type(of: expression)
  }

  /// A fib lookup that is compared with true or false asks whether there is a route.
  private func presence(_ expression: Expression) -> Expression {
    guard case .selector(let selector) = expression,
      case .environment(var field) = selector.field, case .fib = field.source
    else { return expression }
    field.type = .boolean
    return .selector(Selector(.environment(field), requiring: selector.requiring))
  }

  /// Takes note of what a match settles for the statements after it.
  private mutating func note(_ match: Match) {
    guard match.operator == .equal, case .selector(let selector) = match.left else { return }
    established.noteType(of: selector)
    if case .value(let value) = match.right { established.note(selector, equals: value) }
  }
}
