internal import Addresses
internal import Outcomes
internal import Proof
internal import Rulesets
internal import Sandbox
internal import Simulation

/// The sandbox of one run, which is started when the first packet needs it.
struct KernelSession: ~Copyable {
  private let executable: String?
  private var session: SandboxSession?

  init(executable: String?) { self.executable = executable }

  /// What a kernel says of a packet: `accept` or `drop` at each hook that it reached.
  typealias Verdicts = [Hook: String]

  /// Sends packets through a ruleset on a host.
  ///
  /// Packets of open connections come after all others, once there are entries for them. Those that
  /// need fresh state have the ruleset loaded for them alone.
  ///
  /// - Returns: The verdicts, in the order of the packets.
  /// - Throws: ``SandboxError`` with what this machine or the ruleset does not allow.
  mutating func verdicts(
    for packets: [WitnessPacket], needingFreshState fresh: Set<Int>,
    by firewall: ReplayedFirewall, on host: Host
  ) throws(SandboxError) -> [Verdicts] {
    if var kept = session.take() {
      try kept.replaceHost(host)
      session = consume kept
    } else {
      session = try SandboxSession(host: host, executable: executable)
    }
    var verdicts = [Verdicts](repeating: [:], count: packets.count)
    for turn in ConnectionTurn.turns(of: packets, needingFreshState: fresh) {
      try session?.load(firewall.original, model: firewall.ruleset)
      // What opens connections must not meet their entries.
      let opening = turn.members.filter { packets[$0].connection == .none }
      let later = turn.members.filter { packets[$0].connection != .none }
      for (members, entries) in [(opening, []), (later, turn.entries)] where !members.isEmpty {
        if !entries.isEmpty { try session?.add(entries) }
        let answers =
          try session?.verdicts(for: members.map { packets[$0].sandboxPacket }) ?? []
        for (index, answer) in zip(members, answers) {
          verdicts[index] = answer.byHook.mapValues(\.rawValue)
        }
      }
    }
    return verdicts
  }

  /// The rules that a packet meets, asked anew on the host of the last question.
  ///
  /// - Returns: What matched, in order; empty where the kernel does not tell.
  mutating func trace(
    of packet: WitnessPacket, by firewall: ReplayedFirewall
  ) -> [Outcomes.TraceStep] {
    do throws(SandboxError) {
      try session?.load(firewall.original, model: firewall.ruleset)
      if let entry = SandboxConnection(packet) { try session?.add([entry]) }
      let answers = try session?.answers(for: [packet.sandboxPacket]) ?? []
      return answers.flatMap(\.trace).compactMap { Outcomes.TraceStep($0, firewall) }
    } catch {
      // The verdicts stand without it.
      return []
    }
  }
}

extension WitnessPacket {
  /// The packet as the sandbox takes it.
  fileprivate var sandboxPacket: SandboxPacket {
    SandboxPacket(
      bytes: bytes,
      origin: input.map { .received($0, Packet.Frame(source: frameSource)) } ?? .local)
  }
}

extension Outcomes.TraceStep {
  /// A step of the kernel's in the words of the user's ruleset; nil for ends of chains.
  fileprivate init?(_ step: Sandbox.TraceStep, _ firewall: ReplayedFirewall) {
    let handle: UInt64?
    switch step.cause {
    case .rule(let number): handle = number
    case .policy: handle = nil
    case .endOfChain: return nil
    }
    let rule: RuleCitation
    if let location = step.location {
      rule = RuleCitation(of: location, in: firewall.ruleset, firewall: firewall.name)
    } else {
      rule = RuleCitation(
        firewall: firewall.name, family: step.family.rawValue, table: step.table,
        chain: step.chain, handle: nil,
        text: handle.map { "the sandbox's rule \($0)" } ?? "the policy", isPolicy: handle == nil)
    }
    let decision =
      switch step.decision {
      case .accept: "accept"
      case .drop: "drop"
      case .continue: "continue"
      case .return: "return"
      case .jump(let chain): "jump \(chain)"
      case .goto(let chain): "goto \(chain)"
      case .queue(let number): "queue \(number)"
      case .other(let code): "verdict \(code)"
      }
    self.init(
      hook: step.hook.rawValue, rule: rule,
      verdict: handle == nil ? "policy \(decision)" : decision)
  }
}
