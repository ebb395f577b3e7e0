import Diagnostics
import Foundation
import NftablesFrontend
import Rulesets
import Testing

@Suite("Input that is no listing")
struct BrokenInputTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    let code: Diagnostic.Code
    let location: String
    let message: String

    init(
      _ testDescription: String, _ text: String, _ code: Diagnostic.Code, _ location: String,
      _ message: String
    ) {
      self.testDescription = testDescription
      self.text = text
      self.code = code
      self.location = location
      self.message = message
    }
  }

  private static func listing(_ objects: String) -> String { "{\"nftables\": [\(objects)]}" }
  private static let table = #"{"table": {"family": "inet", "name": "t"}}"#

  static let errors: [Case] = [
    Case("empty", "", "nft.json-syntax", "f:1:1", "expected a value, found the end of the text"),
    Case(
      "nft text", "table inet t {\n}\n", "nft.json-syntax", "f:1:1", "expected a value, found `t`"),
    Case(
      "cut short", "{\"nftables\": [", "nft.json-syntax", "f:1:15",
      "expected a value or `]`, found the end of the text"),
    Case(
      "cut short by nft 1.0.6 at a flag", #"{"nftables": [{"table": {"flags": "#, "nft.json-syntax",
      "f:1:35", "expected a value, found the end of the text"),
    Case(
      "foreign object", #"{"Vpcs": []}"#, "nft.foreign", "f:1:1",
      "this is no nftables listing: it has no list called `nftables`"),
    Case(
      "a list", "[1]", "nft.foreign", "f:1:1",
      "this is no nftables listing: it has no list called `nftables`"),
    Case(
      "objects without a name", listing("{}"), "nft.foreign", "f:1:15",
      "this is no nftables listing: an object of a listing has one name"),
    Case(
      "a command", listing(#"{"delete": {"table": null}}"#), "nft.command", "f:1:16",
      "`delete` is a command, and this must be a listing"),
    Case(
      "table without a family", listing(#"{"table": {"name": "t"}}"#), "nft.member-missing",
      "f:1:25", "`family` is missing here"),
    Case(
      "family that is none", listing(#"{"table": {"family": "inte", "name": "t"}}"#),
      "nft.unknown-name", "f:1:36", "no family is called `inte`"),
    Case(
      "hook that is none",
      listing(
        table
          + #", {"chain": {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "inptu", "prio": 0}}"#
      ), "nft.unknown-name", "f:1:141", "no hook is called `inptu`"),
    Case(
      "policy that is none",
      listing(
        table
          + #", {"chain": {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "input", "prio": 0, "policy": "maybe"}}"#
      ), "nft.unknown-name", "f:1:171", "no policy is called `maybe`"),
    Case(
      "rule of no table",
      listing(#"{"rule": {"family": "ip", "table": "t", "chain": "c", "expr": []}}"#),
      "nft.not-listed", "f:1:50", "the listing does not hold the table ip t"),
    Case(
      "rule of no chain",
      listing(table + #", {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": []}}"#),
      "nft.not-listed", "f:1:110", "the listing does not hold the chain c"),
    Case(
      "rule without statements",
      listing(
        table + #", {"chain": {"family": "inet", "table": "t", "name": "c"}}"#
          + #", {"rule": {"family": "inet", "table": "t", "chain": "c"}}"#),
      "nft.member-missing", "f:1:126", "`expr` is missing here"),
    Case(
      "chain listed twice",
      listing(
        table + #", {"chain": {"family": "inet", "table": "t", "name": "c"}}"#
          + #", {"chain": {"family": "inet", "table": "t", "name": "c"}}"#),
      "nft.repeated", "f:1:127", "the chain c is listed twice"),
  ]

  @Test(arguments: errors)
  func `is an error at its place`(case: Case) throws {
    var sources = SourceMap()
    let reading = NftablesReader.read(Array(`case`.text.utf8), name: "f", sources: &sources)
    #expect(reading.ruleset == nil)
    let diagnostic = try #require(reading.diagnostics.first)
    #expect(diagnostic.code == `case`.code)
    #expect(diagnostic.severity == .error)
    #expect(diagnostic.message == `case`.message)
    let location = sources.location(of: try #require(diagnostic.primary).span)
    #expect(location == `case`.location, "\(location)")
  }

  @Test(
    arguments: [
      (#"{"metainfo": {"json_schema_version": 2}}"#, "nft.newer-schema"),
      (#"{"wormhole": {"family": "inet", "table": "t", "name": "w"}}"#, "nft.unknown-object"),
      (#"{"table": {"family": "inet", "name": "u", "flags": "xq"}}"#, "nft.table-flags"),
    ])
  func `warns of what may not be understood, and reads on`(object: String, code: String) throws {
    var sources = SourceMap()
    let text = Self.listing("\(Self.table), \(object)")
    let reading = NftablesReader.read(Array(text.utf8), name: "f", sources: &sources)
    #expect(reading.diagnostics.map(\.code.rawValue) == [code])
    #expect(reading.diagnostics.first?.severity == .warning)
    #expect(try #require(reading.ruleset).tables.isEmpty == false)
  }

  @Test func `a table that may be dormant makes its base chains uncertain`() throws {
    let text = Self.listing(
      #"{"table": {"family": "inet", "name": "t", "flags": "garbage"}}, "#
        + #"{"chain": {"family": "inet", "table": "t", "name": "c", "type": "filter", "#
        + #""hook": "input", "prio": 0, "policy": "drop"}}"#)
    var sources = SourceMap()
    let reading = NftablesReader.read(Array(text.utf8), name: "f", sources: &sources)
    let chain = try #require(reading.ruleset?.tables.first?.chains.first)
    guard case .unmodelled? = chain.rules.first?.statements.first else {
      Issue.record("\(chain.rules)")
      return
    }
    let listed =
      "table inet t { # handle 1\n\tflags dormant\n\n"
      + "\tset s { # handle 2\n\t\ttype mark\n\t\tflags interval\n\t}\n}\n"
    let known = NftablesReader.read(
      Array(text.utf8), name: "f", sources: &sources, text: Array(listed.utf8))
    #expect(known.diagnostics == [])
    #expect(known.ruleset?.tables.first?.isDormant == true)
    #expect(known.ruleset?.tables.first?.chains.first?.rules.isEmpty == true)
  }

  @Test func `a text statement that names a set makes the set dynamic`() throws {
    let text = Self.listing(
      Self.table + #", {"chain": {"family": "inet", "table": "t", "name": "c"}}, "#
        + #"{"map": {"family": "inet", "table": "t", "name": "m", "type": "ipv4_addr", "map": "mark"}}, "#
        + #"{"rule": {"family": "inet", "table": "t", "chain": "c", "expr": ["add @m { ip saddr : 0x1 }"]}}"#
    )
    var sources = SourceMap()
    let reading = NftablesReader.read(Array(text.utf8), name: "f", sources: &sources)
    #expect(reading.ruleset?.tables.first?.sets.first?.isDynamic == true)
  }

  @Test func `a set that cannot be represented makes what reads it unmodelled`() throws {
    let text = Self.listing(
      Self.table + #", {"chain": {"family": "inet", "table": "t", "name": "c"}}, "#
        + #"{"set": {"family": "inet", "table": "t", "name": "s", "type": "inet_service", "elem": ["web"]}}, "#
        + #"{"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [{"match": {"op": "==", "#
        + #""left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": "@s"}}]}}"#)
    var sources = SourceMap()
    let reading = NftablesReader.read(Array(text.utf8), name: "f", sources: &sources)
    let rule = try #require(reading.ruleset?.tables.first?.chains.first?.rules.first)
    #expect(
      rule.unmodelled.map(\.reason) == [
        "the elements of @s cannot be represented: what `web` stands for is not in the listing"
      ])
  }
}

/// nft 1.1 lists some objects in other shapes than 1.0.6.
@Suite("Listings of nft 1.1")
struct NewerFormTests {
  @Test func `are read like those of 1_0_6`() throws {
    let text = #"""
      {"nftables": [
        {"metainfo": {"version": "1.1.3", "release_name": "Commodore Bullmoose #4", "json_schema_version": 1}},
        {"table": {"family": "netdev", "name": "t", "handle": 1, "flags": ["dormant"]}},
        {"chain": {"family": "netdev", "table": "t", "name": "in", "handle": 1, "dev": ["eth0", "eth1"],
          "type": "filter", "hook": "ingress", "prio": -500, "policy": "accept"}},
        {"chain": {"family": "netdev", "table": "t", "name": "one", "handle": 2, "dev": "eth2",
          "type": "filter", "hook": "egress", "prio": "filter - 5", "policy": "drop"}},
        {"set": {"family": "netdev", "name": "typed", "table": "t", "handle": 3, "flags": "dynamic",
          "type": {"typeof": {"concat": [{"payload": {"protocol": "ip", "field": "saddr"}},
            {"payload": {"protocol": "tcp", "field": "dport"}}]}},
          "elem": [{"concat": ["10.0.0.1", 22]}]}},
        {"map": {"family": "netdev", "name": "pairs", "table": "t", "handle": 4, "type": "ipv4_addr",
          "map": ["ipv4_addr", "inet_service"], "flags": ["interval"],
          "elem": [[{"elem": {"val": {"prefix": {"addr": "10.0.0.0", "len": 8}}, "comment": "ten"}},
            {"concat": ["192.0.2.1", {"range": [80, 90]}]}]]}},
        {"rule": {"family": "netdev", "table": "t", "chain": "in", "handle": 5, "comment": "hello",
          "expr": [{"last": {"used": 5}}, {"match": {"op": "==", "left": {"|": [{"meta": {"key": "mark"}}, 1, 2]},
            "right": 3}}, {"accept": null}]}}
      ]}
      """#
    var sources = SourceMap()
    let reading = NftablesReader.read(Array(text.utf8), name: "f", sources: &sources)
    #expect(reading.diagnostics == [])
    let ruleset = try #require(reading.ruleset)
    #expect(ruleset.nftVersion == "1.1.3")
    #expect(ruleset.unmodelled == [])
    let table = try #require(ruleset.tables.first)
    #expect(table.isDormant)
    #expect(table.chains[0].base?.devices == ["eth0", "eth1"])
    #expect(table.chains[1].base?.devices == ["eth2"])
    #expect(table.chains[1].base?.priority == -5)
    #expect(table.sets[0].isDynamic)
    #expect(table.sets[0].contents.keyTypes == [.ipv4Address, .port])
    #expect(table.sets[1].contents.dataKind == .values([.ipv4Address, .port]))
    let printer = RulePrinter(table)
    #expect(printer.text(of: table.sets[0].contents) == "{ 10.0.0.1 . 22 }")
    #expect(printer.text(of: table.sets[1].contents) == "{ 10.0.0.0/8 : 192.0.2.1 . 80-90 }")
    #expect(
      printer.text(of: table.chains[0].rules[0])
        == "last meta mark | 0x00000003 == 0x00000003 accept comment \"hello\"")
  }
}
