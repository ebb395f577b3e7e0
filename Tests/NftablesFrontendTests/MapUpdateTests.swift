import Addresses
import Diagnostics
import NftablesFrontend
import Rulesets
import Testing

@Suite("Changes to maps, which nft lists as text")
struct MapUpdateTests {
  private struct Case: Sendable, CustomTestStringConvertible {
    let text: String
    var key: String = "ip saddr"
    var data: String = "tcp dport"
    var operation: SetUpdate.Operation = .add
    var gates: [String] = []
    var timeout: UInt64?

    var testDescription: String { text }
  }

  private static let cases = [
    Case(text: "add @m { ip saddr : tcp dport }"),
    Case(text: "update @m { ip saddr timeout 5s : tcp dport }", operation: .update, timeout: 5),
    Case(text: "delete @m { ip saddr : tcp dport }", operation: .delete),
    Case(text: "add @m { ip saddr timeout 1m30s expires 3s : tcp dport }", timeout: 90),
    Case(
      text: "add @m { ip saddr limit rate 2/second : tcp dport }",
      gates: ["limit rate 2/second burst 5 packets"]),
    Case(
      text: "add @m { ip saddr limit rate over 10 kbytes/second burst 1 mbytes : tcp dport }",
      gates: ["limit rate over 10 kbytes/second burst 1 mbytes"]),
    Case(
      text: "add @m { ip saddr ct count over 3 counter packets 0 bytes 0 : tcp dport }",
      gates: ["ct count over 3"]),
    Case(
      text: "add @m { ip saddr & 255.255.255.0 : 22 }", key: "ip saddr & 255.255.255.0", data: "22"),
    Case(
      text: "add @m { ct original ip saddr : ct reply proto-dst }", key: "ct original ip saddr",
      data: "ct reply proto-dst"),
    Case(text: "add @m { @nh,96,32 : th sport }", key: "@nh,96,32", data: "th sport"),
    Case(
      text: "add @c { iifname . ip daddr . meta mark : ip saddr . tcp sport }",
      key: "iifname . ip daddr . meta mark", data: "ip saddr . tcp sport"),
    Case(
      text: #"add @c { "eth0" . 10.0.0.1 . 0x00000005 : ip saddr . tcp sport }"#,
      key: #""eth0" . 10.0.0.1 . 0x00000005"#, data: "ip saddr . tcp sport"),
  ]

  private func statement(_ text: String) throws -> (Statement, Table) {
    let escaped = text.replacing("\"", with: "\\\"")
    let json = """
      {"nftables": [{"table": {"family": "inet", "name": "t"}},
        {"map": {"family": "inet", "table": "t", "name": "m", "type": "ipv4_addr",
          "map": "inet_service"}},
        {"map": {"family": "inet", "table": "t", "name": "c", "type": ["ifname", "ipv4_addr", "mark"],
          "map": ["ipv4_addr", "inet_service"]}},
        {"chain": {"family": "inet", "table": "t", "name": "c"}},
        {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": ["\(escaped)"]}}]}
      """
    var sources = SourceMap()
    let reading = NftablesReader.read(Array(json.utf8), name: "m.json", sources: &sources)
    let table = try #require(reading.ruleset?.tables.first, "\(reading.diagnostics)")
    return (try #require(table.chains.first?.rules.first?.statements.first), table)
  }

  @Test("have a key and data", arguments: cases)
  private func parts(case: Case) throws {
    let (statement, table) = try statement(`case`.text)
    guard case .setUpdate(let update) = statement else {
      Issue.record("\(statement)")
      return
    }
    #expect(update.operation == `case`.operation)
    let printed = RulePrinter(table).text(of: Rule(statements: [statement]))
    let name = `case`.text.contains("@m") ? "@m" : "@c"
    var state = `case`.timeout.map { " timeout \($0)s" } ?? ""
    state += `case`.gates.map { " \($0)" }.joined()
    #expect(
      printed == "\(`case`.operation.rawValue) \(name) { \(`case`.key)\(state) : \(`case`.data) }")
    #expect(update.gates.map(\.text) == `case`.gates)
    #expect(update.timeout == `case`.timeout)
    // The set is no longer what the listing shows.
    #expect(table.sets.count { $0.isDynamic } == 1)
  }

  @Test(
    "that are not understood stay text",
    arguments: [
      "add @m { ip saddr : tcp dport", "add @m { ip saddr }", "add @m { : tcp dport }",
      "add @m { ip saddr ip daddr : tcp dport }", "add @m { ip saddr & 255.0.0.0 | 1 : 22 }",
      "add @m { jhash ip saddr mod 5 : tcp dport }", "add @m { ip nothing : tcp dport }",
      "add @m { ip saddr limit rate : tcp dport }", "add @unknown { ip saddr : tcp dport }",
      "add @m { ip saddr : tcp dport } accept", "add @m { 10.0.0.1.1 : 22 }",
      "add @m { ip saddr timeout 5x : tcp dport }", "add @m { ip saddr timeout 500ms : tcp dport }",
      "add @m { ip saddr timeout 99999999999999999999s : tcp dport }",
      "add @m { ip saddr timeout 9999999999999999999d : tcp dport }",
    ])
  func unreadable(text: String) throws {
    let (statement, _) = try statement(text)
    guard case .unmodelled(let unmodelled) = statement else {
      Issue.record("\(statement)")
      return
    }
    #expect(unmodelled.text == text)
  }
}
