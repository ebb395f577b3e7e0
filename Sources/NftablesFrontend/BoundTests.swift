import Rulesets

/// Bounds of two fields that nft 1.0.6 lists as one range.
///
/// `ip protocol >= 47 ip daddr <= 8.8.8.8` is listed as `ip daddr 0.0.0.47-8.8.8.8`: nft takes a
/// lower bound and an upper one that follows it for the two ends of a range wherever both fields are
/// of one kind (headers, `meta`, `ct`). The bytecode tells; a listing alone does not.
///
/// Source: nft 1.0.6, src/netlink_delinearize.c, `expr_may_merge_range`.
enum BoundTests {
  static let reason = "nft may have listed the bounds of two fields as a range of one"

  /// The statements, in which no range is certain.
  static func doubted(in statements: [Statement]) -> [Statement] {
    statements.map { statement in
      guard case .match(var match) = statement, case .range = match.right else { return statement }
      match.left = .unmodelled(Unmodelled(text: "a range", reason: reason))
      return .match(match)
    }
  }
}
