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
  ///   - text: the text listing of the same ruleset, where it is at hand; it tells what the JSON
  ///     leaves out.
  ///   - bytecode: the bytecode of the same rules, where it is at hand; it tells what rules test that
  ///     are listed alike.
  ///   - retelling: loads commands and lists them, for statements that are listed as text.
  /// - Returns: the ruleset, or diagnostics that say why there is none.
  package static func read(
    _ bytes: [UInt8], name: String, sources: inout SourceMap, text: [UInt8]? = nil,
    bytecode: [UInt8]? = nil, retelling: NftRetelling? = nil
  ) -> Reading {
    let file = sources.add(SourceFile(name: name, bytes: bytes))
    do throws(JSONError) {
      let document = try JSONDocument(reading: bytes, limits: limits)
      return read(
        document, document.root, file: file, text: text, bytecode: bytecode,
        retelling: retelling)
    } catch {
      return Reading(
        ruleset: nil, diagnostics: [syntaxDiagnostic(error, bytes, file: file)])
    }
  }

  /// nft nests a dozen levels; deeper expressions are no listing and would cost stack.
  static let limits = JSONLimits(depth: 96)

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

  /// Reads a listing that is a value inside a document, whose text is file number `file`.
  package static func read(
    _ document: JSONDocument, _ node: JSONDocument.Node, file: Int, text: [UInt8]? = nil,
    bytecode: [UInt8]? = nil, retelling: NftRetelling? = nil
  ) -> Reading {
    var lowering = NftLowering(
      document: document, file: file, listingText: text.map { NftListingText($0) },
      bytecode: bytecode.map { NftBytecode($0) })
    if let list = document.member("nftables", of: node), document.kind(of: list) == .array {
      lowering.lower(objects: list)
      lowering.reportUnlistedExtensions()
      lowering.findTexts()
      if let retelling { lowering.retell(by: retelling) }
    } else {
      lowering.report(.foreign("it has no list called `nftables`"), at: node)
    }
    let hasErrors = lowering.diagnostics.contains { $0.severity == .error }
    return Reading(
      ruleset: hasErrors ? nil : lowering.ruleset, diagnostics: lowering.diagnostics)
  }
}
