internal import Addresses
internal import Diagnostics
internal import LinuxKernel
internal import Probing
internal import Scenarios

/// Sends a plan's probes, and judges each line by what both ends saw.
struct ProbeStep {
  let arguments: ParsedArguments
  let console: Console

  /// What the wire said of each line.
  struct Answers {
    var judgements: [LineJudgement] = []
    var surroundings: [LineJudgement.Surroundings] = []
    /// Whether the run was ended before everything was asked.
    var isInterrupted = false
  }

  /// Says of ambiguous evidence what the rulesets say; nil where they are not asked.
  typealias Rules = (_ evidence: Evidence, _ flow: Flow) -> RulesWord?

  /// What is sent for a scenario.
  ///
  /// - Throws: ``Stop`` where it is too much.
  func plan(
    _ scenario: ScenarioPlan, _ options: ProbeOptions, _ sources: SourceMap
  ) throws(Stop) -> ProbePlan {
    do throws(ProbePlan.TooMany) {
      return try ProbePlan(of: scenario, from: options.own)
    } catch {
      throw console.stop(
        Diagnostic(
          "probe.too-many", .error, "the file asks for more than \(ProbePlan.limit) probes",
          at: Diagnostic.Label(error.flow.span, "too many with this line"),
          help: "name fewer ports or hosts, or choose lines with --only TAG"), sources: sources)
    }
  }

  /// Asks the wire.
  ///
  /// - Parameters:
  ///   - scenario: The lines.
  ///   - plan: What is sent for them.
  ///   - options: What the command line says.
  ///   - sources: Where places of messages are.
  ///   - rules: What the rulesets say where the wire is ambiguous.
  /// - Returns: What was seen of each line.
  /// - Throws: ``Stop`` where this machine or a far end could not do its part.
  func run(
    _ scenario: ScenarioPlan, _ plan: ProbePlan, _ options: ProbeOptions, _ sources: SourceMap,
    rules: Rules = { _, _ in nil }
  ) throws(Stop) -> Answers {
    guard !plan.probes.isEmpty else {
      return answers(scenario, plan, nil, Told(), rules)
    }
    let campaign = ProbeCampaign(plan, flows: scenario.flows, canaries: options.canaries)
    let wire = try Wire(
      campaign.probes, scenario, options, arguments: arguments, console: console, sources)
    dropPrivileges()
    let line = ProgressLine(isWanted: !arguments.has(.noProgress) && !arguments.has(.quiet))
    let result: ProbeCampaign.Result
    do throws(Stop) {
      result = try campaign.run(
        hearsAllErrors: wire.hearsAllErrors, isStopped: { Interruption.isRequested },
        lateAnswers: wire.lateAnswers
      ) { questions throws(Stop) in
        try wire.ask(questions) { line.show($0) }
      }
    } catch {
      line.clear()
      wire.end()
      throw error
    }
    line.clear()
    try wire.finish()
    var answers = answers(scenario, plan, result, wire.told, rules)
    answers.isInterrupted = Interruption.isRequested
    return answers
  }

  /// Nothing more needs them: all sockets are open.
  private func dropPrivileges() {
    do throws(Errno) {
      try Privileges.dropPrivileges()
    } catch {
      console.say(
        Diagnostic(
          "environment.capabilities", .warning, "capabilities cannot be dropped: \(error)", at: nil)
      )
    }
  }

  private func answers(
    _ scenario: ScenarioPlan, _ plan: ProbePlan, _ result: ProbeCampaign.Result?, _ told: Told,
    _ rules: Rules
  ) -> Answers {
    var answers = Answers()
    for (flow, line) in zip(scenario.flows, plan.lines) {
      let asked = line.probes.filter { result?.observations[$0] != nil }
      let isOneWay = flow.services.allSatisfy(\.isOneWay)
      var canaries: [String] = []
      let evidence = asked.compactMap { index -> Evidence? in
        guard let result, var observation = result.observations[index] else { return nil }
        var probe = plan.probes[index]
        probe.isPaced = result.paced.contains(index)
        observation.packets = told.packets[index] ?? []
        let pair = ProbeCampaign.Pair(probe)
        if let canary = result.canaries[pair], !canaries.contains(canary) {
          canaries.append(canary)
        }
        var evidence = Evidence(
          probe: probe, observation: observation,
          life: result.lives[pair] ?? TargetLife(before: false, after: false),
          far: told.view(of: probe), isOneWay: isOneWay, crossesFirewall: line.crossesFirewall)
        evidence.rules = rules(evidence, flow)
        return evidence
      }
      var kept = line
      if asked.count < line.probes.count {
        kept.probes = asked
        kept.omissions.append("\(line.probes.count - asked.count) probes, as the run was ended")
        if asked.isEmpty, line.obstacle == nil {
          kept.obstacle = .init(
            code: "run.stopped", reason: "the run was ended before it was asked")
        }
      }
      answers.judgements.append(LineJudgement(of: flow, kept, evidence))
      answers.surroundings.append(
        .init(
          means: told.means, canaries: canaries, nearCapture: told.nearCapture))
    }
    return answers
  }
}
