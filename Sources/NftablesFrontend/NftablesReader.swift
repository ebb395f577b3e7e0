package import Diagnostics
package import Documents
package import Rulesets

/// Reads what `nft -j list ruleset` prints, of nft 1.0.6 to 1.1, numeric (`-n`) and symbolic.
///
/// ```swift
/// var sources = SourceMap()
/// let reading = NftablesReader.read(bytes, name: "fw.json", sources: &sources)
/// guard let ruleset = reading.ruleset else { … render reading.diagnostics … }
/// ```
package enum NftablesReader {
  /// What became of a file.
  package struct Reading: Sendable {
    /// The ruleset; nil if any diagnostic is an error.
    package let ruleset: Ruleset?
    package let diagnostics: [Diagnostic]
  }

  /// Reads a file and adds it to `sources`, so that every rule's provenance points into it.
  ///
  /// Constructs that the model does not cover are no diagnostics but `.unmodelled` values in the
  /// ruleset, with their text and the reason.
  ///
  /// - Parameters:
  ///   - bytes: the JSON.
  ///   - name: the file's name, for diagnostics.
  ///   - sources: the map that the file is added to.
  ///   - tableFlags: what ``tableFlags(inText:)`` found, where a text listing is at hand.
  /// - Returns: the ruleset, or diagnostics that say why there is none.
  package static func read(
    _ bytes: [UInt8], name: String, sources: inout SourceMap, tableFlags: [String: [String]] = [:]
  ) -> Reading {
    let file = sources.add(SourceFile(name: name, bytes: bytes))
    do throws(JSONError) {
      let document = try JSONDocument(reading: bytes, limits: limits)
      return read(document, document.root, file: file, tableFlags: tableFlags)
    } catch {
      return Reading(
        ruleset: nil, diagnostics: [syntaxDiagnostic(error, bytes, file: file)])
    }
  }

  /// nft nests a dozen levels; deeper expressions are no listing and would cost stack.
  private static let limits = JSONLimits(depth: 96)

  private static func syntaxDiagnostic(
    _ error: JSONError, _ bytes: [UInt8], file: Int
  ) -> Diagnostic {
    let place = SourceSpan(file: file, lower: error.offset, upper: error.offset + 1)
    var diagnostic = Diagnostic(
      "nft.json-syntax", .error, "\(error)", at: Diagnostic.Label(place))
    if error.offset == 0 { diagnostic.help = NftLowering.listingHelp }
    let tail = bytes[max(0, error.offset - 12)..<error.offset]
    if error.found == nil, String(decoding: tail, as: UTF8.self).contains("\"flags\": ") {
      diagnostic.notes = ["nft 1.0.6 ends its listing early at a table with one flag"]
      diagnostic.help = "list with a newer nft, or remove the table's flag"
    }
    return diagnostic
  }

  /// The flags of each table in a text listing (`nft list ruleset`), by `family name`.
  ///
  /// nft 1.0.6 cannot be trusted with them in JSON: where a table has one flag it prints whatever
  /// the freed string's memory holds, or breaks the listing off.
  package static func tableFlags(inText text: String) -> [String: [String]] {
    var flags: [String: [String]] = [:]
    var table: String?
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "," })
      if line.hasPrefix("table "), words.count >= 3 {
        let name = "\(words[1]) \(words[2])"
        flags[name] = []
        table = name
      } else if let name = table, words.first == "flags" {
        flags[name] = words.dropFirst().map { String($0.filter { $0 != ";" }) }
        table = nil
      } else if words.last == "{" {
        // A set or chain begins: flags from here on are not the table's.
        table = nil
      }
    }
    return flags
  }

  /// Reads a listing that is a value inside a document, whose text is file number `file`.
  package static func read(
    _ document: JSONDocument, _ node: JSONDocument.Node, file: Int,
    tableFlags: [String: [String]] = [:]
  ) -> Reading {
    var lowering = NftLowering(document: document, file: file, tableFlags: tableFlags)
    if let list = document.member("nftables", of: node), document.kind(of: list) == .array {
      lowering.lower(objects: list)
    } else {
      lowering.report(.foreign("it has no list called `nftables`"), at: node)
    }
    let hasErrors = lowering.diagnostics.contains { $0.severity == .error }
    return Reading(
      ruleset: hasErrors ? nil : lowering.ruleset, diagnostics: lowering.diagnostics)
  }
}
