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
      case .icmpType, .icmpv6Type, .ethernetInput, .etherType, .possibly: break
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
    emit(.gate(reason: program.reason("\(gate.text) depends on what passed before")))
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

  private mutating func compile(_ kind: StatefulObject.Kind, _ reference: ObjectReference) {
    let isGate =
      switch kind {
      case .quota, .limit: true
      case .counter, .ctHelper, .ctTimeout, .ctExpectation, .synproxy, .secmark, .tunnel: false
      }
    let reason: Int32 =
      isGate ? program.reason("a named \(kind.rawValue) depends on what passed before") : -1
    switch reference {
    case .named:
      if isGate { emit(.gate(reason: reason)) }
    case .mapped(let key, let map):
      guard let (first, set) = compileLookup(key, map) else { return }
      emit(.objectMap(set: set, first: first, gateReason: reason))
    }
    if kind == .synproxy {
      emit(.unmodelled(reason: program.reason("synproxy answers in the host's place")))
    }
  }

  private mutating func compile(_ update: SetUpdate) {
    guard compileKey(update.key) != nil else { return }
    if let data = update.data { _ = compile(data) }
    guard case .named(let index) = update.set,
      ruleset.tables[table].sets.indices.contains(index), let set = compile(update.set)
    else {
      emit(.unmodelled(reason: program.reason("the set it changes is not listed")))
      return
    }
    let size = ruleset.tables[table].sets[index].size ?? 65535
    emit(
      .updateSet(
        set, isDeletion: update.operation == .delete, size: Int32(clamping: size),
        reason: program.reason("whether the set is full depends on what passed before")))
    for gate in update.gates { compile(gate) }
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
