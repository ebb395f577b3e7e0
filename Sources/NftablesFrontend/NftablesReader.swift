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
  package static func read(
    _ bytes: [UInt8], name: String, sources: inout SourceMap
  ) -> Reading {
    let file = sources.add(SourceFile(name: name, bytes: bytes))
    do throws(JSONError) {
      let document = try JSONDocument(reading: bytes)
      return read(document, document.root, file: file)
    } catch {
      let place = SourceSpan(file: file, lower: error.offset, upper: error.offset + 1)
      let isText = error.offset < 64 && bytes.starts(with: "table ".utf8)
      return Reading(
        ruleset: nil,
        diagnostics: [
          Diagnostic(
            "nft.json-syntax", .error, "\(error)", at: Diagnostic.Label(place),
            help: isText || error.offset == 0 ? NftLowering.listingHelp : nil)
        ])
    }
  }

  /// Reads a listing that is a value inside a document, whose text is file number `file`.
  package static func read(
    _ document: JSONDocument, _ node: JSONDocument.Node, file: Int
  ) -> Reading {
    var lowering = NftLowering(document: document, file: file)
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
