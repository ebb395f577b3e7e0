package import Addresses
package import Scenarios

/// Asks a plan's probes in an order in which their silence means something.
///
/// First what is expected to be allowed, which shows who is alive; then the rest; then again,
/// slower or more often, what silence alone does not answer; last a sign of life of every target
/// that was silent about something.
package struct ProbeCampaign {
  /// One end to another.
  package struct Pair: Hashable, Sendable {
    package var source: IPAddress
    package var destination: IPAddress

    package init(_ probe: Probe) {
      source = probe.source
      destination = probe.destination
    }
  }

  /// What the wire said.
  package struct Result: Sendable {
    /// In the order of the plan's probes; fewer where the run was stopped.
    package var observations: [Observation?]
    package var lives: [Pair: TargetLife]
    /// In words, by pair.
    package var canaries: [Pair: String]
    /// Whether a probe was asked again at the pace of ICMP errors.
    package var paced: Set<Int>
  }

  /// A probe that is to be sent now.
  package struct Question: Sendable {
    /// Which of ``ProbeCampaign/probes``.
    package var index: Int
    /// That probe, as often and as slowly as it is to be sent now.
    package var probe: Probe
  }

  /// Sends probes and waits for what comes back; observations in the order of the questions.
  package typealias Sending<Failure: Error> =
    (_ questions: [Question]) throws(Failure) -> [Observation]

  /// Everything that may be sent: the plan's probes, then signs of life.
  ///
  /// Whoever sends them can open all sockets before the first packet.
  package let probes: [Probe]
  private let plan: ProbePlan
  private let flows: [Flow]
  /// By pair, what the user says is allowed.
  private var canaries: [Pair: [Int]] = [:]
  /// By probe, the same from another source port, for afterwards.
  private var copies: [Int: Int] = [:]

  /// The most probes of a pair that may be asked again as a sign of life.
  private static let mostCopies = 8

  /// - Parameters:
  ///   - plan: What is asked.
  ///   - flows: The lines, in the plan's order.
  ///   - kinds: What to ask every target besides, as a sign of life.
  package init(_ plan: ProbePlan, flows: [Flow], canaries kinds: [Probe.Kind] = []) {
    self.plan = plan
    self.flows = flows
    var probes = plan.probes
    func add(_ probe: Probe) -> Int {
      probes.append(probe)
      return probes.count - 1
    }
    var seen: Set<Pair> = []
    for pair in plan.probes.map(Pair.init) where seen.insert(pair).inserted {
      for kind in kinds {
        let probe = Probe(
          from: pair.source, to: pair.destination, kind, transmissions: Self.patience)
        let index = add(probe)
        canaries[pair, default: []].append(index)
        copies[index] = add(probe)
      }
    }
    var counts: [Pair: Int] = [:]
    for index in Self.expectedToPass(plan, flows).sorted() {
      var probe = plan.probes[index]
      let pair = Pair(probe)
      guard counts[pair, default: 0] < Self.mostCopies else { continue }
      counts[pair, default: 0] += 1
      probe.transmissions = max(probe.transmissions, Self.patience)
      copies[index] = add(probe)
    }
    self.probes = probes
  }

  /// How often a sign of life is asked for.
  private static let patience = 5

  private static func expectedToPass(_ plan: ProbePlan, _ flows: [Flow]) -> Set<Int> {
    Set(zip(plan.lines, flows).filter { $1.expectation == .allow }.flatMap { $0.0.probes })
  }

  /// Asks everything.
  ///
  /// - Parameters:
  ///   - hearsAllErrors: Whether a target certainly sends as many ICMP errors as it wants to.
  ///   - isStopped: Whether to end early, with what there is.
  ///   - lateAnswers: By probe, what came when it was not asked any more; silence was none then.
  ///   - send: Sends probes and waits for answers.
  /// - Returns: What was seen.
  /// - Throws: What sending failed with.
  package func run<Failure: Error>(
    hearsAllErrors: (IPAddress) -> Bool = { _ in false }, isStopped: () -> Bool = { false },
    lateAnswers: () -> [Int: Observation.Answer] = { [:] }, sending send: Sending<Failure>
  ) throws(Failure) -> Result {
    var state = State(count: plan.probes.count)
    let first = Self.expectedToPass(plan, flows)

    // Who is alive, and how much is lost on the way?
    try state.ask(plan, first.sorted(), send)
    var signs = signsOfLife(state, among: first)
    try askCanaries(&signs, &state, send)
    let before = signs
    if !isStopped() {
      try state.ask(plan, plan.probes.indices.filter { !first.contains($0) }, send)
    }

    // What is lost now and then must be asked more often before its silence counts.
    if !isStopped(), let more = state.loss.transmissions {
      let again = plan.probes.indices.filter { index in
        state.isSilent(index) && plan.probes[index].transmissions < more
      }
      try state.ask(plan, again, send) { $0.transmissions = more }
    }

    // A rejection that the limit on ICMP errors kept back looks like a drop.
    let turning = Set(
      zip(plan.lines, flows).filter { $0.0.turnsOnICMPErrors }.flatMap { $0.0.probes })
    let slow = turning.filter {
      state.isSilent($0) && !hearsAllErrors(plan.probes[$0].destination)
    }
    if !isStopped(), !slow.isEmpty {
      try state.ask(plan, slow.sorted(), send) { $0.isPaced = true }
      state.paced = slow
    }
    let after = isStopped() ? [:] : try askAgain(before, &state, send)
    for (index, answer) in lateAnswers() where index < plan.probes.count && state.isSilent(index) {
      state.observations[index]?.answer = answer
    }
    return result(state, before: before, after: after)
  }

  // MARK: - Signs of life

  /// A probe that was answered, and how fast.
  private typealias Sign = (index: Int, roundTrip: Duration?)

  private func signsOfLife(_ state: State, among indices: Set<Int>) -> [Pair: Sign] {
    var signs: [Pair: Sign] = [:]
    for index in indices.sorted() {
      guard let observation = state.observations[index], observation.answer.isSignOfLife else {
        continue
      }
      let pair = Pair(plan.probes[index])
      let isBetter = copies[index] != nil && signs[pair].map { copies[$0.index] == nil } ?? true
      if isBetter || signs[pair] == nil { signs[pair] = (index, observation.roundTrip) }
    }
    return signs
  }

  private func askCanaries<Failure: Error>(
    _ signs: inout [Pair: Sign], _ state: inout State, _ send: Sending<Failure>
  ) throws(Failure) {
    let questions = canaries.filter { signs[$0.key] == nil }.values.joined().sorted()
      .map { Question(index: $0, probe: probes[$0]) }
    guard !questions.isEmpty else { return }
    for (question, observation) in zip(questions, try send(questions)) {
      state.loss.count(observation)
      let pair = Pair(question.probe)
      if observation.answer.isSignOfLife, signs[pair] == nil {
        signs[pair] = (question.index, observation.roundTrip)
      }
    }
  }

  /// Asks what was answered before, of every target that was silent about something.
  private func askAgain<Failure: Error>(
    _ before: [Pair: Sign], _ state: inout State, _ send: Sending<Failure>
  ) throws(Failure) -> [Pair: Sign] {
    let silent = Set(plan.probes.indices.filter(state.isSilent).map { Pair(plan.probes[$0]) })
    let questions = silent.compactMap { before[$0]?.index }.map { copies[$0] ?? $0 }.sorted()
      .map { Question(index: $0, probe: probes[$0]) }
    guard !questions.isEmpty else { return [:] }
    var signs: [Pair: Sign] = [:]
    for (question, observation) in zip(questions, try send(questions))
    where observation.answer.isSignOfLife {
      signs[Pair(question.probe)] = (question.index, observation.roundTrip)
    }
    return signs
  }

  private func result(
    _ state: State, before: [Pair: Sign], after: [Pair: Sign]
  ) -> Result {
    var result = Result(
      observations: state.observations, lives: [:], canaries: [:], paced: state.paced)
    for pair in Set(plan.probes.map(Pair.init)) {
      let first = before[pair]
      let last = after[pair]
      result.lives[pair] = TargetLife(before: first != nil, after: last != nil)
      guard let first, let last else { continue }
      let times = [first.roundTrip, last.roundTrip].map { time in
        time.map { " (\(spokenMilliseconds($0)))" } ?? ""
      }
      result.canaries[pair] =
        "\(probes[first.index].target) answered before\(times[0]) and after\(times[1])"
    }
    return result
  }
}

/// What was seen so far.
private struct State {
  var observations: [Observation?]
  var paced: Set<Int> = []
  var loss = Loss()

  init(count: Int) { observations = Array(repeating: nil, count: count) }

  /// Whether a probe was sent and nothing came back.
  func isSilent(_ index: Int) -> Bool { observations[index]?.answer == .silence }

  /// Asks probes of a plan, changed by `change`, and adds what is seen to what is known of them.
  mutating func ask<Failure: Error>(
    _ plan: ProbePlan, _ indices: [Int], _ send: ProbeCampaign.Sending<Failure>,
    _ change: (inout Probe) -> Void = { _ in }
  ) throws(Failure) {
    guard !indices.isEmpty else { return }
    let questions = indices.map { index in
      var question = ProbeCampaign.Question(index: index, probe: plan.probes[index])
      change(&question.probe)
      return question
    }
    for (index, observation) in zip(indices, try send(questions)) {
      loss.count(observation)
      guard let known = observations[index] else {
        observations[index] = observation
        continue
      }
      var joined = observation
      joined.transmissions += known.transmissions
      joined.packets = known.packets + observation.packets
      observations[index] = joined
    }
  }
}

/// How many packets are lost on ways that work.
private struct Loss {
  private var answered = 0
  private var unanswered = 0

  /// Counts what an answered probe took; of one that was not, nobody knows why.
  mutating func count(_ observation: Observation) {
    guard observation.answer.isSignOfLife else { return }
    answered += 1
    unanswered += observation.transmissions - 1
  }

  /// How often a probe must be sent before it is lost every time once in a million; nil where
  /// nothing was lost.
  var transmissions: Int? {
    guard unanswered > 0 else { return nil }
    var needed = 1
    // By Laplace's rule, so that two of two are not taken for certain.
    let share = Double(unanswered + 1) / Double(answered + unanswered + 2)
    var chance = share
    while chance > 1e-6, needed < Self.most {
      chance *= share
      needed += 1
    }
    return needed
  }

  private static let most = 20
}
