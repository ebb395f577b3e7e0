import Addresses
import Diagnostics
import Foundation
import NftablesFrontend
import Proof
import Rulesets
import Scenarios

/// Reads a long list and proves a thousand lines against it.
struct ProofBenchmark {
  let shape: RuleListShape
  let count: Int
  let family: IPFamily

  var name: String { "proof \(shape.rawValue) \(count) \(family.rawValue)" }

  /// Prints the figures.
  ///
  /// - Parameter referee: Asked the same questions; its time is printed beside, and answers that
  ///   differ end the run.
  /// - Throws: ``Failure`` where the list cannot be read, or an answer is wrong.
  func run(referee: Referee?) throws {
    let list = RuleList(shape, count: count, family: family, questions: 1_000)
    let bytes = list.json
    var sources = SourceMap()
    let readingStart = ContinuousClock.now
    let reading = NftablesReader.read(bytes, name: "list.json", sources: &sources)
    let readingTime = ContinuousClock.now - readingStart
    guard let ruleset = reading.ruleset else { throw Failure(reading.diagnostics) }
    if shape == .destinations, family == .ipv4 {
      Figure.print("read JSON \(count) rules", readingTime, note: "\(bytes.count >> 20) MiB")
    }
    let flows = list.questions.enumerated().map { index, question in
      Flow(
        id: "\(index)", suite: "", text: "", span: SourceSpan(file: 0, lower: 0, upper: 0),
        expectationSpan: SourceSpan(file: 0, lower: 0, upper: 0),
        sources: AddressSet(question.source), destinations: AddressSet(question.destination),
        services: [
          Service(
            .ports(
              question.transport,
              IntervalSet(
                Interval(UInt128(question.ports.lowerBound), UInt128(question.ports.upperBound)))),
            isOneWay: true, name: "")
        ], expectation: .allow)
    }
    let start = ContinuousClock.now
    var prover = Prover(firewalls: [
      Firewall(name: "list", ruleset: ruleset, placement: .between(.any, .any))
    ])
    var answers: [FlowProof.Status] = []
    answers.reserveCapacity(flows.count)
    for flow in flows { answers.append(prover.prove(flow).status) }
    let time = ContinuousClock.now - start
    let holds = answers.count { $0 == .holds }
    let unknown = answers.count { $0 == .unknown }
    Figure.print(name + ": index + 1,000 proofs", time, note: "\(holds) hold, \(unknown) not known")
    try answered(flows, ruleset)
    guard let referee else { return }
    let verdict = try referee.answers(to: list)
    let differing = answers.indices.filter { (answers[$0] == .holds) != verdict.answers[$0] }
    Figure.print(
      name + ": Z3", .seconds(verdict.seconds),
      note: "\(differing.count) of \(answers.count) answers differ")
    if let first = differing.first { throw Failure("question \(first) of \(name)") }
  }
}

extension ProofBenchmark {
  /// The same lines as connections that must work: there, back, and on.
  private func answered(_ flows: [Flow], _ ruleset: Ruleset) throws {
    let start = ContinuousClock.now
    var prover = Prover(firewalls: [
      Firewall(name: "list", ruleset: ruleset, placement: .between(.any, .any))
    ])
    var holds = 0
    for flow in flows {
      var flow = flow
      flow.services[0].isOneWay = false
      if prover.prove(flow).status == .holds { holds += 1 }
    }
    Figure.print(
      name + ": the same with their answers", ContinuousClock.now - start, note: "\(holds) hold")
  }
}

/// A benchmark that could not be run, or whose answers are wrong.
struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ what: some Any) { description = "\(what)" }
}

/// One printed figure.
enum Figure {
  static func print(_ name: String, _ time: Duration, note: String = "") {
    let seconds = time.seconds
    let text =
      seconds < 1 ? String(format: "%.2f ms", seconds * 1e3) : String(format: "%.2f s", seconds)
    Self.print(name, text, note: note)
  }

  static func print(_ name: String, _ value: String, note: String = "") {
    let padded = name.padding(toLength: max(58, name.count + 2), withPad: " ", startingAt: 0)
    let line = padded + value + (note.isEmpty ? "" : "   (\(note))") + "\n"
    FileHandle.standardOutput.write(Data(line.utf8))
  }
}

extension Duration {
  /// The duration in seconds.
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
