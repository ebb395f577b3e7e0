import Diagnostics
import Scenarios
import TalosFrontend
import Testing

@Suite("Names of what is derived")
struct ScenarioNamesTests {
  /// A rule's name, and what its service and its group are called.
  struct Case: Sendable, CustomTestStringConvertible {
    let rule: String
    let service: String
    let group: String

    var testDescription: String { rule }
  }

  private static func rule(_ name: String, _ port: Int, _ subnet: String) -> String {
    """
    apiVersion: v1alpha1
    kind: NetworkRuleConfig
    name: "\(name)"
    portSelector:
      ports: [\(port)]
      protocol: tcp
    ingress:
      - subnet: \(subnet)

    """
  }

  private func text(_ rules: [String]) throws -> String {
    try DerivedCheck(rules.joined(separator: "---\n"), "1.15", node: ["10.0.0.1"]).derived.text
  }

  @Test(arguments: [
    Case(rule: "kubelet-ingress", service: "kubelet", group: "kubelet-sources"),
    Case(rule: "cni-vxlan", service: "cni-vxlan", group: "cni-vxlan-sources"),
    Case(rule: "ingress", service: "ingress", group: "ingress-sources"),
    Case(rule: "Talos API (apid)", service: "Talos-API-apid", group: "Talos-API-apid-sources"),
    Case(rule: "443", service: "rule-443", group: "rule-443-sources"),
    Case(rule: "--", service: "rule", group: "rule-sources"),
    Case(rule: "tcp", service: "tcp-2", group: "tcp-sources"),
    Case(rule: "node", service: "node-2", group: "node-sources"),
    Case(rule: "käse", service: "käse", group: "käse-sources"),
    Case(rule: "a_b.c", service: "a_b-c", group: "a_b-c-sources"),
  ])
  func `follow the rule's`(example: Case) throws {
    let text = try text([Self.rule(example.rule, 443, "192.168.0.0/16")])
    #expect(text.contains("service \(example.service) = 443 tcp  # \"\(example.rule)\"\n"))
    #expect(text.contains("group \(example.group) = 192.168.0.0/16\n"))
    #expect(text.contains("only \(example.group) -> node \(example.service)\n"))
  }

  @Test func `are told apart where they would be the same`() throws {
    let text = try text([
      Self.rule("web", 80, "10.1.0.0/16"), Self.rule("WEB-ingress", 81, "10.2.0.0/16"),
      Self.rule("web ingress", 82, "10.3.0.0/16"),
    ])
    #expect(text.contains("only web-sources -> node web\n"))
    #expect(text.contains("only WEB-sources-2 -> node WEB-2\n"), "\(text)")
    #expect(text.contains("only web-sources-3 -> node web-3\n"), "\(text)")
  }

  @Test func `are one for equal sets, however these are written`() throws {
    let text = try text([
      Self.rule("one", 80, "192.168.0.0/16"),
      Self.rule("two", 81, "192.168.0.0/17\n  - subnet: 192.168.128.0/17"),
    ])
    #expect(text.contains("only one-sources -> node two\n"), "\(text)")
    #expect(!text.contains("group two"))
  }

  @Test func `of what several rules share name them`() throws {
    let text = try text([
      Self.rule("a", 80, "192.168.0.0/16"), Self.rule("b", 80, "192.168.0.0/17"),
      Self.rule("c", 81, "192.168.0.0/16"), Self.rule("d", 81, "10.0.0.0/8"),
      Self.rule("e", 82, "10.0.0.0/7"), Self.rule("f", 82, "11.0.0.0/8\n  - subnet: 12.0.0.0/8"),
    ])
    // The second alone is what both let in; nobody is in both of the next two.
    #expect(
      text.contains("only b-sources -> node b\n")
        || text.contains("only b-sources -> node 80 tcp\n"))
    #expect(text.contains("any -> node 81 tcp expect drop\n"), "\(text)")
    #expect(text.contains("group e-and-f-sources = 11.0.0.0/8\n"), "\(text)")
  }

  @Test func `hold no character that ends a comment or a string`() throws {
    let text = try text([Self.rule("a\\nb\\r\\u2028 \\\"c\\\" # {", 80, "10.1.0.0/16")])
    #expect(text.contains("service a-b-c = 80 tcp  # \"a?b?"), "\(text)")
  }

  @Test func `of long lists are broken after commas`() throws {
    let subnets = (0..<40).map { "10.\($0 * 2).0.0/16" }
    let check = try DerivedCheck(
      Self.rule("many", 80, subnets.joined(separator: "\n  - subnet: ")), "1.15",
      node: ["10.1.0.1"])
    check.expectTruth("long lines")
    for line in check.derived.text.split(separator: "\n") { #expect(line.count <= 100) }
  }
}
