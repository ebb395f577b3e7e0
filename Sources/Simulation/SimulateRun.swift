import Documents
package import Rulesets

/// Answers packet lines one after the other, as `simulate` does.
package struct SimulateRun: ~Copyable {
  /// How far packets of a run are taken to be apart at most, in nanoseconds.
  package static let duration = GatePlan.runDuration

  private let ruleset: Ruleset
  private var simulator: Simulator
  private var writer = JSONWriter()

  /// Makes a run over a ruleset, on a host where whole ways are asked for.
  package init(_ ruleset: Ruleset, host: Host? = nil) {
    self.ruleset = ruleset
    simulator = Simulator(Program(ruleset), host: host)
    simulator.isTracing = true
  }

  /// Answers one line as it stands: what becomes of the packet, and the steps of its way.
  ///
  /// - Parameter line: A packet as JSON, without its line break.
  /// - Returns: The question that was read, its answer, and the rules that matched.
  /// - Throws: ``SimulationInputError`` where the line is no packet.
  package mutating func report(
    on line: [UInt8]
  ) throws(SimulationInputError) -> (
    question: PacketQuestion, report: PacketReport, trace: [TraceEntry]
  ) {
    let question = try PacketQuestion(reading: line)
    let (report, trace) = report(on: question)
    return (question, report, trace)
  }

  private mutating func report(
    on question: PacketQuestion
  ) -> (report: PacketReport, trace: [TraceEntry]) {
    let report: PacketReport
    switch question.content {
    case .malformed(let why):
      simulator.begin()
      report = PacketReport(
        verdict: question.isLocal ? .unknown : .drop, because: why, decidedBy: nil)
    case .packet(let packet):
      if let hook = question.hook {
        let answer = simulator.answer(at: hook, packet)
        report = PacketReport(
          verdict: answer.verdict, because: answer.reason ?? "", decidedBy: answer.decidedBy)
      } else {
        report = simulator.report(on: packet)
      }
    }
    return (report, simulator.trace)
  }

  /// Answers one line.
  ///
  /// - Parameter line: A packet as JSON, without its line break.
  /// - Returns: The verdict as one line of JSON, without a line break.
  /// - Throws: ``SimulationInputError`` where the line is no packet.
  package mutating func answer(_ line: [UInt8]) throws(SimulationInputError) -> [UInt8] {
    let (question, report, trace) = try report(on: line)
    write(report, trace, hasWay: question.hook == nil, number: nil)
    return writer.utf8
  }

  /// Answers one packet of a file whose packets have numbers.
  ///
  /// - Returns: The number and the verdict as one line of JSON, without a line break.
  package mutating func answer(_ question: PacketQuestion, number: Int) -> [UInt8] {
    let (report, trace) = report(on: question)
    write(report, trace, hasWay: question.hook == nil, number: number)
    return writer.utf8
  }

  /// Tells of something of such a file that no verdict is given on: it changes nothing in the run.
  ///
  /// - Returns: One line of JSON, without a line break.
  package mutating func leaveOut(_ number: Int, because why: String) -> [UInt8] {
    writer.removeAll()
    writer.object { writer in
      writer.member("packet", number)
      writer.null("verdict")
      writer.member("because", why)
    }
    return writer.utf8
  }

  private mutating func write(
    _ report: PacketReport, _ trace: [TraceEntry], hasWay: Bool, number: Int?
  ) {
    writer.removeAll()
    let ruleset = ruleset
    writer.object { writer in
      if let number { writer.member("packet", number) }
      writer.member("verdict", report.verdict.name)
      writer.member("because", Self.because(report, ruleset))
      if hasWay {
        writer.object("hooks") { writer in
          for entered in report.hooks {
            writer.member(entered.hook.rawValue, entered.verdict.name)
          }
        }
      }
      writer.array("trace") { writer in
        for entry in trace { Self.write(entry, ruleset, &writer) }
      }
    }
  }

  private static func write(
    _ entry: TraceEntry, _ ruleset: Ruleset, _ writer: inout JSONWriter
  ) {
    let table = ruleset.tables[entry.location.table]
    let chain = table.chains[entry.location.chain]
    writer.object { writer in
      writer.member("family", table.family.rawValue)
      writer.member("table", table.name)
      writer.member("chain", chain.name)
      if let rule = entry.location.rule, let handle = chain.rules[rule].handle {
        writer.member("handle", handle)
      }
      writer.member("verdict", entry.step.text(in: table))
    }
  }

  /// The reason with the place that decided.
  private static func because(_ report: PacketReport, _ ruleset: Ruleset) -> String {
    guard let location = report.decidedBy else {
      return report.because.isEmpty ? "nothing stops it" : report.because
    }
    let table = ruleset.tables[location.table]
    let chain = table.chains[location.chain]
    let place = "\(table.family.rawValue) \(table.name) \(chain.name)"
    let cause: String
    if let rule = location.rule {
      let handle = chain.rules[rule].handle.map { "handle \($0)" } ?? "rule \(rule + 1)"
      cause = "\(place) \(handle)"
    } else {
      cause = "the policy of \(place)"
    }
    return report.because.isEmpty ? "by \(cause)" : "\(report.because) (\(cause))"
  }
}

extension PacketVerdict {
  /// The word for the verdict.
  package var name: String {
    switch self {
    case .accept: "accept"
    case .drop: "drop"
    case .reject: "reject"
    case .unknown: "unknown"
    }
  }
}
