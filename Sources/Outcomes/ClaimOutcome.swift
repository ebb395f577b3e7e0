package import Diagnostics

/// What a run found out about one line of a scenario file.
package struct ClaimOutcome: Hashable, Sendable {
  package enum Status: String, Hashable, Sendable, CaseIterable {
    case passed
    case failed
    case unknown
    case skipped
  }

  /// What the packets of the line meet.
  package enum Observed: String, Hashable, Sendable, CaseIterable {
    case allow
    case drop
    case reject
    /// Some packets pass and some do not.
    case mixed
    case unknown
  }

  package enum Severity: String, Hashable, Sendable, CaseIterable, Comparable {
    case info, low, medium, high, critical

    package static func < (left: Self, right: Self) -> Bool {
      let order = Self.allCases
      return (order.firstIndex(of: left) ?? 0) < (order.firstIndex(of: right) ?? 0)
    }
  }

  /// `suite/3`, or what `id` in the file says; unique in a run.
  package var id: String
  package var suite: String
  /// The line in canonical form: `worker -> cp 50001 tcp expect allow`.
  package var scenario: String
  package var file: String
  /// From 1.
  package var line: Int
  package var column: Int
  /// Where the expectation stands, for the caret.
  package var expectationSpan: SourceSpan?
  package var severity: Severity
  package var tags: [String]
  /// The line's `because`.
  package var because: String?

  package var status: Status
  package var expected: String
  package var observed: Observed
  /// Stable and dotted: `verdict.drop`, `unknown.unmodelled`, `skipped`.
  package var code: String
  /// One line that says what was found: `dropped by the policy of inet talos ingress`.
  package var message: String
  package var counterexample: PacketDescription?
  package var decidedBy: RuleCitation?
  package var trace: [TraceStep]
  /// Why an answer is not known.
  package var reasons: [String]
  /// What an answer rests on: `limit rate 5/second not exceeded`.
  package var assumptions: [String]
  /// What the reader can do.
  package var hint: String?
  /// A change of the firewall's own files that was proved to make the line hold, in their language;
  /// several lines.
  package var remedy: String?
  package var evidence: Evidence
  /// How long the answer took, in seconds.
  package var seconds: Double

  /// What besides the proof speaks for the answer; nil where it was not asked.
  package struct Evidence: Hashable, Sendable {
    package var replay: ReplayEvidence?
    package var probe: ProbeEvidence?

    package init(replay: ReplayEvidence? = nil, probe: ProbeEvidence? = nil) {
      self.replay = replay
      self.probe = probe
    }
  }

  package init(
    id: String, suite: String, scenario: String, file: String, line: Int, column: Int,
    expectationSpan: SourceSpan? = nil, severity: Severity = .high, tags: [String] = [],
    because: String? = nil, status: Status, expected: String, observed: Observed, code: String,
    message: String, counterexample: PacketDescription? = nil, decidedBy: RuleCitation? = nil,
    trace: [TraceStep] = [], reasons: [String] = [], assumptions: [String] = [],
    hint: String? = nil, remedy: String? = nil, evidence: Evidence = Evidence(), seconds: Double = 0
  ) {
    self.id = id
    self.suite = suite
    self.scenario = scenario
    self.file = file
    self.line = line
    self.column = column
    self.expectationSpan = expectationSpan
    self.severity = severity
    self.tags = tags
    self.because = because
    self.status = status
    self.expected = expected
    self.observed = observed
    self.code = code
    self.message = message
    self.counterexample = counterexample
    self.decidedBy = decidedBy
    self.trace = trace
    self.reasons = reasons
    self.assumptions = assumptions
    self.hint = hint
    self.remedy = remedy
    self.evidence = evidence
    self.seconds = seconds
  }
}
