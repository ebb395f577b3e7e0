import Rulesets

/// The table that reports each packet at both ends of each hook.
enum ProbeTable {
  /// The interface that the bell hangs at, and its hardware address.
  static let bell = "portproof-bell"
  static let bellAddress: UInt64 = 0x0250_BE11_BE11
  /// The group of the kernel's packet log that reports go to.
  static let group: UInt16 = 100

  /// What a report says of its packet.
  enum Mark: UInt8 {
    case entered = 0x65  // e
    case left = 0x6C  // l
    case rang = 0x72  // r

    /// The prefix of the log statement, of one letter.
    var prefix: String { String(UnicodeScalar(rawValue)) }
  }

  /// The table as nft commands.
  ///
  /// Its chains stand before and behind all that a ruleset may have at a hook. What the ruleset
  /// lets through is dropped at the end of input and postrouting: then nothing answers, nothing
  /// leaves, no connection is confirmed. What goes to the host itself must pass postrouting.
  static var commands: String {
    var text = "table inet portproof_probe {\n"
    for hook in [Hook.prerouting, .input, .forward, .output, .postrouting] {
      var entry = "log prefix \"\(Mark.entered.prefix)\" group \(group)"
      if hook == .prerouting {
        entry =
          "iifname \"\(bell)\" log prefix \"\(Mark.rang.prefix)\" group \(group) drop\n" + entry
      }
      var exit = "log prefix \"\(Mark.left.prefix)\" group \(group)"
      switch hook {
      case .input: exit += " drop"
      case .postrouting: exit += "\noifname != \"lo\" drop"
      case .prerouting, .forward, .output, .ingress, .egress: break
      }
      text += chain("\(hook)_first", hook, -2_147_483_647, entry)
      text += chain("\(hook)_last", hook, 2_147_483_646, exit)
    }
    return text + "}\n"
  }

  private static func chain(
    _ name: String, _ hook: Hook, _ priority: Int, _ rules: String
  ) -> String {
    "chain \(name) {\ntype filter hook \(hook) priority \(priority); policy accept;\n\(rules)\n}\n"
  }
}
