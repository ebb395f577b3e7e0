/// What the text of a plain scalar stands for.
///
/// Source: gopkg.in/yaml.v3 v3.0.1, resolve.go, whose order of attempts this keeps.
func resolution(of text: String) -> YAMLScalar.Resolved {
  guard let first = text.utf8.first else { return .null }
  switch first {
  case UInt8(ascii: "y"), UInt8(ascii: "Y"), UInt8(ascii: "o"), UInt8(ascii: "O"): return .string
  case UInt8(ascii: "n"), UInt8(ascii: "N"), UInt8(ascii: "t"), UInt8(ascii: "T"),
    UInt8(ascii: "f"), UInt8(ascii: "F"), UInt8(ascii: "~"):
    return word(text) ?? .string
  case UInt8(ascii: "."):
    if let special = word(text) { return special }
    return fraction(Array(text.utf8)).map { .floatingPoint($0) } ?? .string
  case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
    return word(text) ?? number(Array(text.utf8)) ?? .string
  default: return .string
  }
}

private func word(_ text: String) -> YAMLScalar.Resolved? {
  switch text {
  case "~", "null", "Null", "NULL": .null
  case "true", "True", "TRUE": .boolean(true)
  case "false", "False", "FALSE": .boolean(false)
  case ".nan", ".NaN", ".NAN": .floatingPoint(.nan)
  case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": .floatingPoint(.infinity)
  case "-.inf", "-.Inf", "-.INF": .floatingPoint(-.infinity)
  default: nil
  }
}

private func number(_ text: [UInt8]) -> YAMLScalar.Resolved? {
  if YAMLTimestamp.isTimestamp(text) { return .timestamp }
  let plain = text.filter { $0 != UInt8(ascii: "_") }
  if let value = integer(plain[...], base: nil) { return .integer(value) }
  if isDecimal(plain), let value = Double(String(decoding: plain, as: UTF8.self)), value.isFinite {
    return .floatingPoint(value)
  }
  // yaml.v3 reads the digits behind `0b` and `0o` once more by themselves, so that a sign may stand
  // there.
  for (letter, base) in [(UInt8(ascii: "b"), 2), (UInt8(ascii: "o"), 8)] {
    if plain.starts(with: [UInt8(ascii: "0"), letter]),
      let value = integer(plain[2...], base: base)
    {
      return .integer(value)
    }
  }
  return nil
}

/// A whole number of 64 bits as Go's `strconv.ParseInt` and then `ParseUint` read it.
///
/// Where `base` is nil a prefix says it: `0x`, `0b`, `0o`, and `0` for octal.
private func integer(_ text: ArraySlice<UInt8>, base: Int?) -> Int128? {
  var digits = text
  let sign = digits.first
  let isSigned = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+")
  if isSigned { digits = digits.dropFirst() }
  var base = base ?? 0
  if base == 0 {
    base = 10
    if digits.first == UInt8(ascii: "0"), digits.count > 1 {
      switch digits[digits.startIndex + 1] | 0x20 {
      case UInt8(ascii: "x"): (base, digits) = (16, digits.dropFirst(2))
      case UInt8(ascii: "b"): (base, digits) = (2, digits.dropFirst(2))
      case UInt8(ascii: "o"): (base, digits) = (8, digits.dropFirst(2))
      default: (base, digits) = (8, digits.dropFirst())
      }
    }
  }
  guard !digits.isEmpty else { return nil }
  var value: Int128 = 0
  for digit in digits {
    guard let digit = hexadecimalValue(of: digit), digit < base else { return nil }
    value = value * Int128(base) + Int128(digit)
    guard value <= Int128(UInt64.max) else { return nil }
  }
  if sign == UInt8(ascii: "-") { value = -value }
  // ParseUint takes no sign.
  guard !isSigned || Int128(Int64.min)...Int128(Int64.max) ~= value else { return nil }
  return value
}

/// Whether a text is `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
private func isDecimal(_ text: [UInt8]) -> Bool {
  var offset = 0
  func skip(_ isWanted: (UInt8) -> Bool) -> Int {
    let start = offset
    while offset < text.count, isWanted(text[offset]) { offset += 1 }
    return offset - start
  }
  func isDigit(_ byte: UInt8) -> Bool { 0x30...0x39 ~= byte }
  func skipOne(_ choices: String) -> Bool {
    guard offset < text.count, choices.utf8.contains(text[offset]) else { return false }
    offset += 1
    return true
  }
  _ = skipOne("+-")
  let whole = skip(isDigit)
  if skipOne(".") {
    let part = skip(isDigit)
    guard whole > 0 || part > 0 else { return false }
  } else if whole == 0 {
    return false
  }
  if skipOne("eE") {
    _ = skipOne("+-")
    guard skip(isDigit) > 0 else { return false }
  }
  return offset == text.count
}

/// A fraction that begins with its point, as Go's `strconv.ParseFloat` reads it: `_` may stand
/// between two digits.
private func fraction(_ text: [UInt8]) -> Double? {
  for (index, byte) in text.enumerated() where byte == UInt8(ascii: "_") {
    guard index > 0, index + 1 < text.count, 0x30...0x39 ~= text[index - 1],
      0x30...0x39 ~= text[index + 1]
    else { return nil }
  }
  let plain = text.filter { $0 != UInt8(ascii: "_") }
  guard isDecimal(plain), let value = Double(String(decoding: plain, as: UTF8.self)),
    value.isFinite
  else { return nil }
  return value
}
