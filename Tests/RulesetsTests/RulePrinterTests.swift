import Addresses
import Rulesets
import Testing

@Suite("Printing rules")
struct RulePrinterTests {
  private let port = Selector(
    .payload(
      PayloadField(
        base: .transport, bitOffset: 16, bitLength: 16, type: .port, name: "tcp dport")),
    requiring: [.transport(6)])
  private let state = Selector(
    .connection(ConnectionKey(key: .state, type: .connectionState)))

  @Test func `a rule prints as nft writes it, without its guards`() {
    let ports = SetContents(
      keyTypes: [.port],
      elements: [SetElement(key: [Interval(4240)]), SetElement(key: [Interval(10250, 10259)])])
    let rule = Rule(
      comment: "kubelet",
      statements: [
        .match(Match(.selector(port), .equal, .set(.anonymous(ports)))),
        .match(Match(.selector(state), .anyBit, .value(8))),
        .inert("counter"), .verdict(.jump(chain: 0)),
      ])
    let table = Table(family: .inet, name: "t", chains: [Chain(name: "checks")])
    #expect(
      RulePrinter(table).text(of: rule)
        == #"tcp dport { 4240, 10250-10259 } ct state new counter jump checks comment "kubelet""#)
  }

  struct Value: Sendable, CustomTestStringConvertible {
    let type: DataType
    let interval: Interval
    let text: String

    init(_ type: DataType, _ value: UInt128, _ text: String) {
      self.init(type, value, value, text)
    }

    init(_ type: DataType, _ lower: UInt128, _ upper: UInt128, _ text: String) {
      self.type = type
      interval = Interval(lower, upper)
      self.text = text
    }

    var testDescription: String { text }
  }

  static let values: [Value] = [
    Value(.ipv4Address, 0x0A00_0001, "10.0.0.1"),
    Value(.ipv4Address, 0x0A00_0000, 0x0AFF_FFFF, "10.0.0.0/8"),
    Value(.ipv4Address, 0, 0xFFFF_FFFF, "0.0.0.0/0"),
    Value(.ipv4Address, 0x0A00_0001, 0x0A00_0002, "10.0.0.1-10.0.0.2"),
    Value(.ipv4Address, 0x0A00_0004, 0x0A00_000B, "10.0.0.4-10.0.0.11"),
    Value(.ipv6Address, 0, .max, "::/0"),
    Value(.ipv6Address, 1, "::1"),
    Value(.etherAddress, 0x0011_2233_4455, "00:11:22:33:44:55"),
    Value(.mark, 256, "0x00000100"),
    Value(.port, 22, "22"),
    Value(.transportProtocol, 6, "tcp"),
    Value(.transportProtocol, 253, "253"),
    Value(.networkProtocol, 10, "ipv6"),
    Value(.icmpType, 8, "echo-request"),
    Value(.icmpType, 200, "200"),
    Value(.icmpv6Type, 136, "nd-neighbor-advert"),
    Value(.tcpFlags, 0x12, "syn | ack"),
    Value(.tcpFlags, 0, "0x0"),
    Value(.connectionState, 6, "established | related"),
    Value(.connectionState, 0x80, "0x80"),
    Value(.connectionLabel, 1 << 5 | 1 << 7, "5,7"),
    Value(.dscp, 46, "ef"),
    Value(.etherType, 0x0800, "ip"),
    Value(.etherType, 0x88CC, "0x88cc"),
    Value(.classID, 0x0001_0020, "1:20"),
    Value(.hour, 22 * 3600 + 30 * 60, "\"22:30\""),
    Value(.time, 1_893_456_000_000_000_000, "\"2030-01-01 00:00:00\""),
    Value(.day, 1, "\"Monday\""),
    Value(.boolean, 0, "missing"),
    Value(.integer(bits: 128), .max, "0xffffffffffffffffffffffffffffffff"),
  ]

  @Test(arguments: values)
  func `values print by what they mean`(value: Value) {
    #expect(ValuePrinter.text(value.interval, value.type) == value.text)
  }

  @Test(arguments: ["eth0", "eth*", "*"])
  func `interface names print with their wildcard`(name: String) throws {
    let interval =
      name.hasSuffix("*")
      ? try #require(InterfaceName.beginning(with: name.dropLast()))
      : Interval(try #require(InterfaceName(name)).rawValue)
    #expect(ValuePrinter.text(interval, .interfaceName) == "\"\(name)\"")
  }

  @Test func `a star at the end of a name is no wildcard`() throws {
    let name = try #require(InterfaceName("eth*"))
    #expect(ValuePrinter.text(name.rawValue, .interfaceName) == #""eth\*""#)
  }

  @Test func `what is not covered prints as its own text`() {
    let statement = Statement.unmodelled(Unmodelled(text: "xt match foo", reason: "no parameters"))
    #expect(RulePrinter(Table(family: .ip, name: "t")).text(of: statement) == "xt match foo")
  }
}
