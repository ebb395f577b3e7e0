import Testing

@testable import Netfilter

@Suite("Messages of nft")
struct NftMessageTests {
  @Test func `a message with its line says which interface is missing`() {
    let messages = NftMessage.parse(
      """
      In file included from f.nft:2:1-16:
      /etc/a:b.nft:4:9-14: Error: Interface does not exist
          iif "eth0" accept
              ^^^^^^
      netlink: Error: Could not process rule: Message too long
      Error: Could not open file

      """)
    #expect(
      messages.map(\.text) == [
        "Interface does not exist", "Could not process rule: Message too long",
        "Could not open file",
      ])
    #expect(
      messages[0].place
        == NftMessage.Place(file: "/etc/a:b.nft", line: 4, firstColumn: 9, lastColumn: 14))
    #expect(messages[0].missingInterface == "eth0")
    #expect(messages[1].place == nil)
    #expect(messages[2].missingInterface == nil)
  }

  @Test(
    arguments: [
      ("x:1:1-20: Error: Interface does not exist\nsixteen-and-longer!!", nil),
      ("x:1:1-4: Error: Interface does not exist\na/b ", nil),
      ("x:1:3-99: Error: Interface does not exist\nlo", nil),
      ("x:1:1-3: Error: Something else\nabc", nil),
      ("x:1:2-4: Error: Interface does not exist\n\tbr0", "br0"),
    ] as [(String, String?)])
  func `only names that an interface can have are made up`(text: String, name: String?) {
    #expect(NftMessage.parse(text).first?.missingInterface == name)
  }
}
