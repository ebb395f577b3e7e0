import Documents
import Testing

/// Source: gopkg.in/yaml.v3 v3.0.1, resolve.go and decode_test.go.
@Suite("YAML scalars")
struct YAMLScalarTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let text: String
    let resolved: YAMLScalar.Resolved
    var testDescription: String { text.debugDescription }

    init(_ text: String, _ resolved: YAMLScalar.Resolved) {
      self.text = text
      self.resolved = resolved
    }
  }

  static let words: [Case] = [
    Case("", .null), Case("~", .null), Case("null", .null), Case("Null", .null),
    Case("NULL", .null), Case("nULL", .string), Case("none", .string),
    Case("true", .boolean(true)), Case("True", .boolean(true)), Case("TRUE", .boolean(true)),
    Case("tRUE", .string), Case("false", .boolean(false)), Case("False", .boolean(false)),
    Case("FALSE", .boolean(false)), Case("yes", .string), Case("No", .string), Case("on", .string),
    Case("Off", .string), Case("y", .string), Case("n", .string), Case("drop", .string),
    Case("-", .string), Case("+", .string), Case(".", .string), Case("==", .string),
  ]

  static let integers: [Case] = [
    Case("0", .integer(0)), Case("-0", .integer(0)), Case("80", .integer(80)),
    Case("+80", .integer(80)), Case("-80", .integer(-80)), Case("1_000", .integer(1000)),
    Case("1__0_", .integer(10)), Case("_1", .string), Case("0x1F", .integer(31)),
    Case("0X1f", .integer(31)), Case("-0x1F", .integer(-31)), Case("0x_1F", .integer(31)),
    Case("0x", .string), Case("0xG", .string), Case("0b101", .integer(5)),
    Case("-0b101", .integer(-5)), Case("0b12", .string), Case("0b-101", .integer(-5)),
    Case("0o17", .integer(15)), Case("-0o17", .integer(-15)), Case("0o-17", .integer(-15)),
    Case("0o18", .string), Case("017", .integer(15)), Case("-017", .integer(-15)),
    Case("00", .integer(0)), Case("9223372036854775807", .integer(9_223_372_036_854_775_807)),
    Case("-9223372036854775808", .integer(-9_223_372_036_854_775_808)),
    Case("18446744073709551615", .integer(18_446_744_073_709_551_615)),
    Case("0xFFFFFFFFFFFFFFFF", .integer(18_446_744_073_709_551_615)),
    Case("80-443", .string), Case("10.0.0.0/8", .string), Case("1:20", .string),
  ]

  static let fractions: [Case] = [
    Case("08", .floatingPoint(8)), Case("018", .floatingPoint(18)),
    Case("18446744073709551616", .floatingPoint(0x1p64)),
    Case("+18446744073709551615", .floatingPoint(0x1p64)),
    Case("-9223372036854775809", .floatingPoint(-0x1p63)),
    Case("1.5", .floatingPoint(1.5)), Case("1.", .floatingPoint(1)),
    Case(".5", .floatingPoint(0.5)),
    Case("-.5", .floatingPoint(-0.5)), Case("6.8523e+5", .floatingPoint(685_230)),
    Case("1e3", .floatingPoint(1000)), Case("1E-3", .floatingPoint(0.001)), Case("1e", .string),
    Case("1e400", .string), Case(".5_0", .floatingPoint(0.5)), Case(".5_", .string),
    Case("._5", .string), Case("1_0.5", .floatingPoint(10.5)), Case("1.2.3", .string),
    Case(".inf", .floatingPoint(.infinity)), Case("+.Inf", .floatingPoint(.infinity)),
    Case("-.INF", .floatingPoint(-.infinity)), Case("inf", .string), Case("0x1p4", .string),
    Case("e3", .string), Case(".e3", .string),
  ]

  static let times: [Case] = [
    Case("2026-02-07", .timestamp), Case("2026-2-7", .timestamp),
    Case("2026-02-07T09:05:51Z", .timestamp), Case("2026-02-07t9:5:1.25Z", .timestamp),
    Case("2026-02-07T09:05:51+07:00", .timestamp), Case("2026-02-07 09:05:51", .timestamp),
    Case("2026-02-07  09:05:51.123456789", .timestamp), Case("2024-02-29", .timestamp),
    Case("2026-02-29", .string), Case("2026-13-01", .string), Case("2026-02-07T09:05:51", .string),
    Case("2026-02-07 09:05:51Z", .string), Case("2026-02-07T24:00:00Z", .string),
    Case("2026-02-07T09:05:51+07", .string), Case("2026-02-07x", .string),
    Case("20260-02-07", .string), Case("26-02-07", .string), Case("2026-02-00", .string),
    Case("1900-02-29", .string), Case("2000-02-29", .timestamp), Case("2026-04-31", .string),
  ]

  @Test(arguments: words + integers + fractions + times)
  func `plain texts say what they are`(test: Case) {
    #expect(YAMLScalar(text: test.text, isPlain: true).resolved == test.resolved)
    #expect(YAMLScalar(text: test.text, isPlain: false).resolved == .string)
  }

  @Test func `not-a-number is a number`() {
    guard case .floatingPoint(let value) = YAMLScalar(text: ".nan", isPlain: true).resolved else {
      Issue.record("`.nan` is no number")
      return
    }
    #expect(value.isNaN)
  }

  @Test(
    arguments: [
      ("!!str 12", .string), ("!!str", .string), ("! 12", .integer(12)), ("! '12'", .string),
      ("!!int '12'", .integer(12)), ("!!float 12", .floatingPoint(12)),
      ("!!float 1.5", .floatingPoint(1.5)), ("!!bool 'true'", .boolean(true)),
      ("!!null ''", .null), ("!!timestamp '2026-02-07'", .timestamp), ("!!binary aGk=", .string),
      ("!mine 12", .string),
    ] as [(String, YAMLScalar.Resolved)])
  func `tags have their say`(text: String, resolved: YAMLScalar.Resolved) throws {
    let value = try #require(try YAMLReader.documents(of: Array("a: \(text)\n".utf8)).first)
    #expect(value["a"]?.scalar?.resolved == resolved)
  }

  @Test(arguments: [
    "!!int 1.5", "!!int ''", "!!float x", "!!bool yes", "!!null 0", "!!timestamp 2026", "!!int",
  ])
  func `tags that do not fit are refused`(text: String) {
    let error = #expect(throws: YAMLError.self) {
      try YAMLReader.documents(of: Array("a: \(text)\n".utf8))
    }
    #expect(error?.offset == 3)
    guard case .tagMismatch = error?.problem else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test(
    arguments: [
      ("true", true), ("FALSE", false), ("yes", true), ("Y", true), ("on", true), ("OFF", false),
      ("n", false), ("No", false), ("'yes'", true), ("'true'", nil), ("1", nil), ("", nil),
      ("yEs", nil),
    ] as [(String, Bool?)])
  func `truth values are wider where one is asked for`(text: String, value: Bool?) throws {
    let document = try #require(try YAMLReader.documents(of: Array("a: \(text)\n".utf8)).first)
    #expect(document["a"]?.scalar?.boolean == value)
  }
}
