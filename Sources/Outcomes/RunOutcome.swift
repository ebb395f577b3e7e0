/// Everything one run of the tool found: what every report is made of.
package struct RunOutcome: Hashable, Sendable {
  package var toolVersion: String
  package var claims: [ClaimOutcome]
  /// When the run began, in whole seconds since 1970-01-01T00:00:00Z.
  package var startedAt: Int
  /// How long it took, in seconds.
  package var seconds: Double
  package var hostname: String
  /// Facts for reports' properties, in order: ruleset digests, kernel version.
  package var properties: [Property]
  /// Set where the run ended before every line had its answer: why.
  package var abortedBecause: String?
  /// What came of replaying the answers; nil where it was not asked.
  package var replay: ReplaySummary?

  package struct Property: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  package init(
    toolVersion: String, claims: [ClaimOutcome], startedAt: Int, seconds: Double,
    hostname: String, properties: [Property] = [], abortedBecause: String? = nil,
    replay: ReplaySummary? = nil
  ) {
    self.toolVersion = toolVersion
    self.claims = claims
    self.startedAt = startedAt
    self.seconds = seconds
    self.hostname = hostname
    self.properties = properties
    self.abortedBecause = abortedBecause
    self.replay = replay
  }

  package func count(_ status: ClaimOutcome.Status) -> Int {
    claims.count { $0.status == status }
  }
}
