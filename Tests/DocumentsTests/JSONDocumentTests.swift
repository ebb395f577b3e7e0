import Documents
import Testing

@Suite("Reading JSON")
struct JSONDocumentTests {
  @Test func `numbers of 128 bits are exact`() throws {
    let document = try JSONDocument(
      reading: Array("[340282366920938463463374607431768211455]".utf8))
    #expect(document.value.array?.first?.unsigned == .max)
  }
}
