/// Whether a target answered a flow that is allowed, before and after it was asked about others.
///
/// Silence is evidence only between two signs of life.
package struct TargetLife: Hashable, Sendable {
  package var before: Bool
  package var after: Bool

  package init(before: Bool, after: Bool) {
    self.before = before
    self.after = after
  }

  package var isCertain: Bool { before && after }
}

extension Observation.Answer {
  /// Whether the target itself took the packet and answered: the way there and back works.
  package var isSignOfLife: Bool {
    switch self {
    case .synAcknowledgement, .reply: true
    case .reset, .icmpError, .notSent, .failed, .silence: false
    }
  }
}
