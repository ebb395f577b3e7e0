internal import CLinuxShims

/// Loading rulesets into the network namespace of this process.
///
/// It is for a child process that has a namespace of its own: libnftables may end the process, and
/// large rulesets are not loaded in one transaction.
package enum RulesetLoading {
  package enum Outcome: Hashable, Sendable {
    case loaded
    /// What nft has against it, in its own words.
    case rejected(words: String)
    case outOfMemory
  }

  /// Loads nft commands, or a listing in JSON.
  package static func load(_ ruleset: [UInt8]) -> Outcome {
    // Without privilege on the machine libnftables cannot enlarge its socket for a large ruleset.
    portproof_split_large_batches(1)
    guard let context = NftablesContext() else { return .outOfMemory }
    if context.run(String(decoding: ruleset, as: UTF8.self)) { return .loaded }
    return .rejected(words: context.takeErrors())
  }
}
