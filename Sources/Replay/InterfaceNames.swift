internal import Addresses
internal import Rulesets

/// The interfaces that a ruleset names, of which some must be there for it to load.
enum InterfaceNames {
  /// More than this many are not made: each takes time, and few rulesets need any.
  static let most = 64

  /// The names, in the order in which they are met; patterns are none.
  static func named(in ruleset: Ruleset) -> [InterfaceName] {
    var names: [InterfaceName] = []
    func add(_ interval: Interval) {
      guard interval.lower == interval.upper, interval.lower != 0 else { return }
      let name = InterfaceName(rawValue: interval.lower)
      if name != loopback, !names.contains(name), names.count < most { names.append(name) }
    }
    func add(_ contents: SetContents) {
      for element in contents.elements {
        for (interval, type) in zip(element.key, contents.keyTypes) where type == .interfaceName {
          add(interval)
        }
      }
    }
    for table in ruleset.tables {
      for set in table.sets { add(set.contents) }
      for chain in table.chains {
        for device in chain.base?.devices ?? [] {
          if let name = InterfaceName(device) { add(Interval(name.rawValue)) }
        }
        for statement in chain.rules.flatMap(\.statements) {
          switch statement {
          case .match(let match):
            guard match.left.isInterface else {
              if case .set(.anonymous(let contents)) = match.right { add(contents) }
              continue
            }
            switch match.right {
            case .value(let value): add(Interval(value))
            case .values(let values): for value in values { add(Interval(value)) }
            case .set(.anonymous(let contents)): add(contents)
            case .range, .set, .expression: break
            }
          case .verdictMap(_, .anonymous(let contents)): add(contents)
          case .verdictMap, .verdict, .reject, .gate, .object, .mangle, .notrack, .translate,
            .setUpdate, .inert, .duplicate, .diverts, .unmodelled:
            break
          }
        }
      }
    }
    return names
  }

  static let loopback = InterfaceName("lo") ?? .none
}

extension Expression {
  /// Whether the value is the name of an interface, or its index, which the model keeps by name.
  fileprivate var isInterface: Bool {
    guard case .selector(let selector) = self, case .meta(let key) = selector.field else {
      return false
    }
    return [.inputName, .outputName, .inputIndex, .outputIndex].contains(key)
  }
}
