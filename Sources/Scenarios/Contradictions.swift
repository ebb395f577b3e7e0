import Addresses
import Diagnostics

/// What one line demands of a set of packets.
struct Claim {
  let sources: AddressSet
  let destinations: AddressSet
  let flow: Flow
  fileprivate let outline: Outline

  init(flow: Flow) {
    self.flow = flow
    sources = flow.sources
    destinations = flow.destinations
    outline = Outline(flow)
  }
}

/// The bounds of a claim, small enough to compare every two of thousands.
///
/// An empty side has its lower bound above its upper one, so that it meets nothing.
private struct Outline {
  let demand: Int
  let portLower: UInt16
  let portUpper: UInt16
  private let sources: (lower: UInt32, upper: UInt32)
  private let destinations: (lower: UInt32, upper: UInt32)
  private let sources6: (lower: UInt64, upper: UInt64)
  private let destinations6: (lower: UInt64, upper: UInt64)

  init(_ flow: Flow) {
    demand = Demand.number(of: flow.expectation)
    var lower: UInt16 = .max
    var upper: UInt16 = 0
    for service in flow.services {
      switch service.kind {
      case .ports(_, let ports):
        lower = min(lower, UInt16(ports.lowest ?? 0))
        upper = max(upper, UInt16(ports.highest ?? 0xFFFF))
      case .any, .transport, .icmp, .icmpv6:
        (lower, upper) = (0, .max)
      }
    }
    (portLower, portUpper) = (lower, upper)
    let hull = flow.families.contains(.ipv4) ? flow.sources.ipv4.hull : nil
    let hullTo = flow.families.contains(.ipv4) ? flow.destinations.ipv4.hull : nil
    sources = hull.map { (UInt32($0.lower), UInt32($0.upper)) } ?? (.max, 0)
    destinations = hullTo.map { (UInt32($0.lower), UInt32($0.upper)) } ?? (.max, 0)
    // The upper half of an IPv6 address tells networks apart.
    let hull6 = flow.families.contains(.ipv6) ? flow.sources.ipv6.hull : nil
    let hullTo6 = flow.families.contains(.ipv6) ? flow.destinations.ipv6.hull : nil
    sources6 = hull6.map { (UInt64($0.lower >> 64), UInt64($0.upper >> 64)) } ?? (.max, 0)
    destinations6 = hullTo6.map { (UInt64($0.lower >> 64), UInt64($0.upper >> 64)) } ?? (.max, 0)
  }

  /// Whether the two may have packets in common and demand what cannot both be.
  func mayContradict(_ other: Outline) -> Bool {
    guard Demand.clashes[demand] >> UInt16(other.demand) & 1 == 1 else { return false }
    let meets4 =
      destinations.lower <= other.destinations.upper
      && other.destinations.lower <= destinations.upper
      && sources.lower <= other.sources.upper && other.sources.lower <= sources.upper
    return meets4
      || destinations6.lower <= other.destinations6.upper
        && other.destinations6.lower <= destinations6.upper
        && sources6.lower <= other.sources6.upper && other.sources6.lower <= sources6.upper
  }
}

/// Expectations as numbers, and which of them no packet can meet together.
private enum Demand {
  static let all: [Flow.Expectation] =
    [.allow, .deny, .drop, .reject(nil)] + Flow.RejectReason.allCases.map { .reject($0) }

  /// For each expectation, a bit for each that clashes with it.
  static let clashes: [UInt16] = all.map { one in
    all.enumerated().reduce(0) { bits, other in
      clash(one, other.element) ? bits | 1 << UInt16(other.offset) : bits
    }
  }

  static func number(of expectation: Flow.Expectation) -> Int {
    all.firstIndex(of: expectation) ?? 0
  }
}

extension Resolver {
  /// A warning for each line that demands of some packet what an earlier line forbids.
  func contradictions() -> [Diagnostic] {
    let asked = claims.filter { $0.flow.skip == nil && $0.flow.expectedFailure == nil }
    let outlines = asked.map(\.outline)
    // Claims in the order of their lowest ports: what begins after another ends cannot meet it.
    let byPort = asked.indices.sorted {
      (outlines[$0].portLower, $0) < (outlines[$1].portLower, $1)
    }
    var earliest = [Int](repeating: .max, count: asked.count)
    var active: [(outline: Outline, index: Int)] = []
    for index in byPort {
      let outline = outlines[index]
      active.removeAll { $0.outline.portUpper < outline.portLower }
      for other in active where outline.mayContradict(other.outline) {
        let (earlier, later) = (min(index, other.index), max(index, other.index))
        if earliest[later] <= earlier { continue }
        if contradicts(asked[earlier], asked[later]) { earliest[later] = earlier }
      }
      active.append((outline, index))
    }
    return earliest.enumerated().filter { $0.element != .max }.map { later, earlier in
      warning(earlier: asked[earlier], later: asked[later])
    }
  }

  private func contradicts(_ one: Claim, _ other: Claim) -> Bool {
    guard one.flow.state == other.flow.state, one.flow.span != other.flow.span,
      portsMeet(one.flow, other.flow)
    else { return false }
    let families = one.flow.families.intersection(other.flow.families)
    return families.contains { family in
      let sources = one.sources[family].intersection(other.sources[family])
      let destinations = one.destinations[family].intersection(other.destinations[family])
      guard servicesMeet(one.flow, other.flow, family),
        inputsMeet(one.flow, other.flow, AddressSet(family, destinations))
      else { return false }
      return !sources.isEmpty && !destinations.isEmpty
        && !isOneHost(sources, destinations, hosts, family)
    }
  }

  /// Whether packets of both lines may come in by one interface of a destination.
  ///
  /// A line without `in` is about the interface that the destination's host names, if it names one.
  private func inputsMeet(_ one: Flow, _ other: Flow, _ destinations: AddressSet) -> Bool {
    switch (one.inputInterface, other.inputInterface) {
    case (nil, nil): return true
    case (let a?, let b?): return a == b
    case (let named?, nil), (nil, let named?):
      let elsewhere = interfaces.filter { $0.interface != named }
        .reduce(AddressSet.empty) { $0.union($1.addresses) }
      let there = interfaces.filter { $0.interface == named }
        .reduce(AddressSet.empty) { $0.union($1.addresses) }
      return !destinations.isSubset(of: elsewhere.subtracting(there))
    }
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
  guard one.exists(in: family), other.exists(in: family) else { return false }
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

/// The sources of a line as its text has them; empty where it has no text.
private func sourceText(of flow: Flow) -> String {
  flow.text.split(separator: " -> ").first.map(String.init) ?? ""
}

extension Diagnostic {
  fileprivate static func contradiction(
    earlier: Flow, later: Flow, narrower: Flow?
  ) -> Diagnostic {
    let narrow = narrower.map { sourceText(of: $0) } ?? ""
    let wider = narrower?.id == earlier.id ? later : earlier
    let wide = sourceText(of: wider)
    let isExpressible = !narrow.isEmpty && !wide.isEmpty && !wide.contains(" except ")
    let exception = narrow.contains(" ") ? "{ \(narrow) }" : narrow
    return Diagnostic(
      .contradiction, "no firewall can satisfy both of these lines", at: later.expectationSpan,
      label: "expects \(Printer.text(of: later.expectation))", severity: .warning,
      secondary: [
        Label(earlier.expectationSpan, "expects \(Printer.text(of: earlier.expectation))")
      ],
      notes: ["some packets belong to both"],
      help: isExpressible
        ? "leave them out of the wider line: `\(wide) except \(exception)`"
        : "remove one of the lines, or leave out of one what the other covers")
  }
}
