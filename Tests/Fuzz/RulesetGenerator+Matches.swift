extension RulesetGenerator {
  typealias Clause = RulesetTree.Clause

  /// A comparison of a field, or of several side by side.
  mutating func match(
    _ field: RuleField, _ fields: [(Int, RuleField)], _ place: RulePlace
  ) -> Clause {
    if field.isKey, let named = namedLookup(fields), draw.chance(20) { return named }
    if field.isKey, draw.chance(12), let concatenation = concatenation(field, fields) {
      let elements = (0..<draw.number(1...3)).map { _ in element(of: concatenation) }
      return Clause(
        concatenation.map(\.text).joined(separator: " . ") + (draw.chance(25) ? " != " : " "),
        elements: unique(elements))
    }
    if let names = field.kind.bitNames { return bitMatch(field, names) }
    if let names = field.kind.names { return nameMatch(field, names) }
    return field.kind.isOrdered ? orderedMatch(field) : interfaceMatch(field)
  }

  private func unique(_ texts: [String]) -> [String] {
    texts.enumerated().filter { !texts[..<$0].contains($1) }.map { $1 }
  }

  mutating func constant(_ field: RuleField) -> String {
    field.kind.text(value(field))
  }

  mutating func value(_ field: RuleField) -> UInt128 {
    pool.value(field.kind, field.text, usual: field.usual, &draw)
  }

  /// A range or a prefix; both its ends are noted.
  mutating func range(_ field: RuleField) -> String {
    if field.kind == .ipv4 || field.kind == .ipv6, draw.chance(60) { return prefix(field) }
    let first = value(field)
    let second = value(field)
    guard first != second else { return field.kind.text(first) }
    return "\(field.kind.text(min(first, second)))-\(field.kind.text(max(first, second)))"
  }

  private mutating func prefix(_ field: RuleField) -> String {
    let width = field.kind.bitWidth
    let length =
      field.kind == .ipv4
      ? draw.pick([8, 12, 16, 24, 25, 30, 31, 32, 1]) : draw.pick([16, 32, 48, 64, 65, 120, 127])
    let host: UInt128 = length == 0 ? .max : (1 << UInt128(width - length)) - 1
    let network = value(field) & ~host
    pool.note(network, field.kind, field.text)
    pool.note(network | host, field.kind, field.text)
    return "\(field.kind.text(network))/\(length)"
  }

  private mutating func orderedMatch(_ field: RuleField) -> Clause {
    switch draw.number(0...11) {
    case 0...2: return Clause("\(field.text) \(constant(field))")
    case 3: return Clause("\(field.text) != \(constant(field))")
    case 4:
      let sign = draw.pick(["<", ">", "<=", ">="])
      return Clause("\(field.text) \(sign) \(constant(field))")
    case 5: return Clause("\(field.text) \(range(field))")
    case 6: return Clause("\(field.text) != \(range(field))")
    case 7: return maskedMatch(field)
    case 8: return Clause("\(field.text) ", elements: values(field))
    case 9: return Clause("\(field.text) != ", elements: values(field))
    case 10: return Clause("\(field.text) ", elements: intervals(field))
    default: return Clause("\(field.text) != ", elements: intervals(field))
    }
  }

  private mutating func maskedMatch(_ field: RuleField) -> Clause {
    let full: UInt128 =
      field.kind.bitWidth >= 128 ? .max : (1 << UInt128(field.kind.bitWidth)) - 1
    // Prefix masks are no masks to nft, and a mask of all bits is none.
    var mask = draw.bits(field.kind.bitWidth) | 1
    if mask == full { mask = 1 }
    let held = value(field) & mask
    let sign = draw.pick(["==", "!=", "=="])
    if draw.chance(20) {
      let other = value(field) & mask
      return Clause(
        "\(field.text) & \(field.kind.text(mask)) \(sign == "==" ? "" : sign) ",
        elements: unique([field.kind.text(held), field.kind.text(other)]))
    }
    return Clause("\(field.text) & \(field.kind.text(mask)) \(sign) \(field.kind.text(held))")
  }

  mutating func values(_ field: RuleField) -> [String] {
    unique((0..<draw.number(1...4)).map { _ in constant(field) })
  }

  /// Ranges and values that do not meet.
  mutating func intervals(_ field: RuleField) -> [String] {
    let ends = Set((0..<draw.number(2...6)).map { _ in value(field) }).sorted()
    var texts: [String] = []
    var index = 0
    while index < ends.count {
      if index + 1 < ends.count, draw.chance(60) {
        texts.append("\(field.kind.text(ends[index]))-\(field.kind.text(ends[index + 1]))")
        index += 2
      } else {
        texts.append(field.kind.text(ends[index]))
        index += 1
      }
    }
    return texts
  }

  private mutating func bitMatch(
    _ field: RuleField, _ names: [(name: String, value: UInt128)]
  ) -> Clause {
    let words = draw.some(1...3, of: names.map(\.name))
    let list = words.joined(separator: ",")
    switch draw.number(0...9) {
    case 0...2: return Clause("\(field.text) \(list)")
    case 3: return Clause("\(field.text) ! \(list)")
    case 4: return Clause("\(field.text) == \(words[0])")
    case 5: return Clause("\(field.text) != \(list)")
    case 6, 7:
      let mask = draw.some(2...4, of: names.map(\.name))
      let held = draw.some(1...2, of: mask)
      let sign = draw.pick(["==", "!="])
      return Clause(
        "\(field.text) & (\(mask.joined(separator: "|"))) \(sign) \(held.joined(separator: "|"))")
    case 8:
      let elements = field.kind == .tcpFlags ? [words.joined(separator: " | ")] : words
      return Clause("\(field.text) ", elements: elements)
    default: return Clause("\(field.text) != ", elements: words)
    }
  }

  private mutating func nameMatch(_ field: RuleField, _ names: [String]) -> Clause {
    let sign = field.kind == .presence ? "" : draw.pick(["", "", "!= "])
    if field.kind != .presence, draw.chance(25) {
      return Clause("\(field.text) \(sign)", elements: draw.some(1...3, of: names))
    }
    return Clause("\(field.text) \(sign)\(draw.pick(names))")
  }

  private mutating func interfaceMatch(_ field: RuleField) -> Clause {
    let sign = draw.pick(["", "", "!= "])
    switch draw.number(0...4) {
    case 0: return Clause("\(field.text) \(sign)\"\(draw.pick(["eth", "e", "eth1", "w", "lo"]))*\"")
    case 1: return Clause("\(field.text) \(sign)", elements: values(field))
    default: return Clause("\(field.text) \(sign)\(constant(field))")
    }
  }

  /// Two or three fields that can stand side by side.
  mutating func concatenation(
    _ first: RuleField, _ fields: [(Int, RuleField)]
  ) -> [RuleField]? {
    // Beside plain numbers nft lists wrong constants, about which nothing can be said.
    let takesNumbers = draw.chance(10)
    let others = fields.filter {
      $0.1.isKey && $0.1.text != first.text && $0.1.transport != .none
        && (takesNumbers || !$0.1.kind.isNumber)
    }
    guard !others.isEmpty, first.transport != .none, takesNumbers || !first.kind.isNumber else {
      return nil
    }
    var parts = [first]
    for _ in 0..<draw.number(1...2) {
      let next = draw.pick(weighted: others)
      if !parts.contains(where: { $0.text == next.text }) { parts.append(next) }
    }
    return parts.count > 1 ? parts : nil
  }

  /// An element of a set with a concatenation for its key.
  mutating func element(of fields: [RuleField], withRanges: Bool = true) -> String {
    fields.map { field in
      if withRanges, field.kind.isOrdered, draw.chance(30) { return range(field) }
      return single(field)
    }.joined(separator: " . ")
  }

  /// One value, whatever its kind.
  mutating func single(_ field: RuleField) -> String {
    if let names = field.kind.bitNames { return draw.pick(names).name }
    if let names = field.kind.names { return draw.pick(names) }
    return constant(field)
  }
}
