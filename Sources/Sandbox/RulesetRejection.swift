package import Netfilter

/// Why a ruleset cannot be loaded here.
package struct RulesetRejection: Hashable, Sendable {
  /// All that nft had to say, in its own words.
  package var words: String
  /// What it did not take, or nil where it does not say.
  ///
  /// A line of nft text, or an object of a listing.
  package var statement: String?
  /// The line of the text, counted from 1, and the columns; nil in listings.
  package var place: NftMessage.Place?

  package init(words: String, statement: String? = nil, place: NftMessage.Place? = nil) {
    self.words = words
    self.statement = statement
    self.place = place
  }

  /// The reason in one line, without the place: `Could not process rule: No such file or directory`.
  package var reason: String {
    if let message = NftMessage.parse(words).first(where: { $0.severity == .error }) {
      return message.text
    }
    return String(words.split(separator: "\n").first ?? "nft gives no reason")
  }

  /// What the kernel may have been built without, as its option: `CONFIG_NFT_SYNPROXY`.
  ///
  /// It is a guess from the statement, made only where the kernel says that something is missing.
  package var kernelOption: String? {
    guard let statement,
      ["No such file or directory", "Operation not supported"].contains(where: reason.hasSuffix)
    else { return nil }
    let words = Set(
      statement.split { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "-" }.map(String.init))
    return Self.options.first { words.isSuperset(of: $0.words) }?.option
  }

  /// Source: net/netfilter/Kconfig.
  private static let options: [(words: Set<String>, option: String)] = [
    (["synproxy"], "CONFIG_NFT_SYNPROXY"),
    (["flowtable"], "CONFIG_NF_FLOW_TABLE"),
    (["flow", "add"], "CONFIG_NFT_FLOW_OFFLOAD"),
    (["tproxy"], "CONFIG_NFT_TPROXY"),
    (["socket"], "CONFIG_NFT_SOCKET"),
    (["osf"], "CONFIG_NFT_OSF"),
    (["queue"], "CONFIG_NFT_QUEUE"),
    (["ipsec"], "CONFIG_NFT_XFRM"),
    (["tunnel"], "CONFIG_NFT_TUNNEL"),
    (["fib"], "CONFIG_NFT_FIB_INET"),
    (["numgen"], "CONFIG_NFT_NUMGEN"),
    (["jhash"], "CONFIG_NFT_HASH"),
    (["symhash"], "CONFIG_NFT_HASH"),
    (["ct", "count"], "CONFIG_NFT_CONNLIMIT"),
    (["ct", "helper"], "CONFIG_NF_CONNTRACK and the helper's module"),
    (["ct"], "CONFIG_NFT_CT"),
    (["masquerade"], "CONFIG_NFT_MASQ"),
    (["redirect"], "CONFIG_NFT_REDIR"),
    (["dnat"], "CONFIG_NFT_NAT"),
    (["snat"], "CONFIG_NFT_NAT"),
    (["reject"], "CONFIG_NFT_REJECT"),
    (["quota"], "CONFIG_NFT_QUOTA"),
    (["limit"], "CONFIG_NFT_LIMIT"),
    (["log"], "CONFIG_NFT_LOG"),
    (["dup"], "CONFIG_NFT_DUP_IPV4, CONFIG_NFT_DUP_IPV6 or CONFIG_NFT_DUP_NETDEV"),
    (["fwd"], "CONFIG_NFT_FWD_NETDEV"),
    (["xt"], "CONFIG_NFT_COMPAT"),
  ]
}

extension RulesetRejection {
  /// Reads what nft says of a text.
  init(words: String) {
    let message = NftMessage.parse(words).first { $0.severity == .error }
    // A listing has no lines of which a message could speak.
    let isPlaced = message?.place.map { $0.line > 0 && $0.firstColumn > 0 } ?? false
    self.init(
      words: words, statement: isPlaced ? message?.sourceLine : nil,
      place: isPlaced ? message?.place : nil)
  }
}

extension RulesetRejection: CustomStringConvertible {
  package var description: String {
    var text = reason
    if let place { text += ", line \(place.line)" }
    if let statement {
      let short = statement.prefix(200)
      text +=
        ": `\(short.drop { $0 == " " || $0 == "\t" })\(short.count < statement.count ? "…" : "")`"
    }
    if let kernelOption { text += " (does the kernel have \(kernelOption)?)" }
    return text
  }
}
