internal import Addresses
internal import Diagnostics
internal import Probing
internal import Scenarios

/// The agents of the hosts that probes go to, started with the run and ended with it.
final class FarEnds {
  /// One agent: a value that is not copied, in a box that a list can hold.
  private final class One {
    let host: String
    let addresses: [IPAddress]
    var end: FarEnd?

    init(_ host: String, _ addresses: [IPAddress]) {
      self.host = host
      self.addresses = addresses
    }
  }

  private let console: Console
  private var all: [One] = []
  /// Targets that certainly send as many ICMP errors as they want to.
  private(set) var unlimited: Set<IPAddress> = []

  /// How long an agent may take to be ready, and to say the last.
  private static let patience = Duration.seconds(20)

  init(_ console: Console) { self.console = console }

  /// Starts the agents of the hosts that probes go to.
  ///
  /// - Parameters:
  ///   - scenario: Whose hosts name agents.
  ///   - probes: What will be sent.
  ///   - key: The run's key.
  ///   - admitsConnect: Whether SYNs are those of `connect(2)`.
  ///   - agents: How agents are started; nil where the operator does not say.
  ///   - folder: Where each puts a capture, on its own machine; nil for none.
  ///   - sources: Where places of messages are.
  /// - Throws: ``Stop`` where one cannot be started; those that were have ended then.
  func start(
    _ scenario: ScenarioPlan, _ probes: [Probe], _ key: RunKey, admitsConnect: Bool,
    _ agents: AgentsFile?, capturingInto folder: String?, _ sources: SourceMap
  ) throws(Stop) {
    for host in scenario.hosts {
      guard let name = host.agent else { continue }
      let asked = probes.filter { host.addresses.contains($0.destination) }
      guard !asked.isEmpty else { continue }
      guard let agents else {
        console.say(
          Diagnostic(
            "probe.agents-unknown", .warning, "nobody watches at '\(host.name)'",
            at: Diagnostic.Label(host.span, "it has the agent '\(name)'"),
            help: "say how it is reached: --agents FILE"), sources: sources)
        continue
      }
      guard let words = agents[name] else {
        let nearest = Suggestion.nearest(to: name, among: agents.agents.map(\.name))
        throw console.stop(
          Diagnostic(
            "agents.unknown", .error, "the file of agents does not name '\(name)'",
            at: Diagnostic.Label(host.span, "its agent"),
            help: nearest.map { "did you mean '\($0)'?" }), sources: sources)
      }
      let assignment = Self.assignment(asked, key, admitsConnect: admitsConnect)
      let one = One(host.name, assignment.addresses)
      do throws(FarEndError) {
        one.end = try FarEnd(
          host.name, starting: words, assignment,
          capturingInto: folder.map { "\($0)/\(host.name)" },
          within: Self.patience)
      } catch {
        throw console.stop(
          Diagnostic("environment.agent", .error, error.description, at: nil), .notKnown)
      }
      note(one)
      all.append(one)
    }
  }

  /// What an agent is to listen for.
  private static func assignment(
    _ probes: [Probe], _ key: RunKey, admitsConnect: Bool
  ) -> Assignment {
    var tcp: Set<UInt16> = []
    var udp: Set<UInt16> = []
    var longest = Duration.zero
    for probe in probes {
      switch probe.kind {
      case .tcp(let port): tcp.insert(port)
      case .udp(let port): udp.insert(port)
      case .icmp: break
      }
      longest = max(longest, probe.timeout * probe.transmissions)
    }
    // At the pace of ICMP errors, each twice, and the rest.
    let paced = Duration.milliseconds(2200) * probes.count
    return Assignment(
      key: key, addresses: Set(probes.map(\.destination)).sorted(),
      peers: Set(probes.map(\.source)).sorted(), tcpPorts: Self.ports(tcp),
      udpPorts: Self.ports(udp),
      duration: Assignment.defaultDuration + paced + longest * 20,
      admitsConnect: admitsConnect)
  }

  private static func ports(_ ports: Set<UInt16>) -> IntervalSet {
    IntervalSet(ports.map { Interval(UInt128($0)) })
  }

  /// Tells what an agent lacks, and remembers what it does not limit.
  private func note(_ one: One) {
    guard let readiness = one.end?.readiness else { return }
    if let reason = readiness.blindBecause {
      console.say(
        Diagnostic(
          "probe.agent-blind", .warning, "'\(one.host)' does not see what arrives: \(reason)",
          at: nil, help: "run the agent there as root, or with CAP_NET_RAW"))
    }
    for address in one.addresses {
      let limit =
        switch address.family {
        case .ipv4: readiness.icmpRateLimit
        case .ipv6: readiness.icmpv6RateLimit
        }
      if limit == 0 { unlimited.insert(address) }
    }
  }

  /// Hears what the agents have to say, and ends them.
  ///
  /// One that does not say its last is as if it had not been there, and that is told.
  ///
  /// - Returns: What they told, by address.
  func finish() -> [IPAddress: FarEndReport.Index] {
    var reports: [IPAddress: FarEndReport.Index] = [:]
    for one in all {
      guard var end = one.end.take() else { continue }
      do throws(FarEndError) {
        try end.sync(within: Self.patience)
        let index = FarEndReport.Index(try end.stop(within: Self.patience))
        for address in one.addresses { reports[address] = index }
      } catch {
        console.say(
          Diagnostic(
            "environment.agent", .warning, error.description, at: nil,
            help: "what it told is not used"))
      }
    }
    return reports
  }

  /// Ends the agents of a run that came to nothing.
  func end() { for one in all { one.end = nil } }
}
