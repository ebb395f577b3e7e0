internal import Diagnostics
internal import LinuxKernel
internal import Outcomes
internal import Probing
internal import Scenarios

/// `verify`: proof and probe side by side for every line.
struct VerifyCommand {
  static let row = CommandRow(
    name: "verify", summary: "prove every line, probe it, and compare", operands: [.scenarios],
    options: [.firewall, .ruleset, .live] + ProbeCommand.probeOptions + [
      .only, .failOn, .inconclusive, .report, .junitProfile, .verbose, .noProgress,
    ], formats: [.terminal, .json, .junit], ownForms: ProbeCommand.ownForms,
    examples: [
      ("portproof verify cluster.scn", "from one of the hosts of the file"),
      (
        "portproof verify cluster.scn --agents agents.yaml --capture evidence",
        "with the far ends' own testimony, and every packet kept"
      ),
    ])

  let arguments: ParsedArguments
  let console: Console

  func run() -> RunStatus {
    if arguments.has(.dryRun) { return ProbeCommand(arguments: arguments, console: console).run() }
    return ReportedRun(arguments: arguments, console: console).run { run, sources throws(Stop) in
      let loading = QuestionLoading(arguments: arguments, console: console)
      let question = try loading.question(&sources, properties: &run.properties)
      let options = try ProbeOptions(arguments, console, plan: question.plan, sources: &sources)
      let step = ProbeStep(arguments: arguments, console: console)
      let plan = try step.plan(question.plan, options, sources)
      let proofs = CheckCommand.prove(question) { Interruption.isRequested }
      try ReportedRun.stopIfInterrupted()
      var rulesets = StaticSide(question)
      let answers = try step.run(question.plan, plan, options, sources) { evidence, flow in
        rulesets.word(on: evidence, of: flow)
      }
      for (index, proof) in proofs.enumerated() {
        let judgement = answers.judgements[index]
        let probed = judgement.outcome(in: sources, answers.surroundings[index])
        run.claims.append(
          VerifiedLine(proof: proof, probe: probed, judgement: judgement)
            .outcome(contradiction: rulesets.contradiction(of: judgement)))
      }
      try ReportedRun.stopIfInterrupted()
    }
  }
}
