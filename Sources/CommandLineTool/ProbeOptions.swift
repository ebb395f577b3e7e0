internal import Addresses
internal import Diagnostics
internal import Probing
internal import Scenarios

/// What the command line says about probes.
struct ProbeOptions {
  /// The addresses that probes come from.
  var own: AddressSet
  /// What every target is asked besides, as a sign of life.
  var canaries: [Probe.Kind]
  /// How fast packets are sent.
  var rate: Rate
  /// The run's key, which a far end that was started by hand has too.
  var key: RunKey
  /// How agents are started; nil where the operator does not say.
  var agents: AgentsFile?
  /// The folder for captures; nil for none.
  var captureFolder: String?
  var isDryRun: Bool

  /// - Throws: ``Stop`` where an option makes no sense, which has been told.
  init(
    _ arguments: ParsedArguments, _ console: Console, plan: ScenarioPlan,
    sources: inout SourceMap
  ) throws(Stop) {
    own = try Self.ownAddresses(arguments, console, plan)
    canaries = []
    for text in arguments.all(.canary) {
      guard let kind = Self.canary(text) else {
        throw console.stop(
          Diagnostic(
            "usage.wrong-value", .error, "'--canary' cannot be '\(text)'", at: nil,
            help: "a port and its protocol, `22/tcp`, or `icmp`"))
      }
      canaries.append(kind)
    }
    rate = try Self.rate(arguments[.rate], console)
    key = try Self.key(arguments, console)
    if let path = arguments[.agents] {
      agents = try AgentsLoading(console: console).agents(path, sources: &sources)
    }
    captureFolder = arguments[.capture]
    isDryRun = arguments.has(.dryRun)
  }

  private static func ownAddresses(
    _ arguments: ParsedArguments, _ console: Console, _ plan: ScenarioPlan
  ) throws(Stop) -> AddressSet {
    let own = ScenarioLoading.ownAddresses
    guard let name = arguments[.from] else { return own }
    guard let host = plan.hosts.first(where: { $0.name.lowercased() == name.lowercased() }) else {
      let nearest = Suggestion.nearest(to: name, among: plan.hosts.map(\.name))
      throw console.stop(
        Diagnostic(
          "usage.unknown-host", .error, "no host is called '\(name)'", at: nil,
          help: nearest.map { "did you mean '\($0)'?" }
            ?? "hosts are declared so: `host \(name) = ADDRESS`"))
    }
    let shared = host.addresses.intersection(own)
    guard !shared.isEmpty else {
      throw console.stop(
        Diagnostic(
          "usage.other-host", .error, "this machine has no address of '\(host.name)'", at: nil,
          help: "packets can be sent only from addresses of this machine; run it there"))
    }
    return shared
  }

  private static func key(_ arguments: ParsedArguments, _ console: Console) throws(Stop) -> RunKey {
    guard let path = arguments[.key] else { return .fresh() }
    do throws(Diagnostic) {
      return try RunKeyFile.read(path)
    } catch {
      throw console.stop(error)
    }
  }

  private static func rate(_ text: String?, _ console: Console) throws(Stop) -> Rate {
    guard let text else { return .default }
    if text == "max" { return .unlimited }
    guard let count = Int(text), (1...10_000_000).contains(count) else {
      throw console.stop(
        Diagnostic(
          "usage.wrong-value", .error, "'--rate' cannot be '\(text)'", at: nil,
          help: "packets a second to each target, from 1 to 10000000, or `max`"))
    }
    return .perTarget(count)
  }

  private static func canary(_ text: String) -> Probe.Kind? {
    let parts = text.lowercased().split(separator: "/", omittingEmptySubsequences: false)
    if parts == ["icmp"] { return .icmp(type: 8, code: 0) }
    guard parts.count == 2, let port = UInt16(parts[0]), port > 0 else { return nil }
    switch parts[1] {
    case "tcp": return .tcp(port)
    case "udp": return .udp(port)
    default: return nil
    }
  }
}
