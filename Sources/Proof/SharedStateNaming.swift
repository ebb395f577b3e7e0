internal import Rulesets

/// Which gates and questions of two rulesets are taken to be the same.
struct SharedStateNaming {
  /// The names of the gates of each side, by the rules they stand in.
  private(set) var gates: (old: [RuleLocation: String], new: [RuleLocation: String]) = ([:], [:])
  /// Matches that the host answers the same way whoever asks.
  let answers: Set<String>

  init(_ old: Ruleset, _ new: Ruleset) {
    answers = Self.answers(in: old).union(Self.answers(in: new))
    var left = Self.gates(in: old)
    var right = Self.gates(in: new)
    var names: [String: Int] = [:]
    // First by all that stands before a gate in its rule, then by the gate alone.
    for key in [\Found.rule, \Found.gate] {
      var byKey: [String: [Found]] = [:]
      for found in right { byKey[found[keyPath: key], default: []].append(found) }
      var unmatched: [Found] = []
      for found in left {
        guard let twin = byKey[found[keyPath: key]]?.first else {
          unmatched.append(found)
          continue
        }
        byKey[found[keyPath: key]]?.removeFirst()
        right.removeAll { $0.location == twin.location }
        let count = names[found.gate, default: 0] + 1
        names[found.gate] = count
        let name = count == 1 ? found.gate : "\(found.gate) (\(count))"
        gates.old[found.location] = name
        gates.new[twin.location] = name
      }
      left = unmatched
    }
  }

  /// Takes gates to be two, one on each side.
  mutating func part(_ names: Set<String>) {
    gates.old = gates.old.filter { !names.contains($0.value) }
    gates.new = gates.new.filter { !names.contains($0.value) }
  }

  private struct Found {
    let location: RuleLocation
    /// The rule up to its gate, in normal form.
    let rule: String
    let gate: String
  }

  /// The rules that have one gate of their own.
  private static func gates(in ruleset: Ruleset) -> [Found] {
    var found: [Found] = []
    for (tableIndex, table) in ruleset.tables.enumerated() {
      let printer = RulePrinter(table)
      for (chainIndex, chain) in table.chains.enumerated() {
        for (index, rule) in chain.rules.enumerated() {
          let form = RuleForm(rule, in: table)
          let places = form.statements.indices.filter {
            if case .gate = form.statements[$0] { true } else { false }
          }
          guard places.count == 1, case .gate(let gate) = form.statements[places[0]],
            gate.passesWhenNotExceeded != nil, case .certain = rule.certainty
          else { continue }
          let text = form.statements[...places[0]].map { printer.text(of: $0) }
            .joined(separator: " ")
          found.append(
            Found(
              location: RuleLocation(table: tableIndex, chain: chainIndex, rule: index),
              rule: "\(table.family.rawValue) \(text)", gate: gate.text))
        }
      }
    }
    return found
  }

  /// The matches that ask the host for something of the packet alone.
  private static func answers(in ruleset: Ruleset) -> Set<String> {
    var texts: Set<String> = []
    // Where packets are rewritten, what is read from them may be what was written.
    let keepsHeaders = !ruleset.rewritesHeaders
    for table in ruleset.tables {
      let printer = RulePrinter(table)
      for chain in table.chains {
        for rule in chain.rules {
          for case .match(let match) in rule.statements
          where match.left.isAnswerable && match.right.isConstant
            && (keepsHeaders || !match.left.readsHeaders)
          {
            texts.insert(printer.text(of: match))
          }
        }
      }
    }
    return texts
  }
}

extension Ruleset {
  /// Whether some rule writes into packets.
  fileprivate var rewritesHeaders: Bool {
    tables.contains { table in
      table.chains.contains { chain in
        chain.rules.contains { rule in
          rule.statements.contains { statement in
            guard case .mangle(let selector, _) = statement else { return false }
            return Expression.selector(selector).readsHeaders
          }
        }
      }
    }
  }
}

extension Match.Operand {
  fileprivate var isConstant: Bool {
    switch self {
    case .value, .range, .values: true
    case .set(.anonymous(let contents)): contents.isPlain
    case .set(.named), .set(.missing), .expression: false
    }
  }
}

extension Expression {
  /// Whether the value is read from the packet's bytes.
  fileprivate var readsHeaders: Bool {
    switch self {
    case .constant, .lookup, .unmodelled: false
    case .selector(let selector):
      switch selector.field {
      case .payload, .extensionHeader, .option: true
      case .meta, .connection, .environment: false
      }
    case .masked(let operand, _, _), .shifted(let operand, _, _): operand.readsHeaders
    case .concatenation(let parts): parts.contains(where: \.readsHeaders)
    }
  }

  /// Whether the value is one and the same for a packet, whichever rule reads it.
  fileprivate var isAnswerable: Bool {
    switch self {
    case .constant: true
    case .selector(let selector): selector.field.isAnswerable
    case .masked(let operand, _, _), .shifted(let operand, _, _): operand.isAnswerable
    case .concatenation(let parts): parts.allSatisfy(\.isAnswerable)
    case .lookup, .unmodelled: false
    }
  }
}

extension Field {
  fileprivate var isAnswerable: Bool {
    switch self {
    case .payload, .extensionHeader, .option: true
    case .meta(let key):
      switch key {
      // Drawn anew each time.
      case .random: false
      // Rules write these, and the writing of some is not followed.
      case .priority, .nftrace, .secmark, .mark, .packetType: false
      case .length, .nfproto, .l4proto, .etherProtocol, .inputIndex, .outputIndex, .inputName,
        .outputName, .inputType, .outputType, .inputGroup, .outputGroup, .inputKind, .outputKind,
        .inputVRF, .inputVRFName, .inputBridgeName, .outputBridgeName, .userID, .groupID, .cgroup,
        .realm, .secpath, .ipsec, .cpu, .time, .day, .hour:
        true
      }
    case .connection(let key):
      switch key.key {
      case .state, .direction, .status, .sourceAddress, .destinationAddress, .sourcePort,
        .destinationPort, .transportProtocol, .networkProtocol, .bytes, .packets, .averagePacket,
        .expiration:
        true
      case .mark, .helper, .label, .zone, .id, .eventmask, .secmark: false
      }
    case .environment(let field):
      switch field.source {
      case .fib, .route, .socket, .osf, .ipsec, .hash: true
      case .numberGenerator: false
      }
    }
  }
}
