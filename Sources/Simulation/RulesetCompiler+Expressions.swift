import Addresses
import Rulesets

extension RulesetCompiler {
  /// Takes the next free register.
  private mutating func allocate() -> UInt8 {
    guard nextRegister < Self.registerLimit else {
      isOverfull = true
      return UInt8(Self.registerLimit - 1)
    }
    nextRegister += 1
    return UInt8(nextRegister - 1)
  }

  /// Compiles an expression with one value and returns its register.
  mutating func compile(_ expression: Expression) -> UInt8 {
    switch expression {
    case .constant(let value, _):
      let register = allocate()
      emit(.constant(program.constants(value), into: register))
      return register
    case .selector(let selector):
      require(selector.requiring)
      let register = allocate()
      emit(.load(fieldLoad(selector.field), into: register))
      return register
    case .masked(let operand, let mask, let flip):
      let register = compile(operand)
      emit(.masked(register, constants: program.constants(mask, flip)))
      return register
    case .shifted(let operand, let left, let amount):
      let register = compile(operand)
      emit(.shifted(register, left: left, by: amount, bitWidth: UInt8(clamping: width(operand))))
      return register
    case .concatenation(let parts):
      // Only keys have several values; a lone one stands for itself.
      guard let first = parts.first else { return compileUnknown("an empty concatenation") }
      let register = compile(first)
      for part in parts.dropFirst() { _ = compile(part) }
      return register
    case .lookup(let key, let map):
      guard let (first, set) = compileLookup(key, map) else {
        return compileUnknown("the map is not listed")
      }
      let register = allocate()
      // A map's value may have several parts; they take the registers that follow.
      for _ in 1..<max(1, program.sets[Int(set)].dataWidth) { _ = allocate() }
      emit(.mapped(set: set, first: first, into: register))
      return register
    case .unmodelled(let unmodelled):
      // What cannot be read can be missing too.
      let register = allocate()
      emit(.load(.unanswered(reason: reason(unmodelled)), into: register))
      return register
    }
  }

  private mutating func compileUnknown(_ text: String) -> UInt8 {
    let register = allocate()
    emit(.load(.unanswered(reason: program.reason(text)), into: register))
    return register
  }

  /// Compiles a key so that its parts lie in registers side by side.
  ///
  /// - Returns: nil, with something emitted that may do anything, where there are too many parts.
  mutating func compileKey(_ expression: Expression) -> UInt8? {
    guard case .concatenation(let parts) = expression else { return compile(expression) }
    let registers = parts.map { compile($0) }
    guard let first = registers.first else { return compileUnknown("an empty key") }
    for (offset, register) in registers.enumerated() where register != first + UInt8(offset) {
      // A part that is a lookup took registers of its own: gather the parts again.
      return gather(registers)
    }
    return first
  }

  /// Compiles a key and the set it is looked up in.
  ///
  /// - Returns: Nil, with something emitted that may do anything, where the two do not fit.
  mutating func compileLookup(
    _ key: Expression, _ reference: SetReference
  ) -> (first: UInt8, set: Int32)? {
    guard let set = compile(reference), let first = compileKey(key) else { return nil }
    var parts = 1
    if case .concatenation(let list) = key { parts = list.count }
    let compiled = program.sets[Int(set)]
    switch compiled.search {
    case .missing: return (first, set)
    case .intervals, .sortedTuples, .listed:
      if compiled.width == parts { return (first, set) }
      emit(.unmodelled(reason: program.reason("the key has not the set's parts")))
      return nil
    }
  }

  private mutating func gather(_ registers: [UInt8]) -> UInt8 {
    let first = allocate()
    for _ in registers.dropFirst() { _ = allocate() }
    for (offset, register) in registers.enumerated() {
      emit(.copy(register, into: first + UInt8(offset)))
    }
    return first
  }

  private func width(_ expression: Expression) -> Int {
    switch expression {
    case .constant(_, let type): type.bitWidth
    case .selector(let selector): max(selector.field.type.bitWidth, 8)
    case .masked(let operand, _, _), .shifted(let operand, _, _): width(operand)
    case .concatenation, .lookup, .unmodelled: 32
    }
  }

  mutating func compile(_ match: Match) {
    let comparison = Instruction.Comparison(match.operator)
    if compileOctets(match, comparison) { return }
    switch match.right {
    case .value(let value):
      let register = compile(match.left)
      emit(.compare(register, comparison, constant: program.constants(value)))
    case .range(let interval):
      let register = compile(match.left)
      switch match.operator {
      case .equal, .notEqual:
        emit(
          .inRange(
            register, isNegated: match.operator == .notEqual,
            constants: program.constants(interval.lower, interval.upper)))
      case .less, .lessOrEqual, .greater, .greaterOrEqual, .anyBit, .noBit:
        emit(.gate(reason: program.reason("an order between a value and a range")))
      }
    case .values(let values):
      guard let first = compileKey(match.left), values.count <= Self.registerLimit else {
        emit(.unmodelled(reason: program.reason("the key has too many parts")))
        return
      }
      var set = CompiledSet(search: .sortedTuples, width: values.count)
      set.lowers = values
      set.uppers = values
      program.sets.append(set)
      lookup(Int32(program.sets.count - 1), first, match.operator)
    case .set(let reference):
      guard let (first, set) = compileLookup(match.left, reference) else { return }
      lookup(set, first, match.operator)
    case .expression(let expression):
      let register = compile(match.left)
      let other = compile(expression)
      emit(.compareRegisters(register, comparison, other))
    }
  }

  /// Compiles the comparison of whole octets with a constant in one step.
  private mutating func compileOctets(
    _ match: Match, _ comparison: Instruction.Comparison
  ) -> Bool {
    guard case .selector(let selector) = match.left, case .payload(let field) = selector.field,
      field.base == .network || field.base == .transport, field.bitOffset % 8 == 0,
      field.bitOffset < 8 * 65535, [8, 16, 32, 64].contains(field.bitLength)
    else { return false }
    let octets = OctetField(
      isTransport: field.base == .transport, count: UInt8(field.bitLength / 8),
      offset: UInt16(field.bitOffset / 8))
    switch match.right {
    case .value(let value):
      guard value <= UInt128(UInt64.max) else { return false }
      require(selector.requiring)
      emit(.matchOctets(octets, comparison, UInt64(value)))
    case .range(let interval):
      guard interval.upper <= UInt128(UInt32.max),
        match.operator == .equal || match.operator == .notEqual
      else { return false }
      require(selector.requiring)
      emit(
        .matchOctetRange(
          octets, isNegated: match.operator == .notEqual, lower: UInt32(interval.lower),
          upper: UInt32(interval.upper)))
    case .values, .set, .expression: return false
    }
    return true
  }

  private mutating func lookup(_ set: Int32, _ first: UInt8, _ comparison: Match.Operator) {
    switch comparison {
    case .equal, .anyBit: emit(.lookup(set: set, first: first, isNegated: false))
    case .notEqual, .noBit: emit(.lookup(set: set, first: first, isNegated: true))
    case .less, .lessOrEqual, .greater, .greaterOrEqual:
      emit(.gate(reason: program.reason("an order between a value and a set")))
    }
  }

  mutating func compile(mangling selector: Selector, _ value: Expression) {
    require(selector.requiring)
    let register = compile(value)
    switch selector.field {
    case .payload(let field):
      guard let length = UInt8(exactly: field.bitLength), length <= 128 else {
        emit(.unmodelled(reason: program.reason("writing so many bits")))
        return
      }
      // Raw loads, and those that no one protocol owns, come without a checksum.
      let isSummed = field.name.map { !$0.hasPrefix("th ") && !$0.hasPrefix("@") } ?? false
      emit(
        .alterPayload(
          PayloadChange(
            base: field.base, isSummed: isSummed, bitLength: length,
            bitOffset: Int32(clamping: field.bitOffset)), register))
    case .meta(let key):
      switch key {
      case .mark: emit(.setMark(register))
      case .packetType: emit(.setPacketType(register))
      default: emit(.alterOther)
      }
    case .connection(let key):
      switch key.key {
      case .mark: emit(.setConnectionMark(register))
      case .zone:
        program.setsZones = true
        emit(.alterConnection)
      case .state, .direction, .status, .expiration, .helper, .label, .sourceAddress,
        .destinationAddress, .sourcePort, .destinationPort, .transportProtocol, .networkProtocol,
        .bytes, .packets, .id, .eventmask, .secmark, .averagePacket:
        emit(.alterConnection)
      }
    case .option(let option):
      emit(.alterOptions(reason: program.reason("writing \(option.name)")))
    case .extensionHeader(let header):
      emit(.unmodelled(reason: program.reason("writing \(header.name)")))
    case .environment(let field):
      emit(.unmodelled(reason: program.reason("writing \(field.text)")))
    }
  }

  mutating func compile(_ translation: Translation) {
    let kind: TranslationPlan.Kind =
      switch translation.kind {
      case .destination: .destination
      case .source: .source
      case .masquerade: .masquerade
      case .redirect: .redirect
      }
    var plan = TranslationPlan(kind: kind)
    if let address = translation.address {
      plan.address = compile(address)
      if case .lookup(_, let map) = address, let set = compile(map),
        program.sets[Int(set)].dataWidth == 2
      {
        // The map holds addresses and ports.
        plan.port = plan.address + 1
      }
    }
    if let upper = translation.addressUpper { plan.addressUpper = compile(upper) }
    if let port = translation.port { plan.port = compile(port) }
    if let upper = translation.portUpper { plan.portUpper = compile(upper) }
    for flag in translation.flags {
      switch flag {
      case "random", "fully-random": plan.options.insert(.isRandom)
      // It only steers the choice among several addresses, which is not followed.
      case "persistent": break
      case "prefix", "netmap": plan.options.insert(.isPrefix)
      default: plan.options.insert(.isOther)
      }
    }
    emit(.translate(plan))
  }

  mutating func fieldLoad(_ field: Field) -> FieldLoad {
    switch field {
    case .payload(let field):
      return .payload(
        base: field.base, bitOffset: Int32(clamping: field.bitOffset),
        bitLength: Int32(clamping: field.bitLength))
    case .meta(let key): return .meta(key)
    case .connection(let key): return .connection(key.key, direction: key.direction)
    case .extensionHeader(let header):
      switch header.reading {
      case .presence: return .extensionPresence(kind: header.kind)
      case .bits(let offset, let length):
        return .extensionBits(
          kind: header.kind, bitOffset: Int32(clamping: offset), bitLength: Int32(clamping: length))
      }
    case .option(let option):
      switch option.reading {
      case .presence: return .optionPresence(option.holder, kind: option.kind)
      case .bits(let offset, let length):
        return .optionBits(
          option.holder, kind: option.kind, bitOffset: Int32(clamping: offset),
          bitLength: Int32(clamping: length))
      }
    case .environment(let field): return environmentLoad(field)
    }
  }

  private mutating func environmentLoad(_ field: EnvironmentField) -> FieldLoad {
    let unanswered = FieldLoad.unanswered(
      reason: program.reason("\(field.text) is answered by state outside the packet"))
    let inputs: [String]
    let result: String
    switch field.source {
    case .fib(let given, let asked): (inputs, result) = (given, asked)
    case .numberGenerator(let isRandom, let modulus, let offset):
      let reason = program.reason("\(field.text) depends on what passed before")
      // A number below one is no matter of chance.
      if isRandom, modulus > 1 { return .unpredictable(reason: reason) }
      program.counters.append((max(1, modulus), offset, reason))
      return .counter(Int32(program.counters.count - 1))
    case .route, .socket, .osf, .ipsec, .hash: return unanswered
    }
    let known: Set<String> = ["saddr", "daddr", "iif", "oif", "mark"]
    guard Set(inputs).isSubset(of: known) else { return unanswered }
    let ofSource = inputs.contains("saddr")
    guard ofSource != inputs.contains("daddr") else { return unanswered }
    let binding: RouteBinding =
      inputs.contains("oif") ? .output : inputs.contains("iif") ? .input : .none
    if inputs.contains("oif"), inputs.contains("iif") { return unanswered }
    switch result {
    case "type":
      return .addressType(AddressTypeQuery(ofSource: ofSource, binding: binding))
    case "oif", "oifname":
      let answer: RouteQuery.Result =
        field.type == .boolean ? .presence : result == "oif" ? .index : .name
      return .route(RouteQuery(ofSource: ofSource, binding: binding, result: answer))
    default: return unanswered
    }
  }
}
