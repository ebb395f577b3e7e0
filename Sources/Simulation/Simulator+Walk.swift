import Addresses
import Rulesets
import Wire

extension Simulator {
  /// Follows a way until the base chain ends or decides, with the packet as it is there.
  mutating func follow(
    _ way: Alternative, _ packet: borrowing Packet, _ environment: inout Environment, hook: Hook
  ) -> End {
    resumption = (
      Int(way.position), Int(way.next < 0 ? way.position : way.next), way.rule
    )
    var end: End
    repeat {
      if let content = environment.content {
        end = walk(packet.carrying(content), &environment, hook: hook)
      } else {
        end = walk(packet, &environment, hook: hook)
      }
      if case .rewritten = end { continue }
      return end
    } while true
  }

  /// Runs instructions until the base chain ends or decides, or the packet is another.
  private mutating func walk(
    _ packet: borrowing Packet, _ environment: inout Environment, hook: Hook
  ) -> End {
    let instructions = program.instructions
    var position = resumption.position
    var next = resumption.next
    var rule = resumption.rule
    // The kernel loads no chains that run in a circle; a listing could still hold some.
    var transfers = 0
    while true {
      var isBroken = false
      switch instructions[position] {
      case .rule(let index, let following):
        if isExploring {
          let here = Alternative(
            position: Int32(position), returns: returns, environment: environment)
          guard visited.insert(here).inserted else { return .joined }
        }
        rule = index
        next = Int(following)
        unknownRegisters = 0
      case .possibleRule(let index, let following, let reason):
        rule = index
        next = Int(following)
        unknownRegisters = 0
        guard fork(to: following, environment, reason, rule) else { return .unknown }
      case .endOfChain:
        guard let back = returns.popLast() else {
          decidingRule = -1
          return .policy
        }
        position = Int(back)
        continue
      case .require(let guardIndex):
        switch check(program.guards[Int(guardIndex)], packet, environment) {
        case .value(let holds): isBroken = holds == 0
        case .missing: isBroken = true
        case .unknown(let reason), .unknownOrMissing(let reason), .partial(_, _, let reason):
          guard fork(to: Int32(next), environment, reason, rule) else { return .unknown }
        }
      case .requireFamily(let isIPv4):
        isBroken = packet.layout.isIPv4 != isIPv4
      case .requireTransport(let number):
        if environment.flags.contains(.packetUnknown) {
          guard fork(to: Int32(next), environment, fixedReasons.altered, rule) else {
            return .unknown
          }
        } else {
          isBroken = packet.layout.transport != number
        }
      case .matchOctets(let field, let comparison, let value):
        switch checked(loadOctets(field, packet, environment)) {
        case .value(let found): isBroken = !comparison.holds(found, value)
        case .missing: isBroken = true
        case .unknown(let reason):
          guard fork(to: Int32(next), environment, reason, rule) else { return .unknown }
        }
      case .matchOctetRange(let field, let isNegated, let lower, let upper):
        switch checked(loadOctets(field, packet, environment)) {
        case .value(let found):
          isBroken = (found >= UInt64(lower) && found <= UInt64(upper)) == isNegated
        case .missing: isBroken = true
        case .unknown(let reason):
          guard fork(to: Int32(next), environment, reason, rule) else { return .unknown }
        }
      case .load(let field, let register):
        switch checked(load(field, packet, environment, hook: hook)) {
        case .value(let value):
          registers[Int(register)] = value
          unknownRegisters &= ~(1 << UInt64(register))
        case .missing: isBroken = true
        case .unknown(let reason):
          note(reason, rule)
          guard isExploring else { return .unknown }
          unknownRegisters |= 1 << UInt64(register)
          partialRegister = -1
        case .partial(let value, let unknown, let reason):
          registers[Int(register)] = value
          unknownRegisters |= 1 << UInt64(register)
          partialRegister = Int16(register)
          partialMask = unknown
          partialReason = reason
        case .unknownOrMissing(let reason):
          guard fork(to: Int32(next), environment, reason, rule) else { return .unknown }
          unknownRegisters |= 1 << UInt64(register)
          partialRegister = -1
        }
      case .constant(let constant, let register):
        registers[Int(register)] = program.constants[Int(constant)]
        unknownRegisters &= ~(1 << UInt64(register))
      case .copy(let from, let into):
        registers[Int(into)] = registers[Int(from)]
        let bit: UInt64 = unknownRegisters >> UInt64(from) & 1
        unknownRegisters = unknownRegisters & ~(1 << UInt64(into)) | bit << UInt64(into)
      case .masked(let register, let constants):
        let mask = program.constants[Int(constants)]
        let flip = program.constants[Int(constants) + 1]
        registers[Int(register)] = registers[Int(register)] & mask ^ flip
        if partialRegister == Int16(register) { keep(mask) }
      case .shifted(let register, let left, let amount, let bitWidth):
        let value = registers[Int(register)]
        let limit: UInt128 = bitWidth >= 128 ? .max : (1 << UInt128(bitWidth)) - 1
        registers[Int(register)] =
          left ? value << UInt128(amount) & limit : value >> UInt128(amount)
        if partialRegister == Int16(register) { partialRegister = -1 }
      case .compare(let register, let comparison, let constant):
        let value = program.constants[Int(constant)]
        if !isUnknown(register) {
          isBroken = !comparison.holds(registers[Int(register)], value)
        } else if let holds = partialHolds(register, comparison, value) {
          isBroken = !holds
        } else {
          guard fork(to: Int32(next), environment, doubt(register), rule) else { return .unknown }
        }
      case .compareRegisters(let register, let comparison, let other):
        if isUnknown(register) || isUnknown(other) {
          guard fork(to: Int32(next), environment, doubt(register), rule) else { return .unknown }
        } else {
          isBroken = !comparison.holds(registers[Int(register)], registers[Int(other)])
        }
      case .inRange(let register, let isNegated, let constants):
        if isUnknown(register) {
          guard fork(to: Int32(next), environment, doubt(register), rule) else { return .unknown }
        } else {
          let value = registers[Int(register)]
          let lower = program.constants[Int(constants)]
          let upper = program.constants[Int(constants) + 1]
          isBroken = (value >= lower && value <= upper) == isNegated
        }
      case .lookup(let set, let first, let isNegated):
        let found = find(Int(set), Int(first))
        switch found {
        case .miss: isBroken = !isNegated
        case .hit, .added:
          if isNegated {
            isBroken = true
          } else {
            guard
              let passes = passesElement(
                found, Int(set), Int(first), next, packet, environment, rule, hook)
            else { return .unknown }
            isBroken = !passes
          }
        case .unknown(let reason):
          guard fork(to: Int32(next), environment, reason, rule) else { return .unknown }
        }
      case .mapped(let set, let first, let into):
        let width = max(1, program.sets[Int(set)].dataWidth)
        let found = find(Int(set), Int(first))
        guard
          let passes = passesElement(
            found, Int(set), Int(first), next, packet, environment, rule, hook)
        else { return .unknown }
        isBroken = !passes
        switch found {
        case .miss: isBroken = true
        case .hit(let element):
          for part in 0..<width {
            registers[Int(into) + part] = program.sets[Int(set)].value(element, part)
            unknownRegisters &= ~(1 << UInt64(Int(into) + part))
          }
        case .added(let element):
          for part in 0..<width {
            registers[Int(into) + part] = part < element.values.count ? element.values[part] : 0
            unknownRegisters &= ~(1 << UInt64(Int(into) + part))
          }
        case .unknown(let reason):
          guard fork(to: Int32(next), environment, reason, rule) else { return .unknown }
          for part in 0..<width { unknownRegisters |= 1 << UInt64(Int(into) + part) }
        }
      case .verdictMap(let set, let first):
        let found = find(Int(set), Int(first))
        guard
          let passes = passesElement(
            found, Int(set), Int(first), next, packet, environment, rule, hook)
        else { return .unknown }
        switch found {
        case .miss, .added: isBroken = true
        case .hit where !passes: isBroken = true
        case .hit(let element):
          let verdict = program.sets[Int(set)].verdict(element) ?? .continue
          switch verdict {
          case .accept:
            decide(rule, .accept, hook)
            return .accept
          case .drop:
            decide(rule, .drop, hook)
            return .drop
          case .continue: break
          case .return:
            guard let back = returns.popLast() else {
              decidingRule = -1
              return .policy
            }
            position = Int(back)
            continue
          case .jump(let target):
            guard returns.count < Self.jumpLimit else { return giveUp(rule) }
            record(rule, .jump(chain: 0), hook, target)
            returns.append(Int32(next))
            position = Int(target)
            continue
          case .goto(let target):
            transfers += 1
            guard transfers < Self.transferLimit else { return giveUp(rule) }
            record(rule, .goto(chain: 0), hook, target)
            position = Int(target)
            continue
          case .unmodelled(let reason):
            guard isExploring else {
              note(reason, rule)
              return .unknown
            }
            return forkEverything(position, next, packet, environment, reason, rule)
          }
        case .unknown(let reason):
          guard isExploring else {
            note(reason, rule)
            return .unknown
          }
          note(reason, rule)
          return forkVerdicts(Int(set), position, next, packet, environment, rule)
        }
      case .objectMap(let set, let first):
        let found = find(Int(set), Int(first))
        switch found {
        case .miss, .added: isBroken = true
        case .hit:
          guard
            let passes = passesElement(
              found, Int(set), Int(first), next, packet, environment, rule, hook)
          else { return .unknown }
          isBroken = !passes
        case .unknown(let reason):
          // Any of the objects may have counted the packet.
          for gate in program.sets[Int(set)].gates where gate >= 0 {
            if !isExploring {
              note(reason, rule)
              return .unknown
            }
            _ = admit(Int(gate), packet, hook)
          }
          guard fork(to: Int32(next), environment, reason, rule) else { return .unknown }
        }
      case .accept:
        decide(rule, .accept, hook)
        return .accept
      case .drop:
        decide(rule, .drop, hook)
        return .drop
      case .reject(let rejection):
        decide(rule, .reject(program.rejections[Int(rejection)]), hook)
        return .reject(rejection)
      case .return:
        record(rule, .return, hook, -1)
        guard let back = returns.popLast() else {
          decidingRule = -1
          return .policy
        }
        position = Int(back)
        continue
      case .jump(let target):
        guard returns.count < Self.jumpLimit else { return giveUp(rule) }
        record(rule, .jump(chain: 0), hook, target)
        returns.append(Int32(next))
        position = Int(target)
        continue
      case .goto(let target):
        transfers += 1
        guard transfers < Self.transferLimit else { return giveUp(rule) }
        record(rule, .goto(chain: 0), hook, target)
        position = Int(target)
        continue
      case .gate(let reason):
        guard fork(to: Int32(next), environment, reason, rule) else { return .unknown }
      case .admit(let gate):
        if case .connectionCount = program.gates[Int(gate)].kind, mayLackFlow(packet) {
          return giveUp(rule)
        }
        if case .connectionCount = program.gates[Int(gate)].kind, flow(of: packet) == nil {
          // What belongs to no flow cannot be counted, and is dropped (`nft_connlimit_do_eval`).
          if packet.layout.isFragment { return giveUp(rule) }
          decide(rule, .drop, hook)
          return .drop
        }
        switch admit(Int(gate), packet, hook) {
        case .passes: break
        case .breaks: isBroken = true
        case .unknown:
          let reason = program.gates[Int(gate)].reason
          guard fork(to: Int32(next), environment, reason, rule) else { return .unknown }
        }
      case .setMark(let register):
        if isUnknown(register) {
          environment.flags.insert(.markUnknown)
          environment.mark = 0
        } else {
          environment.flags.remove(.markUnknown)
          environment.mark = UInt32(truncatingIfNeeded: registers[Int(register)])
        }
      case .setConnectionMark(let register):
        environment.flags.insert(.connectionMarkSet)
        if isUnknown(register) {
          environment.flags.insert(.connectionMarkUnknown)
          environment.connectionMark = 0
        } else {
          environment.flags.remove(.connectionMarkUnknown)
          environment.connectionMark = UInt32(truncatingIfNeeded: registers[Int(register)])
        }
      case .setPacketType(let register):
        if isUnknown(register) {
          environment.flags.insert(.packetTypeUnknown)
        } else if registers[Int(register)] <= 3 {
          environment.flags.remove(.packetTypeUnknown)
          environment.packetType = UInt8(registers[Int(register)])
        }
      case .alterPayload(let change, let register):
        switch alter(change, register, packet, &environment) {
        case .value(let isRewritten):
          if isRewritten != 0 {
            resumption = (isRewritten == 1 ? position + 1 : next, next, rule)
            return .rewritten
          }
        case .missing: isBroken = true
        case .unknown(let reason), .unknownOrMissing(let reason), .partial(_, _, let reason):
          guard fork(to: Int32(next), environment, reason, rule) else { return .unknown }
        }
      case .alterOptions(let reason):
        // The checksum at offset 16, and the options from 20 on.
        environment.alter(packet.layout.transportOffset + 16, packet.layout.transportOffset + 60)
        guard fork(to: Int32(next), environment, reason, rule) else { return .unknown }
      case .alterOther: break
      case .alterConnection: environment.flags.insert(.connectionChanged)
      case .notrack: stopTracking(packet, &environment)
      case .translate(let plan):
        switch translate(plan, packet, &environment, hook) {
        case .bound, .undecided:
          decide(rule, .translate, hook)
          return .accept
        case .dropped:
          decide(rule, .drop, hook)
          return .drop
        case .undecidedOrDropped:
          note(fixedReasons.translated, rule)
          guard isExploring else { return .unknown }
          collect(.drop, environment)
          return .accept
        }
      case .changeSet(let number):
        let (answer, reason) = change(Int(number), packet, hook)
        switch answer {
        case .passes: break
        case .breaks: isBroken = true
        case .unknown:
          guard fork(to: Int32(next), environment, reason, rule) else { return .unknown }
        }
      case .unmodelled(let reason):
        guard isExploring else {
          note(reason, rule)
          return .unknown
        }
        return forkEverything(position, next, packet, environment, reason, rule)
      }
      position = isBroken ? next : position + 1
    }
  }

  /// What was loaded; a build with faults may take what is missing for a value.
  @inline(__always)
  private func checked(_ loaded: Loaded) -> Loaded {
    #if FAULTS
    if fault == .breakIsFalse, case .missing = loaded { return .value(0xFA17_FA17_FA17_FA17) }
    #endif
    return loaded
  }

  @inline(__always)
  private func checked(_ loaded: LoadedOctets) -> LoadedOctets {
    #if FAULTS
    if fault == .breakIsFalse, case .missing = loaded { return .value(0xFA17_FA17_FA17_FA17) }
    #endif
    return loaded
  }

  @inline(__always)
  func isUnknown(_ register: UInt8) -> Bool {
    unknownRegisters >> UInt64(register) & 1 != 0
  }

  /// Why a register is not known.
  private func doubt(_ register: UInt8) -> Int32 {
    partialRegister == Int16(register) ? partialReason : unknownReason
  }

  /// Forgets the unknown bits that a mask clears.
  private mutating func keep(_ mask: UInt128) {
    partialMask &= mask
    guard partialMask == 0 else { return }
    unknownRegisters &= ~(1 << UInt64(partialRegister))
    partialRegister = -1
  }

  /// What a comparison comes to where the known bits of a register decide it.
  private func partialHolds(
    _ register: UInt8, _ comparison: Instruction.Comparison, _ value: UInt128
  ) -> Bool? {
    guard partialRegister == Int16(register) else { return nil }
    let known = registers[Int(register)] & ~partialMask
    switch comparison {
    case .anyBit, .noBit:
      if known & value != 0 { return comparison == .anyBit }
      return value & partialMask == 0 ? comparison == .noBit : nil
    case .equal, .notEqual:
      return known != value & ~partialMask ? comparison == .notEqual : nil
    case .less, .greater, .lessOrEqual, .greaterOrEqual: return nil
    }
  }

  /// Whether it depends on more than is read here if a packet has a flow that can be counted.
  ///
  /// Some versions of GRE have none, tracking reads IPv6 extension headers in its own way, and the
  /// ports of DCCP, without which there is no flow, are none to newer kernels (seen with Linux 6.18).
  private func mayLackFlow(_ packet: borrowing Packet) -> Bool {
    let layout = packet.layout
    return layout.transport == TransportProtocol.gre.rawValue
      || layout.transport == TransportProtocol.dccp.rawValue
      || !layout.isIPv4
        && (layout.transportOffset != 40 || layout.transport == TransportProtocol.ah.rawValue
          || layout.transport == 59)
  }

  /// Ends a way that nests deeper than the kernel allows.
  private mutating func giveUp(_ rule: Int32) -> End {
    note(fixedReasons.budget, rule)
    return .unknown
  }
}
