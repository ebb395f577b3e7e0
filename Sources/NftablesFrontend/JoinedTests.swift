import Rulesets

/// Tests that nft 1.0.6 lists one by one and that are one test in the kernel.
///
/// nft joins comparisons of neighbouring fields into one wide load, those with `!=` too, and takes
/// them apart again in listings. `udp sport != 53 udp dport != 53` is then loaded as "not both are
/// 53", and listed as if it were "neither is 53". Which of the two the kernel holds, a listing does
/// not tell.
enum JoinedTests {
  static let reason = "nft may have joined this test with its neighbour's, to \"not both\""

  /// The statements, in which such tests may hold or not.
  static func doubted(in statements: [Statement]) -> [Statement] {
    var joined: Set<Int> = []
    for index in statements.indices.dropFirst() {
      guard let before = inequality(statements[index - 1]),
        let here = inequality(statements[index]),
        before.base == here.base, before.bitOffset + before.bitLength == here.bitOffset
      else { continue }
      joined.formUnion([index - 1, index])
    }
    guard !joined.isEmpty else { return statements }
    var statements = statements
    for index in joined {
      guard case .match(var match) = statements[index], let field = inequality(statements[index])
      else { continue }
      let name = field.name ?? "@\(field.base.rawValue),\(field.bitOffset),\(field.bitLength)"
      match.left = .unmodelled(Unmodelled(text: name, reason: reason))
      statements[index] = .match(match)
    }
    return statements
  }

  /// The field that a statement holds to be no certain value.
  private static func inequality(_ statement: Statement) -> PayloadField? {
    guard case .match(let match) = statement, match.operator == .notEqual,
      case .value = match.right
    else { return nil }
    switch match.left {
    case .selector(let selector), .masked(.selector(let selector), _, _):
      guard case .payload(let field) = selector.field else { return nil }
      return field
    case .constant, .masked, .shifted, .concatenation, .lookup, .unmodelled: return nil
    }
  }
}
