internal import Rulesets

/// What each rule tests in the kernel, as far as nft's JSON lists rules alike that differ in it.
///
/// nft prints the bytecode of every rule on demand: a line with the family, table, chain and handle
/// of the rule, and a line for each instruction.
///
/// Source: `nft --debug=netlink list ruleset` of nft 1.0.6; libnftnl, src/rule.c and src/expr/.
struct NftBytecode {
  /// Tests of a rule that a listing may leave out.
  struct Tests: Hashable {
    /// Whether the rule tests for one family: by `meta nfproto`, or by the frame's protocol.
    var family = false
    /// The type that the frame is tested for by itself, in host order; nil where it is not.
    var etherType: UInt16?
  }

  private struct RuleName: Hashable {
    var chain: NftTextRules.ChainName
    var handle: Int
  }

  private var tests: [RuleName: Tests] = [:]

  /// Reads what nft printed; other lines are passed over.
  init(_ bytes: [UInt8]) {
    var current: RuleName?
    var loaded = ""
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      guard line.starts(with: "  [ ".utf8) else {
        current = Self.name(line)
        if let current { tests[current] = Tests() }
        loaded = ""
        continue
      }
      guard let current else { continue }
      let text = String(decoding: line.dropFirst(4).dropLast(2), as: UTF8.self)
      if text.hasPrefix("cmp eq ") {
        tests[current]?.note(loaded, equals: text)
      } else {
        loaded = text
      }
    }
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

extension NftBytecode.Tests {
  /// Takes note of a comparison of what was loaded before it.
  fileprivate mutating func note(_ load: String, equals comparison: String) {
    if load.hasPrefix("meta load nfproto ") || load.hasPrefix("meta load protocol ") {
      family = true
    }
    guard load.hasPrefix("payload load 2b @ link header + 12 "),
      let word = comparison.split(separator: " ").last, word.hasPrefix("0x"),
      let value = UInt32(word.dropFirst(2), radix: 16)
    else { return }
    // The register is printed as a number of the host, and holds what is in the frame.
    etherType = UInt16(truncatingIfNeeded: value).bigEndian
  }
}
