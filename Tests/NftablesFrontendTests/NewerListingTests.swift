import Diagnostics
import NftablesFrontend
import Rulesets
import Testing

/// Forms that nft 1.0.6 does not print and later versions do.
@Suite("Listings of newer versions of nft")
struct NewerListingTests {
  private func read(_ objects: String...) -> NftablesReader.Reading {
    let table = #"{"table": {"family": "inet", "name": "t", "handle": 1, "comment": "main"}}"#
    let json = "{\"nftables\": [\(([table] + objects).joined(separator: ", "))]}"
    var sources = SourceMap()
    return NftablesReader.read(Array(json.utf8), name: "new.json", sources: &sources)
  }

  private func chain(_ members: String) -> String {
    #"{"chain": {"family": "inet", "table": "t", "name": "c", "handle": 2\#(members)}}"#
  }

  private func rule(_ statements: String) -> String {
    #"{"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 3, "expr": [\#(statements)]}}"#
  }

  private func text(_ reading: NftablesReader.Reading) -> [String] {
    reading.ruleset?.text(of: "c", in: "inet t") ?? ["\(reading.diagnostics)"]
  }

  @Test(
    "name the devices of an ingress chain, one or several",
    arguments: [
      (#", "dev": "eth0""#, ["eth0"]), (#", "dev": ["eth0", "eth1"]"#, ["eth0", "eth1"]),
      ("", nil),
      // Which devices that is depends on the host.
      (#", "dev": "eth*""#, nil), (#", "dev": ["lo", "eth*"]"#, nil),
    ])
  func devices(member: String, expected: [String]?) {
    let reading = read(
      chain(#", "type": "filter", "hook": "ingress", "prio": 0, "policy": "drop"\#(member)"#))
    #expect(reading.diagnostics == [])
    #expect(reading.ruleset?.tables[0].chains[0].base?.devices == expected)
  }

  @Test func `have comments of chains, flags of sets and the time of the last packet`() {
    let reading = read(
      #"{"set": {"family": "inet", "table": "t", "name": "s", "type": "ipv4_addr", "handle": 5, "#
        + #""comment": "hosts", "flags": ["interval", "dynamic"], "auto-merge": true, "#
        + #""elem": [{"prefix": {"addr": "10.0.0.0", "len": 8}}], "stmt": [{"counter": null}]}}"#,
      chain(#", "comment": "what comes in""#),
      rule(#"{"last": {"used": 5}}, {"counter": {"packets": 1, "bytes": 2}}, {"accept": null}"#))
    #expect(reading.diagnostics == [])
    #expect(text(reading) == ["last counter accept"])
    #expect(reading.ruleset?.unmodelled == [])
    #expect(reading.ruleset?.tables[0].sets[0].isDynamic == true)
  }

  @Test func `give the data of a map as a list of types`() {
    let reading = read(
      #"{"map": {"family": "inet", "table": "t", "name": "m", "handle": 5, "#
        + #""type": ["ipv4_addr", "inet_service"], "map": ["ipv4_addr", "inet_service"], "#
        + #""elem": [[{"concat": ["10.0.0.1", 80]}, {"concat": ["10.0.0.2", 8080]}]]}}"#,
      chain(""), rule(#"{"accept": null}"#))
    #expect(reading.diagnostics == [])
    let contents = reading.ruleset?.tables[0].sets[0].contents
    #expect(contents?.dataKind == .values([.ipv4Address, .port]))
    #expect(contents?.elements.first?.data == .values([0x0A00_0002, 8080]))
  }

  @Test func `join more than two operands`() {
    let reading = read(
      chain(""),
      rule(
        #"{"match": {"op": "==", "left": {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, "#
          + #"{"|": ["fin", "syn", "rst"]}]}, "right": "syn"}}"#),
      rule(
        #"{"mangle": {"key": {"meta": {"key": "mark"}}, "value": "#
          + #"{"|": [{"meta": {"key": "mark"}}, 1, 2, 4]}}}"#))
    #expect(reading.diagnostics == [])
    #expect(
      text(reading) == [
        "tcp flags & (fin | syn | rst) == syn", "meta mark set meta mark | 0x00000007",
      ])
  }

  @Test func `declare synproxies, and read headers inside tunnels, which is not covered`() {
    let reading = read(
      #"{"synproxy": {"family": "inet", "table": "t", "name": "p", "handle": 5, "mss": 1460, "#
        + #""wscale": 7, "flags": ["timestamp"]}}"#,
      chain(""),
      rule(
        #"{"match": {"op": "==", "left": {"payload": {"tunnel": "vxlan", "protocol": "tcp", "#
          + #""field": "dport"}}, "right": 80}}, {"accept": null}"#),
      rule(#"{"synproxy": "p"}"#), rule(#"{"xt": null}, {"accept": null}"#))
    #expect(reading.diagnostics.map(\.code) == ["nft.xtables"])
    let rules = reading.ruleset?.tables[0].chains[0].rules ?? []
    #expect(rules.map(\.unmodelled.count) == [1, 1, 1])
    #expect(reading.ruleset?.tables[0].objects.map(\.kind) == [.synproxy])
  }

  @Test(
    "may clear the way before they add",
    arguments: [
      #"{"destroy": {"table": {"family": "inet", "name": "t"}}}"#, #"{"flush": {"ruleset": null}}"#,
    ])
  func clearing(command: String) {
    let adding = #"{"add": {"table": {"family": "ip", "name": "n"}}}"#
    func codes(_ commands: [String]) -> [Diagnostic.Code] {
      let json = "{\"nftables\": [{\"metainfo\": {}}, \(commands.joined(separator: ", "))]}"
      var sources = SourceMap()
      return NftablesReader.read(Array(json.utf8), name: "c.json", sources: &sources).diagnostics
        .map(\.code)
    }
    #expect(codes([command, adding]) == [])
    // What is taken away again is not in force.
    #expect(codes([adding, command]) == ["nft.command"])
  }
}
