internal import Addresses
internal import PacketSets
internal import Rulesets

/// A rule made ready for sets of packets at one hook.
struct CompiledRule {
  enum Action {
    /// Goes on where the condition holds; elsewhere the rule ends.
    case require(Condition)
    case verdict(Verdict)
    case verdictMap(Lookup)
    case reject(Rejection, guards: [Constraint])
    case gate(Gate)
    /// Goes on where a set takes another element: it may be full.
    case room(String)
    /// Goes on where the map has an element, or may have one.
    case hit(Lookup)
    case write(Selector, Expression)
    case notrack
    case translate(Translation, guards: [Constraint], address: Lookup?, port: Lookup?)
    /// May do anything a rule can do.
    case anything(String)
    /// Drops the packet, takes it away or lets it pass: which, is not known.
    case diverts(String)
  }

  /// The rule's place in its chain.
  var index: Int
  /// What packets must be for anything to happen; empty where that is not a box.
  var entrance: [Constraint]
  var actions: [Action]
  /// Why the rule may not be in force; nil where it is.
  var doubt: String?
}

extension CompiledRule {
  /// Whether the rule does anything to some of the packets.
  func concerns(_ states: [PacketState]) -> Bool {
    entrance.isEmpty || states.contains { $0.cube.meets(entrance) }
  }
}

extension MatchConditions {
  /// Makes a rule ready; nil where it has no effect on any packet.
  func compiled(_ rule: Rule, at index: Int, _ register: inout DimensionRegister) -> CompiledRule? {
    var actions: [CompiledRule.Action] = []
    var box: [Constraint] = []
    func flush() {
      if !box.isEmpty { actions.append(.require(Condition(guards: box, test: .always))) }
      box = []
    }
    let last = rule.statements.lastIndex(where: \.hasEffect)
    guard let last else { return nil }
    statements: for statement in rule.statements[...last] {
      switch statement {
      case .match(let match):
        let condition = condition(of: match, in: &register)
        if case .never = condition.test {
          // Whatever came before has happened; the rest of the rule never does.
          flush()
          actions.append(.require(.never))
          break statements
        }
        if condition.isPlain, let constraints = condition.box {
          box += constraints
        } else {
          flush()
          actions.append(.require(condition))
        }
      case .inert, .duplicate:
        continue
      case .verdict(.continue):
        continue
      case .verdict(let verdict):
        flush()
        actions.append(.verdict(verdict))
      case .verdictMap(let key, let map):
        flush()
        actions.append(.verdictMap(lookup(key, in: map, &register)))
      case .reject(let rejection, let requiring):
        flush()
        guard let guards = constraints(of: requiring, &register) else {
          actions.append(.require(.never))
          break statements
        }
        actions.append(.reject(rejection, guards: guards))
      case .gate(let gate):
        flush()
        actions.append(.gate(gate))
      case .object(.synproxy, _):
        flush()
        actions.append(.diverts("synproxy"))
      case .object(let kind, let reference):
        flush()
        if case .mapped(let key, let map) = reference {
          actions.append(.hit(lookup(key, in: map, &register)))
        }
        if let gate = gate(of: kind, reference) { actions.append(.gate(gate)) }
      case .mangle(let selector, let value):
        flush()
        actions.append(.write(selector, value))
      case .notrack:
        flush()
        actions.append(.notrack)
      case .translate(let translation):
        flush()
        guard let guards = constraints(of: translation.requiring, &register) else {
          actions.append(.require(.never))
          break statements
        }
        let lookups = [translation.address, translation.port].map { value -> Lookup? in
          guard case .lookup(let key, let map) = value else { return nil }
          return lookup(key, in: map, &register)
        }
        actions.append(
          .translate(translation, guards: guards, address: lookups[0], port: lookups[1]))
      case .setUpdate(let update):
        flush()
        guard let guards = keyGuards(update.key, &register) else {
          actions.append(.require(.never))
          break statements
        }
        if !guards.isEmpty {
          actions.append(.require(Condition(guards: guards, test: .always)))
        }
        // What is deleted need not be there.
        if update.operation != .delete {
          actions.append(.room(unmodelled(update).text))
          actions += update.gates.map { .gate($0) }
        }
      case .diverts(let unmodelled):
        flush()
        actions.append(.diverts(unmodelled.text))
      case .unmodelled(let unmodelled):
        flush()
        actions.append(.anything(unmodelled.text))
      }
    }
    flush()
    guard actions.mayAct else { return nil }
    let doubt: String? =
      if case .possible(let reason) = rule.certainty { reason } else { nil }
    var entrance: [Constraint] = []
    if case .require(let condition) = actions.first, condition.isPlain {
      entrance = condition.box ?? []
    }
    return CompiledRule(index: index, entrance: entrance, actions: actions, doubt: doubt)
  }

  /// All the constraints of several guards; nil where one cannot hold.
  private func constraints(
    of guards: [Guard], _ register: inout DimensionRegister
  ) -> [Constraint]? {
    var all: [Constraint] = []
    for condition in guards {
      guard let constraints = register.constraints(of: condition, in: context) else { return nil }
      all += constraints
    }
    return all
  }

  /// The gate that a named object is; nil for objects that neither match nor decide.
  private func gate(of kind: StatefulObject.Kind, _ reference: ObjectReference) -> Gate? {
    switch kind {
    case .counter, .ctHelper, .ctTimeout, .ctExpectation, .secmark, .tunnel, .synproxy:
      return nil
    case .quota, .limit:
      if case .named(let name) = reference,
        let gate = table.objects.first(where: { $0.kind == kind && $0.name == name })?.gate
      {
        return gate
      }
      return .other(Unmodelled(text: kind.rawValue, reason: "its object is found through a map"))
    }
  }

  /// What must hold for a key to be readable; nil where it cannot be.
  private func keyGuards(
    _ key: Expression, _ register: inout DimensionRegister
  ) -> [Constraint]? {
    switch key {
    case .selector(let selector):
      let (guards, reading) = register.reading(of: selector, in: context)
      if case .absent = reading { return nil }
      return guards
    case .masked(let inner, _, _), .shifted(let inner, _, _):
      return keyGuards(inner, &register)
    case .concatenation(let parts):
      var all: [Constraint] = []
      for part in parts {
        guard let guards = keyGuards(part, &register) else { return nil }
        all += guards
      }
      return all
    case .constant, .lookup, .unmodelled:
      return []
    }
  }

  /// A set that is full, or whose element has a gate, ends the rule.
  private func unmodelled(_ update: SetUpdate) -> Unmodelled {
    Unmodelled(
      text: RulePrinter(table).text(of: Statement.setUpdate(update)),
      reason: "the set's contents change with traffic")
  }
}

extension [CompiledRule.Action] {
  /// Whether anything comes before a condition that never holds.
  fileprivate var mayAct: Bool {
    for action in self {
      guard case .require(let condition) = action else { return true }
      if case .never = condition.test { return false }
    }
    return false
  }
}

extension Statement {
  /// Whether the statement can change what becomes of a packet, by itself or through others.
  fileprivate var hasEffect: Bool {
    switch self {
    case .match, .gate, .inert, .duplicate, .verdict(.continue): false
    case .object(let kind, _): kind == .synproxy
    case .verdict, .verdictMap, .reject, .mangle, .notrack, .translate, .diverts, .unmodelled: true
    case .setUpdate: false
    }
  }
}
