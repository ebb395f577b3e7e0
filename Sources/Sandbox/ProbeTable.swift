import Rulesets

/// The table that reports each packet at both ends of each hook.
enum ProbeTable {
  static let name = "portproof_probe"
  /// The interface that the bell hangs at, and its hardware address.
  static let bell = "portproof-bell"
  static let bellAddress: UInt64 = 0x0250_BE11_BE11
  /// The group of the kernel's packet log that reports go to.
  static let group: UInt16 = 100

  /// What a report says of its packet.
  enum Mark: UInt8 {
    case entered = 0x65  // e
    case left = 0x6C  // l
    /// It entered the hook and left it, as nothing there could stop it.
    case passed = 0x70  // p
    /// Of the bell: what comes behind belongs to other packets.
    case separated = 0x73  // s
    /// Of the bell: there is no more.
    case rang = 0x72  // r

    /// The prefix of the log statement, of one letter.
    var prefix: String { String(UnicodeScalar(rawValue)) }
  }

  /// How packets are dealt with besides being reported.
  struct Mode: Hashable {
    /// Whether the rules that they pass are told.
    var isTracing = false
    /// Whether what the ruleset lets through goes on its way, so that connections are confirmed.
    var isConfirming = false
  }

  /// Makes a table that keeps the host quiet, where there is none, until the probes come.
  static let quietCommands =
    "table inet \(name) {\n" + quiet + chain("output_first", .output, first, "jump quiet") + "}\n"

  /// Drops what the kernel sends at times of its own, which the ruleset would count.
  ///
  /// It says which groups the host is in, and seeks neighbours; it belongs to no user.
  ///
  /// Source: RFC 4861 section 4, RFC 2710 section 3, RFC 3810 section 5.
  private static let quiet = """
    chain quiet {
    meta skuid >= 0 return
    meta l4proto igmp drop
    icmpv6 type 131-136 drop
    icmpv6 type 143 drop
    }

    """

  /// The priority of the probes before all chains.
  private static let first = -2_147_483_647

  /// Makes the table, in the place of ``quietCommands``.
  ///
  /// Its chains stand before and behind all that a ruleset may have at a hook. What the ruleset
  /// lets through is dropped at the end of input and postrouting: then nothing answers, nothing
  /// leaves, no connection is confirmed. What goes to the host itself must pass postrouting.
  ///
  /// The kernel gathers reports until the bell rings, whose rule has it hand over what there is.
  ///
  /// - Parameter busy: The hooks where something may stop a packet. Of the others one report says
  ///   as much as two.
  /// - Returns: nft commands.
  static func commands(busy: Set<Hook>) -> String {
    var text = "add table inet \(name)\ndelete table inet \(name)\ntable inet \(name) {\n" + quiet
    text += """
      chain bell {
      ip ttl 1 log prefix "\(Mark.separated.prefix)" group \(group) drop
      log prefix "\(Mark.rang.prefix)" group \(group) queue-threshold 1 drop
      }
      chain received { }
      chain sent { }
      chain end { drop; }

      """
    for hook in [Hook.prerouting, .input, .forward, .output, .postrouting] {
      let isBusy = busy.contains(hook)
      var entry = isBusy ? "log prefix \"\(Mark.entered.prefix)\" group \(group)" : ""
      var exit = "log prefix \"\((isBusy ? Mark.left : .passed).prefix)\" group \(group)"
      switch hook {
      case .prerouting:
        entry = "iif \(InterfacePlan.bell.index) goto bell\njump received\n" + entry
      case .input: exit += " jump end"
      case .output: entry = "jump quiet\njump sent\n" + entry
      case .postrouting: exit += "\noif != 1 jump end"
      case .forward, .ingress, .egress: break
      }
      text += chain("\(hook)_first", hook, first, entry)
      text += chain("\(hook)_last", hook, 2_147_483_646, exit)
    }
    return text + "}\n"
  }

  /// The commands that lead from any mode to another.
  static func commands(for mode: Mode, hasDevices: Bool) -> String {
    let table = "inet \(name)"
    var text = ""
    if hasDevices {
      text += "flush chain netdev \(name) received\n"
      if mode.isTracing { text += "add rule netdev \(name) received meta nftrace set 1\n" }
    }
    text += "flush chain \(table) received\nflush chain \(table) sent\n"
    text += "flush chain \(table) end\n"
    // The kernel's own answers belong to no user.
    if mode.isTracing {
      text += "add rule \(table) received meta nftrace set 1\n"
      text += "add rule \(table) sent meta skuid >= 0 meta nftrace set 1\n"
    }
    if mode.isConfirming {
      // An answer of the kernel would end the connection that is to be.
      text += "add rule \(table) sent meta skuid >= 0 return\nadd rule \(table) sent drop\n"
    } else {
      text += "add rule \(table) end drop\n"
    }
    return text
  }

  /// Makes the table that stands around the chains of devices.
  ///
  /// - Parameter devices: Those that have chains at each of the two hooks.
  /// - Returns: nft commands; nil where there are no such chains.
  static func deviceCommands(for devices: [Hook: [String]]) -> String? {
    guard !devices.isEmpty else { return nil }
    var text = "table netdev \(name) {\nchain received { }\n"
    for (hook, names) in devices.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      let list = names.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
      let place = " devices = { \(list) }"
      let entry = "log prefix \"\(Mark.entered.prefix)\" group \(group)"
      text += chain(
        "\(hook)_first", hook, first, "jump received\n" + entry, place)
      text += chain(
        "\(hook)_last", hook, 2_147_483_646,
        "log prefix \"\(Mark.left.prefix)\" group \(group)", place)
    }
    return text + "}\n"
  }

  private static func chain(
    _ name: String, _ hook: Hook, _ priority: Int, _ rules: String, _ place: String = ""
  ) -> String {
    "chain \(name) {\ntype filter hook \(hook)\(place) priority \(priority); policy accept;\n"
      + "\(rules)\n}\n"
  }

  /// The bell's frames: an IPv4 header alone, of protocol 255, that gets as far as prerouting.
  static let ringing = frame(timeToLive: 64)
  static let separating = frame(timeToLive: 1)

  private static func frame(timeToLive: UInt8) -> [UInt8] {
    var writer = OctetWriter()
    writer.append(hardware: bellAddress)
    writer.append(hardware: bellAddress)
    writer.append([0x08, 0])
    var header: [UInt8] = [
      0x45, 0, 0, 20, 0, 0, 0, 0, timeToLive, 255, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
    ]
    var sum: UInt32 = 0
    for index in stride(from: 0, to: 20, by: 2) {
      sum += UInt32(header[index]) << 8 | UInt32(header[index + 1])
    }
    while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
    header[10] = ~UInt8(truncatingIfNeeded: sum >> 8)
    header[11] = ~UInt8(truncatingIfNeeded: sum)
    writer.append(header)
    return writer.bytes
  }
}
