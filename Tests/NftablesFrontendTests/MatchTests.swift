import Addresses
import Diagnostics
import NftablesFrontend
import Rulesets
import Testing

@Suite("Comparisons")
struct MatchTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let left: String
    let `operator`: String
    let right: String
    /// The comparison as nft writes it.
    let text: String

    init(_ left: String, _ operator: String, _ right: String, _ text: String) {
      self.left = left
      self.operator = `operator`
      self.right = right
      self.text = text
    }

    var testDescription: String { "\(text) (\(`operator`) \(right))" }
  }

  private static let flags = #"{"payload":{"protocol":"tcp","field":"flags"}}"#
  private static let port = #"{"payload":{"protocol":"tcp","field":"dport"}}"#
  private static let state = #"{"ct":{"key":"state"}}"#
  private static let mark = #"{"meta":{"key":"mark"}}"#

  static let cases: [Case] = [
    Case(state, "in", #"["established","related"]"#, "ct state established,related"),
    Case(state, "in", #""new""#, "ct state new"),
    Case(state, "in", "8", "ct state new"),
    Case(state, "!", #"["invalid","new"]"#, "ct state ! invalid,new"),
    Case(state, "==", #""new""#, "ct state == new"),
    Case(state, "!=", #"["established","related"]"#, "ct state != established | related"),
    Case(state, "==", #"{"|":["established","related"]}"#, "ct state == established | related"),
    Case(state, "==", #"{"set":["established","related"]}"#, "ct state { established, related }"),
    // With a set the implicit operator is membership, of flags too.
    Case(state, "in", #"{"set":["established","related"]}"#, "ct state { established, related }"),
    Case(port, "in", #"{"set":[22,80]}"#, "tcp dport { 22, 80 }"),
    Case(port, "in", "22", "tcp dport 22"),
    Case(port, "==", #"{"range":[1,9]}"#, "tcp dport 1-9"),
    Case(port, "!=", #"{"range":[1,9]}"#, "tcp dport != 1-9"),
    Case(port, "<=", "9", "tcp dport <= 9"),
    Case(
      #"{"&":[\#(flags),["syn","ack"]]}"#, "==", #""syn""#, "tcp flags & (syn | ack) == syn"),
    Case(
      #"{"&":[\#(flags),{"|":["syn","ack"]}]}"#, "==", #"["syn","ack"]"#,
      "tcp flags & (syn | ack) == syn | ack"),
    // nft 1.1 lists more than two operands.
    Case(
      #"{"&":[\#(flags),{"|":["fin","syn","rst"]}]}"#, "!=", "0",
      "tcp flags & (fin | syn | rst) != 0x0"),
    Case(
      #"{"&":[\#(mark),255,15]}"#, "==", "1", "meta mark & 0x0000000f == 0x00000001"),
    Case(
      #"{"|":[{"&":[\#(mark),65535]},256]}"#, "==", "256",
      "meta mark & 0x0000feff | 0x00000100 == 0x00000100"),
    Case(#"{"^":[\#(mark),1]}"#, "==", "1", "meta mark ^ 0x00000001 == 0x00000001"),
    Case(#"{">>":[\#(mark),8]}"#, "==", "1", "meta mark >> 8 == 0x00000001"),
    Case(#"{"meta":{"key":"iif"}}"#, "==", #""lo""#, #"iifname "lo""#),
    Case(#"{"meta":{"key":"iif"}}"#, "!=", "7", "iif != 7"),
    Case(#"{"meta":{"key":"iifname"}}"#, "==", #""eth*""#, #"iifname "eth*""#),
    Case(#"{"meta":{"key":"iifname"}}"#, "==", #""eth\\*""#, #"iifname "eth\*""#),
    Case(
      #"{"meta":{"key":"oif"}}"#, "==", #"{"set":["a","b"]}"#, #"oifname { "a", "b" }"#),
    Case(
      #"{"payload":{"protocol":"ip6","field":"saddr"}}"#, "==",
      #"{"prefix":{"addr":"fe80::1","len":10}}"#, "ip6 saddr fe80::/10"),
    Case(
      #"{"payload":{"base":"nh","offset":0,"len":128}}"#, "==",
      #""0xffffffffffffffffffffffffffffffff""#, "@nh,0,128 0xffffffffffffffffffffffffffffffff"),
    Case(
      #"{"concat":[{"meta":{"key":"nfproto"}},\#(port)]}"#, "==", #"{"concat":["ipv4",22]}"#,
      "meta nfproto . tcp dport ipv4 . 22"),
    Case(#"{"ct":{"key":"label"}}"#, "in", "5", "ct label 5"),
    Case(mark, "==", #"{"ct":{"key":"mark"}}"#, "meta mark ct mark"),
    // With -n nft lists EtherTypes that it knows by name with their bytes swapped.
    Case(#"{"meta":{"key":"protocol"}}"#, "==", "8", "meta protocol ip"),
    Case(#"{"meta":{"key":"protocol"}}"#, "==", "35020", "meta protocol 0x88cc"),
    Case(
      #"{"fib":{"result":"oif","flags":["saddr","iif"]}}"#, "==", "false",
      "fib saddr . iif oif missing"),
    Case(#"{"fib":{"result":"type","flags":"daddr"}}"#, "==", #""local""#, "fib daddr type local"),
  ]

  @Test(arguments: cases)
  func `mean what nft means`(case: Case) throws {
    let match =
      #"{"match":{"op":"\#(`case`.operator)","left":\#(`case`.left),"right":\#(`case`.right)}}"#
    let statements = try rule(match).statements
    let printed = RulePrinter(Table(family: .inet, name: "t")).text(of: statements[0])
    #expect(printed == `case`.text)
    guard case .match = statements[0] else {
      Issue.record("\(statements[0])")
      return
    }
  }

  @Test func `wildcards and prefixes are ranges`() throws {
    let statements = try rule(
      #"""
      {"match":{"op":"!=","left":{"meta":{"key":"iifname"}},"right":"eth*"}},
      {"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":{"prefix":{"addr":"10.0.0.0","len":8}}}}
      """#
    ).statements
    guard case .match(let name) = statements[0], case .match(let address) = statements[1] else {
      Issue.record("\(statements)")
      return
    }
    let wildcard = try #require(InterfaceName.beginning(with: "eth"))
    #expect(name.right == .range(wildcard))
    #expect(name.operator == .notEqual)
    #expect(address.right == .range(Interval(0x0A00_0000, 0x0AFF_FFFF)))
  }

  @Test(
    arguments: [
      (
        #"{"xt":{"type":"match","name":"conntrack"}}"#,
        "nft does not list the parameters of xtables extensions"
      ),
      (#""jump {\n\t\taccept\n\t}""#, "nft lists this statement as text, not as JSON"),
      (#"{"jump":{"target":"nowhere"}}"#, "the chain `nowhere` is not in the listing"),
      (#"{"teleport":null}"#, "`teleport` statements are not covered"),
      (#"{"accept":null,"drop":null}"#, "a statement has one name"),
      ("7", "a statement has one name"),
      (
        #"{"match":{"op":"~","left":{"meta":{"key":"mark"}},"right":1}}"#,
        "the operator `~` is not covered"
      ),
      (
        #"{"match":{"op":"==","left":{"meta":{"key":"mark"}},"right":"web"}}"#,
        "what `web` stands for is not in the listing"
      ),
      (
        #"{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":70000}}"#,
        "`70000` does not fit 16 bits"
      ),
      (
        #"{"match":{"op":"==","left":{"payload":{"protocol":"vlan","field":"id"}},"right":5}}"#,
        "the listing does not say which kind of VLAN tag is meant"
      ),
      (
        #"{"match":{"op":">=","left":{"meta":{"key":"hour"}},"right":"08:00"}}"#,
        "the listing gives hours in the time of an unknown zone"
      ),
    ])
  func `what is not covered keeps its text and says why`(source: String, reason: String) throws {
    let statements = try rule(source + #",{"accept":null}"#).statements
    guard case .unmodelled(let unmodelled) = statements[0] else {
      Issue.record("\(statements)")
      return
    }
    #expect(unmodelled.reason == reason)
    #expect(!unmodelled.text.isEmpty)
    #expect(statements[1] == .verdict(.accept))
  }
}
