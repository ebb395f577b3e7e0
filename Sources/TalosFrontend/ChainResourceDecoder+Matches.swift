internal import Addresses
internal import Diagnostics
internal import Documents

// What a rule asks of a packet. A match that is not known in whole is left out of the rule, which
// then may match or not.
extension ChainResourceDecoder {
  mutating func readMatches(_ fields: ResourceFields, into rule: inout ChainRuleSpecification) {
    if let value = fields["matchIIfName"] {
      rule.inputNames = take(interfaceMatch(value, called: "matchIIfName"), &rule)
    }
    if let value = fields["matchOIfName"] {
      rule.outputNames = take(interfaceMatch(value, called: "matchOIfName"), &rule)
    }
    if let value = fields["matchMark"] { rule.mark = take(markMatch(value), &rule) }
    if let value = fields["matchConntrackState"] {
      rule.connectionStates = take(connectionStates(value), &rule)
    }
    if let value = fields["matchSourceAddress"] {
      rule.source = take(addressMatch(value, called: "matchSourceAddress"), &rule)
    }
    if let value = fields["matchDestinationAddress"] {
      rule.destination = take(addressMatch(value, called: "matchDestinationAddress"), &rule)
    }
    if let value = fields["matchLayer4"] { rule.layer4 = take(layer4Match(value), &rule) }
    if let value = fields["matchLimit"] { rule.packetsPerSecond = take(limit(value), &rule) }
  }

  private func take<Value>(
    _ reading: PartReading<Value>, _ rule: inout ChainRuleSpecification
  ) -> Value? {
    switch reading {
    case .known(let value): return value
    case .doubtful(let reason):
      doubt(&rule, reason)
      return nil
    case .wrong: return nil
    }
  }

  /// The fields of a match, or what became of it if it has others or is no mapping.
  private mutating func matchFields(
    _ value: YAMLValue, called name: String, known: [String]
  ) -> PartReading<ResourceFields> {
    guard let fields = fields(of: value, called: name, known: known) else { return .wrong }
    guard let first = fields.unknown.first else { return .known(fields) }
    let reason = unknownMatch(first)
    for other in fields.unknown.dropFirst() { _ = unknownMatch(other) }
    return .doubtful(reason: reason)
  }

  /// Says that a text is not known as a value, and that the match is in doubt.
  private mutating func unknownValue<Value>(
    _ value: YAMLValue, _ text: String, of name: String
  ) -> PartReading<Value> {
    var diagnostic = ChainResourceProblem.valueUnknown(text, of: name).diagnostic(
      at: value.span(in: file))
    diagnostic.severity = .warning
    diagnostic.notes = ["the rule is taken to match or not to match"]
    diagnostics.append(diagnostic)
    return .doubtful(reason: "what `\(text)` is as \(name) is not known")
  }

  private mutating func interfaceMatch(
    _ value: YAMLValue, called name: String
  ) -> PartReading<ChainRuleSpecification.InterfaceMatch> {
    let fields: ResourceFields
    switch matchFields(value, called: name, known: ["interfaceName", "operator"]) {
    case .known(let known): fields = known
    case .doubtful(let reason): return .doubtful(reason: reason)
    case .wrong: return .wrong
    }
    var names: [String] = []
    // The name of the field is singular, and its value a list.
    guard let list = list(fields["interfaceName"], called: "interfaceName") else { return .wrong }
    for entry in list {
      guard let name = text(entry, called: "interfaceName") else { return .wrong }
      names.append(name)
    }
    guard let value = fields["operator"] else { return .known(.init(names)) }
    guard let symbol = text(value, called: "operator") else { return .wrong }
    guard let known = ChainRuleSpecification.InterfaceMatch.Operator(rawValue: symbol) else {
      return unknownValue(value, symbol, of: "operator")
    }
    return .known(.init(names, known))
  }

  private mutating func markMatch(
    _ value: YAMLValue
  ) -> PartReading<ChainRuleSpecification.MarkMatch> {
    guard let mark = mark(value, called: "matchMark") else { return .wrong }
    if let first = mark.unknown.first { return .doubtful(reason: unknownMatch(first)) }
    return .known(.init(mask: mark.mask, xor: mark.xor, value: mark.value))
  }

  private mutating func connectionStates(
    _ value: YAMLValue
  ) -> PartReading<[ChainRuleSpecification.ConnectionState]> {
    let fields: ResourceFields
    switch matchFields(value, called: "matchConntrackState", known: ["states"]) {
    case .known(let known): fields = known
    case .doubtful(let reason): return .doubtful(reason: reason)
    case .wrong: return .wrong
    }
    guard let list = list(fields["states"], called: "states") else { return .wrong }
    var states: [ChainRuleSpecification.ConnectionState] = []
    for entry in list {
      guard let name = text(entry, called: "states") else { return .wrong }
      guard let state = ChainRuleSpecification.ConnectionState(rawValue: name) else {
        return unknownValue(entry, name, of: "states")
      }
      states.append(state)
    }
    return .known(states)
  }

  private mutating func addressMatch(
    _ value: YAMLValue, called name: String
  ) -> PartReading<ChainRuleSpecification.AddressMatch> {
    let known = ["includeSubnets", "excludeSubnets", "invert"]
    let fields: ResourceFields
    switch matchFields(value, called: name, known: known) {
    case .known(let known): fields = known
    case .doubtful(let reason): return .doubtful(reason: reason)
    case .wrong: return .wrong
    }
    guard let included = prefixes(fields["includeSubnets"], called: "includeSubnets"),
      let excluded = prefixes(fields["excludeSubnets"], called: "excludeSubnets")
    else { return .wrong }
    return .known(
      .init(
        included, excluding: excluded, isInverted: flag(fields["invert"], called: "invert")))
  }

  private mutating func prefixes(_ value: YAMLValue?, called name: String) -> [ConfiguredPrefix]? {
    guard let list = list(value, called: name) else { return nil }
    var prefixes: [ConfiguredPrefix] = []
    for entry in list {
      guard let prefix = entry.scalar.flatMap({ ConfiguredPrefix($0.text) }) else {
        refuse(entry, .wrongShape(name, should: "a list of prefixes such as `10.0.0.0/8`"))
        return nil
      }
      prefixes.append(prefix)
    }
    return prefixes
  }

  private mutating func layer4Match(
    _ value: YAMLValue
  ) -> PartReading<ChainRuleSpecification.Layer4Match> {
    let known = ["protocol", "matchSourcePort", "matchDestinationPort", "matchICMPType"]
    let fields: ResourceFields
    switch matchFields(value, called: "matchLayer4", known: known) {
    case .known(let known): fields = known
    case .doubtful(let reason): return .doubtful(reason: reason)
    case .wrong: return .wrong
    }
    guard let (place, text) = word(fields, "protocol", in: value, called: "matchLayer4") else {
      return .wrong
    }
    guard let transport = Self.transport(text) else {
      return unknownValue(place, text, of: "protocol")
    }
    var match = ChainRuleSpecification.Layer4Match(transport)
    for (name, field) in Self.ports {
      guard let value = fields[name] else { continue }
      switch ports(value, called: name) {
      case .known(let ranges): match[keyPath: field] = ranges
      case .doubtful(let reason): return .doubtful(reason: reason)
      case .wrong: return .wrong
      }
    }
    if let value = fields["matchICMPType"] {
      switch icmpTypes(value) {
      case .known(let types): match.icmpTypes = types
      case .doubtful(let reason): return .doubtful(reason: reason)
      case .wrong: return .wrong
      }
    }
    return .known(match)
  }

  private typealias PortsField = WritableKeyPath<ChainRuleSpecification.Layer4Match, [PortRange]?>

  private static var ports: [(name: String, field: PortsField)] {
    [("matchSourcePort", \.sourcePorts), ("matchDestinationPort", \.destinationPorts)]
  }

  // protocol.go; Go prints a number without a name as `Protocol(47)`.
  private static func transport(_ text: String) -> TransportProtocol? {
    switch text {
    case "icmp": .icmp
    case "tcp": .tcp
    case "udp": .udp
    case "icmpv6": .icmpv6
    default:
      number(text, inside: "Protocol").flatMap { UInt8(exactly: $0) }
        .map { TransportProtocol(rawValue: $0) }
    }
  }

  private mutating func ports(
    _ value: YAMLValue, called name: String
  ) -> PartReading<[PortRange]> {
    let fields: ResourceFields
    switch matchFields(value, called: name, known: ["ranges"]) {
    case .known(let known): fields = known
    case .doubtful(let reason): return .doubtful(reason: reason)
    case .wrong: return .wrong
    }
    guard let list = list(fields["ranges"], called: "ranges") else { return .wrong }
    var ranges: [PortRange] = []
    for entry in list {
      let bounds: ResourceFields
      switch matchFields(entry, called: "ranges", known: ["lo", "hi"]) {
      case .known(let known): bounds = known
      case .doubtful(let reason): return .doubtful(reason: reason)
      case .wrong: return .wrong
      }
      guard let lower: UInt16 = number(bounds["lo"], called: "lo", in: entry, "the range"),
        let upper: UInt16 = number(bounds["hi"], called: "hi", in: entry, "the range")
      else { return .wrong }
      ranges.append(PortRange(lower, upper))
    }
    return .known(ranges)
  }

  private mutating func icmpTypes(_ value: YAMLValue) -> PartReading<[UInt8]> {
    let fields: ResourceFields
    switch matchFields(value, called: "matchICMPType", known: ["types"]) {
    case .known(let known): fields = known
    case .doubtful(let reason): return .doubtful(reason: reason)
    case .wrong: return .wrong
    }
    guard let list = list(fields["types"], called: "types") else { return .wrong }
    var types: [UInt8] = []
    for entry in list {
      guard let type: UInt8 = number(entry, called: "types", in: entry, "types") else {
        return .wrong
      }
      types.append(type)
    }
    return .known(types)
  }

  private mutating func limit(_ value: YAMLValue) -> PartReading<UInt64> {
    switch matchFields(value, called: "matchLimit", known: ["packetRatePerSecond"]) {
    case .known(let fields):
      guard
        let rate: UInt64 = number(
          fields["packetRatePerSecond"], called: "packetRatePerSecond", in: value, "matchLimit")
      else { return .wrong }
      return .known(rate)
    case .doubtful(let reason): return .doubtful(reason: reason)
    case .wrong: return .wrong
    }
  }
}
