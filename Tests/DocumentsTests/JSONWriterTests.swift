import Documents
import Testing

@Suite("Writing JSON")
struct JSONWriterTests {
  private func sample(_ layout: JSONWriter.Layout) -> String {
    var writer = JSONWriter(layout)
    writer.object {
      $0.member("text", "a\"\\\n\t\u{1}\u{7F}ä😀")
      $0.member("number", UInt128.max)
      $0.member("negative", -5)
      $0.member("yes", true)
      $0.null("nothing")
      $0.member("duration", milliseconds: 1.0625)
      $0.array("list") {
        $0.value(1)
        $0.value("two")
        $0.array { _ in }
        $0.object { _ in }
      }
    }
    return writer.text
  }

  @Test func `is compact`() {
    #expect(
      sample(.compact)
        == #"{"text":"a\"\\\n\t\u0001\u007fä😀","number":340282366920938463463374607431768211455,"#
        + #""negative":-5,"yes":true,"nothing":null,"duration":1.063,"list":[1,"two",[],{}]}"#)
  }

  @Test func `is indented`() {
    var writer = JSONWriter(.indented)
    writer.object {
      $0.member("a", 1)
      $0.array("b") { $0.value(2) }
      $0.array("c") { _ in }
    }
    #expect(writer.text == "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ],\n  \"c\": []\n}")
  }

  @Test(arguments: [JSONWriter.Layout.compact, .indented])
  func `is read back as it was`(layout: JSONWriter.Layout) throws {
    let value = try JSONDocument(reading: Array(sample(layout).utf8)).value
    #expect(value["text"]?.string == "a\"\\\n\t\u{1}\u{7F}ä😀")
    #expect(value["number"]?.unsigned == .max)
    #expect(value["negative"]?.integer == -5)
    #expect(value["yes"]?.boolean == true)
    #expect(value["nothing"]?.isNull == true)
    #expect(value["list"]?.array?.count == 4)
  }

  @Test func `starts over`() {
    var writer = JSONWriter()
    writer.object { $0.member("a", 1) }
    writer.removeAll()
    writer.object { $0.member("b", 2) }
    #expect(writer.text == #"{"b":2}"#)
  }
}
