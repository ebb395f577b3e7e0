package import Rulesets

/// A firewall whose ruleset is loaded into the sandbox.
package struct ReplayedFirewall: Sendable {
  /// Its name in the scenario.
  package var name: String
  package var ruleset: Ruleset
  /// What the ruleset was read from: nft commands, or a listing in JSON.
  package var original: [UInt8]

  package init(name: String, ruleset: Ruleset, original: [UInt8]) {
    self.name = name
    self.ruleset = ruleset
    self.original = original
  }

  /// Whether the original is JSON.
  var isListing: Bool {
    let first = original.first { !" \t\r\n".utf8.contains($0) }
    return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
  }

  /// The name that the original has in a bundle.
  var fileName: String { isListing ? "ruleset.json" : "ruleset.nft" }
}
