extension RulesetGenerator {
  /// A named set or map that rules of the table may use.
  mutating func namedSet(_ name: String, _ family: String) -> RulesetTree.NamedSet? {
    let theme = theme(family)
    let place = RulePlace(family: family, hook: "any", isNat: false)
    let usable = fields(theme, place).filter { $0.1.isKey && $0.1.kind.typeName != nil }
    guard !usable.isEmpty else { return nil }
    var keys = [draw.pick(weighted: usable)]
    if draw.chance(35) { keys = concatenation(keys[0], usable) ?? keys }
    var plan = SetPlan(name: name, fields: keys)
    let type = keys.compactMap(\.kind.typeName).joined(separator: " . ")
    if isStateful, draw.chance(40) {
      plan.isDynamic = true
      sets.append(plan)
      let flags = draw.chance(50) ? "dynamic" : "dynamic, timeout"
      let timeout = flags == "dynamic" ? "" : " timeout 1h;"
      return RulesetTree.NamedSet(
        name: name, isMap: false,
        definition: "type \(type); flags \(flags);\(timeout) size \(draw.pick([2, 8, 64]));",
        elements: [])
    }
    let areRanges = draw.chance(50) && keys.contains { $0.kind.isOrdered }
    var elements: [String]
    if keys.count == 1 {
      elements =
        areRanges ? intervals(keys[0]) : (0..<draw.number(1...5)).map { _ in single(keys[0]) }
    } else {
      elements = (0..<draw.number(1...5)).map { _ in element(of: keys, withRanges: areRanges) }
    }
    elements = elements.enumerated().filter { !elements[..<$0].contains($1) }.map { $1 }
    if draw.chance(15) { elements.append("*") }
    var definition = "type \(type)"
    if draw.chance(45) {
      if draw.chance(60) {
        plan.isVerdicts = true
        definition += " : verdict"
        elements = elements.map { "\($0) : \(plainVerdict())" }
      } else {
        let data = draw.pick([ValueKind.mark, .ipv4, .port])
        plan.data = data
        definition += " : \(data.typeName ?? "mark")"
        let field = RuleField(text: "data", kind: data)
        elements = elements.map { "\($0) : \(constant(field))" }
      }
    }
    definition += ";"
    if areRanges { definition += " flags interval;" }
    sets.append(plan)
    return RulesetTree.NamedSet(
      name: name, isMap: plan.isVerdicts || plan.data != nil, definition: definition,
      elements: elements)
  }

  /// Whether the fields of a set can be read by rules with these fields.
  private func fits(_ plan: SetPlan, _ fields: [(Int, RuleField)]) -> Bool {
    plan.fields.allSatisfy { field in fields.contains { $0.1.text == field.text } }
  }

  func fitting(
    _ fields: [(Int, RuleField)], where wanted: (SetPlan) -> Bool
  ) -> [SetPlan] {
    sets.filter { wanted($0) && fits($0, fields) }
  }

  static func key(_ fields: [RuleField]) -> String {
    fields.map(\.text).joined(separator: " . ")
  }

  mutating func namedLookup(_ fields: [(Int, RuleField)]) -> Clause? {
    let fitting = fitting(fields) { $0.data == nil && !$0.isVerdicts }
    guard !fitting.isEmpty else { return nil }
    let plan = draw.pick(fitting)
    return Clause("\(Self.key(plan.fields)) \(draw.chance(30) ? "!= " : "")@\(plan.name)")
  }

  /// What an element of a verdict map says.
  mutating func plainVerdict() -> String {
    if !targets.isEmpty, draw.chance(35) {
      return "\(draw.pick(["jump", "jump", "goto"])) \(draw.pick(targets))"
    }
    return draw.pick(weighted: [(4, "accept"), (5, "drop"), (3, "continue"), (2, "return")])
  }

  mutating func verdictMap(_ fields: [(Int, RuleField)]) -> Clause? {
    let named = fitting(fields) { $0.isVerdicts }
    if !named.isEmpty, draw.chance(50) {
      let plan = draw.pick(named)
      return Clause("\(Self.key(plan.fields)) vmap @\(plan.name)")
    }
    guard let (key, elements) = mapKeys(fields) else { return nil }
    return Clause("\(key) vmap ", elements: elements.map { "\($0) : \(plainVerdict())" })
  }

  /// A map to values of a kind: an anonymous one or `@name`.
  mutating func map(
    to kind: ValueKind, _ fields: [(Int, RuleField)], before: String
  ) -> Clause? {
    let named = fitting(fields) { $0.data == kind }
    if !named.isEmpty, draw.chance(50) {
      let plan = draw.pick(named)
      return Clause("\(before) \(Self.key(plan.fields)) map @\(plan.name)")
    }
    guard let (key, elements) = mapKeys(fields) else { return nil }
    let field = RuleField(text: "data", kind: kind)
    return Clause(
      "\(before) \(key) map ", elements: elements.map { "\($0) : \(constant(field))" })
  }

  private mutating func mapKeys(
    _ fields: [(Int, RuleField)]
  ) -> (key: String, elements: [String])? {
    let usable = fields.filter { $0.1.isKey }
    guard !usable.isEmpty else { return nil }
    let field = draw.pick(weighted: usable)
    if draw.chance(15), let parts = concatenation(field, fields) {
      var elements: [String] = []
      for _ in 0..<draw.number(1...3) {
        let element = element(of: parts)
        if !elements.contains(element) { elements.append(element) }
      }
      return (Self.key(parts), elements)
    }
    var elements: [String] = []
    if field.kind.isOrdered, draw.chance(40) {
      elements = intervals(field)
    } else {
      for _ in 0..<draw.number(1...4) {
        let element = single(field)
        if !elements.contains(element) { elements.append(element) }
      }
    }
    if draw.chance(15) { elements.append("*") }
    return (field.text, elements)
  }
}
