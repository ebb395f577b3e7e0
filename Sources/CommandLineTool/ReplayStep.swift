internal import Diagnostics
internal import Outcomes
internal import Proof
internal import Replay
internal import Scenarios
internal import Simulation

/// Puts packets of each answer to the kernel, and writes what it says into the answers.
struct ReplayStep {
  let arguments: ParsedArguments
  let console: Console
  let replay: Replay

  /// How many packets of a line are replayed where the command line does not say.
  static let defaultLimit = 16

  /// Replays the answers to a question.
  ///
  /// - Parameters:
  ///   - question: What was asked.
  ///   - claims: The answers to its lines, in order; they take what the kernel said.
  /// - Returns: What came of it all together.
  func run(
    _ question: CheckCommand.Question, _ claims: inout [ClaimOutcome]
  ) -> ReplaySummary {
    let limit = arguments[.replayPackets].flatMap { Int($0) } ?? Self.defaultLimit
    var prover = Prover(question)
    var packets: [WitnessPacket] = []
    var shares: [Share] = []
    for (number, flow) in zip(claims.indices, question.plan.flows) {
      let selection = prover.witnesses(of: flow, limit: limit)
      let first = packets.count
      packets += selection.packets
      shares.append((number, selection, first..<packets.count))
    }
    let firewalls = question.plan.firewalls.map { declaration in
      guard let ruleset = question.rulesets[declaration.name],
        let original = question.originals[declaration.name]
      else { preconditionFailure("a question has the ruleset of every firewall of its plan") }
      return ReplayedFirewall(name: declaration.name, ruleset: ruleset, original: original)
    }
    let result = replay.answers(to: packets, at: firewalls, hosts: question.plan.hosts)
    return record(shares, result, firewalls, &claims)
  }

  /// A line's packets among those of all lines.
  private typealias Share = (claim: Int, selection: WitnessSelection, packets: Range<Int>)

  /// Writes what came of the packets into the answers that they stand for.
  private func record(
    _ shares: [Share], _ result: Replay.Result, _ firewalls: [ReplayedFirewall],
    _ claims: inout [ClaimOutcome]
  ) -> ReplaySummary {
    var summary = ReplaySummary(packetCount: result.packetCount, obstacle: result.obstacle)
    var bundles = BundleWriting(
      folder: arguments[.bundle] ?? BundleWriting.defaultFolder, console: console)
    for share in shares {
      guard
        let evidence = evidence(
          share.selection, result.answers[share.packets], hasObstacle: result.obstacle != nil,
          named: claims[share.claim].id, firewalls, &bundles)
      else { continue }
      claims[share.claim].take(evidence)
      summary.disagreementCount += evidence.mismatches.count
      for omission in evidence.omissions { summary.add(omission) }
    }
    tell(summary)
    return summary
  }

  /// Replays the answer about one exact packet.
  ///
  /// - Parameters:
  ///   - packet: The packet, as `simulate` reads them.
  ///   - reading: The ruleset that it meets.
  ///   - host: The host that it crosses; nil for the least that it needs.
  ///   - claims: The answer; it takes what the kernel said.
  /// - Returns: What came of it.
  func run(
    _ packet: String, _ reading: FirewallLoading.Reading, on host: Host?,
    _ claims: inout [ClaimOutcome]
  ) -> ReplaySummary {
    let firewall = ReplayedFirewall(
      name: "ruleset", ruleset: reading.ruleset, original: reading.original)
    var selection = WitnessSelection()
    do throws(PacketWitness.Obstacle) {
      selection.packets = [try PacketWitness.packet(reading: packet)]
    } catch {
      selection.omit(error.reason)
    }
    let result = replay.answers(to: selection.packets, at: [firewall], hosts: [], on: host)
    return record(
      [(0, selection, 0..<selection.packets.count)], result, [firewall], &claims)
  }

  /// What the answers to the packets of one line come to.
  private func evidence(
    _ selection: WitnessSelection, _ answers: ArraySlice<Replay.Answer>, hasObstacle: Bool,
    named name: String, _ firewalls: [ReplayedFirewall], _ bundles: inout BundleWriting
  ) -> ReplayEvidence? {
    var evidence = ReplayEvidence(.agrees)
    var unloadable: String?
    for omission in selection.omissions {
      evidence.add(.init(reason: omission.reason, count: omission.count))
    }
    for answer in answers {
      switch answer {
      case .agrees: evidence.packetCount += 1
      case .omitted(let reason): evidence.add(.init(reason: reason, count: 1))
      case .unloadable(let reason):
        unloadable = reason
        evidence.add(.init(reason: "its ruleset cannot be loaded", count: 1))
      case .differs(let difference):
        evidence.packetCount += 1
        var mismatch = difference.mismatch
        mismatch.bundle = bundles.write(difference, firewalls[difference.firewall], named: name)
        evidence.mismatches.append(mismatch)
      }
    }
    if !evidence.mismatches.isEmpty {
      evidence.answer = .disagrees
    } else if evidence.packetCount == 0 {
      guard !evidence.omissions.isEmpty else { return nil }
      evidence.answer = .notPossible(
        hasObstacle
          ? "this machine has no sandbox"
          : unloadable ?? evidence.omissions.map(\.reason).joined(separator: "; "))
    }
    return evidence
  }

  private func tell(_ summary: ReplaySummary) {
    guard let obstacle = summary.obstacle else { return }
    console.say(
      Diagnostic(
        "environment.sandbox", .error, "nothing was replayed: \(obstacle.reason)", at: nil,
        help: obstacle.help ?? "`portproof doctor` says what this machine lacks"))
  }
}

extension ClaimOutcome {
  /// Takes what the kernel said; an answer that it contradicts is none.
  fileprivate mutating func take(_ replayed: ReplayEvidence) {
    evidence.replay = replayed
    guard let mismatch = replayed.mismatches.first else { return }
    status = .failed
    code = mismatch.between.rawValue
    message = mismatch.summary
    counterexample = mismatch.packet
    trace = mismatch.hooks.flatMap(\.modelTrace)
    hint =
      "one of them is wrong, and with it this answer"
      + (mismatch.bundle.map { ": \($0) reproduces it" } ?? "")
  }
}

extension ReplayEvidence {
  fileprivate mutating func add(_ omission: Omission) { omissions.add(omission) }
}

extension ReplaySummary {
  fileprivate mutating func add(_ omission: ReplayEvidence.Omission) { omissions.add(omission) }
}

extension [ReplayEvidence.Omission] {
  fileprivate mutating func add(_ omission: ReplayEvidence.Omission) {
    if let index = firstIndex(where: { $0.reason == omission.reason }) {
      self[index].count += omission.count
    } else {
      append(omission)
    }
  }
}
