/// Has commands of nft's language loaded and listed, where the system offers that.
///
/// Commands come in parts; what nft or the kernel refuses is left out of the listing with its part.
package typealias NftRetelling =
  (_ commands: [(part: Int, text: String)]) -> NftRetold

/// What became of commands.
package enum NftRetold: Hashable, Sendable {
  /// What `nft -j -n -a list ruleset` prints of them.
  case listing([UInt8])
  /// Nothing could be loaded; why, as a phrase.
  case failed(reason: String)
}

/// A rule, or one statement of it, that a listing in JSON does not tell.
struct NftLoss {
  var table: Int
  var chain: Int
  var rule: Int
  /// The statement that is listed as text; nil where xtables extensions lack their parameters, so
  /// that the whole rule has to be told.
  var statement: Int?
  /// The statement, or the rule where text tells it.
  var text: String?
  var extensions: [XtablesExtension] = []
}

/// An xtables extension as nft lists it.
struct XtablesExtension: Hashable {
  enum Kind: String, Hashable {
    case match
    case target
    case watcher
  }

  var kind: Kind
  var name: String
}
