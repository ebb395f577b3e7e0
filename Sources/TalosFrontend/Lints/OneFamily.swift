import Addresses
import Diagnostics

/// Rules that name addresses of one family say something about the other as well.
enum OneFamily: Lint {
  static let code: Diagnostic.Code = "talos.one-family"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    IPFamily.allCases.compactMap { family in
      let rules = subject.configuration.rules.filter { rule in
        let sources = rule.sources
        return sources[family].isEmpty && !sources.isEmpty
      }
      guard let first = rules.first else { return nil }
      let other: IPFamily = family == .ipv4 ? .ipv6 : .ipv4
      let names = rules.map { "`\($0.name.value)`" }
      let some =
        names.prefix(4).joined(separator: ", ")
        + (names.count > 4 ? " and \(names.count - 4) more" : "")
      let effect =
        subject.isBlocking
        ? "over \(family.name) nobody reaches their ports"
        : "their ports are closed to \(family.name) altogether"
      return Diagnostic(
        code, isInUse(family, subject) ? .warning : .note,
        "\(some) \(rules.count == 1 ? "names" : "name") \(other.name) addresses only: \(effect)",
        at: first.ingressSpan.map { Diagnostic.Label($0, "no \(family.name) subnet") }
          ?? LintSubject.place(first),
        help: "add the \(family.name) subnet, or ignore this in a cluster without \(family.name)\n"
          + "    - subnet: \(family == .ipv4 ? "$CLUSTER_SUBNET" : "$CLUSTER_SUBNET_V6")")
    }
  }

  /// Whether the cluster is known to have addresses of a family.
  private static func isInUse(_ family: IPFamily, _ subject: LintSubject) -> Bool {
    let cluster = subject.cluster
    let known = cluster.controlPlanes.union(cluster.workers).union(cluster.own).union(subject.pods)
    let named = subject.configuration.rules.contains { rule in
      rule.ingress.contains { $0.subnet.value.family == family && $0.subnet.value.length > 0 }
    }
    return named || !known[family].isEmpty
  }
}

extension IPFamily {
  /// How people write it.
  fileprivate var name: String { self == .ipv4 ? "IPv4" : "IPv6" }
}
