internal import Scenarios

/// Names for what a scenario file declares, made of names that may hold any character.
struct ScenarioNames {
  /// Taken names, as they are compared: hosts, groups and services share one space.
  private var taken: Set<String> = []

  /// Keeps a name, which is free and good as it is.
  mutating func reserve(_ name: String) { taken.insert(name.lowercased()) }

  /// A free name like `wanted`; a number tells it from others.
  mutating func free(_ wanted: String) -> String {
    var name = wanted
    var number = 2
    while Self.reserved.contains(name.lowercased())
      || !taken.insert(name.lowercased()).inserted
    {
      name = "\(wanted)-\(number)"
      number += 1
    }
    return name
  }

  private static let reserved = Set(Keyword.allCases.map(\.rawValue))

  /// What a rule is about, as a name: `kubelet` of `kubelet-ingress`.
  ///
  /// A name begins with a letter and holds letters, digits, `_`, and single dashes in between; other
  /// characters become dashes.
  static func subject(of rule: String) -> String {
    var words: [String] = [""]
    for scalar in rule.unicodeScalars {
      let isDigit = ("0"..."9").contains(scalar)
      // Letters beyond ASCII are letters to the language, too.
      if isDigit || scalar == "_" || scalar.properties.isAlphabetic {
        words[words.count - 1].unicodeScalars.append(scalar)
      } else {
        words.append("")
      }
    }
    words.removeAll(where: \.isEmpty)
    if words.count > 1, words.last?.lowercased() == "ingress" { words.removeLast() }
    let name = words.joined(separator: "-")
    guard let first = name.unicodeScalars.first else { return "rule" }
    return ("0"..."9").contains(first) ? "rule-\(name)" : name
  }
}
