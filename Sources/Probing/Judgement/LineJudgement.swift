package import Diagnostics
package import Outcomes
package import Scenarios

/// Makes one line's outcome of the evidence about its probes.
package struct LineJudgement {
  package let flow: Flow
  package let line: ProbePlan.Line
  /// In the order of the line's probes.
  package let evidence: [Evidence]
  /// What each comes to, in the same order.
  package let experiences: [Experience]

  package init(of flow: Flow, _ line: ProbePlan.Line, _ evidence: [Evidence]) {
    self.flow = flow
    self.line = line
    self.evidence = evidence
    experiences = evidence.map(\.experience)
  }

  /// Facts about the run that are told beside the line's own.
  package struct Surroundings: Sendable {
    /// How packets were sent, and what that cannot tell.
    package var means: String
    /// By target, its signs of life in words.
    package var canaries: [String]
    /// Where this end's capture lies; nil where nothing was captured.
    package var nearCapture: String?

    package init(
      means: String, canaries: [String] = [], nearCapture: String? = nil
    ) {
      self.means = means
      self.canaries = canaries
      self.nearCapture = nearCapture
    }
  }

  /// How many probes a report shows one by one.
  private static let exampleLimit = 2

  /// The line's outcome.
  package func outcome(
    in sources: SourceMap, _ surroundings: Surroundings
  ) -> ClaimOutcome {
    var outcome = flow.outcome(in: sources)
    if let obstacle = line.obstacle { return self.outcome(outcome, for: obstacle) }
    let met = experiences.map { flow.expectation.isMet(by: $0) }
    let failing = met.indices.filter { met[$0] == false }
    let unknown = met.indices.filter { met[$0] == nil }
    outcome.observed = observed
    outcome.assumptions = line.assumptions
    if let first = failing.first {
      outcome.status = .failed
      outcome.code = "verdict.\(experiences[first].code)"
      outcome.message = message(about: first, andMore: failing.count - 1)
      outcome.counterexample = evidence[first].packet
      outcome.hint = experiences[first].hint(for: flow.expectation)
    } else if let first = unknown.first {
      outcome.status = .unknown
      outcome.observed = .unknown
      outcome.code = experiences[first].doubtCode
      outcome.message = message(about: first, andMore: unknown.count - 1)
      outcome.counterexample = evidence[first].packet
      outcome.reasons = reasons(unknown)
      outcome.hint = experiences[first].hint(for: flow.expectation)
    } else {
      outcome.status = .passed
      outcome.code = "verdict.\(observed.rawValue)"
      let count = evidence.count
      outcome.message = "\(count) \(count == 1 ? "probe" : "probes"): \(observed.rawValue)"
    }
    let shown = failing + unknown
    outcome.evidence.probe = summary(
      showing: shown.isEmpty
        ? Array(met.indices.prefix(1)) : Array(shown.prefix(Self.exampleLimit)),
      surroundings)
    if let reason = flow.expectedFailure { outcome.turn(forExpectedFailure: reason) }
    return outcome
  }

  private func outcome(_ outcome: ClaimOutcome, for obstacle: ProbePlan.Obstacle) -> ClaimOutcome {
    if obstacle.isWanted {
      var skipped = outcome.skipped(obstacle.reason)
      skipped.hint = obstacle.hint
      return skipped
    }
    var outcome = outcome
    outcome.status = .unknown
    outcome.code = obstacle.code
    outcome.message = "not known: \(obstacle.reason)"
    outcome.reasons = [obstacle.reason]
    outcome.hint = obstacle.hint
    return outcome
  }

  /// What the probes met, where it is known.
  private var observed: ClaimOutcome.Observed {
    let all = Set(experiences.compactMap(\.observed))
    return all.count == 1 ? all.first ?? .unknown : all.isEmpty ? .unknown : .mixed
  }

  private func message(about index: Int, andMore more: Int) -> String {
    let rest = more == 0 ? "" : " (and \(more) more)"
    return "\(evidence[index].probe.target)\(rest): \(experiences[index].text)"
  }

  private func reasons(_ unknown: [Int]) -> [String] {
    var reasons: [String] = []
    for index in unknown {
      guard case .unknown(let doubt) = experiences[index] else {
        let reason = experiences[index].text
        if !reasons.contains(reason) { reasons.append(reason) }
        continue
      }
      if !reasons.contains(doubt.reason) { reasons.append(doubt.reason) }
    }
    return reasons
  }

  private func summary(
    showing shown: [Int], _ surroundings: Surroundings
  ) -> ProbeEvidence {
    var summary = ProbeEvidence(means: surroundings.means)
    summary.probeCount = evidence.count
    for (evidence, experience) in zip(evidence, experiences) {
      summary.transmissionCount += evidence.observation.transmissions
      if evidence.observation.answer.isAnswer { summary.answeredCount += 1 }
      if let hasArrived = evidence.far?.hasArrived {
        summary.arrivedCount = (summary.arrivedCount ?? 0) + (hasArrived ? 1 : 0)
      }
      summary.count(experience.word)
    }
    summary.examples = shown.map { example($0, surroundings) }
    summary.canaries = surroundings.canaries
    summary.omissions = line.omissions
    return summary
  }

  private func example(
    _ index: Int, _ surroundings: Surroundings
  ) -> ProbeEvidence.Example {
    let evidence = evidence[index]
    let captured = surroundings.nearCapture.flatMap { file in
      evidence.observation.packets.isEmpty
        ? nil : ProbeEvidence.Capture(file: file, packets: evidence.observation.packets)
    }
    let far = evidence.far.flatMap { far in
      far.captureFile.flatMap { file in
        far.packets.isEmpty ? nil : ProbeEvidence.Capture(file: file, packets: far.packets)
      }
    }
    return ProbeEvidence.Example(
      packet: evidence.packet, transmissions: evidence.observation.transmissions,
      hasArrived: evidence.far?.hasArrived,
      isAccepted: evidence.far?.hasArrived == nil ? nil : evidence.far?.isAccepted,
      cameBack: evidence.observation.text, found: experiences[index].text, nearCapture: captured,
      farCapture: far)
  }
}

extension ProbeEvidence {
  fileprivate mutating func count(_ experience: String) {
    if let index = tallies.firstIndex(where: { $0.experience == experience }) {
      tallies[index].count += 1
    } else {
      tallies.append(.init(experience, 1))
    }
  }
}
