import Addresses
import Proof
package import Rulesets
package import Sandbox
package import Simulation
import Wire

/// What the kernel did with a packet at each hook that it reached.
package typealias KernelVerdicts = [Hook: HookVerdicts.Verdict]

/// Holds what the kernel did with packets against the simulator and the prover.
package struct Comparison {
  package private(set) var disagreements: [Disagreement] = []
  /// Verdicts of hooks that the kernel gave and the simulator knew.
  package private(set) var verdicts = 0
  /// Hooks whose verdict the simulator did not know, by reason.
  package private(set) var unknown: [String: Int] = [:]
  package private(set) var proved = 0
  package private(set) var provedUnknown = 0

  private let ruleset: Ruleset
  private let host: Simulation.Host

  /// What others began before the packets came.
  private let connections: [SandboxConnection]

  package init(
    _ ruleset: Ruleset, host: Simulation.Host, after connections: [SandboxConnection] = []
  ) {
    self.ruleset = ruleset
    self.host = host
    self.connections = connections
  }

  /// Holds packets that went through the kernel one after the other against what it did.
  ///
  /// - Parameters:
  ///   - packets: In the order in which they went.
  ///   - kernel: The verdicts of the hooks that each reached.
  ///   - stride: The prover is asked about every packet with this distance; 0 for none.
  package mutating func compare(
    _ packets: [SandboxPacket], _ kernel: [KernelVerdicts], provesEvery stride: Int
  ) {
    var simulator = Simulator(Program(ruleset), host: host)
    simulator.keepsConnections = false
    for connection in connections { simulator.add(connection.earlier) }
    for (number, packet) in packets.enumerated() {
      compare(number, packet, kernel[number], &simulator)
    }
    guard stride > 0 else { return }
    var prover = ProverSide(ruleset)
    for number in Swift.stride(from: 0, to: packets.count, by: stride) {
      // What the host sent itself is a connection, which later packets may belong to.
      prover.knowsNoConnection =
        connections.isEmpty
        && !kernel[..<number].contains {
          $0[.output] != nil && $0[.input] != nil
        }
      compareProof(number, packets[number], kernel[number], &prover)
    }
  }

  private mutating func compare(
    _ number: Int, _ packet: SandboxPacket, _ kernel: KernelVerdicts,
    _ simulator: inout Simulator
  ) {
    let report: PacketReport
    do throws(PacketLayout.Malformation) {
      switch packet.origin {
      case .received(let name, let frame):
        report = simulator.report(
          on: try Packet(bytes: packet.bytes, input: host.device(name), frame: frame))
      case .local: report = simulator.report(on: try Packet(bytes: packet.bytes))
      }
    } catch {
      if kernel.keys.contains(where: { $0 != .ingress }) {
        disagree(number, nil, "malformed (\(error.rawValue)), kernel \(kernel)")
      }
      return
    }
    var hooks = report.hooks
    // An answer of the host to a packet that came in is not that packet.
    if case .received = packet.origin { hooks = Array(hooks.prefix { $0.hook != .output }) }
    for entered in hooks {
      let expected: HookVerdicts.Verdict
      switch entered.verdict {
      case .accept: expected = .accept
      case .drop, .reject: expected = .drop
      case .unknown:
        unknown[report.because, default: 0] += 1
        return
      }
      // The kernel tells of ingress only at devices that have chains there.
      if entered.hook == .ingress, kernel[.ingress] == nil, expected == .accept { continue }
      guard kernel[entered.hook] == expected else {
        disagree(
          number, entered.hook,
          "simulator \(entered.verdict) (\(report.because)), kernel \(text(kernel))")
        return
      }
      verdicts += 1
    }
    if report.verdict == .unknown {
      unknown[report.because, default: 0] += 1
      return
    }
    var known = Set(hooks.map(\.hook))
    // Chains that are there and never run have nothing to say; the simulator leaves them out.
    if kernel[.ingress] == .accept { known.insert(.ingress) }
    if kernel[.ingress] == nil { known.remove(.ingress) }
    guard known == Set(kernel.keys).subtracting([.egress]) else {
      disagree(
        number, nil,
        "simulator \(hooks.map { "\($0.hook) \($0.verdict)" }) (\(report.because)), kernel \(text(kernel))"
      )
      return
    }
    if hooks.isEmpty { verdicts += 1 }
  }

  private func text(_ verdicts: KernelVerdicts) -> String {
    verdicts.sorted { "\($0.key)" < "\($1.key)" }
      .map { "\($0.key) \($0.value.rawValue)" }.joined(separator: ", ")
  }

  private mutating func disagree(_ number: Int, _ hook: Hook?, _ words: String) {
    disagreements.append(
      Disagreement(side: .simulator, packet: number, hook: hook, words: words))
  }

  /// The prover against the kernel at the first hook, and against the simulator at any.
  private mutating func compareProof(
    _ number: Int, _ packet: SandboxPacket, _ kernel: KernelVerdicts, _ prover: inout ProverSide
  ) {
    for question in prover.questions(about: packet, number, host) {
      let fate = prover.fate(of: question)
      var expected = question.simulated
      if question.isFirst, let state = question.kernelState,
        state == question.point.connectionState, let verdict = kernel[question.point.hook]
      {
        expected = verdict == .accept ? .accept : .drop
      }
      switch (fate, expected) {
      case (.unknown, _), (_, .unknown): provedUnknown += 1
      case (.accepted, .accept), (.dropped, .drop), (.rejected, .drop): proved += 1
      case (.rejected(let one), .reject(let other)) where one == other: proved += 1
      // Several refusals that hang on an unknown are one to the prover.
      case (.dropped, .reject): proved += 1
      case (.accepted, _), (.dropped, _), (.rejected, _):
        disagreements.append(
          Disagreement(
            side: .prover, packet: number, hook: question.point.hook,
            words:
              "prover \(fate) state \(question.point.connectionState) in "
              + "\(question.point.inputName?.description ?? "-") out "
              + "\(question.point.outputName?.description ?? "-"), "
              + "simulator \(question.simulated), kernel \(text(kernel))"))
      }
    }
  }
}
