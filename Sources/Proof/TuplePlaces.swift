internal import Addresses
internal import PacketSets
internal import Rulesets

/// A member of a connection's tuples, as `ct original saddr` names it.
///
/// It stands for a dimension of the packet, or for one that keeps what translation exchanged: which,
/// depends on how far the packet came.
struct TupleMember: Hashable {
  let part: Binding.Part
  /// Whether it is the reply tuple's: what the opener's packets have after translation.
  let isTranslated: Bool

  init(_ part: Binding.Part, isTranslated: Bool) {
    self.part = part
    self.isTranslated = isTranslated
  }

  /// The first of the dimensions that stand for members, between fields and variables.
  private static let first = 1 << 19

  /// The member that a dimension stands for; nil for other dimensions.
  init?(_ dimension: Dimension) {
    let index = dimension.rawValue - Self.first
    guard (0..<8).contains(index) else { return nil }
    part = Binding.Part(end: index & 4 == 0 ? .source : .destination, isPort: index & 2 != 0)
    isTranslated = index & 1 != 0
  }

  var dimension: Dimension {
    Dimension(
      rawValue: Self.first + (part.end == .source ? 0 : 4) + (part.isPort ? 2 : 0)
        + (isTranslated ? 1 : 0))
  }

  var name: String {
    let isSource = (part.end == .source) != isTranslated
    let half = part.isPort ? (isSource ? "proto-src" : "proto-dst") : (isSource ? "saddr" : "daddr")
    return "ct \(isTranslated ? "reply" : "original") \(half)"
  }
}

/// Where the members of the connection's tuples stand for packets that came this far.
struct TuplePlaces {
  private let binding: Binding
  private let isReply: Bool

  init(_ state: PacketState, _ context: HookContext, at station: Int) {
    binding = state.bindings[station] ?? Binding()
    isReply = context.connection.isReply
  }

  func resolved(_ dimension: Dimension) -> Dimension {
    guard let member = TupleMember(dimension) else { return dimension }
    return binding.dimension(
      of: member.part, isTranslated: member.isTranslated, isReply: isReply)
  }

  func resolved(_ box: [Constraint]) -> [Constraint] {
    box.map { Constraint(resolved($0.dimension), $0.set, domain: $0.domain) }
  }
}
