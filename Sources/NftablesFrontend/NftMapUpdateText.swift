internal import Diagnostics

/// Writes a change to a map that nft lists as text the way it writes changes to sets in JSON.
///
/// nft 1.0.6 has no JSON for `add @m { ip saddr timeout 5s : tcp dport }`. Fields, constants, masks
/// and concatenations of them are read, with the time and the limit or count of the element.
///
/// Source: nft 1.0.6, src/statement.c, `map_stmt_print`; libnftables-json(5), SET.
struct NftMapUpdateText {
  private var words: [Substring] = []
  private var position = 0

  /// The statement as JSON; nil where a part of it is not understood.
  static func json(of text: String) -> String? {
    var reader = NftMapUpdateText()
    guard reader.tokenize(text) else { return nil }
    return reader.statement()
  }

  /// Splits the text; quoted text stays in its quotes.
  private mutating func tokenize(_ text: String) -> Bool {
    var reader = NftTokenReader(Array(text.utf8), file: 0)
    while true {
      let token = reader.next()
      switch token.kind {
      case .end: return true
      case .separator: continue
      case .open: words.append("{")
      case .close: words.append("}")
      case .word, .string: words.append(Substring(decoding: reader.bytes(of: token), as: UTF8.self))
      }
    }
  }

  private var next: Substring? { position < words.count ? words[position] : nil }

  private mutating func take(_ word: Substring) -> Bool {
    guard next == word else { return false }
    position += 1
    return true
  }

  private mutating func takeAny() -> Substring? {
    guard let word = next else { return nil }
    position += 1
    return word
  }

  private mutating func statement() -> String? {
    guard let operation = takeAny(), ["add", "update", "delete"].contains(operation),
      let map = takeAny(), map.hasPrefix("@"), take("{"), let key = expression()
    else { return nil }
    var element = key
    var gates: [String] = []
    while let word = next, word != ":" {
      position += 1
      switch word {
      case "timeout":
        guard let seconds = takeAny().flatMap({ Self.seconds(of: $0) }) else { return nil }
        element = #"{"elem":{"val":\#(key),"timeout":\#(seconds)}}"#
      case "expires":
        guard takeAny() != nil else { return nil }
      case "limit":
        guard let limit = limit() else { return nil }
        gates.append(#"{"limit":\#(limit)}"#)
      case "ct":
        guard take("count"), let count = count() else { return nil }
        gates.append(#"{"ct count":\#(count)}"#)
      case "counter":
        if take("packets") { guard takeAny() != nil else { return nil } }
        if take("bytes") { guard takeAny() != nil else { return nil } }
        gates.append(#"{"counter":null}"#)
      default: return nil
      }
    }
    guard take(":"), let data = expression(), take("}"), next == nil else { return nil }
    let state = gates.isEmpty ? "" : #","stmt":[\#(gates.joined(separator: ","))]"#
    return
      #"{"map":{"op":"\#(operation)","elem":\#(element),"data":\#(data),"map":"\#(map)"\#(state)}}"#
  }

  // MARK: - State of an element

  /// A time of nft's: `90s`, `1m30s`, `1d2h`; nil for one that has no whole seconds.
  private static func seconds(of text: Substring) -> UInt64? {
    var total: UInt64 = 0
    var rest = text
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      rest = rest.dropFirst(digits.count)
      let unit = rest.prefix { $0.isLetter }
      rest = rest.dropFirst(unit.count)
      let factors: [Substring: UInt64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
      guard let count = UInt64(digits), let factor = factors[unit] else { return nil }
      let (product, isTooLarge) = count.multipliedReportingOverflow(by: factor)
      let (sum, overflows) = total.addingReportingOverflow(product)
      guard !isTooLarge, !overflows else { return nil }
      total = sum
    }
    return text.isEmpty ? nil : total
  }

  /// `rate [over] 5/second [burst 10 packets]`, or `rate 10 kbytes/second [burst 1 mbytes]`.
  private mutating func limit() -> String? {
    guard take("rate") else { return nil }
    let over = take("over")
    guard let amount = takeAny() else { return nil }
    var parts = amount.split(separator: "/", omittingEmptySubsequences: false)
    var unit: Substring = "packets"
    if parts.count == 1 {
      guard let period = takeAny()?.split(separator: "/"), period.count == 2 else { return nil }
      unit = period[0]
      parts.append(period[1])
    }
    guard parts.count == 2, let rate = UInt64(parts[0]) else { return nil }
    var json = #"{"rate":\#(rate),"rate_unit":"\#(unit)","per":"\#(parts[1])","inv":\#(over)"#
    if take("burst") {
      guard let burst = takeAny().flatMap({ UInt64($0) }), let burstUnit = takeAny() else {
        return nil
      }
      json += #","burst":\#(burst),"burst_unit":"\#(burstUnit)""#
    }
    return json + "}"
  }

  private mutating func count() -> String? {
    let over = take("over")
    guard let count = takeAny().flatMap({ UInt32($0) }) else { return nil }
    return #"{"val":\#(count),"inv":\#(over)}"#
  }

  // MARK: - Values

  /// One value, or several joined by ` . `.
  private mutating func expression() -> String? {
    var parts: [String] = []
    repeat {
      guard let part = masked() else { return nil }
      parts.append(part)
    } while take(".")
    return parts.count == 1 ? parts[0] : #"{"concat":[\#(parts.joined(separator: ","))]}"#
  }

  /// A value, or a value and a constant that it is masked with.
  private mutating func masked() -> String? {
    guard let value = primary() else { return nil }
    guard take("&") || take("and") else { return value }
    guard let mask = constant() else { return nil }
    switch next {
    case "|", "or", "^", "xor", "<<", "lshift", ">>", "rshift", "&", "and": return nil
    default: return #"{"&":[\#(value),\#(mask)]}"#
    }
  }

  private mutating func primary() -> String? {
    guard let first = next else { return nil }
    if first.hasPrefix("@") { return raw() }
    if let field = payload(first) { return field }
    switch first {
    case "meta":
      position += 1
      return takeAny().map(Self.meta)
    case "ct":
      position += 1
      return connection()
    case "iif", "oif", "iifname", "oifname", "iiftype", "oiftype", "iifgroup", "oifgroup", "skuid",
      "skgid", "pkttype", "cpu", "rtclassid", "cgroup":
      position += 1
      return Self.meta(first)
    default: return constant()
    }
  }

  private static func meta(_ key: Substring) -> String { #"{"meta":{"key":"\#(key)"}}"# }

  /// `ip saddr`; names of fields have one word or two.
  private mutating func payload(_ header: Substring) -> String? {
    for length in [2, 1] {
      let end = position + 1 + length
      guard end <= words.count else { continue }
      let name = words[(position + 1)..<end].joined(separator: " ")
      guard PayloadFields.field(name, of: String(header)) != nil else { continue }
      position = end
      return #"{"payload":{"protocol":"\#(header)","field":"\#(name)"}}"#
    }
    return nil
  }

  /// `ct mark`, `ct original ip saddr`.
  private mutating func connection() -> String? {
    var direction: Substring?
    if next == "original" || next == "reply" { direction = takeAny() }
    var family: Substring?
    if next == "ip" || next == "ip6" { family = takeAny() }
    guard let key = takeAny() else { return nil }
    var json = #"{"ct":{"key":"\#(key)""#
    if let direction { json += #","dir":"\#(direction)""# }
    if let family { json += #","family":"\#(family)""# }
    return json + "}}"
  }

  /// A part of a header by its place: `@nh,96,32`.
  private mutating func raw() -> String? {
    let parts = takeAny()?.dropFirst().split(separator: ",") ?? []
    guard parts.count == 3, let offset = UInt(parts[1]), let length = UInt(parts[2]) else {
      return nil
    }
    return #"{"payload":{"base":"\#(parts[0])","offset":\#(offset),"len":\#(length)}}"#
  }

  private mutating func constant() -> String? {
    guard var word = takeAny(), !["{", "}", ":", "."].contains(word) else { return nil }
    if word.hasPrefix("\""), word.hasSuffix("\""), word.utf8.count >= 2 {
      word = word.dropFirst().dropLast()
    }
    guard !word.utf8.contains(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") })
    else { return nil }
    return "\"\(word)\""
  }
}
