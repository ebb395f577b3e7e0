internal import Rulesets

/// What each rule tests in the kernel, as far as nft's JSON lists rules alike that differ in it.
///
/// nft prints the bytecode of every rule on demand: a line with the family, table, chain and handle
/// of the rule, and a line for each instruction.
///
/// Source: `nft --debug=netlink list ruleset` of nft 1.0.6; libnftnl, src/rule.c and src/expr/.
struct NftBytecode {
  /// Tests of a rule that a listing may leave out.
  struct Tests {
    /// Whether the rule tests for one family: by `meta nfproto`, or by the frame's protocol.
    var family = false
    /// The type that the frame is tested for by itself, in host order; nil where it is not.
    var etherType: UInt16?
    /// Whether a lower bound of one value and an upper bound of another follow each other.
    var joinsBounds = false
    /// Protocols that are compared for equality by themselves, in the order of the rule.
    var protocols: [PlacedTest] = []
    /// How many instructions leave something behind, pass by what others left, or give a verdict.
    var effectCount = 0
    /// Whether the rule reads what protocol the packet carries.
    var readsTransport = false
    /// The octets of headers of which bits are tested that do not lie side by side.
    var holedMasks: [(base: PayloadField.Base, octets: Range<Int>)] = []

    /// Whether a part of an octet is tested together with other bits.
    func holesMask(of field: PayloadField) -> Bool {
      guard field.bitLength % 8 != 0 else { return false }
      return holedMasks.contains {
        $0.base == field.base && $0.octets.contains(field.bitOffset / 8)
      }
    }
  }

  /// A comparison that nft leaves out of a listing before a field of a header that it takes for
  /// that of the protocol, or before `reject`.
  enum ProtocolTest: Hashable {
    /// `meta l4proto`, `meta nfproto` or `meta protocol` is this number.
    case meta(MetaKey, UInt16)
    /// `ct protocol` or `ct l3proto` is this number.
    case connection(ConnectionKey, UInt8)
    /// The octet of the network header that this many precede is this number.
    case networkHeader(offset: Int, UInt8)
  }

  /// A comparison and its place in the rule.
  struct PlacedTest: Hashable {
    var test: ProtocolTest
    /// How many instructions with effects come before it.
    var effectsBefore: Int
  }

  private struct RuleName: Hashable {
    var chain: NftTextRules.ChainName
    var handle: Int
  }

  private var tests: [RuleName: Tests] = [:]

  /// Reads what nft printed; other lines are passed over.
  init(_ bytes: [UInt8]) {
    var current: RuleName?
    var reader = RuleReader()
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      guard line.starts(with: "  [ ".utf8) else {
        if let current { tests[current] = reader.tests }
        current = Self.name(line)
        reader = RuleReader()
        continue
      }
      guard current != nil else { continue }
      reader.read(String(decoding: line.dropFirst(4).dropLast(2), as: UTF8.self))
    }
    if let current { tests[current] = reader.tests }
  }

  /// What a rule tests; nil for a rule that was not printed.
  func tests(of handle: Int, in chain: NftTextRules.ChainName) -> Tests? {
    tests[RuleName(chain: chain, handle: handle)]
  }

  /// `inet t c 3 2`: the last number, where there is one, is the rule before.
  private static func name(_ line: ArraySlice<UInt8>) -> RuleName? {
    let words = String(decoding: line, as: UTF8.self).split(separator: " ")
    guard 4...5 ~= words.count, let family = Family(rawValue: String(words[0])),
      let handle = Int(words[3])
    else { return nil }
    return RuleName(
      chain: NftTextRules.ChainName(
        family: family, table: String(words[1]), chain: String(words[2])),
      handle: handle)
  }
}

/// Goes through the instructions of one rule.
private struct RuleReader {
  private(set) var tests = NftBytecode.Tests()
  /// What was done since the last comparison.
  private var operand: [String] = []
  /// What is compared, as long as nothing else is loaded.
  private var compared: [String] = []
  /// What the last comparison gave a bound to, and the comparison that ends a range.
  private var bound: (of: [String], end: String)?

  mutating func read(_ instruction: String) {
    guard instruction.hasPrefix("cmp ") else {
      noteMask(instruction, on: operand.last)
      let hasEffects = Self.hasEffects(instruction)
      if hasEffects { tests.effectCount += 1 }
      if Self.readsTransport(instruction) { tests.readsTransport = true }
      if Self.isComparison(instruction) || hasEffects && !instruction.hasPrefix("numgen ") {
        operand = []
      } else {
        operand.append(instruction)
      }
      return
    }
    let words = instruction.split(separator: " ")
    guard words.count >= 2 else { return }
    if !operand.isEmpty { compared = operand }
    if let bound, bound.end == words[1], bound.of != compared { tests.joinsBounds = true }
    switch words[1] {
    case "gte": bound = (compared, "lte")
    case "lt": bound = (compared, "gt")
    case "eq":
      bound = nil
      note(compared.last ?? "", equals: words)
      if operand.count == 1, words.count == 5 { noteProtocol(operand[0], equals: words[4]) }
    default: bound = nil
    }
    operand = []
  }

  /// Takes note of a comparison of what was loaded before it.
  private mutating func note(_ load: String, equals words: [Substring]) {
    if load.hasPrefix("meta load nfproto ") || load.hasPrefix("meta load protocol ") {
      tests.family = true
    }
    guard load.hasPrefix("payload load 2b @ link header + 12 "), let word = words.last,
      word.hasPrefix("0x"), let value = UInt32(word.dropFirst(2), radix: 16)
    else { return }
    // The register is printed as a number of the host, and holds what is in the frame.
    tests.etherType = UInt16(truncatingIfNeeded: value).bigEndian
  }

  /// Whether an instruction does more than load a value or look one up.
  private static func hasEffects(_ instruction: String) -> Bool {
    let words = instruction.split(separator: " ", maxSplits: 3)
    switch words.first {
    case "bitwise", "byteorder", "range", "fib", "hash", "osf": return false
    case "immediate": return words.count > 2 && words[2] == "0"
    // With a verdict for its data, which goes to register 0.
    case "lookup": return instruction.contains(" dreg 0 ")
    case "numgen": return !instruction.contains("= random ")
    default: return words.count < 2 || words[1] != "load"
    }
  }

  /// Whether an instruction compares what was loaded, without `cmp`.
  private static func isComparison(_ instruction: String) -> Bool {
    instruction.hasPrefix("range ")
      || instruction.hasPrefix("lookup ") && !instruction.contains(" dreg ")
  }

  private static func readsTransport(_ instruction: String) -> Bool {
    instruction.hasPrefix("meta load l4proto ")
      || instruction.hasPrefix("payload load 1b @ network header + 6 ")
      || instruction.hasPrefix("payload load 1b @ network header + 9 ")
  }

  private mutating func note(_ test: NftBytecode.ProtocolTest) {
    let placed = NftBytecode.PlacedTest(test: test, effectsBefore: tests.effectCount)
    if !tests.protocols.contains(placed) { tests.protocols.append(placed) }
  }

  /// `cmp eq reg 1 0x00000032` after `meta load l4proto => reg 1`.
  private mutating func noteProtocol(_ load: String, equals value: Substring) {
    guard let number = UInt16(value.dropFirst(2), radix: 16) else { return }
    let words = load.split(separator: " ")
    guard words.count > 2, words[1] == "load" else { return }
    // The register is printed as a number of the host, and holds what is in the frame.
    if words[0] == "meta", words[2] == "protocol" {
      return note(.meta(.etherProtocol, number.bigEndian))
    }
    guard let number = UInt8(exactly: number) else { return }
    switch (words[0], words[2]) {
    case ("meta", "l4proto"): note(.meta(.l4proto, UInt16(number)))
    case ("meta", "nfproto"): note(.meta(.nfproto, UInt16(number)))
    // `payload load 1b @ network header + 6 => reg 1`
    case ("payload", "1b") where words.count > 7 && words[4] == "network":
      guard let offset = Int(words[7]) else { return }
      note(.networkHeader(offset: offset, number))
    case ("ct", "protocol"), ("ct", "l3protocol"):
      // `ct load protocol => reg 1 , dir original`
      let direction = words.last.flatMap { ConnectionKey.Direction(rawValue: String($0)) }
      let isNetwork = words[2] == "l3protocol"
      let key = ConnectionKey(
        key: isNetwork ? .networkProtocol : .transportProtocol, direction: direction,
        type: isNetwork ? .networkProtocol : .transportProtocol)
      note(.connection(key, number))
    default: break
    }
  }

  /// `bitwise reg 1 = ( reg 1 & 0x000000eb ) ^ 0x00000000` after
  /// `payload load 1b @ network header + 1 => reg 1`.
  private mutating func noteMask(_ instruction: String, on load: String?) {
    guard instruction.hasPrefix("bitwise "), let load, load.hasPrefix("payload load ") else {
      return
    }
    let place = load.split(separator: " ")
    guard place.count > 7, place[2].hasSuffix("b"), let count = Int(place[2].dropLast()),
      let offset = Int(place[7])
    else { return }
    let base: PayloadField.Base
    switch place[4] {
    case "link": base = .link
    case "network": base = .network
    case "transport": base = .transport
    default: return
    }
    let masks = instruction.split(separator: ")")[0].split(separator: "&").dropFirst().first ?? ""
    // Registers are printed as numbers of the host, and hold octets of the packet.
    var octets: [UInt8] = []
    for word in masks.split(separator: " ") {
      guard let value = UInt32(word.dropFirst(2), radix: 16) else { return }
      octets += [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: value >> $0) }
    }
    guard octets.count >= count else { return }
    let bits = octets[..<count].flatMap { octet in (0..<8).map { octet >> (7 - $0) & 1 == 1 } }
    let runs = bits.indices.count { bits[$0] && ($0 == 0 || !bits[$0 - 1]) }
    if runs > 1 { tests.holedMasks.append((base, offset..<offset + count)) }
  }
}
