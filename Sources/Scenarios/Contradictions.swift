import Addresses
import Diagnostics

/// What one line demands of a set of packets.
struct Claim {
  let sources: AddressSet
  let destinations: AddressSet
  let flow: Flow
  /// Where the destinations of each family begin and end, to tell most pairs apart quickly.
  fileprivate let hulls: [Interval?]
  fileprivate let portHull: Interval

  init(flow: Flow) {
    self.flow = flow
    sources = flow.sources
    destinations = flow.destinations
    hulls = IPFamily.allCases.map {
      flow.families.contains($0) ? flow.destinations[$0].hull : nil
    }
    var lower: UInt128 = 65535
    var upper: UInt128 = 0
    for service in flow.services {
      switch service.kind {
      case .ports(_, let ports):
        lower = min(lower, ports.lowest ?? 0)
        upper = max(upper, ports.highest ?? 65535)
      case .any, .transport, .icmp, .icmpv6:
        (lower, upper) = (0, 65535)
      }
    }
    portHull = Interval(min(lower, upper), max(lower, upper))
  }
}

extension Resolver {
  /// A warning for each line that demands of some packet what an earlier line forbids.
  func contradictions() -> [Diagnostic] {
    let asked = claims.filter { $0.flow.skip == nil && $0.flow.expectedFailure == nil }
    // Claims in the order of their lowest ports: what begins after another ends cannot meet it.
    let byPort = asked.indices.sorted {
      (asked[$0].portHull.lower, $0) < (asked[$1].portHull.lower, $1)
    }
    var earliest: [Int: Int] = [:]
    var active: [Int] = []
    for index in byPort {
      let claim = asked[index]
      active.removeAll { asked[$0].portHull.upper < claim.portHull.lower }
      for other in active {
        let (earlier, later) = (min(index, other), max(index, other))
        if let found = earliest[later], found <= earlier { continue }
        if contradicts(asked[earlier], asked[later]) { earliest[later] = earlier }
      }
      active.append(index)
    }
    return earliest.sorted { $0.key < $1.key }.map { later, earlier in
      warning(earlier: asked[earlier], later: asked[later])
    }
  }

  private func contradicts(_ one: Claim, _ other: Claim) -> Bool {
    guard clash(one.flow.expectation, other.flow.expectation), one.flow.state == other.flow.state,
      one.flow.span != other.flow.span
    else { return false }
    let families = IPFamily.allCases.enumerated().filter { index, _ in
      guard let a = one.hulls[index], let b = other.hulls[index] else { return false }
      return a.overlaps(b)
    }.map(\.element)
    guard !families.isEmpty, inputsMeet(one.flow, other.flow), portsMeet(one.flow, other.flow)
    else { return false }
    return families.contains { family in
      let sources = one.sources[family].intersection(other.sources[family])
      let destinations = one.destinations[family].intersection(other.destinations[family])
      guard servicesMeet(one.flow, other.flow, family) else { return false }
      return isAsked(
        AddressSet(family, sources), AddressSet(family, destinations), family)
    }
  }

  private func inputsMeet(_ one: Flow, _ other: Flow) -> Bool {
    guard let a = one.inputInterface, let b = other.inputInterface else { return true }
    return a == b
  }

  private func portsMeet(_ one: Flow, _ other: Flow) -> Bool {
    guard let a = one.sourcePorts, let b = other.sourcePorts else { return true }
    return a.overlaps(b)
  }

  private func servicesMeet(_ one: Flow, _ other: Flow, _ family: IPFamily) -> Bool {
    one.services.contains { service in
      other.services.contains { meet(service.kind, $0.kind, family) }
    }
  }

  private func warning(earlier: Claim, later: Claim) -> Diagnostic {
    .contradiction(
      earlier: earlier.flow, later: later.flow,
      narrower: earlier.sources.isSubset(of: later.sources) && earlier.sources != later.sources
        ? earlier.flow
        : later.sources.isSubset(of: earlier.sources) && later.sources != earlier.sources
          ? later.flow : nil)
  }
}

/// Whether no packet can do both.
private func clash(_ one: Flow.Expectation, _ other: Flow.Expectation) -> Bool {
  switch (one, other) {
  case (.allow, .allow), (.deny, .deny), (.drop, .drop), (.deny, .drop), (.drop, .deny),
    (.deny, .reject), (.reject, .deny):
    false
  case (.reject(let a), .reject(let b)):
    a != nil && b != nil && a != b
  case (.allow, .deny), (.allow, .drop), (.allow, .reject), (.deny, .allow), (.drop, .allow),
    (.drop, .reject), (.reject, .allow), (.reject, .drop):
    true
  }
}

/// Whether some packet of `family` belongs to both services.
private func meet(_ one: Service.Kind, _ other: Service.Kind, _ family: IPFamily) -> Bool {
  guard one.family == nil || one.family == family, other.family == nil || other.family == family
  else { return false }
  switch (one, other) {
  case (.any, _), (_, .any): return true
  case (.ports(let a, let ports), .ports(let b, let others)):
    return a == b && ports.overlaps(others)
  case (.icmp(let a, let b), .icmp(let c, let d)), (.icmpv6(let a, let b), .icmpv6(let c, let d)):
    return (a == nil || c == nil || a == c) && (b == nil || d == nil || b == d)
  case (.transport(let a), .transport(let b)), (.ports(let a, _), .transport(let b)),
    (.transport(let a), .ports(let b, _)):
    return a == b
  case (.transport(let a), .icmp), (.icmp, .transport(let a)): return a == .icmp
  case (.transport(let a), .icmpv6), (.icmpv6, .transport(let a)): return a == .icmpv6
  case (.ports, .icmp), (.ports, .icmpv6), (.icmp, .ports), (.icmpv6, .ports), (.icmp, .icmpv6),
    (.icmpv6, .icmp):
    return false
  }
}

extension Diagnostic {
  fileprivate static func contradiction(
    earlier: Flow, later: Flow, narrower: Flow?
  ) -> Diagnostic {
    let narrow = narrower?.text.split(separator: " -> ").first.map(String.init)
    return Diagnostic(
      .contradiction, "no firewall can satisfy both of these lines", at: later.expectationSpan,
      label: "expects \(Printer.text(of: later.expectation))", severity: .warning,
      secondary: [
        Label(earlier.expectationSpan, "expects \(Printer.text(of: earlier.expectation))")
      ],
      notes: ["some packets belong to both"],
      help: narrow.map { "leave them out of the wider line, for example `any except \($0)`" }
        ?? "remove one of the lines, or leave out of one what the other covers")
  }
}
