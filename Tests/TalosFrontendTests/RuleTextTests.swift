import Addresses
import Diagnostics
import TalosFrontend
import Testing

/// Documents that Talos' own tests write and read back, byte for byte
/// (pkg/machinery/config/types/network of Talos: testdata, port_range_test.go).
@Suite("Documents that are written")
struct RuleTextTests {
  private func read(_ text: String) throws -> MachineConfiguration {
    var sources = SourceMap()
    let reading = TalosReader.read(
      [("written.yaml", Array(text.utf8))], options: TalosReader.Options(), sources: &sources)
    return try #require(
      reading.configuration,
      "\(reading.diagnostics.map(\.message)) of\n\(text)")
  }

  /// The rule that the only document of a text says, as the writer takes it.
  private func rule(_ text: String) throws -> RuleText {
    let rules = try read(text).rules
    try #require(rules.count == 1)
    return RuleText(
      name: rules[0].name.value, ports: rules[0].ports.map(\.value),
      transport: try #require(rules[0].transport).value,
      entries: rules[0].ingress.map { entry in
        RuleText.Entry("\(entry.subnet.value)", except: entry.except.map { "\($0.value)" })
      })
  }

  @Test func `are Talos' own`() throws {
    let upstream = """
      apiVersion: v1alpha1
      kind: NetworkRuleConfig
      name: test
      portSelector:
          ports:
              - 53
              - 8000-9000
          protocol: udp
      ingress:
          - subnet: 192.168.0.0/16
            except: 192.168.0.3/32
          - subnet: 2001::/16
      """
    let written = RuleText(
      name: "test", ports: [PortRange(53), PortRange(8000, 9000)], transport: .udp,
      entries: [.init("192.168.0.0/16", except: "192.168.0.3/32"), .init("2001::/16")])
    #expect(written.yaml == upstream)
    #expect(try rule(upstream) == written)
  }

  @Test(arguments: MachineConfiguration.DefaultAction.allCases)
  func `say the default action`(action: MachineConfiguration.DefaultAction) throws {
    let text =
      "apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: \(action.rawValue)"
    #expect(action.yaml == text)
    #expect(try read(text).action == action)
  }

  @Test(arguments: [
    (PortRange(80), "80"), (PortRange(80, 443), "80-443"), (PortRange(0), "0"),
    (PortRange(0, 65535), "0-65535"),
  ])
  func `have a single port as a number and ports as a range`(range: PortRange, text: String) throws
  {
    let written = RuleText(
      name: "p", ports: [range], transport: .tcp, entries: [.init("10.0.0.0/8")])
    #expect(range.text == text)
    #expect(written.yaml.contains("\n    ports:\n        - \(text)\n"))
    #expect(try rule(written.yaml).ports == [range])
  }

  /// Any name is allowed, and a remedy repeats those of the user's rules.
  @Test(arguments: [
    "kubelet-ingress", "a: b", "a #b", "# a", "- a", "-", "yes", "No", "null", "~", "true", "123",
    "0x1f", "1.5", "2026-01-01", "*a", "&a", "!a", "%a", "@a", "`a", "|", ">", "{a}", "[a]", "a,",
    "\"a\"", "'a'", "\\", " a ", "a\nb", "a\tb", "\u{7}", "\u{85}", "\u{2028}", "ä", "端口", "🔥",
    "a:", "?", "=", "<<", "...", "---",
  ])
  func `keep any name`(name: String) throws {
    let written = RuleText(
      name: name, ports: [PortRange(443), PortRange(2379, 2380)], transport: .tcp,
      entries: [
        .init("10.0.0.0/8", except: "10.1.0.0/16"), .init("::/0"), .init("10.0.0.5/24"),
      ])
    #expect(try rule(written.yaml) == written)
  }

  @Test(arguments: [TransportProtocol.tcp, .udp, .icmp, .icmpv6])
  func `keep the protocol`(transport: TransportProtocol) throws {
    let written = RuleText(
      name: "t", ports: [PortRange(1)], transport: transport, entries: [.init("fd00::/8")])
    #expect(try rule(written.yaml) == written)
  }

  @Test func `tell in a comment what an entry is for`() throws {
    var written = RuleText(
      name: "c", ports: [PortRange(1)], transport: .tcp,
      entries: [.init("10.0.0.0/8", except: "10.0.0.1/32", comment: "nodes")])
    #expect(written.yaml.hasSuffix("    - subnet: 10.0.0.0/8 # nodes\n      except: 10.0.0.1/32"))
    written.entries[0].comment = nil
    var commented = written
    commented.entries[0].comment = "nodes"
    #expect(try rule(commented.yaml) == written)
  }
}
