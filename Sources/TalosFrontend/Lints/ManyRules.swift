import Diagnostics

/// Until 1.13.8 the buffer of the netlink socket held the answers to some 270 messages: with more
/// the node hangs while it boots.
///
/// Source: github.com/siderolabs/talos/issues/14001.
enum ManyRules: Lint {
  static let code: Diagnostic.Code = "talos.many-rules"
  static var codes: [Diagnostic.Code] { [code] }

  /// Upstream saw it fail with more than 91 rules of one set each, three messages a rule.
  private static let limit = 270
  /// Rules that are added later, and sets of addresses of the node, should still fit.
  private static let margin = 220

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    let isBounded =
      subject.version < TalosVersion(1, 13, 9)
      || (subject.version >= TalosVersion(1, 14, 0, .alpha(0))
        && subject.version < TalosVersion(1, 14, 0, .candidate(1)))
    let count = ChainLowering(subject.version).messageCount(of: subject.chains)
    guard isBounded, count > margin else { return [] }
    let rules = subject.configuration.rules.count
    return [
      Diagnostic(
        code, count > limit ? .error : .warning,
        "\(rules) rules take \(count) netlink messages, and Talos \(subject.version) "
          + "fails to boot from some \(limit) on",
        at: subject.configuration.rules.last.map { LintSubject.place($0, "the last of them") }
          ?? subject.modePlace,
        help: "merge rules that have the same protocol and sources into one with several ports, "
          + "or use Talos 1.13.9 or newer")
    ]
  }
}
