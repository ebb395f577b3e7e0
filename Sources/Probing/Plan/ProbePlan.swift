package import Addresses
package import Scenarios

/// Which probes stand for which lines of a scenario file, and what no probe can stand for.
package struct ProbePlan: Sendable {
  /// What is asked of the wire for one line.
  package struct Line: Sendable {
    /// Indices into ``ProbePlan/probes``.
    package var probes: [Int] = []
    /// Why the line is not probed at all; nil where it is.
    package var obstacle: Obstacle?
    /// Packets that the line covers and no probe stands for, by why.
    package var omissions: [String] = []
    /// What the answer takes for granted.
    package var assumptions: [String] = []
    /// Whether a firewall of the file stands between the two ends, where packets may end.
    package var crossesFirewall = false
    /// Whether a silent drop and an ICMP error that the kernel's limit kept back make a difference.
    package var turnsOnICMPErrors = false
  }

  /// Why a line is not probed.
  package struct Obstacle: Hashable, Sendable {
    package var code: String
    package var reason: String
    package var hint: String?
    /// Whether the line asks for it, so that it is skipped and not unknown.
    package var isWanted: Bool

    package init(code: String, reason: String, hint: String? = nil, isWanted: Bool = false) {
      self.code = code
      self.reason = reason
      self.hint = hint
      self.isWanted = isWanted
    }
  }

  /// Each once, whatever number of lines need it.
  package private(set) var probes: [Probe] = []
  /// In the order of the flows.
  package private(set) var lines: [Line] = []
  private var numbers: [Probe: Int] = [:]

  /// The most probes of a run.
  package static let limit = 2_000_000

  /// Thrown where a file asks for more than ``limit``.
  package struct TooMany: Error {
    /// The line at which there are too many.
    package var flow: Flow
  }

  /// Says what is asked for each line.
  ///
  /// - Parameters:
  ///   - plan: The lines, and what may be probed.
  ///   - own: The addresses that this machine sends from.
  ///   - defaults: How often a probe is sent and how long it waits, where the line does not say.
  /// - Throws: ``TooMany``.
  package init(
    of plan: ScenarioPlan, from own: AddressSet, defaults: Patience = Patience()
  ) throws(TooMany) {
    for flow in plan.flows {
      var line = Line()
      line.obstacle = Self.obstacle(of: flow)
      if line.obstacle == nil {
        try add(flow, plan, own: own, defaults: defaults, to: &line)
      }
      lines.append(line)
    }
  }

  /// How often a probe is sent, and how long each waits.
  package struct Patience: Hashable, Sendable {
    package var transmissions = Probe.defaultTransmissions
    package var timeout = Probe.defaultTimeout

    package init() {}
  }

  private static func obstacle(of flow: Flow) -> Obstacle? {
    if let reason = flow.skip {
      return Obstacle(code: "skipped", reason: reason, isWanted: true)
    }
    if flow.mode == .static {
      return Obstacle(
        code: "skipped", reason: "only proved, because the line says `static`", isWanted: true)
    }
    guard flow.state == .new else {
      return Obstacle(
        code: "probe.not-possible",
        reason: "a probe opens a connection; the line is about packets of state"
          + " \(flow.state.rawValue)",
        hint: "say `static` on the line, and `check` proves it")
    }
    return nil
  }

  private mutating func add(
    _ flow: Flow, _ plan: ScenarioPlan, own: AddressSet, defaults: Patience, to line: inout Line
  ) throws(TooMany) {
    let sources = flow.sources.intersection(own)
    let targets = flow.destinations.intersection(plan.probeTargets)
    var foundKinds = false
    var foundSources = false
    var foundTargets = false
    for family in flow.families.sorted() {
      let from = sources[family].subtracting(.withoutRoute(in: family))
      let to = targets[family].subtracting(own[family]).subtracting(.withoutRoute(in: family))
      foundSources = foundSources || !from.isEmpty
      foundTargets = foundTargets || !to.isEmpty
      for service in flow.services where service.kind.exists(in: family) {
        let kinds = ProbeKinds(of: service, in: family)
        foundKinds = foundKinds || !kinds.isEmpty
        if let omission = kinds.omission, !line.omissions.contains(omission) {
          line.omissions.append(omission)
        }
        guard !from.isEmpty, !to.isEmpty, !kinds.isEmpty else { continue }
        guard
          UInt128(probes.count) + UInt128(from.size) * UInt128(to.size) * UInt128(kinds.count)
            <= UInt128(Self.limit)
        else { throw TooMany(flow: flow) }
        for source in from.values {
          for destination in to.values {
            let source = IPAddress(family, rawValue: source)
            let destination = IPAddress(family, rawValue: destination)
            kinds.forEach { kind in
              line.probes.append(
                number(of: probe(kind, from: source, to: destination, flow, defaults)))
            }
          }
        }
      }
    }
    line.tellWhatIsLeftOut(flow, plan, targets: targets, own: own)
    line.turnsOnICMPErrors = flow.expectation.turnsOnICMPErrors
    line.crossesFirewall = plan.firewalls.contains { $0.standsBetween(flow) }
    guard line.probes.isEmpty else { return }
    line.obstacle =
      if !foundSources {
        Obstacle(
          code: "probe.not-a-source", reason: "this machine is none of the line's sources",
          hint: "run it on one of them, or say which host this is: `--from HOST`", isWanted: true)
      } else if !foundTargets {
        Obstacle(
          code: "probe.no-target",
          reason: "the file names no host among the line's destinations",
          hint: "probes go only to hosts, and to groups of at most 256 addresses that name a host")
      } else if !foundKinds {
        Obstacle(
          code: "probe.not-possible",
          reason: line.omissions.first ?? "nothing of the line can be probed",
          hint: "name the ports: `22 tcp`")
      } else {
        Obstacle(
          code: "probe.no-target", reason: "no address family has a source here and a target",
          hint: nil)
      }
  }

  private func probe(
    _ kind: Probe.Kind, from source: IPAddress, to destination: IPAddress, _ flow: Flow,
    _ defaults: Patience
  ) -> Probe {
    var probe = Probe(
      from: source, to: destination, kind, transmissions: defaults.transmissions,
      timeout: defaults.timeout)
    if let retries = flow.retries { probe.transmissions = retries + 1 }
    if let seconds = flow.timeoutSeconds { probe.timeout = .seconds(seconds) }
    switch kind {
    case .tcp, .udp: probe.sourcePort = flow.sourcePorts.flatMap(Self.sourcePort)
    case .icmp: break
    }
    return probe
  }

  /// A port that a line allows, above the privileged ones where there is one.
  private static func sourcePort(among ports: IntervalSet) -> UInt16? {
    let ordinary = ports.intersection(IntervalSet(Interval(1024, 65535)))
    let usable = ports.subtracting(IntervalSet(0))
    return (ordinary.lowest ?? usable.lowest).map { UInt16(truncatingIfNeeded: $0) }
  }

  private mutating func number(of probe: Probe) -> Int {
    if let number = numbers[probe] { return number }
    numbers[probe] = probes.count
    probes.append(probe)
    return probes.count - 1
  }
}

extension ProbePlan.Line {
  fileprivate mutating func tellWhatIsLeftOut(
    _ flow: Flow, _ plan: ScenarioPlan, targets: AddressSet, own: AddressSet
  ) {
    guard !probes.isEmpty else { return }
    let others = flow.families.contains { !flow.sources[$0].subtracting(own[$0]).isEmpty }
    if others { omissions.append("sources other than this machine") }
    let untold = flow.families.contains {
      !flow.destinations[$0].subtracting(targets[$0]).isEmpty
    }
    if untold { omissions.append("destinations that no host of the file names") }
    let itself = flow.families.contains { targets[$0].overlaps(own[$0]) }
    if itself { omissions.append("this machine as its own destination") }
    if let interface = flow.inputInterface {
      assumptions.append("probes come in by \(interface) at the other end")
    }
  }
}

extension Flow.Expectation {
  fileprivate var turnsOnICMPErrors: Bool {
    switch self {
    case .allow, .deny, .reject(.tcpReset): false
    case .drop, .reject: true
    }
  }
}

extension FirewallDeclaration {
  /// Whether packets of a flow, or some of them, cross it on their way.
  fileprivate func standsBetween(_ flow: Flow) -> Bool {
    guard case .between(let left, let right) = placement else { return false }
    func meet(_ one: AddressSet, _ other: AddressSet) -> Bool {
      flow.families.contains {
        flow.sources[$0].overlaps(one[$0]) && flow.destinations[$0].overlaps(other[$0])
      }
    }
    return meet(left, right) || meet(right, left)
  }
}

extension IntervalSet {
  /// Addresses that name no host without an interface beside them, or none at all.
  ///
  /// Source: RFC 1122 §3.2.1.3 (0.0.0.0/8), RFC 3927 (169.254.0.0/16), RFC 4291 §2.5.6 (fe80::/10).
  fileprivate static func withoutRoute(in family: IPFamily) -> IntervalSet {
    switch family {
    case .ipv4: IntervalSet([Interval(0, 0x00FF_FFFF), Interval(0xA9FE_0000, 0xA9FE_FFFF)])
    case .ipv6:
      IntervalSet([
        Interval(0, 0),
        Interval(0xFE80 << 112, 0xFEBF << 112 | ((1 << 112) - 1)),
      ])
    }
  }
}
