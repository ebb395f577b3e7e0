/// What nft's JSON leaves out and its text tells, as the bytes of a listing show it.
///
/// nft 1.0.6 lists xtables extensions by their names alone, ingress and egress chains without
/// their devices, the flags of a table wrongly, and the types of some sets as plain numbers, which
/// matter to chains without a name. Source: nft 1.0.6, src/json.c.
enum ListingGaps {
  /// What stands in a listing that may need its text beside it.
  private static let marks = [
    #""xt": {"#, #""hook": "ingress""#, #""hook": "egress""#, #""jump {"#, #""goto {"#,
  ]

  /// Whether the listing may have rules that nft lists like others with another bytecode: those
  /// that read a header or reject after a test that the listing leaves out, and bounds of two fields
  /// that it shows as a range of one.
  ///
  /// The bytecode of a large ruleset costs as much again as its listing, and is not asked for.
  static func mayHideTests(in context: borrowing NftablesContext) -> Bool {
    guard context.outputCount <= largestWithBytecode else { return false }
    let marks = [
      #"{"payload": {"#, #"{"exthdr": {"#, #"{"tcp option": {"#, #"{"ip option": {"#,
      #"{"sctp chunk": {"#, #"{"reject": "#, #"{"range": ["#,
    ]
    for mark in marks where context.offset(of: mark, from: 0) != nil { return true }
    return false
  }

  /// In bytes of JSON.
  private static let largestWithBytecode = 1 << 20

  /// The families whose text has to be listed by a process each: libxtables, once it has looked for
  /// an extension for one family, does not find all of those of another.
  static func familiesWithExtensions(in context: borrowing NftablesContext) -> [String] {
    guard context.offset(of: #""xt": {"#, from: 0) != nil else { return [] }
    var families: [String] = []
    for family in ["ip", "ip6", "inet", "arp", "bridge", "netdev"]
    where context.offset(of: "\"family\": \"\(family)\"", from: 0) != nil {
      families.append(family)
    }
    return families
  }

  /// Whether the listing that a context has printed has gaps that its text may close.
  static func exist(in context: borrowing NftablesContext) -> Bool {
    for mark in marks where context.offset(of: mark, from: 0) != nil { return true }
    return aTableHasFlags(context)
  }

  private static func aTableHasFlags(_ context: borrowing NftablesContext) -> Bool {
    var offset = 0
    while let start = context.offset(of: #"{"table": {"#, from: offset) {
      let end = context.offset(of: "}", from: start) ?? start
      if let flags = context.offset(of: #""flags": "#, from: start), flags < end { return true }
      offset = max(end, start + 1)
    }
    return false
  }
}
