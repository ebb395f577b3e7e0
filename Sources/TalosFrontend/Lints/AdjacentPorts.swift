import Addresses
import Diagnostics

/// Before 1.7.6 the kernel need not find a port that begins a range where another ends.
///
/// Source: github.com/siderolabs/talos/issues/9009; ``LoadedPorts`` says which are found.
enum AdjacentPorts: Lint {
  static let code: Diagnostic.Code = "talos.adjacent-ports"
  static var codes: [Diagnostic.Code] { [code] }

  static func findings(in subject: LintSubject) -> [Diagnostic] {
    guard !FirewallFeatures(subject.version).joinsPortRanges else { return [] }
    return subject.configuration.rules.flatMap { findings(in: $0.ports) }
  }

  private static func findings(in ports: [Located<PortRange>]) -> [Diagnostic] {
    let loaded = LoadedPorts(ports.map(\.value), areJoined: false)
    let found = IntervalSet(loaded.certain)
    let perhapsFound = IntervalSet(loaded.doubtful)
    let joined = LoadedPorts(ports.map(\.value), areJoined: true).certain
    return ports.compactMap { later in
      let port = UInt128(later.value.lower)
      guard !found.contains(port),
        let earlier = ports.first(where: { $0.value.upper < .max && $0.value.upper + 1 == port }),
        let range = joined.first(where: { $0.lower <= port && port <= $0.upper })
      else { return nil }
      let isDoubtful = perhapsFound.contains(port)
      return Diagnostic(
        code, isDoubtful ? .warning : .error,
        "before Talos 1.7.6 port \(port) \(isDoubtful ? "may not be" : "is not") matched "
          + "after \(earlier.value.upper)",
        at: Diagnostic.Label(later.span, "follows on"),
        secondary: [Diagnostic.Label(earlier.span, "this")],
        help: "write them as one range:\nports:\n    - \(range.lower)-\(range.upper)")
    }
  }
}
