internal import Addresses
internal import Diagnostics
internal import Documents

// What a rule asks of a packet. A match that is not known in whole is left out of the rule, which
// then may match or not.
extension ChainResourceDecoder {
  mutating func readMatches(_ fields: ResourceFields, into rule: inout ChainRuleSpecification) {
    if let value = fields["matchIIfName"] {
      rule.inputNames = take(&rule) { part throws(UnreadPart) in
        try part.interfaceMatch(value, called: "matchIIfName")
      }
    }
    if let value = fields["matchOIfName"] {
      rule.outputNames = take(&rule) { part throws(UnreadPart) in
        try part.interfaceMatch(value, called: "matchOIfName")
      }
    }
    if let value = fields["matchMark"] {
      rule.mark = take(&rule) { part throws(UnreadPart) in try part.markMatch(value) }
    }
    if let value = fields["matchConntrackState"] {
      rule.connectionStates = take(&rule) { part throws(UnreadPart) in
        try part.connectionStates(value)
      }
    }
    if let value = fields["matchSourceAddress"] {
      rule.source = take(&rule) { part throws(UnreadPart) in
        try part.addressMatch(value, called: "matchSourceAddress")
      }
    }
    if let value = fields["matchDestinationAddress"] {
      rule.destination = take(&rule) { part throws(UnreadPart) in
        try part.addressMatch(value, called: "matchDestinationAddress")
      }
    }
    if let value = fields["matchLayer4"] {
      rule.layer4 = take(&rule) { part throws(UnreadPart) in try part.layer4Match(value) }
    }
    if let value = fields["matchLimit"] {
      rule.packetsPerSecond = take(&rule) { part throws(UnreadPart) in try part.limit(value) }
    }
  }

  /// What a part of a rule says; where that is not known, the rule may match or not.
  private mutating func take<Value>(
    _ rule: inout ChainRuleSpecification, _ read: (inout Self) throws(UnreadPart) -> Value
  ) -> Value? {
    do throws(UnreadPart) {
      return try read(&self)
    } catch {
      switch error {
      case .doubtful(let reason): doubt(&rule, reason)
      case .wrong: break
      }
      return nil
    }
  }

  /// The fields of a match, or what became of it if it has others or is no mapping.
  private mutating func matchFields(
    _ value: YAMLValue, called name: String, known: [String]
  ) throws(UnreadPart) -> ResourceFields {
    guard let fields = fields(of: value, called: name, known: known) else { throw .wrong }
    guard let first = fields.unknown.first else { return fields }
    let reason = unknownMatch(first)
    for other in fields.unknown.dropFirst() { _ = unknownMatch(other) }
    throw .doubtful(reason: reason)
  }

  /// Says that a text is not known as a value, and that the match is in doubt.
  private mutating func unknownValue(
    _ value: YAMLValue, _ text: String, of name: String
  ) -> UnreadPart {
    var diagnostic = ChainResourceProblem.valueUnknown(text, of: name).diagnostic(
      at: value.span(in: file))
    diagnostic.severity = .warning
    diagnostic.notes = ["the rule is taken to match or not to match"]
    diagnostics.append(diagnostic)
    return .doubtful(reason: "what `\(text)` is as \(name) is not known")
  }

  private mutating func interfaceMatch(
    _ value: YAMLValue, called name: String
  ) throws(UnreadPart) -> ChainRuleSpecification.InterfaceMatch {
    let fields = try matchFields(value, called: name, known: ["interfaceName", "operator"])
    var names: [String] = []
    // The name of the field is singular, and its value a list.
    guard let list = list(fields["interfaceName"], called: "interfaceName") else { throw .wrong }
    for entry in list {
      guard let name = text(entry, called: "interfaceName") else { throw .wrong }
      names.append(name)
    }
    guard let value = fields["operator"] else { return .init(names) }
    guard let symbol = text(value, called: "operator") else { throw .wrong }
    guard let known = ChainRuleSpecification.InterfaceMatch.Operator(rawValue: symbol) else {
      throw unknownValue(value, symbol, of: "operator")
    }
    return .init(names, known)
  }

  private mutating func markMatch(
    _ value: YAMLValue
  ) throws(UnreadPart) -> ChainRuleSpecification.MarkMatch {
    guard let mark = mark(value, called: "matchMark") else { throw .wrong }
    if let first = mark.unknown.first { throw .doubtful(reason: unknownMatch(first)) }
    return .init(mask: mark.mask, xor: mark.xor, value: mark.value)
  }

  private mutating func connectionStates(
    _ value: YAMLValue
  ) throws(UnreadPart) -> [ChainRuleSpecification.ConnectionState] {
    let fields = try matchFields(value, called: "matchConntrackState", known: ["states"])
    guard let list = list(fields["states"], called: "states") else { throw .wrong }
    var states: [ChainRuleSpecification.ConnectionState] = []
    for entry in list {
      guard let name = text(entry, called: "states") else { throw .wrong }
      guard let state = ChainRuleSpecification.ConnectionState(rawValue: name) else {
        throw unknownValue(entry, name, of: "states")
      }
      states.append(state)
    }
    return states
  }

  private mutating func addressMatch(
    _ value: YAMLValue, called name: String
  ) throws(UnreadPart) -> ChainRuleSpecification.AddressMatch {
    let known = ["includeSubnets", "excludeSubnets", "invert"]
    let fields = try matchFields(value, called: name, known: known)
    guard let included = prefixes(fields["includeSubnets"], called: "includeSubnets"),
      let excluded = prefixes(fields["excludeSubnets"], called: "excludeSubnets")
    else { throw .wrong }
    return .init(
      included, excluding: excluded, isInverted: flag(fields["invert"], called: "invert"))
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
  ) throws(UnreadPart) -> ChainRuleSpecification.Layer4Match {
    let known = ["protocol", "matchSourcePort", "matchDestinationPort", "matchICMPType"]
    let fields = try matchFields(value, called: "matchLayer4", known: known)
    guard let (place, text) = word(fields, "protocol", in: value, called: "matchLayer4") else {
      throw .wrong
    }
    guard let transport = Self.transport(text) else {
      throw unknownValue(place, text, of: "protocol")
    }
    var match = ChainRuleSpecification.Layer4Match(transport)
    for (name, field) in Self.ports {
      guard let value = fields[name] else { continue }
      match[keyPath: field] = try ports(value, called: name)
    }
    if let value = fields["matchICMPType"] { match.icmpTypes = try icmpTypes(value) }
    return match
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
  ) throws(UnreadPart) -> [PortRange] {
    let fields = try matchFields(value, called: name, known: ["ranges"])
    guard let list = list(fields["ranges"], called: "ranges") else { throw .wrong }
    var ranges: [PortRange] = []
    for entry in list {
      let bounds = try matchFields(entry, called: "ranges", known: ["lo", "hi"])
      guard let lower: UInt16 = number(bounds["lo"], called: "lo", in: entry, "the range"),
        let upper: UInt16 = number(bounds["hi"], called: "hi", in: entry, "the range")
      else { throw .wrong }
      ranges.append(PortRange(lower, upper))
    }
    return ranges
  }

  private mutating func icmpTypes(_ value: YAMLValue) throws(UnreadPart) -> [UInt8] {
    let fields = try matchFields(value, called: "matchICMPType", known: ["types"])
    guard let list = list(fields["types"], called: "types") else { throw .wrong }
    var types: [UInt8] = []
    for entry in list {
      guard let type: UInt8 = number(entry, called: "types", in: entry, "types") else {
        throw .wrong
      }
      types.append(type)
    }
    return types
  }

  private mutating func limit(_ value: YAMLValue) throws(UnreadPart) -> UInt64 {
    let fields = try matchFields(value, called: "matchLimit", known: ["packetRatePerSecond"])
    guard
      let rate: UInt64 = number(
        fields["packetRatePerSecond"], called: "packetRatePerSecond", in: value, "matchLimit")
    else { throw .wrong }
    return rate
  }
}
