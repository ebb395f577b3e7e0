internal import CLinuxShims
internal import LinuxKernel

/// Loads rulesets into the network namespace of this process.
///
/// It is for a child process that has a namespace of its own: libnftables may end the process, and
/// large rulesets are not loaded in one transaction.
///
/// The socket is kept from one ruleset to the next: when one is closed, the kernel waits until
/// what was removed through it is gone for all readers, some ten milliseconds.
package struct RulesetLoader: ~Copyable {
  package enum Outcome: Hashable, Sendable {
    case loaded
    /// What nft has against it, in its own words.
    case rejected(words: String)
    case outOfMemory
  }

  private var context: NftablesContext?

  package init() {
    // Without privilege on the machine libnftables cannot enlarge its socket for a large ruleset.
    portproof_split_large_batches(1)
  }

  /// Loads nft commands, or a listing in JSON.
  package mutating func load(_ ruleset: [UInt8]) -> Outcome {
    guard let context = context.take() ?? NftablesContext() else { return .outOfMemory }
    // Of a file, nft says at which line something is wrong. It wants a newline behind a comment.
    guard let file = try? Descriptor.memoryFile(holding: ruleset + [UInt8(ascii: "\n")]) else {
      return .outOfMemory
    }
    guard context.load(file.path) else {
      // What it thinks is loaded may now be wrong, so the context goes.
      return .rejected(words: context.takeErrors())
    }
    self.context = consume context
    return .loaded
  }
}
