internal import Outcomes
internal import Probing
internal import Scenarios

/// A line's two answers made one.
struct VerifiedLine {
  /// What the rulesets say of all its packets.
  var proof: ClaimOutcome
  /// What the wire says of those that were sent.
  var probe: ClaimOutcome
  var judgement: LineJudgement

  /// The line's outcome.
  ///
  /// A contradiction fails the line whatever it expects: one of the two does not tell the truth.
  /// Otherwise it holds where both say so; where the line cannot be probed from here, the proof
  /// speaks alone and the report says that.
  ///
  /// - Parameter contradiction: What the rulesets say of probes of which the wire says something
  ///   else.
  /// - Returns: The outcome, with the evidence of both.
  func outcome(
    contradiction: (proof: ClaimOutcome, evidence: [Int])?
  ) -> ClaimOutcome {
    var outcome = combined
    outcome.evidence.probe = probe.evidence.probe
    outcome.seconds += probe.seconds
    guard let contradiction, let first = contradiction.evidence.first else { return outcome }
    let evidence = judgement.evidence[first]
    let more = contradiction.evidence.count - 1
    outcome.status = .failed
    outcome.code = "mismatch.static-live"
    outcome.observed = judgement.experiences[first].observed ?? .unknown
    outcome.message =
      "\(evidence.probe.target)\(more > 0 ? " (and \(more) more)" : ""): the rules say "
      + "\(contradiction.proof.observed.rawValue), the wire says \(judgement.experiences[first].word)"
    outcome.counterexample = evidence.packet
    outcome.decidedBy = contradiction.proof.decidedBy
    outcome.trace = contradiction.proof.trace
    outcome.reasons = []
    outcome.hint =
      "the file that was proved is not what is in force there, or something else on the way acts:"
      + " compare with `portproof diff FILE live` on that host"
    outcome.remedy = nil
    return outcome
  }

  private var combined: ClaimOutcome {
    switch (proof.status, probe.status) {
    case (.skipped, _): return probe
    case (_, .skipped): return told(proof, "not probed: \(probe.message)")
    case (.failed, _): return proof
    case (_, .failed): return probe
    case (.unknown, _): return proof
    case (.passed, .unknown):
      // What cannot be asked of the wire is the proof's alone; what was asked and not answered is
      // not known.
      if probe.evidence.probe == nil { return told(proof, probe.message) }
      return probe
    case (.passed, .passed):
      var both = proof
      both.message = "\(proof.message); \(probe.message)"
      return both
    }
  }

  private func told(_ claim: ClaimOutcome, _ what: String) -> ClaimOutcome {
    var claim = claim
    claim.assumptions.append(what)
    return claim
  }
}
