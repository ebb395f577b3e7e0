import Addresses
import Testing

@Suite("An address as text")
struct AddressTextTests {
  @Test(arguments: [
    ("::", "::"), ("::1", "::1"), ("fd00:0::1", "fd00::1"),
    ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"), ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
    ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("1::", "1::"), ("0.0.0.0", "0.0.0.0"),
    ("255.255.255.255", "255.255.255.255"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
  ])
  func `is read and printed in its canonical form`(text: String, canonical: String) {
    #expect(IPAddress(text)?.description == canonical)
  }

  @Test(arguments: [
    "", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.", ":", ":::", "1:2:3",
    "1::2::3",
    "1:2:3:4:5:6:7:8:9", "12345::", "fe80::1%eth0", "::1.2.3", "g::", "1:2:3:4:5:6:7:1.2.3.4", "1:",
    ":1",
    "1:2:3:4:5:6:7:8::",
  ])
  func `is refused where it is none`(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test func `of a prefix names set host bits`() {
    #expect(throws: IPPrefix.Problem.self) { try IPPrefix(reading: "10.0.0.5/24") }
    #expect(throws: IPPrefix.Problem.lengthTooLong(widest: 32)) {
      try IPPrefix(reading: "10.0.0.0/33")
    }
    #expect(throws: IPPrefix.Problem.notAPrefix) { try IPPrefix(reading: "10.0.0.0/+8") }
    #expect((try? IPPrefix(reading: "::/0"))?.interval == Interval(0, .max))
    #expect((try? IPPrefix(reading: "10.0.0.0/8"))?.interval == Interval(0x0A00_0000, 0x0AFF_FFFF))
    #expect((try? IPPrefix(reading: "0.0.0.0/0"))?.interval == Interval(0, 0xFFFF_FFFF))
  }

  @Test func `of a MAC address takes colons and dashes`() {
    #expect(MACAddress("02:00:00:00:00:0a")?.rawValue == 0x0200_0000_000A)
    #expect(MACAddress("2-0-0-0-0-A")?.description == "02:00:00:00:00:0a")
    #expect(MACAddress("02:00:00:00:00") == nil)
    #expect(MACAddress("02:00:00:00:00:+1") == nil)
  }

  @Test func `of an interface is one number, a wildcard one interval`() {
    let wildcard = InterfaceName.beginning(with: "eth")
    #expect(InterfaceName("eth0").map { wildcard?.contains($0.rawValue) } == true)
    #expect(InterfaceName("eth").map { wildcard?.contains($0.rawValue) } == true)
    #expect(InterfaceName("ens1").map { wildcard?.contains($0.rawValue) } == false)
    #expect(InterfaceName("sixteen-bytes-xx") == nil)
    #expect(InterfaceName("eth0")?.description == "eth0")
  }

  @Test func `of a protocol is nft's name`() {
    #expect(TransportProtocol("ipv6-icmp") == .icmpv6)
    #expect(TransportProtocol("TCP") == .tcp)
    #expect(TransportProtocol.icmpv6.description == "icmpv6")
    #expect(TransportProtocol(rawValue: 253).description == "253")
    #expect(TransportProtocol("256") == nil)
  }
}
