/// A ruleset as nft commands, in pieces that can be taken out one by one.
struct RulesetTree: Equatable {
  struct Table: Equatable {
    var family: String
    var name: String
    var isDormant = false
    /// Named counters, limits and quotas: kind, name, definition.
    var objects: [(kind: String, name: String, text: String)] = []
    var sets: [NamedSet] = []
    var chains: [Chain] = []

    static func == (left: Self, right: Self) -> Bool {
      left.family == right.family && left.name == right.name && left.isDormant == right.isDormant
        && left.sets == right.sets && left.chains == right.chains
        && left.objects.map(\.text) == right.objects.map(\.text)
    }
  }

  struct NamedSet: Equatable {
    var name: String
    var isMap: Bool
    /// Type, flags, size: what stands before the elements.
    var definition: String
    var elements: [String]
  }

  struct Chain: Equatable {
    var name: String
    /// Type, hook, priority and policy of a base chain.
    var base: String?
    var rules: [[Clause]]
  }

  /// A statement, or the part of one that goes with it.
  ///
  /// Its elements are those of an anonymous set or map in it.
  struct Clause: Equatable {
    var head: String
    var elements: [String] = []
    var tail = ""

    init(_ head: String) { self.head = head }

    init(_ head: String, elements: [String], tail: String = "") {
      self.head = head
      self.elements = elements
      self.tail = tail
    }

    var text: String {
      elements.isEmpty ? head : "\(head){ \(elements.joined(separator: ", ")) }\(tail)"
    }

    /// Whether the clause is a mask on a raw load, of which a listing may show only a part.
    var isRawMask: Bool { head.hasPrefix("@") && head.contains(" & ") }

    /// Whether the clause bounds a value on one side.
    var isBound: Bool {
      [" < ", " > ", " <= ", " >= "].contains { head.contains($0) }
    }

    /// Whether one of these words, or a raw load of one, is part of the text.
    func names(anyOf words: Set<String>) -> Bool {
      text.split { " ,".contains($0) }.contains { words.contains(String($0)) }
    }
  }

  var tables: [Table]

  /// Where a line of the text comes from.
  enum Origin: Equatable {
    case table(Int)
    case object(Int, Int)
    case set(Int, Int)
    case chain(Int, Int)
    case rule(Int, Int, Int)
  }

  /// The commands, one a line.
  var lines: [(text: String, origin: Origin)] {
    var lines: [(String, Origin)] = []
    for (number, table) in tables.enumerated() {
      let place = "\(table.family) \(table.name)"
      let flags = table.isDormant ? " { flags dormant; }" : ""
      lines.append(("add table \(place)\(flags)", .table(number)))
      for (index, object) in table.objects.enumerated() {
        lines.append(
          ("add \(object.kind) \(place) \(object.name) { \(object.text) }", .object(number, index)))
      }
      for (index, chain) in table.chains.enumerated() {
        let base = chain.base.map { " { \($0) }" } ?? ""
        lines.append(("add chain \(place) \(chain.name)\(base)", .chain(number, index)))
      }
      for (index, set) in table.sets.enumerated() {
        let kind = set.isMap ? "map" : "set"
        var body = set.definition
        if !set.elements.isEmpty {
          body += " elements = { \(set.elements.joined(separator: ", ")) };"
        }
        lines.append(("add \(kind) \(place) \(set.name) { \(body) }", .set(number, index)))
      }
      for (index, chain) in table.chains.enumerated() {
        for (rule, clauses) in chain.rules.enumerated() {
          let text = clauses.map(\.text).joined(separator: " ")
          lines.append(("add rule \(place) \(chain.name) \(text)", .rule(number, index, rule)))
        }
      }
    }
    return lines
  }

  var text: String { lines.map(\.text).joined(separator: "\n") + "\n" }

  /// Takes out the piece that a line comes from, and what cannot be without it.
  mutating func remove(_ origin: Origin) {
    switch origin {
    case .table(let table): tables.remove(at: table)
    case .object(let table, let object):
      let gone = tables[table].objects.remove(at: object)
      removeRules(in: table) { $0.contains(" name \"\(gone.name)\"") }
    case .set(let table, let set):
      let gone = tables[table].sets.remove(at: set)
      removeRules(in: table) { mentions($0, "@\(gone.name)") }
    case .chain(let table, let chain):
      let gone = tables[table].chains.remove(at: chain)
      for word in ["jump", "goto"] {
        removeRules(in: table) { mentions($0, "\(word) \(gone.name)") }
        for set in tables[table].sets.indices {
          tables[table].sets[set].elements.removeAll { mentions($0, "\(word) \(gone.name)") }
        }
      }
    case .rule(let table, let chain, let rule): tables[table].chains[chain].rules.remove(at: rule)
    }
  }

  private mutating func removeRules(in table: Int, where isGone: (String) -> Bool) {
    for chain in tables[table].chains.indices {
      tables[table].chains[chain].rules.removeAll { rule in rule.contains { isGone($0.text) } }
    }
  }
}

/// Whether a text has a name as whole words.
private func mentions(_ text: String, _ name: String) -> Bool {
  text.ranges(of: name).contains { range in
    range.upperBound == text.endIndex
      || !(text[range.upperBound].isLetter || text[range.upperBound].isNumber)
  }
}

extension RulesetTree {
  /// Takes out what a listing does not tell, and bytecode or text does.
  mutating func removeWhatListingsHide() {
    for table in tables.indices {
      tables[table].isDormant = false
      for chain in tables[table].chains.indices.reversed()
      where tables[table].chains[chain].base?.contains("hook ingress") == true {
        remove(.chain(table, chain))
      }
      for chain in tables[table].chains.indices {
        for rule in tables[table].chains[chain].rules.indices {
          tables[table].chains[chain].rules[rule].removeWhatListingsHide()
        }
      }
    }
  }
}

extension [RulesetTree.Clause] {
  /// Masks on raw loads, bounds after other bounds, protocols before fields of any protocol, and
  /// families and protocols before what hides them or makes their place matter.
  fileprivate mutating func removeWhatListingsHide() {
    removeAll { clause in
      clause.isRawMask || clause.names(anyOf: ["nexthdr"])
        || ["ct protocol", "ct l3proto"].contains { clause.text.contains($0) }
    }
    if contains(where: { $0.names(anyOf: ["reject", "vmap", "numgen"]) }) {
      removeAll { $0.names(anyOf: ["nfproto", "protocol", "l4proto"]) }
    }
    if contains(where: { $0.names(anyOf: ["l4proto", "protocol"]) }) {
      removeAll { $0.names(anyOf: ["th", "@th"]) }
    }
    if let first = firstIndex(where: \.isBound) {
      self = Array(self[...first]) + self[(first + 1)...].filter { !$0.isBound }
    }
    if isEmpty { append(RulesetTree.Clause("counter")) }
  }
}
