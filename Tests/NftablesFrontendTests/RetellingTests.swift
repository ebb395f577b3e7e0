import Diagnostics
import Foundation
import NftablesFrontend
import Rulesets
import TestSupport
import Testing

@Suite("Statements that JSON does not tell", LiveHost.condition)
struct RetellingTests {
  private func nft(_ text: String) throws -> Ruleset {
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).nft").path
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try LiveHost.ruleset(
      after: "ip link set lo up; ip link add d1 type veth peer name d2; nft -f \(path)")
  }

  @Test func `chains without a name become chains that their rule jumps to`() throws {
    let ruleset = try nft(
      """
      table inet t {
        map m { type ipv4_addr : inet_service; flags dynamic,timeout; }
        set s { type ipv4_addr; elements = { 10.0.0.1 } }
        set ty { typeof ip length; flags dynamic; }
        counter hits { }
        limit few { rate 3/second }
        chain other { }
        chain c {
          type filter hook input priority 0; policy drop;
          iifname "lo" jump {
            ip saddr @s accept comment "a { b } # handle 1"
            tcp dport 22 goto other
            udp dport { 1, 2, 3 } counter name "hits" drop
            udp dport vmap { 1 : drop, 2 : jump other }
            iif d1 limit name "few" accept
            tcp dport 80 add @m { ip saddr timeout 5s : tcp dport } accept
            ip length @ty accept
          }
          tcp dport 25 counter goto { accept; }
          drop
        }
      }

      """)
    #expect(ruleset.unmodelled == [])
    let table = try #require(ruleset.tables.first)
    #expect(table.chains.map(\.name) == ["other", "c", "__chain1", "__chain2"])
    #expect(table.chains.map(\.isAnonymous) == [false, false, true, true])
    let caller = table.chains[1].rules
    #expect(caller.map(\.statements.count) == [2, 3, 1])
    #expect(caller[0].statements.last == .verdict(.jump(chain: 2)))
    #expect(caller[1].statements.last == .verdict(.goto(chain: 3)))
    #expect(
      ruleset.text(of: "__chain1", in: "inet t") == [
        #"ip saddr @s accept comment "a { b } # handle 1""#,
        "tcp dport 22 goto other",
        #"udp dport { 1, 2, 3 } counter name "hits" drop"#,
        "udp dport vmap { 1 : drop, 2 : jump other }",
        #"iifname "d1" limit name "few" accept"#,
        "tcp dport 80 add @m { ip saddr timeout 5s : tcp dport } accept",
        "ip length @ty accept",
      ])
    #expect(ruleset.text(of: "__chain2", in: "inet t") == ["accept"])
    // They come from where the rule does that they stand in.
    #expect(table.chains[2].rules.allSatisfy { $0.provenance == caller[0].provenance })
  }

  @Test func `the saved JSON alone is enough for chains without a name`() throws {
    let json = try Kernel.listing(
      of: """
        table ip t {
          set s { type ipv4_addr . inet_service; flags interval; }
          chain c {
            tcp dport 22 jump {
              ip saddr . tcp dport @s accept
              return
            }
          }
        }

        """)
    let ruleset = try LiveHost.ruleset(json)
    #expect(ruleset.unmodelled == [])
    #expect(
      ruleset.text(of: "__chain1", in: "ip t") == [
        "ip saddr . tcp dport @s accept", "return",
      ])
  }

  @Test func `rules of chains without a name point to their own lines of the text`() throws {
    let text = """
      table inet t {
        chain c {
          tcp dport 1 accept
          iifname "lo" counter jump {
            ip saddr 10.0.0.1 accept comment "one"; ip saddr 10.0.0.2 drop
            # tcp dport 7 accept
            tcp dport { 5,
                        6 } accept
          }
          tcp dport 2 goto { drop; }
          tcp dport 3 drop
        }
      }

      """
    var ruleset = try LiveHost.ruleset(try Kernel.listing(of: text))
    var sources = SourceMap()
    let file = sources.add(SourceFile(name: "fw.nft", bytes: Array(text.utf8)))
    NftTextRules(inFile: file, of: &sources) { _ in nil }.cite(in: &ruleset)
    let cited = try ruleset.tables[0].chains.map { chain in
      try chain.rules.map { sources.text(of: try #require($0.provenance.span)) }
    }
    #expect(
      cited[0].map { $0.prefix(12) } == [
        "tcp dport 1 ", #"iifname "lo""#, "tcp dport 2 ", "tcp dport 3 ",
      ])
    #expect(cited[0][1].hasSuffix("6 } accept\n    }"))
    #expect(
      cited[1].map { $0.replacing(/\s+/, with: " ") } == [
        #"ip saddr 10.0.0.1 accept comment "one""#, "ip saddr 10.0.0.2 drop",
        "tcp dport { 5, 6 } accept",
      ])
    #expect(cited[2] == ["drop"])
  }

  @Test func `a chain that nft does not take back stays what is not covered`() throws {
    let json = try Kernel.listing(
      of: "table ip t {\n  chain c {\n    jump { accept; }\n    jump { drop; }\n  }\n}\n")
    let text = String(decoding: json, as: UTF8.self)
      .replacing("drop\\n", with: "drop sideways\\n")
    let ruleset = try LiveHost.ruleset(Array(text.utf8))
    let reasons = ruleset.unmodelled.map(\.reason)
    #expect(
      reasons == [
        "nft lists this statement as text, not as JSON, and nft does not take it as text"
      ])
    #expect(ruleset.tables[0].chains.map(\.name) == ["c", "__chain1"])
  }

  @Test func `devices of ingress and egress chains come from the text`() throws {
    let ruleset = try nft(
      """
      table netdev n {
        chain one { type filter hook ingress device "lo" priority 0; }
        chain two { type filter hook ingress devices = { lo, d1 } priority 5; }
        chain out { type filter hook egress device "d2" priority 0; }
      }
      table inet x {
        chain one { type filter hook ingress device "d1" priority 0; policy drop; }
        chain input { type filter hook input priority 0; }
      }
      table ip sleeping {
        flags dormant
        chain c { type filter hook input priority 0; policy drop; }
      }

      """)
    let devices = ruleset.tables.flatMap(\.chains).map { $0.base?.devices?.sorted() }
    #expect(devices == [["lo"], ["d1", "lo"], ["d2"], ["d1"], nil, nil])
    #expect(ruleset.tables.map(\.isDormant) == [false, false, true])
    #expect(ruleset.unmodelled == [])
  }
}
