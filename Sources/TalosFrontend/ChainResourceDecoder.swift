internal import Diagnostics
internal import Documents
internal import Rulesets

/// Makes chain specifications of resources `NfTablesChains.net.talos.dev`.
///
/// Source: pkg/machinery/resources/network/nftables_chain.go of Talos, with the texts of
/// pkg/machinery/nethelpers.
struct ChainResourceDecoder {
  let file: Int
  var diagnostics: [Diagnostic] = []

  init(file: Int) { self.file = file }

  /// The chain that a resource's `spec` describes, or nil if a diagnostic says why there is none.
  mutating func chain(named name: String, _ specification: YAMLValue) -> ChainSpecification? {
    guard
      let fields = fields(
        of: specification, called: "spec", known: ["type", "hook", "priority", "policy", "rules"])
    else { return nil }
    refuse(fields.unknown, of: "a chain")
    let kind = word(fields, "type", in: specification).flatMap { value, text in
      required(BaseChain.Kind(rawValue: text), value, text, of: "type")
    }
    let hook = word(fields, "hook", in: specification).flatMap { value, text in
      required(Self.hooks[text], value, text, of: "hook")
    }
    let priority = word(fields, "priority", in: specification).flatMap { value, text in
      required(Self.priority(text), value, text, of: "priority")
    }
    let policy = word(fields, "policy", in: specification).flatMap { value, text in
      required(BaseChain.Policy(rawValue: text), value, text, of: "policy")
    }
    var rules: [ChainRuleSpecification] = []
    var areAllRead = true
    for (index, value) in (list(fields["rules"], called: "rules") ?? []).enumerated() {
      if let rule = rule(value, number: index + 1, chain: name) {
        rules.append(rule)
      } else {
        areAllRead = false
      }
    }
    guard let kind, let hook, let priority, let policy, areAllRead else { return nil }
    return ChainSpecification(
      name: name, kind: kind, hook: hook, priority: priority, policy: policy, rules: rules)
  }

  private static let hooks: [String: Hook] = [
    "prerouting": .prerouting, "input": .input, "forward": .forward, "output": .output,
    "postrouting": .postrouting,
  ]

  // nftables_chain_priority.go; Go prints a number without a name as `NfTablesChainPriority(-140)`.
  private static let priorities: [String: Int] = [
    "first": Int(Int32.min), "conntrack-defrag": -400, "raw": -300, "selinux-first": -225,
    "conntrack": -200, "mangle": -150, "nat-dest": -100, "filter": 0, "security": 50,
    "nat-source": 100, "selinux-last": 225, "conntrack-helper": 300, "last": Int(Int32.max),
  ]

  private static func priority(_ text: String) -> Int? {
    priorities[text] ?? number(text, inside: "NfTablesChainPriority").map { Int($0) }
  }

  /// The number in `Name(123)`, or a number alone.
  static func number(_ text: String, inside name: String) -> Int32? {
    let isWrapped = text.hasPrefix("\(name)(") && text.hasSuffix(")")
    return Int32(isWrapped ? text.dropFirst(name.utf8.count + 1).dropLast() : text[...])
  }

  // MARK: - Rules

  private static let ruleFields = [
    "matchIIfName", "matchOIfName", "matchMark", "matchConntrackState", "matchSourceAddress",
    "matchDestinationAddress", "matchLayer4", "matchLimit", "clampMSS", "setMark",
    "anonymousCounter", "verdict",
  ]

  private mutating func rule(
    _ value: YAMLValue, number: Int, chain: String
  ) -> ChainRuleSpecification? {
    guard let fields = fields(of: value, called: "rules[\(number)]", known: Self.ruleFields) else {
      return nil
    }
    let before = diagnostics.count
    var rule = ChainRuleSpecification(
      provenance: Provenance(
        span: value.span(in: file), vendorText: "rule \(number) of Talos' chain \(chain)"))
    // What a rule matches must match all of it, so that a match more makes it narrower.
    let matches = fields.unknown.filter { $0.scalar?.text.hasPrefix("match") == true }
    for name in matches { doubt(&rule, unknownMatch(name)) }
    refuse(fields.unknown.filter { $0.scalar?.text.hasPrefix("match") != true }, of: "a rule")
    readMatches(fields, into: &rule)
    readActions(fields, into: &rule)
    let isWrong = diagnostics[before...].contains { $0.severity == .error }
    return isWrong ? nil : rule
  }

  /// Remembers that it is not known whether the rule matches.
  func doubt(_ rule: inout ChainRuleSpecification, _ reason: String) {
    if rule.certainty == .certain { rule.certainty = .possible(reason: reason) }
  }

  /// Says that a match is not known, and gives the reason for doubt.
  mutating func unknownMatch(_ name: YAMLValue) -> String {
    let text = name.scalar?.text ?? ""
    diagnostics.append(
      ChainResourceProblem.matchUnknown(text).diagnostic(at: name.span(in: file)))
    return "what `\(text)` asks of a packet is not known"
  }

  private mutating func readActions(
    _ fields: ResourceFields, into rule: inout ChainRuleSpecification
  ) {
    if let value = fields["clampMSS"],
      let clamp = self.fields(of: value, called: "clampMSS", known: ["mtu"])
    {
      refuse(clamp.unknown, of: "clampMSS")
      rule.clampedMTU = number(clamp["mtu"], called: "mtu", in: value, "clampMSS")
    }
    if let value = fields["setMark"], let mark = mark(value, called: "setMark") {
      refuse(mark.unknown, of: "setMark")
      rule.markChange = .init(mask: mark.mask, xor: mark.xor)
    }
    rule.hasCounter = flag(fields["anonymousCounter"], called: "anonymousCounter")
    if let value = fields["verdict"], let text = text(value, called: "verdict") {
      rule.decision = required(
        ChainRuleSpecification.Decision(rawValue: text), value, text, of: "verdict")
    }
  }
}

// MARK: - Values

extension ChainResourceDecoder {
  mutating func fields(
    of value: YAMLValue, called name: String, known: [String]
  ) -> ResourceFields? {
    ResourceFields(value, called: name, known: known, file: file, &diagnostics)
  }

  /// Refuses fields that could change what the firewall does.
  mutating func refuse(_ names: [YAMLValue], of whole: String) {
    for name in names {
      diagnostics.append(
        ChainResourceProblem.fieldUnknown(name.scalar?.text ?? "", of: whole).diagnostic(
          at: name.span(in: file)))
    }
  }

  mutating func refuse(_ value: YAMLValue, _ problem: ChainResourceProblem) {
    diagnostics.append(problem.diagnostic(at: value.span(in: file)))
  }

  /// The text of a field that must be there.
  mutating func word(
    _ fields: ResourceFields, _ name: String, in whole: YAMLValue, called wholeName: String = "spec"
  ) -> (value: YAMLValue, text: String)? {
    guard let value = fields[name] else {
      refuse(whole, .fieldMissing(name, of: wholeName))
      return nil
    }
    return text(value, called: name).map { (value, $0) }
  }

  mutating func text(_ value: YAMLValue, called name: String) -> String? {
    guard let scalar = value.scalar else {
      refuse(value, .wrongShape(name, should: "a text"))
      return nil
    }
    return scalar.text
  }

  /// A value that was made of a text, or nil and a diagnostic if the text is none of those known.
  mutating func required<Value>(
    _ result: Value?, _ value: YAMLValue, _ text: String, of name: String
  ) -> Value? {
    if result == nil { refuse(value, .valueUnknown(text, of: name)) }
    return result
  }

  /// The entries of a list, none if it is not there; nil and a diagnostic if it is no list.
  mutating func list(_ value: YAMLValue?, called name: String) -> [YAMLValue]? {
    guard let value else { return [] }
    if value.sequence == nil { refuse(value, .wrongShape(name, should: "a list")) }
    return value.sequence
  }

  /// A whole number that fits its type, or nil and a diagnostic.
  mutating func number<Number: FixedWidthInteger>(
    _ value: YAMLValue?, called name: String, in whole: YAMLValue, _ wholeName: String
  ) -> Number? {
    guard let value else {
      refuse(whole, .fieldMissing(name, of: wholeName))
      return nil
    }
    guard let number = value.scalar?.integer.flatMap({ Number(exactly: $0) }) else {
      refuse(value, .wrongShape(name, should: "a number up to \(Number.max)"))
      return nil
    }
    return number
  }

  /// A truth value, which is false where it is left out.
  mutating func flag(_ value: YAMLValue?, called name: String) -> Bool {
    guard let value else { return false }
    guard case .boolean(let flag) = value.scalar?.resolved else {
      refuse(value, .wrongShape(name, should: "true or false"))
      return false
    }
    return flag
  }

  /// The numbers of a mark, each 0 where it is left out.
  mutating func mark(
    _ value: YAMLValue, called name: String
  ) -> (mask: UInt32, xor: UInt32, value: UInt32, unknown: [YAMLValue])? {
    guard let fields = fields(of: value, called: name, known: ["mask", "xor", "value"]) else {
      return nil
    }
    var numbers: [UInt32] = []
    for name in ["mask", "xor", "value"] {
      guard let value = fields[name] else {
        numbers.append(0)
        continue
      }
      guard let number: UInt32 = number(value, called: name, in: value, name) else { return nil }
      numbers.append(number)
    }
    return (numbers[0], numbers[1], numbers[2], fields.unknown)
  }
}
