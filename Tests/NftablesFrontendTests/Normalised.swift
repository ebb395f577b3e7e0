import Addresses
import Diagnostics
import Foundation
import NftablesFrontend
import Rulesets

extension Ruleset {
  /// The ruleset without what a reload changes and no verdict rests on: handles, places in files,
  /// the order of elements, flags that nft 1.0.6 does not list.
  var normalised: Ruleset {
    var ruleset = self
    for table in ruleset.tables.indices {
      ruleset.tables[table].handle = nil
      for set in ruleset.tables[table].sets.indices {
        ruleset.tables[table].sets[set].handle = nil
        ruleset.tables[table].sets[set].contents =
          ruleset.tables[table].sets[set].contents
          .normalised
      }
      // nft lists sets and objects in the order of their names' creation or of a hash.
      ruleset.tables[table].objects.sort { $0.name < $1.name }
      for chain in ruleset.tables[table].chains.indices {
        ruleset.tables[table].chains[chain].handle = nil
        for rule in ruleset.tables[table].chains[chain].rules.indices {
          ruleset.tables[table].chains[chain].rules[rule].handle = nil
          ruleset.tables[table].chains[chain].rules[rule].provenance = Provenance()
          ruleset.tables[table].chains[chain].rules[rule].statements =
            ruleset.tables[table].chains[chain].rules[rule].statements.map(\.normalised)
        }
      }
    }
    return ruleset
  }
}

extension SetContents {
  var normalised: SetContents {
    var contents = self
    for element in contents.elements.indices { contents.elements[element].hasTimeout = false }
    contents.elements.sort { "\($0)" < "\($1)" }
    return contents
  }
}

extension SetReference {
  var normalised: SetReference {
    if case .anonymous(let contents) = self { .anonymous(contents.normalised) } else { self }
  }
}

extension Rulesets.Expression {
  var normalised: Rulesets.Expression {
    switch self {
    case .lookup(let key, let map): .lookup(key: key.normalised, map: map.normalised)
    case .concatenation(let parts): .concatenation(parts.map(\.normalised))
    case .masked(let operand, let mask, let flip):
      .masked(operand.normalised, mask: mask, flip: flip)
    case .shifted(let operand, let left, let count):
      .shifted(operand.normalised, left: left, by: count)
    case .constant, .selector, .unmodelled: self
    }
  }
}

extension Statement {
  var normalised: Statement {
    switch self {
    case .match(var match):
      match.left = match.left.normalised
      if case .set(let set) = match.right { match.right = .set(set.normalised) }
      // nft writes an anonymous set of one element as that element.
      if case .set(.anonymous(let contents)) = match.right, contents.keyTypes.count == 1,
        contents.elements.count == 1, !contents.hasCatchAll
      {
        let range = contents.elements[0].key[0]
        match.right = range.lower == range.upper ? .value(range.lower) : .range(range)
      }
      return .match(match)
    case .verdictMap(let key, let map):
      return .verdictMap(key: key.normalised, map: map.normalised)
    case .object(let kind, .mapped(let key, let map)):
      return .object(kind, .mapped(key: key.normalised, map: map.normalised))
    case .translate(var translation):
      translation.address = translation.address?.normalised
      translation.port = translation.port?.normalised
      return .translate(translation)
    case .mangle(let selector, let value): return .mangle(selector, value: value.normalised)
    case .verdict, .reject, .gate, .object, .notrack, .setUpdate, .inert, .duplicate, .diverts,
      .unmodelled:
      return self
    }
  }
}
