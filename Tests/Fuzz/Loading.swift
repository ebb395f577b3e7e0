import Diagnostics
import Foundation
import Netfilter
import NftablesFrontend
import Rulesets

/// What the kernel made of a drawn ruleset.
struct LoadedRuleset {
  /// Without what nft or the kernel refused.
  var tree: RulesetTree
  var listing: [UInt8]
  /// What the JSON leaves out; nil where it leaves out nothing, or the listing is read alone.
  var text: [UInt8]?
  /// What the rules test; nil where the listing is read alone.
  var bytecode: [UInt8]?
  var ruleset: Ruleset
}

/// Loads rulesets; what nft does not take is taken out.
struct Loader {
  /// Whether rulesets are read from their listings alone, as a saved file is.
  var readsListingAlone = false
  /// Where the text is put for nft.
  let path: String
  private var refusedLines: [(text: String, reason: String)] = []
  /// Why the last ruleset was not loaded.
  private(set) var failure = ""

  init(worker: Int) {
    path = NSTemporaryDirectory() + "portproof-fuzz-\(getpid())-\(worker).nft"
  }

  /// What was refused since this was asked last.
  mutating func takeRefused() -> [(text: String, reason: String)] {
    defer { refusedLines = [] }
    return refusedLines
  }

  /// Removes the file.
  func close() { try? FileManager.default.removeItem(atPath: path) }

  /// - Returns: nil where nothing of the ruleset loads, or libnftables ends its process.
  mutating func load(_ drawn: RulesetTree, repairs: Bool = true) -> LoadedRuleset? {
    var tree = drawn
    for _ in 0..<40 {
      let lines = tree.lines
      if lines.isEmpty { return nil }
      let text = tree.text
      guard FileManager.default.createFile(atPath: path, contents: Data(text.utf8)) else {
        preconditionFailure("\(path) cannot be written")
      }
      var sources = SourceMap()
      let translation: LibnftablesReader.Translation
      do throws(NetfilterError) {
        translation = try LibnftablesReader().translate(path, into: &sources)
      } catch {
        failure = "\(error)"
        return nil
      }
      switch translation {
      case .loaded(let listing):
        let bytecode = readsListingAlone ? nil : listing.bytecode
        let text = readsListingAlone ? nil : listing.text
        let reading = NftablesReader.read(
          listing.json, name: "listing", sources: &sources, text: text, bytecode: bytecode)
        guard let ruleset = reading.ruleset else {
          failure = reading.diagnostics.first?.message ?? "not read"
          return nil
        }
        return LoadedRuleset(
          tree: tree, listing: listing.json, text: text, bytecode: bytecode, ruleset: ruleset)
      case .rejected(let diagnostics):
        guard repairs else { return nil }
        let refused = Set(
          diagnostics.compactMap { $0.primary.map { sources.position(of: $0.span).line - 1 } }
        ).filter { lines.indices.contains($0) }
        guard !refused.isEmpty else { return nil }
        for line in refused.sorted(by: >) {
          failure = "nothing of it loads"
          refusedLines.append((lines[line].text, diagnostics.first?.message ?? ""))
          tree.remove(lines[line].origin)
        }
      }
    }
    return nil
  }
}
