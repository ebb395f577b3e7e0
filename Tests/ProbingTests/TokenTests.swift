import Testing

@testable import Probing

@Suite struct TokenTests {
  private let key: RunKey

  init() throws { key = try #require(RunKey(octets: Array(0..<32))) }

  @Test(arguments: [
    // Test case 2: a key padded with zeros is the same key.
    (
      "Jefe", "what do ya want for nothing?",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
  ])
  func `codes are those of RFC 4231`(secret: String, message: String, code: String) throws {
    let padded = Array(secret.utf8) + [UInt8](repeating: 0, count: 32 - secret.utf8.count)
    let key = try #require(RunKey(octets: padded))
    let digits = Array("0123456789abcdef")
    let shown = key.code(Array(message.utf8)).map { octet in
      String([digits[Int(octet >> 4)], digits[Int(octet & 15)]])
    }
    #expect(shown.joined() == code)
  }

  @Test func `a token is read as it was written`() {
    let token = Token(probe: 0x0102_0304, transmission: 0x0506)
    for direction in [Token.Direction.request, .reply] {
      let octets = token.octets(direction, key)
      #expect(octets.count == Token.byteCount)
      #expect(Token(reading: octets[...], direction, key) == token)
    }
  }

  @Test func `a token of another direction, another run or with any octet changed is none`() {
    let octets = Token(probe: 7, transmission: 1).octets(.request, key)
    #expect(Token(reading: octets[...], .reply, key) == nil)
    #expect(Token(reading: octets[...], .request, RunKey.fresh()) == nil)
    #expect(Token(reading: octets.dropLast(), .request, key) == nil)
    for index in octets.indices {
      var changed = octets
      changed[index] ^= 0x40
      #expect(Token(reading: changed[...], .request, key) == nil, "octet \(index)")
    }
  }

  @Test func `keys have 32 octets, and fresh ones differ`() {
    #expect(RunKey(octets: [1, 2, 3]) == nil)
    #expect(RunKey.fresh() != RunKey.fresh())
  }

  @Test func `what is made from a key differs by purpose`() {
    #expect(key.initialSequenceNumber != key.payloadPrefix)
    #expect((600..<1100).contains(key.maximumSegmentSize))
  }
}
