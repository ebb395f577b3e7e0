internal import Netfilter

/// Interfaces that a ruleset needs to be there so that it loads.
enum DeviceNames {
  /// The names in `text` that stand behind `device` or `devices`, or in a member of that name.
  ///
  /// A name too many does no harm: an interface that no packet uses decides nothing.
  static func devices(in text: String) -> [String] {
    let words = text.split { " \t\n\",;={}:[]".contains($0) }
    var names: [String] = []
    var isInside = false
    for word in words {
      switch word {
      case "device", "devices", "dev": isInside = true
      case "priority", "prio", "policy", "counter", "flags", "table", "chain", "handle", "hook":
        isInside = false
      default: if isInside { names.append(String(word)) }
      }
    }
    return names.filter(isName)
  }

  /// Every string of a JSON text that could be a name, but for names of members.
  static func strings(in json: String) -> [String] {
    let parts = json.split(separator: "\"", omittingEmptySubsequences: false)
    return parts.enumerated().filter { number, _ in
      guard !number.isMultiple(of: 2), number + 1 < parts.count else { return false }
      return parts[number + 1].first { $0 != " " } != ":"
    }.map { String($0.element) }.filter(isName)
  }

  /// Source: net/core/dev.c, `dev_valid_name`.
  private static func isName(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return (1..<16).contains(bytes.count) && text != "." && text != ".."
      && !bytes.contains { $0 <= UInt8(ascii: " ") || "/:*".utf8.contains($0) }
  }
}
