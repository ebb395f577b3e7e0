internal import Diagnostics
internal import Rulesets

/// What a text listing (`nft -a list ruleset`) tells that the JSON of the same ruleset leaves out.
///
/// nft writes such a listing with one tab per level and one statement per line, apart from rules
/// and elements in braces; names and keywords are found by that, rules by ``NftTextRules``.
struct NftListingText {
  /// A chain or set, or with an empty name a table.
  typealias Name = NftTextRules.ChainName

  /// The flags of each table; empty for a table without any.
  private(set) var tableFlags: [Name: [String]] = [:]
  /// The devices of ingress and egress chains.
  private(set) var devices: [Name: [String]] = [:]
  /// The line that tells the type of a set or map: `typeof ip saddr . meta mark`.
  private(set) var types: [Name: String] = [:]
  private let bytes: [UInt8]
  private let rules: NftTextRules

  /// Reads a listing; what is not understood is not told.
  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    var sources = SourceMap()
    let file = sources.add(SourceFile(name: "", bytes: bytes))
    rules = NftTextRules(inFile: file, of: &sources) { _ in nil }
    readHeads()
  }

  /// A rule in nft's words.
  ///
  /// - Parameters:
  ///   - position: The rule's place in its chain, from 0.
  ///   - count: How many rules the chain has, which the text has to confirm.
  ///   - handle: The rule's handle, which has to stand behind it.
  ///   - chain: The chain.
  /// - Returns: The rule without its handle; nil where the text does not show it for certain.
  func rule(at position: Int, of count: Int, handle: Int, in chain: Name) -> String? {
    guard let rules = rules.rules(of: chain), rules.count == count, rules.indices.contains(position)
    else { return nil }
    let span = rules[position].span
    let rest = bytes[span.upper...].prefix { $0 != UInt8(ascii: "\n") }
    guard String(decoding: rest, as: UTF8.self) == " # handle \(handle)" else { return nil }
    return String(decoding: bytes[span.lower..<span.upper], as: UTF8.self)
  }

  private mutating func readHeads() {
    var table = Name(family: .ip, table: "", chain: "")
    var object = table
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let depth = line.prefix { $0 == UInt8(ascii: "\t") }.count
      guard depth <= 2 else { continue }
      let text = String(decoding: line.dropFirst(depth), as: UTF8.self)
      let words = text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == ";" }).map(
        String.init)
      guard let first = words.first else { continue }
      switch depth {
      case 0:
        guard first == "table", words.count >= 4, let family = Family(rawValue: words[1]) else {
          continue
        }
        table = Name(family: family, table: words[2], chain: "")
        tableFlags[table] = []
      case 1:
        object = table
        if words.count >= 3, words[2] == "{" { object.chain = words[1] }
        if first == "flags" { tableFlags[table] = Array(words.dropFirst()) }
      default:
        guard !object.chain.isEmpty else { continue }
        if first == "type" || first == "typeof" {
          if let hook = words.firstIndex(of: "hook") {
            devices[object] = Self.devices(in: words[(hook + 1)...])
          } else if types[object] == nil {
            types[object] = text
          }
        }
      }
    }
  }

  /// The names after `device`, or between the braces after `devices =`.
  private static func devices(in words: ArraySlice<String>) -> [String]? {
    guard let word = words.firstIndex(where: { $0 == "device" || $0 == "devices" }) else {
      return nil
    }
    let names = words[(word + 1)...].prefix { $0 != "priority" && $0 != "}" }
      .filter { $0 != "=" && $0 != "{" }
      .map { $0.filter { $0 != "\"" } }
    // `eth*` stands for interfaces that are not told.
    return names.isEmpty || names.contains { $0.hasSuffix("*") } ? nil : names
  }
}
