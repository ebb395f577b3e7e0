internal import Addresses
package import Outcomes
package import Proof
internal import Sandbox
package import Scenarios
package import Simulation

/// Holds proofs and the model against the kernel of this machine, packet by packet.
///
/// Each packet is foretold by the simulator on a host made for it, and then sent through the same
/// ruleset on the same host in a sandbox.
package struct Replay: Sendable {
  private let executable: String?
  private let altering: @Sendable (Prediction) -> Prediction

  /// - Parameters:
  ///   - executable: The tool itself; another path is for tests.
  ///   - altering: Changes what the model says before it is compared; for tests, which see to it
  ///     that a model which is wrong is found out.
  package init(
    executable: String? = nil,
    altering: @escaping @Sendable (Prediction) -> Prediction = { $0 }
  ) {
    self.executable = executable
    self.altering = altering
  }

  /// The least host on which a packet takes the way that is claimed of it.
  package static func host(of packet: WitnessPacket) -> Host {
    HostSketch(HostSketch.Demand(packet, hosts: [])).host
  }

  /// What came of one packet.
  package enum Answer: Hashable, Sendable {
    case agrees
    /// It was not sent: nothing is foretold of it, or it cannot be made to happen.
    case omitted(String)
    /// Its ruleset cannot be loaded.
    case unloadable(String)
    case differs(Difference)
  }

  package struct Result: Sendable {
    /// In the order of the packets.
    package var answers: [Answer]
    /// How many different packets went through the kernel.
    package var packetCount = 0
    /// Why nothing could be asked; the packets that were not are omitted.
    package var obstacle: ReplaySummary.Obstacle?
  }

  /// Asks model and kernel about packets.
  ///
  /// - Parameters:
  ///   - packets: The packets; those that are the same are sent once.
  ///   - firewalls: The firewalls, by the numbers that packets have for them.
  ///   - hosts: The hosts that the scenario names.
  ///   - host: The host that the packets cross; nil for the least that they need.
  /// - Returns: What came of each.
  package func answers(
    to packets: [WitnessPacket], at firewalls: [ReplayedFirewall], hosts: [HostDeclaration],
    on host: Host? = nil
  ) -> Result {
    var unique: [WitnessPacket] = []
    var places: [WitnessPacket: Int] = [:]
    let indices = packets.map { packet in
      if let index = places[packet] { return index }
      places[packet] = unique.count
      unique.append(packet)
      return unique.count - 1
    }
    let rounds = rounds(of: unique, firewalls, hosts, host)
    var result = run(rounds, unique, firewalls)
    result.answers = indices.map { result.answers[$0] }
    return result
  }

  /// For how many packets of a round the ruleset is loaded anew, because they need fresh state.
  private static let mostFresh = 64

  /// Packets that meet one ruleset on one host.
  private struct Round {
    var firewall: Int
    var host: Host
    var members: [Int]
  }

  private func rounds(
    of packets: [WitnessPacket], _ firewalls: [ReplayedFirewall], _ hosts: [HostDeclaration],
    _ host: Host?
  ) -> [Round] {
    var rounds: [Round] = []
    if let host {
      return firewalls.indices.map { number in
        Round(
          firewall: number, host: host,
          members: packets.indices.filter { packets[$0].firewall == number })
      }
    }
    for number in firewalls.indices {
      var sketches: [(sketch: HostSketch, members: [Int])] = []
      for index in packets.indices where packets[index].firewall == number {
        let demand = HostSketch.Demand(packets[index], hosts: hosts)
        var isTaken = false
        for place in sketches.indices where !isTaken {
          isTaken = sketches[place].sketch.take(on: demand)
          if isTaken { sketches[place].members.append(index) }
        }
        if !isTaken { sketches.append((HostSketch(demand), [index])) }
      }
      rounds += sketches.map {
        Round(firewall: number, host: $0.sketch.host, members: $0.members)
      }
    }
    return rounds
  }

  private func run(
    _ rounds: [Round], _ packets: [WitnessPacket], _ firewalls: [ReplayedFirewall]
  ) -> Result {
    var result = Result(
      answers: [Answer](repeating: .omitted("it was not asked"), count: packets.count))
    var programs: [Int: Program] = [:]
    var kernel = KernelSession(executable: executable)
    for round in rounds {
      let firewall = firewalls[round.firewall]
      let program = programs[round.firewall] ?? Program(firewall.ruleset)
      programs[round.firewall] = program
      var predictions: [(index: Int, prediction: Prediction)] = []
      var freshCount = 0
      for index in round.members {
        if case .claimed(let state) = packets[index].connection {
          result.answers[index] = .omitted("no packet is \(state) by itself")
          continue
        }
        if packets[index].connection != .none, SandboxConnection(packets[index]) == nil {
          result.answers[index] = .omitted("no connection of its protocol is made")
          continue
        }
        switch Prediction.answer(for: packets[index], program, round.host) {
        case .open(let reason): result.answers[index] = .omitted(reason)
        case .known(let prediction):
          if prediction.needsFreshState {
            guard freshCount < Self.mostFresh else {
              result.answers[index] = .omitted("the ruleset would be loaded anew for each of many")
              continue
            }
            freshCount += 1
          }
          predictions.append((index, altering(prediction)))
        }
      }
      guard !predictions.isEmpty, result.obstacle == nil else {
        for (index, _) in predictions { result.answers[index] = .omitted("there is no sandbox") }
        continue
      }
      let verdicts: [KernelSession.Verdicts]
      do throws(SandboxError) {
        verdicts = try kernel.verdicts(
          for: predictions.map { packets[$0.index] },
          needingFreshState: Set(
            predictions.indices.filter { predictions[$0].prediction.needsFreshState }),
          by: firewall, on: round.host)
      } catch {
        for (index, _) in predictions { result.answers[index] = .omitted("there is no sandbox") }
        if let reason = error.ofRuleset {
          for (index, _) in predictions { result.answers[index] = .unloadable(reason) }
        } else if let obstacle = SandboxProbe.obstacle(executable: executable) {
          result.obstacle = obstacle
        } else {
          // The sandbox works: it is this host that cannot be made.
          for (index, _) in predictions {
            result.answers[index] = .omitted("the sandbox cannot have its host: \(error)")
          }
        }
        continue
      }
      result.packetCount += predictions.count
      for ((index, prediction), verdict) in zip(predictions, verdicts) {
        var comparison = Comparison(
          packet: packets[index], prediction: prediction, kernel: verdict, firewall: firewall,
          host: round.host)
        if comparison.difference != nil {
          comparison.kernelTrace = kernel.trace(of: packets[index], by: firewall)
        }
        result.answers[index] = comparison.difference.map { .differs($0) } ?? .agrees
      }
    }
    return result
  }
}

extension SandboxError {
  /// Why a ruleset cannot be loaded; nil where the sandbox itself does not work.
  fileprivate var ofRuleset: String? {
    switch self {
    case .rejected(let rejection): rejection.description
    case .crashed, .timedOut: description
    case .namespaceRefused, .failed, .unknownInterface, .childFailed, .nothingLoaded: nil
    }
  }
}
