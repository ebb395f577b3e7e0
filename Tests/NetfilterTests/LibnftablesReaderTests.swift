import Diagnostics
import Foundation
import LinuxKernel
import TestSupport
import Testing

@testable import Netfilter

/// Real namespaces need root, or an environment that must have them.
private let canUnshare: ConditionTrait = .enabled(
  if: Machine.effectiveUserID == 0 || Machine.environment("CI") != nil,
  "needs root: makes network namespaces and loads nftables rules")

@Suite("Reading through libnftables")
struct LibnftablesReaderTests {
  private func loaded(
    _ path: String, by executable: String
  ) throws -> LibnftablesReader.Listing {
    var sources = SourceMap()
    switch try LibnftablesReader(executable: executable).translate(path, into: &sources) {
    case .loaded(let listing): return listing
    case .rejected(let diagnostics):
      Issue.record("rejected: \(diagnostics.map(\.message))")
      return .init(json: [], text: nil, bytecode: nil, madeUpInterfaces: [], remarks: [])
    }
  }

  private func objects(_ listing: LibnftablesReader.Listing) throws -> [[String: Any]] {
    let root = try JSONSerialization.jsonObject(with: Data(listing.json)) as? [String: Any]
    return try #require(root?["nftables"] as? [[String: Any]])
  }

  private let small = """
    table inet t {
      chain c {
        type filter hook input priority 0; policy drop;
        tcp dport { 22, 443 } accept
        ct state established accept
      }
    }

    """

  @Test(canUnshare) func `text becomes the kernel's listing, in numbers`() throws {
    let workshop = try Workshop()
    let listing = try loaded(try workshop.write("a.nft", small), by: workshop.tool)
    let objects = try objects(listing)
    #expect(objects.count { $0["rule"] != nil } == 2)
    #expect(listing.madeUpInterfaces == [])
    #expect(listing.remarks == [])
    // Numeric: established is bit 2.
    #expect(String(decoding: listing.json, as: UTF8.self).contains(#""right": 2"#))
  }

  @Test(canUnshare) func `a user without privilege reads text just as root does`() throws {
    let workshop = try Workshop()
    let path = try workshop.write("a.nft", small)
    let root = try loaded(path, by: workshop.tool)
    #expect(try loaded(path, by: workshop.unprivileged()) == root)
  }

  @Test(canUnshare, .timeLimit(.minutes(2)))
  func `a ruleset too large for one message loads without privilege, complete and in order`()
    throws
  {
    let workshop = try Workshop()
    var text = "table inet big {\n  set s { type ipv4_addr; elements = { 10.0.0.1, 10.0.0.2 } }\n"
    text += "  chain side {\n    tcp dport 7 accept\n  }\n  chain c {\n"
    text += "    type filter hook input priority 0; policy drop;\n"
    for number in 0..<1500 {
      text += "    ip saddr 10.1.\(number >> 8).\(number & 255) tcp dport { \(number + 1), 9 } "
      text += "counter accept comment \"\(number)\"\n"
      if number % 100 == 0 {
        text += "    ip saddr @s jump {\n      tcp dport 5 accept\n      udp dport 5 drop\n    }\n"
      }
    }
    text += "    jump side\n  }\n}\n"
    let path = try workshop.write("big.nft", text)
    let root = try loaded(path, by: workshop.tool)
    let comments = try objects(root).compactMap {
      ($0["rule"] as? [String: Any])?["comment"] as? String
    }
    #expect(comments == (0..<1500).map(String.init))
    let nobody = try loaded(path, by: workshop.unprivileged())
    // Handles count what was made; the order of making is the same in pieces.
    #expect(nobody.json == root.json)
  }

  @Test(canUnshare) func `an error inside a ruleset that is sent in pieces is reported`() throws {
    let workshop = try Workshop()
    var text = "table inet big {\n  chain c {\n"
    for number in 0..<1500 {
      text += "    ip saddr 10.1.\(number >> 8).\(number & 255) tcp dport { 1, 9 } accept\n"
      if number == 100 { text += "    jump nowhere\n" }
    }
    text += "  }\n}\n"
    let path = try workshop.write("big.nft", text)
    var sources = SourceMap()
    let result = try LibnftablesReader(executable: workshop.unprivileged())
      .translate(path, into: &sources)
    guard case .rejected(let diagnostics) = result else {
      Issue.record("loaded although a chain is missing")
      return
    }
    let label = try #require(diagnostics.first?.primary)
    #expect(sources.position(of: label.span).line == 104)
  }

  @Test(canUnshare) func `interfaces that rules name by index are made up, and named`() throws {
    let workshop = try Workshop()
    _ = try workshop.write("inc.nft", "table inet u {\n  chain c {\n    oif wlan0 drop\n  }\n}\n")
    let path = try workshop.write(
      "a.nft",
      """
      define W = "eth9"
      include "inc.nft"
      table inet t {
      \tset s { type iface_index; elements = { "eth3" } }
      \tchain c {
      \t\tiif $W accept
      \t\tiif { "eth1", "lo" } accept
      \t}
      }

      """)
    for tool in [workshop.tool, try workshop.unprivileged()] {
      let listing = try loaded(path, by: tool)
      #expect(listing.madeUpInterfaces == ["eth1", "eth3", "eth9", "wlan0"])
      let text = String(decoding: listing.json, as: UTF8.self)
      #expect(text.contains(#""right": "eth9""#))
      #expect(text.contains(#""right": "wlan0""#))
    }
  }

  @Test(canUnshare) func `what nft refuses points into the user's file`() throws {
    let workshop = try Workshop()
    let path = try workshop.write(
      "bad.nft", "table inet t {\n  chain c {\n    tcp dport 99999 accept\n  }\n}\n")
    var sources = SourceMap()
    let result = try LibnftablesReader(executable: workshop.tool).translate(path, into: &sources)
    guard case .rejected(let diagnostics) = result, let diagnostic = diagnostics.first else {
      Issue.record("loaded")
      return
    }
    #expect(diagnostic.code == "nft.rejected")
    #expect(diagnostic.message == "nft: service out of range")
    let label = try #require(diagnostic.primary)
    #expect(sources.location(of: label.span) == "\(path):3:15")
    #expect(sources.text(of: label.span) == "99999")
  }

  @Test(canUnshare) func `what nft refuses in an included file points into that file`() throws {
    let workshop = try Workshop()
    _ = try workshop.write("inc.nft", "table inet u {\n  chain c {\n    frobnicate\n  }\n}\n")
    let path = try workshop.write("a.nft", "include \"inc.nft\"\n")
    var sources = SourceMap()
    let result = try LibnftablesReader(executable: workshop.tool).translate(path, into: &sources)
    guard case .rejected(let diagnostics) = result else {
      Issue.record("loaded")
      return
    }
    let label = try #require(diagnostics.first?.primary)
    #expect(sources.location(of: label.span).hasPrefix("\(workshop.folder)/inc.nft:3:"))
  }

  @Test(canUnshare) func `the live listing is that of the namespace, which stays as it was`() throws
  {
    let workshop = try Workshop()
    let path = try workshop.write("a.nft", small)
    let wrapper = try workshop.program(
      "[ \"$PORTPROOF_INSIDE\" ] || PORTPROOF_INSIDE=1 exec unshare -n \"$0\" \"$@\"\n"
        + "nft -f \(path)\nnft -a list ruleset >\(workshop.folder)/before\n"
        + "\(workshop.tool) \"$@\"; code=$?\nnft -a list ruleset >\(workshop.folder)/after\n"
        + "exit $code")
    let listing = try LibnftablesReader(executable: wrapper).listLive()
    #expect(try objects(listing).count { $0["rule"] != nil } == 2)
    let before = try Files.read(workshop.folder + "/before")
    #expect(before.count > 100)
    #expect(try Files.read(workshop.folder + "/after") == before)
  }

  private struct Gap: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    /// What the text listing tells, and the JSON does not; nil where the JSON tells all.
    let told: String?
  }

  private static let gaps = [
    Gap(
      testDescription: "a plain ruleset", text: "table ip t { chain c { accept; }\n}\n", told: nil),
    Gap(
      testDescription: "a map update",
      text: """
        table ip t { map m { type ipv4_addr : mark; flags dynamic; }
        chain c { add @m { ip saddr : meta mark }; }
        }

        """, told: nil),
    Gap(
      testDescription: "an ingress chain",
      text: """
        table netdev t { chain c { type filter hook ingress device "lo" priority 0; }
        }

        """, told: #"hook ingress device "lo" priority 0"#),
    Gap(
      testDescription: "flags of a table",
      text: "table ip t { flags dormant; chain c { accept; }\n}\n", told: "flags dormant"),
    Gap(
      testDescription: "a chain without a name",
      text: """
        table ip t { set s { typeof ip length; flags dynamic; }
        chain c { jump { ip length @s accept; }
        }
        }

        """, told: "typeof ip length"),
  ]

  @Test("text stands beside JSON that has gaps, and only there", canUnshare, arguments: gaps)
  private func textBesideJSON(gap: Gap) throws {
    let workshop = try Workshop()
    let listing = try loaded(try workshop.write("a.nft", gap.text), by: workshop.tool)
    #expect(try objects(listing).contains { $0["chain"] != nil })
    if let told = gap.told {
      let text = String(decoding: try #require(listing.text), as: UTF8.self)
      #expect(text.hasPrefix("table "))
      #expect(text.contains(told))
    } else {
      #expect(listing.text == nil)
    }
    #expect(listing.remarks == [])
  }

  @Test(canUnshare) func `commands are retold as JSON, and refused ones left out with their part`()
    throws
  {
    let workshop = try Workshop()
    let commands = [
      (0, "add table ip t"), (0, "add chain ip t a"), (1, "add chain ip t b"),
      (1, "add rule ip t b accept"), (1, "add rule ip t b ct mark 1 drop"),
      // The second command is refused by nft, and the first goes with it.
      (2, "add rule ip t a udp dport 1 accept"), (2, "add rule ip t a xt match string drop"),
      // Refused by the kernel.
      (3, "add rule ip t a udp dport 3 jump nowhere"),
      (4, "add rule ip t a iif \"eth7\" accept"),
    ].map { (part: $0.0, text: $0.1) }
    for tool in [workshop.tool, try workshop.unprivileged()] {
      let listing = try LibnftablesReader(executable: tool).retell(commands)
      let rules = try objects(listing).compactMap { $0["rule"] as? [String: Any] }
      #expect(rules.compactMap { $0["chain"] as? String } == ["a", "b", "b"])
      #expect(String(decoding: listing.json, as: UTF8.self).contains(#""right": "eth7""#))
    }
  }

  @Test(canUnshare) func `the live listing without privilege says what to do`() throws {
    let workshop = try Workshop()
    let reader = LibnftablesReader(executable: try workshop.unprivileged())
    #expect(throws: NetfilterError.notPrivileged) { try reader.listLive() }
    #expect(NetfilterError.notPrivileged.help?.contains("run as root") == true)
  }

  @Test(canUnshare) func `where namespaces are forbidden the setting is named`() throws {
    let workshop = try Workshop()
    // user.max_user_namespaces counts per user namespace, so the limit is set inside one.
    let wrapper = try workshop.program(
      "exec setpriv --reuid 65534 --regid 65534 --clear-groups unshare -Ur sh -c "
        + "'echo 0 >/proc/sys/user/max_user_namespaces; "
        + "exec setpriv --bounding-set=-all --inh-caps=-all \"$0\" \"$@\"' $TOOL \"$@\"")
    let path = try workshop.write("a.nft", small)
    var sources = SourceMap()
    let error = #expect(throws: NetfilterError.self) {
      try LibnftablesReader(executable: wrapper).translate(path, into: &sources)
    }
    #expect(error == .namespaceRefused(step: .user, .noSpace))
    #expect(error?.help?.contains("user.max_user_namespaces") == true)
  }

  @Test func `a crash of the child is an error of its own kind`() throws {
    let workshop = try Workshop()
    let reader = LibnftablesReader(executable: try workshop.program("kill -SEGV $$"))
    #expect(throws: NetfilterError.crashed(signal: 11)) { try reader.listLive() }
  }

  @Test func `a child that hangs is ended`() throws {
    let workshop = try Workshop()
    let reader = LibnftablesReader(
      executable: try workshop.program("exec sleep 60"), timeout: .milliseconds(200))
    #expect(throws: NetfilterError.timedOut(after: .milliseconds(200))) { try reader.listLive() }
  }

  @Test func `a file that is not there is an error`() {
    var sources = SourceMap()
    #expect(throws: NetfilterError.unreadable(path: "/nowhere.nft", .noSuchFile)) {
      try LibnftablesReader().translate("/nowhere.nft", into: &sources)
    }
  }
}
