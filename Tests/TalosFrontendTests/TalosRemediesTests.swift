import Addresses
import Diagnostics
import TalosFrontend
import Testing

@Suite("Remedies in Talos configurations")
struct TalosRemediesTests {
  private static let block = """
    apiVersion: v1alpha1
    kind: NetworkDefaultActionConfig
    ingress: block
    ---
    apiVersion: v1alpha1
    kind: NetworkRuleConfig
    name: web
    portSelector:
      ports: [80, 443]
      protocol: tcp
    ingress:
      - subnet: 10.0.0.0/8
      - subnet: 192.168.0.0/16
    ---
    apiVersion: v1alpha1
    kind: NetworkRuleConfig
    name: kubelet
    portSelector:
      ports: [10250]
      protocol: tcp
    ingress:
      - subnet: 172.20.0.0/24

    """

  private func configuration(_ text: String) throws -> MachineConfiguration {
    var sources = SourceMap()
    let reading = TalosReader.read(
      [("node.yaml", Array(text.utf8))], options: TalosReader.Options(), sources: &sources)
    return try #require(reading.configuration)
  }

  private func addresses(_ prefixes: String...) throws -> AddressSet {
    try prefixes.map { AddressSet(try #require(ConfiguredPrefix($0)).network) }
      .reduce(.empty) { $0.union($1) }
  }

  private func target(_ lower: UInt128, _ upper: UInt128) -> TalosRemedies.Target {
    TalosRemedies.Target(.tcp, IntervalSet(Interval(lower, upper)))
  }

  /// Who reaches a port by what a configuration says.
  private func admitted(_ configuration: MachineConfiguration, to port: UInt16) -> AddressSet {
    let rules = configuration.rules.filter { rule in
      rule.ports.contains { $0.value.lower <= port && port <= $0.value.upper }
    }
    return configuration.action == .block
      ? rules.reduce(.empty) { $0.union($1.sources) }
      : rules.reduce(.any) { $0.intersection($1.sources) }
  }

  @Test func `let a source in with one more line where a rule has the port`() throws {
    let one = try addresses("10.9.0.1/32")
    let proposals = TalosRemedies.admitting(
      one, to: [target(10250, 10250)], in: try configuration(Self.block))
    let smallest = try #require(proposals.first)
    #expect(smallest.size == 1)
    #expect(smallest.text == "add to `ingress` of `kubelet`\n    - subnet: 10.9.0.1/32")
    for proposal in proposals {
      #expect(one.isSubset(of: admitted(proposal.configuration, to: 10250)))
    }
  }

  @Test func `add a port to the rule that has the sources, or a rule`() throws {
    let sources = try addresses("172.20.0.0/24")
    let proposals = TalosRemedies.admitting(
      sources, to: [target(50001, 50001)], in: try configuration(Self.block))
    #expect(proposals.map(\.size) == [1, 9])
    #expect(proposals.first?.text == "add to `portSelector.ports` of `kubelet`\n        - 50001")
    for proposal in proposals {
      #expect(admitted(proposal.configuration, to: 50001) == sources)
      #expect(admitted(proposal.configuration, to: 10250) == sources)
    }
  }

  @Test func `keep a source out of one port of a rule that has two`() throws {
    let proposals = TalosRemedies.refusing(
      try addresses("10.3.0.0/16"), to: [target(443, 443)], in: try configuration(Self.block))
    let smallest = try #require(proposals.first)
    #expect(
      admitted(smallest.configuration, to: 443)
        == (try addresses("10.0.0.0/8", "192.168.0.0/16").subtracting(addresses("10.3.0.0/16"))))
    #expect(
      admitted(smallest.configuration, to: 80) == (try addresses("10.0.0.0/8", "192.168.0.0/16")))
    #expect(smallest.text.contains("except: 10.3.0.0/16"))
  }

  @Test func `remove a rule that nobody is left in`() throws {
    let proposals = TalosRemedies.refusing(
      .any, to: [target(10250, 10250)], in: try configuration(Self.block))
    #expect(proposals.first?.text == "remove the document `kubelet`")
  }

  @Test func `in accept mode join every rule of the port`() throws {
    let text =
      Self.block.replacing("ingress: block", with: "ingress: accept")
        + """
        ---
        apiVersion: v1alpha1
        kind: NetworkRuleConfig
        name: web-again
        portSelector:
          ports: [443]
          protocol: tcp
        ingress:
          - subnet: 10.0.0.0/8
            except: 10.7.0.0/16

        """
    let admin = try addresses("10.7.0.1/32", "196.45.28.20/32")
    let proposals = TalosRemedies.admitting(
      admin, to: [target(443, 443)], in: try configuration(text))
    #expect(!proposals.isEmpty)
    // What is excepted stays so until the list is written anew.
    #expect(
      proposals.contains { admin.isSubset(of: admitted($0.configuration, to: 443)) })
  }

  @Test func `in accept mode a port is closed by naming everybody else`() throws {
    let text = "apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: accept\n"
    let bad = try addresses("203.0.113.0/24")
    let proposals = TalosRemedies.refusing(
      bad, to: [target(22, 22)], in: try configuration(text))
    let smallest = try #require(proposals.first)
    #expect(admitted(smallest.configuration, to: 22) == AddressSet.any.subtracting(bad))
    #expect(smallest.text.contains("except: 203.0.113.0/24"))
  }

  @Test func `what is proposed reads back as it was meant`() throws {
    let proposals = TalosRemedies.refusing(
      try addresses("10.3.0.0/16"), to: [target(443, 443)], in: try configuration(Self.block))
    let added = proposals.flatMap { proposal in
      proposal.edits.compactMap { edit in
        if case .addRule(let rule) = edit { (rule, proposal.configuration) } else { nil }
      }
    }
    // One with an exception, one with the subnets that are left.
    #expect(added.count == 2)
    for (rule, configuration) in added {
      let read = try self.configuration(Self.block + "---\n" + rule.yaml + "\n")
      let last = try #require(read.rules.last)
      #expect(last.name.value == rule.name)
      #expect(last.sources == configuration.rules.last?.sources)
    }
  }
}
