import Addresses
import Rulesets

/// Turns a ruleset into a ``Program``.
struct RulesetCompiler {
  let ruleset: Ruleset
  var program = Program()
  /// The first instruction of each chain, by table and chain; -1 until its place is known.
  var starts: [[Int32]]
  /// Jumps whose targets are patched at the end: instruction, table, chain.
  private var patches: [(instruction: Int, table: Int, chain: Int)] = []
  /// Named sets already compiled, by table and index.
  var namedSets: [[Int32]]
  /// Set verdicts that name chains are resolved last.
  private var pendingSets: [(set: Int, table: Int, contents: SetContents)] = []
  var table = 0
  var nextRegister = 0
  /// Whether the statement at hand reads more values than there are registers.
  var isOverfull = false
  static let registerLimit = 64
  /// Named limits and quotas, by table, kind and name.
  private var namedGates: [String: Int32] = [:]

  init(_ ruleset: Ruleset) {
    self.ruleset = ruleset
    starts = ruleset.tables.map { Array(repeating: -1, count: $0.chains.count) }
    namedSets = ruleset.tables.map { Array(repeating: -1, count: $0.sets.count) }
  }

  mutating func compile() {
    for (tableIndex, table) in ruleset.tables.enumerated() {
      self.table = tableIndex
      for (chainIndex, chain) in table.chains.enumerated() {
        let start = Int32(program.instructions.count)
        starts[tableIndex][chainIndex] = start
        program.chainStarts[start] = chainIndex
        for (ruleIndex, rule) in chain.rules.enumerated() {
          compile(rule, at: RuleLocation(table: tableIndex, chain: chainIndex, rule: ruleIndex))
        }
        program.instructions.append(.endOfChain)
      }
    }
    for patch in patches {
      let target = starts[patch.table][patch.chain]
      switch program.instructions[patch.instruction] {
      case .jump: program.instructions[patch.instruction] = .jump(target)
      case .goto: program.instructions[patch.instruction] = .goto(target)
      default: preconditionFailure("only jumps are patched")
      }
    }
    for pending in pendingSets { resolveVerdicts(pending.set, pending.table, pending.contents) }
    pendingSets = []
    // A set's key or data may reach past the last register that a statement may begin with.
    program.registerCount = 3 * Self.registerLimit
    planHooks()
  }

  private mutating func compile(_ rule: Rule, at location: RuleLocation) {
    let index = Int32(program.locations.count)
    program.locations.append(location)
    let start = program.instructions.count
    switch rule.certainty {
    case .certain: program.instructions.append(.rule(index: index, next: 0))
    case .possible(let reason):
      program.instructions.append(
        .possibleRule(index: index, next: 0, reason: program.reason(reason)))
    }
    for statement in rule.statements {
      nextRegister = 0
      isOverfull = false
      let start = program.instructions.count
      compile(statement)
      guard isOverfull else { continue }
      program.instructions.removeSubrange(start...)
      emit(.unmodelled(reason: program.reason("it reads more values than can be followed")))
    }
    let next = Int32(program.instructions.count)
    switch program.instructions[start] {
    case .possibleRule(_, _, let reason):
      program.instructions[start] = .possibleRule(index: index, next: next, reason: reason)
    default: program.instructions[start] = .rule(index: index, next: next)
    }
  }

  mutating func emit(_ instruction: Instruction) { program.instructions.append(instruction) }

  mutating func require(_ guards: [Guard]) {
    for one in guards {
      switch one {
      case .ipv4:
        emit(.requireFamily(isIPv4: true))
        continue
      case .ipv6:
        emit(.requireFamily(isIPv4: false))
        continue
      case .transport(let number):
        emit(.requireTransport(number))
        continue
      case .icmpType, .icmpv6Type, .ethernetInput, .etherType, .possibly, .possiblyOfProtocol: break
      }
      let index: Int
      if let known = program.guards.firstIndex(of: one) {
        index = known
      } else {
        program.guards.append(one)
        index = program.guards.count - 1
      }
      emit(.require(guard: Int32(index)))
    }
  }

  private mutating func compile(_ statement: Statement) {
    switch statement {
    case .match(let match): compile(match)
    case .verdict(let verdict): compile(verdict)
    case .verdictMap(let key, let map):
      guard let (first, set) = compileLookup(key, map) else { return }
      emit(.verdictMap(set: set, first: first))
    case .reject(let rejection, let requiring):
      require(requiring)
      program.rejections.append(rejection)
      emit(.reject(Int32(program.rejections.count - 1)))
    case .gate(let gate): compile(gate)
    case .object(let kind, let reference): compile(kind, reference)
    case .mangle(let selector, let value): compile(mangling: selector, value)
    case .notrack: emit(.notrack)
    case .translate(let translation):
      require(translation.requiring)
      compile(translation)
    case .setUpdate(let update): compile(update)
    case .inert: break
    case .duplicate: break
    case .diverts(let unmodelled), .unmodelled(let unmodelled):
      emit(.unmodelled(reason: reason(unmodelled)))
    }
  }

  mutating func reason(_ unmodelled: Unmodelled) -> Int32 {
    program.reason("\(unmodelled.reason): \(unmodelled.text)")
  }

  mutating func compile(_ gate: Gate) {
    emit(.admit(gate: plan(gate)))
  }

  private mutating func compile(_ verdict: Verdict) {
    switch verdict {
    case .accept: emit(.accept)
    case .drop: emit(.drop)
    case .continue: break
    case .return: emit(.return)
    case .jump(let chain): emitJump(.jump(0), to: chain)
    case .goto(let chain): emitJump(.goto(0), to: chain)
    }
  }

  private mutating func emitJump(_ instruction: Instruction, to chain: Int) {
    guard ruleset.tables[table].chains.indices.contains(chain) else {
      emit(.unmodelled(reason: program.reason("the chain it jumps to is not listed")))
      return
    }
    patches.append((program.instructions.count, table, chain))
    emit(instruction)
  }

  /// Adds a gate with a state of its own.
  mutating func plan(_ gate: Gate) -> Int32 {
    program.gates.append(
      GatePlan(gate, reason: program.reason("\(gate.text) depends on what passed before")))
    return Int32(program.gates.count - 1)
  }

  /// The gate of a named limit or quota, one for all rules that name it; -1 for other objects.
  mutating func gate(of kind: StatefulObject.Kind, named name: String) -> Int32 {
    switch kind {
    case .quota, .limit: break
    case .counter, .ctHelper, .ctTimeout, .ctExpectation, .synproxy, .secmark, .tunnel: return -1
    }
    let key = "\(table) \(kind.rawValue) \(name)"
    if let known = namedGates[key] { return known }
    let object = ruleset.tables[table].objects.first { $0.kind == kind && $0.name == name }
    let gate =
      object?.gate
      ?? .other(Unmodelled(text: "\(kind.rawValue) \(name)", reason: "it is not in the listing"))
    let number = plan(gate)
    namedGates[key] = number
    return number
  }

  private mutating func compile(_ kind: StatefulObject.Kind, _ reference: ObjectReference) {
    switch reference {
    case .named(let name):
      let gate = gate(of: kind, named: name)
      if gate >= 0 { emit(.admit(gate: gate)) }
    case .mapped(let key, let map):
      guard let (first, set) = compileLookup(key, map) else { return }
      emit(.objectMap(set: set, first: first))
    }
    if kind == .synproxy {
      emit(.unmodelled(reason: program.reason("synproxy answers in the host's place")))
    }
  }

  private mutating func compile(_ update: SetUpdate) {
    guard let key = compileKey(update.key) else { return }
    guard case .named(let index) = update.set,
      ruleset.tables[table].sets.indices.contains(index), let set = compile(update.set)
    else {
      emit(.unmodelled(reason: program.reason("the set it changes is not listed")))
      return
    }
    let named = ruleset.tables[table].sets[index]
    var change = SetChange(
      set: set, key: key, operation: .add, size: named.size ?? 65535,
      gates: update.gates.map { plan($0) }, expires: false,
      fullReason: program.reason("whether the set is full depends on what passed before"))
    switch update.operation {
    case .add: change.operation = .add
    case .update: change.operation = .update
    case .delete: change.operation = .delete
    }
    if let data = update.data {
      // The parts of a value lie side by side, as those of a key do.
      guard let first = compileKey(data) else { return }
      change.data = first
    }
    if named.hasTimeout {
      // An element that stays for more than a run stays for all of it.
      let timeout = update.timeout ?? named.timeout
      change.expires = timeout.map { $0 <= GatePlan.runDuration / 1_000_000_000 } ?? true
    }
    program.setChanges.append(change)
    emit(.changeSet(Int32(program.setChanges.count - 1)))
  }

  /// Remembers that a set's verdicts are to be filled in when all chains have their place.
  mutating func resolveLater(_ set: Int, _ contents: SetContents) {
    pendingSets.append((set, table, contents))
  }

  func compiled(_ verdict: Verdict, table: Int) -> CompiledVerdict? {
    switch verdict {
    case .accept: return .accept
    case .drop: return .drop
    case .continue: return .continue
    case .return: return .return
    case .jump(let chain):
      return starts[table].indices.contains(chain) ? .jump(starts[table][chain]) : nil
    case .goto(let chain):
      return starts[table].indices.contains(chain) ? .goto(starts[table][chain]) : nil
    }
  }
}
