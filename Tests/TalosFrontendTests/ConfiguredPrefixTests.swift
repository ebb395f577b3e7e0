import Addresses
import TalosFrontend
import Testing

@Suite("Configured prefixes")
struct ConfiguredPrefixTests {
  @Test(arguments: [
    "10.0.0.0/8", "10.0.0.5/24", "0.0.0.0/0", "::/0", "2001:db8::1/32", "fe80::1/128",
  ])
  func `a prefix is kept as it was written`(text: String) {
    #expect(ConfiguredPrefix(text)?.description == text)
  }

  @Test(arguments: [
    "", "10.0.0.1", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/08", "10.0.0.0/+8",
    "fe80::1%eth0/64", "10.0.0/8", "10.0.0.0/8/8",
  ])
  func `what Go does not read is no prefix`(text: String) {
    #expect(ConfiguredPrefix(text) == nil)
  }

  @Test
  func `host bits count for the text and not for the network`() throws {
    let prefix = try #require(ConfiguredPrefix("10.0.0.5/24"))
    #expect(prefix.hasHostBits)
    #expect(prefix.network.description == "10.0.0.0/24")
    #expect(ConfiguredPrefix("10.0.0.0/24")?.hasHostBits == false)
  }

  @Test
  func `upper case is read`() {
    #expect(ConfiguredPrefix("FC00:DB8::/32")?.description == "fc00:db8::/32")
  }
}
