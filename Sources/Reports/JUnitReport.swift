package import Diagnostics
package import Outcomes

/// A run as JUnit XML: a broken expectation is a failure, one that is not known an error.
///
/// ```xml
/// <testsuites name="portproof" tests="1" failures="1" errors="0" …>
///   <testsuite name="bootstrap" …>
///     <testcase name="worker -&gt; cp 50001 tcp expect allow" classname="portproof.bootstrap" …>
///       <failure type="verdict.drop" message="…">cluster.scn:21:3: FAIL …</failure>
/// ```
package struct JUnitReport: Sendable {
  package enum Profile: String, Hashable, Sendable, CaseIterable {
    /// What today's readers make the most of: file and line of a case, output per case.
    case modern
    /// What both published schemas allow (the Ant one and the one of Jenkins' xUnit plugin).
    case strict
  }

  private let profile: Profile
  private let texts: ClaimText

  package init(profile: Profile, sources: SourceMap) {
    self.profile = profile
    texts = ClaimText(sources: sources, style: .plain)
  }

  /// The whole document, ending in a line break.
  package func render(_ run: RunOutcome) -> String {
    var xml = XMLText()
    let totals: [XMLText.Attribute]
    let stops = (run.abortedBecause == nil ? 0 : 1) + (run.replay?.obstacle == nil ? 0 : 1)
    switch profile {
    case .modern:
      totals =
        [("name", "portproof")] + counts(run.claims, stops: stops)
        + [
          ("skipped", String(run.count(.skipped))), ("time", decimalSeconds(run.seconds)),
          ("timestamp", Timestamp.text(run.startedAt)),
        ]
    case .strict: totals = []
    }
    xml.element("testsuites", totals) { xml in
      let suites = Suite.all(of: run)
      for (number, suite) in suites.enumerated() {
        write(suite, number: number, of: run, to: &xml)
      }
      if let reason = run.abortedBecause {
        writeStop(
          "run to the end", "run.stopped", reason, number: suites.count, of: run, to: &xml)
      }
      if let obstacle = run.replay?.obstacle {
        writeStop(
          "replay in the kernel", "environment.sandbox",
          obstacle.reason + (obstacle.help.map { "; \($0)" } ?? ""),
          number: suites.count + stops - 1, of: run, to: &xml)
      }
    }
    return xml.document
  }

  /// A run that stopped early must not look like one in which everything was asked.
  private func writeStop(
    _ name: String, _ code: String, _ reason: String, number: Int, of run: RunOutcome,
    to xml: inout XMLText
  ) {
    let suite = Suite(name: "portproof", claims: [])
    write(suite, number: number, of: run, stops: 1, to: &xml) { xml in
      xml.element(
        "testcase",
        [("name", name), ("classname", "portproof"), ("time", "0.000")]
      ) { xml in
        xml.element("error", [("type", code), ("message", reason)], text: reason)
      }
    }
  }

  private func counts(_ claims: [ClaimOutcome], stops: Int = 0) -> [XMLText.Attribute] {
    [
      ("tests", String(claims.count + stops)),
      ("failures", String(claims.count { $0.status == .failed })),
      ("errors", String(claims.count { $0.status == .unknown } + stops)),
    ]
  }

  private func write(
    _ suite: Suite, number: Int, of run: RunOutcome, stops: Int = 0, to xml: inout XMLText,
    also body: (inout XMLText) -> Void = { _ in }
  ) {
    let name = XMLText.token(suite.name, orElse: "scenarios")
    var attributes: [XMLText.Attribute] = [
      ("name", name), ("package", "portproof"), ("id", String(number)),
      ("hostname", XMLText.token(run.hostname, orElse: "localhost")),
    ]
    attributes += counts(suite.claims, stops: stops)
    switch profile {
    case .modern:
      attributes.append(("skipped", String(suite.claims.count { $0.status == .skipped })))
    case .strict: break
    }
    attributes.append(("time", decimalSeconds(suite.claims.reduce(0) { $0 + $1.seconds })))
    attributes.append(("timestamp", Timestamp.text(run.startedAt)))

    xml.element("testsuite", attributes) { xml in
      xml.element("properties", []) { xml in
        xml.element("property", [("name", "portproof.version"), ("value", run.toolVersion)])
        for property in run.properties {
          xml.element(
            "property",
            [("name", XMLText.token(property.name, orElse: "-")), ("value", property.value)])
        }
        if let replay = run.replay {
          xml.element("property", [("name", "replay"), ("value", replay.phrase)])
          for (number, note) in replay.notes.enumerated() {
            xml.element("property", [("name", "replay.omitted.\(number + 1)"), ("value", note)])
          }
        }
      }
      var names = UniqueNames()
      for claim in suite.claims {
        write(claim, name: names.name(for: claim), suite: name, to: &xml)
      }
      body(&xml)
      switch profile {
      case .modern: break
      case .strict:
        xml.element("system-out", [], text: allConfirmations(suite.claims))
        xml.element("system-err", [])
      }
    }
  }

  /// What besides the proof speaks for an answer: by what, and how.
  private func confirmations(_ claim: ClaimOutcome) -> [(name: String, value: String)] {
    var all: [(name: String, value: String)] = []
    if let replay = claim.evidence.replay { all.append(("replay", replay.sentence)) }
    if let probe = claim.evidence.probe { all.append(("probe", probe.sentence)) }
    return all
  }

  private func allConfirmations(_ claims: [ClaimOutcome]) -> String {
    claims.flatMap { claim in
      confirmations(claim).map { "\(claim.scenario): \($0.name) \($0.value)" }
    }.joined(separator: "\n")
  }

  private func write(
    _ claim: ClaimOutcome, name: String, suite: String, to xml: inout XMLText
  ) {
    var attributes: [XMLText.Attribute] = [
      ("name", name),
      // Readers cut a class name into packages at its dots.
      ("classname", "portproof." + String(suite.map { $0 == "." ? "_" : $0 })),
      ("time", decimalSeconds(claim.seconds)),
    ]
    switch profile {
    case .modern:
      attributes += [
        ("file", claim.file), ("line", String(claim.line)), ("assertions", "1"),
      ]
    case .strict: break
    }
    let verdict: (element: String, text: String)? =
      switch claim.status {
      case .passed: nil
      case .failed: ("failure", "\(texts.location(claim)): \(texts.block(claim))")
      case .unknown: ("error", "\(texts.location(claim)): \(texts.block(claim))")
      case .skipped: ("skipped", "")
      }
    // What a case was confirmed by has no place in the strict profile but the suite's output.
    let confirmations = profile == .modern ? confirmations(claim) : []
    guard verdict != nil || !confirmations.isEmpty else {
      return xml.element("testcase", attributes)
    }
    xml.element("testcase", attributes) { xml in
      if !confirmations.isEmpty {
        xml.element("properties", []) { xml in
          for (name, value) in confirmations {
            xml.element("property", [("name", name), ("value", value)])
          }
        }
      }
      guard let verdict else { return }
      let isSkipped = claim.status == .skipped
      xml.element(
        verdict.element,
        (isSkipped ? [] : [("type", claim.code)]) + [("message", claim.message)],
        text: verdict.text)
      let attachments = profile == .modern ? claim.evidence.probe?.captureFiles ?? [] : []
      if !attachments.isEmpty {
        // How GitLab and Jenkins take files along: https://docs.gitlab.com/ci/testing/unit_test_reports/
        xml.element(
          "system-out", [], text: attachments.map { "[[ATTACHMENT|\($0)]]" }.joined(separator: "\n")
        )
      }
    }
  }
}

/// Names of the cases of one suite: readers keep only the first of two that are alike.
private struct UniqueNames {
  private var taken: Set<String> = []

  mutating func name(for claim: ClaimOutcome) -> String {
    let scenario = XMLText.token(claim.scenario, orElse: claim.id)
    var name = scenario
    if taken.contains(name) { name = "\(scenario) (\(XMLText.token(claim.id, orElse: "-")))" }
    var number = 2
    while !taken.insert(name).inserted {
      name = "\(scenario) (\(number))"
      number += 1
    }
    return name
  }
}
