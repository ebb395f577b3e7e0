import Addresses
import Diagnostics
import Outcomes

/// The clauses that hold for a line: its own, else its suite's, else the defaults.
struct Clauses: Hashable {
  var interface: String?
  /// Where `from port` stands on the line itself; nil where it is inherited.
  var sourcePortSpan: SourceSpan?
  var sourcePorts: IntervalSet?
  var family: IPFamily?
  var familySpan: SourceSpan?
  var state = Flow.ConnectionState.new
  var severity = ClaimOutcome.Severity.high
  var tags: [String] = []
  var because: String?
  var id: Word?
  var skip: String?
  var expectedFailure: String?
  var timeoutSeconds: Double?
  var retries: Int?
  var mode = Flow.Mode.both

  /// What a line inherits.
  var inherited: Clauses {
    var clauses = self
    clauses.sourcePortSpan = nil
    clauses.id = nil
    return clauses
  }

  /// Adds the clauses of one statement, which override those that were there; tags add up.
  ///
  /// - Returns: False where something has been complained about.
  mutating func add(
    _ clauses: [ClauseSyntax], isLine: Bool, diagnostics: inout [Diagnostic]
  ) -> Bool {
    let before = diagnostics.count
    var isValid = true
    var seen: Set<Keyword> = []
    for clause in clauses {
      let isFirst = seen.insert(clause.keyword == .live ? .static : clause.keyword).inserted
      if !isFirst, clause.keyword != .tag {
        diagnostics.append(.repeated(sourceWord(clause), at: clause.keywordSpan))
      }
      switch clause.kind {
      case .interface(let word): interface = word.text
      case .sourcePorts(let ports):
        sourcePorts = IntervalSet(ports.map(\.value))
        sourcePortSpan = clause.span
      case .family(let family):
        self.family = family
        familySpan = clause.span
      case .state(let word):
        let states = Flow.ConnectionState.allCases.map(\.rawValue)
        if let state = Flow.ConnectionState(rawValue: word.key) {
          self.state = state
        } else {
          diagnostics.append(.unknownWord(.unknownState, "state", word, among: states))
        }
      case .severity(let word):
        let severities = ClaimOutcome.Severity.allCases.map(\.rawValue)
        if let severity = ClaimOutcome.Severity(rawValue: word.key) {
          self.severity = severity
        } else {
          diagnostics.append(.unknownWord(.unknownSeverity, "severity", word, among: severities))
        }
      case .tags(let words):
        for word in words where !tags.contains(word.key) { tags.append(word.key) }
      case .because(let word): because = word.text
      case .id(let word):
        id = word
        if !isLine { diagnostics.append(.idOfMany(at: clause.span)) }
      case .skip(let word): skip = word.text
      case .expectedFailure(let word): expectedFailure = word.text
      case .timeout(let seconds): timeoutSeconds = seconds
      case .retries(let count): retries = count
      case .static: mode = .static
      case .live: mode = .live
      case .invalid: isValid = false
      }
    }
    return isValid && diagnostics.count == before
  }

  private func sourceWord(_ clause: ClauseSyntax) -> String {
    if clause.keyword == .static || clause.keyword == .live { return "static or live" }
    return clause.keyword == .from ? "from port" : clause.keyword.rawValue
  }
}

extension Diagnostic {
  fileprivate static func idOfMany(at span: SourceSpan) -> Diagnostic {
    Diagnostic(
      .clauseMisplaced, "an id belongs to one line", at: span, label: "would hold for many lines",
      help: "write it at the end of its line")
  }

  fileprivate static func unknownWord(
    _ code: ScenarioCode, _ what: String, _ word: Word, among all: [String]
  ) -> Diagnostic {
    Diagnostic(
      code, "there is no \(what) `\(word.text)`", at: word.span,
      label: question(Suggestion.nearest(to: word.text, among: all)),
      help: "one of " + all.map { "`\($0)`" }.joined(separator: ", "))
  }
}
