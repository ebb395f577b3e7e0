internal import Documents
package import Outcomes

/// A run as `portproof.report/1`.
///
/// Members of the schema are always there, null where they do not apply; a reader must not mind
/// further ones.
package enum JSONReport {
  package static let schema = "portproof.report/1"

  /// The whole document, ending in a line break.
  package static func render(_ run: RunOutcome) -> String {
    var writer = JSONWriter(.indented)
    writer.object { writer in
      writer.member("schema", schema)
      writer.object("tool") {
        $0.member("name", "portproof")
        $0.member("version", run.toolVersion)
      }
      writer.object("summary") {
        $0.member("total", run.claims.count)
        $0.member("passed", run.count(.passed))
        $0.member("failed", run.count(.failed))
        $0.member("unknown", run.count(.unknown))
        $0.member("skipped", run.count(.skipped))
      }
      writer.object("run") {
        $0.member("host", run.hostname)
        $0.member("started_at", Timestamp.text(run.startedAt) + "Z")
        $0.member("seconds", milliseconds: run.seconds)
        $0.optional("stopped_because", run.abortedBecause)
        if let replay = run.replay { $0.object("replay") { write(replay, to: &$0) } }
        $0.object("properties") { properties in
          for property in run.properties { properties.member(property.name, property.value) }
        }
      }
      writer.array("results") { results in
        for claim in run.claims { results.object { write(claim, to: &$0) } }
      }
    }
    return writer.text + "\n"
  }

  private static func write(_ claim: ClaimOutcome, to writer: inout JSONWriter) {
    writer.member("id", claim.id)
    writer.member("suite", claim.suite)
    writer.member("scenario", claim.scenario)
    writer.member("file", claim.file)
    writer.member("line", claim.line)
    writer.member("column", claim.column)
    writer.member("severity", claim.severity.rawValue)
    writer.member("status", claim.status.rawValue)
    writer.member("expected", claim.expected)
    writer.member("observed", claim.observed.rawValue)
    writer.member("code", claim.code)
    if let packet = claim.counterexample {
      writer.object("counterexample") { write(packet, to: &$0) }
    } else {
      writer.null("counterexample")
    }
    if let rule = claim.decidedBy {
      writer.object("decided_by") { write(rule, to: &$0) }
    } else {
      writer.null("decided_by")
    }
    writer.strings("assumptions", claim.assumptions)
    writer.object("evidence") {
      $0.optional("replay", claim.evidence.replay?.text)
      if let replay = claim.evidence.replay { writeDetails(of: replay, to: &$0) }
      if let probe = claim.evidence.probe {
        $0.object("probe") { write(probe, to: &$0) }
      } else {
        $0.null("probe")
      }
    }
    writer.member("message", claim.message)
    writer.strings("reasons", claim.reasons)
    writer.optional("because", claim.because)
    writer.optional("help", claim.hint)
    writer.optional("remedy", claim.remedy)
    writer.strings("tags", claim.tags)
    writer.array("trace") { trace in
      for step in claim.trace {
        trace.object {
          $0.member("hook", step.hook)
          write(step.rule, to: &$0)
          $0.member("verdict", step.verdict)
        }
      }
    }
    writer.member("seconds", milliseconds: claim.seconds)
  }

  private static func write(_ replay: ReplaySummary, to writer: inout JSONWriter) {
    writer.member("packets", replay.packetCount)
    writer.member("disagreements", replay.disagreementCount)
    write(replay.omissions, to: &writer)
    writer.optional("impossible_because", replay.obstacle?.reason)
    writer.optional("help", replay.obstacle?.help)
  }

  private static func write(
    _ omissions: [ReplayEvidence.Omission], to writer: inout JSONWriter
  ) {
    writer.array("not_replayed") { list in
      for omission in omissions {
        list.object {
          $0.member("packets", omission.count)
          $0.member("because", omission.reason)
        }
      }
    }
  }

  private static func writeDetails(
    of replay: ReplayEvidence, to writer: inout JSONWriter
  ) {
    writer.member("packets", replay.packetCount)
    write(replay.omissions, to: &writer)
    guard !replay.mismatches.isEmpty else { return }
    writer.array("mismatches") { list in
      for mismatch in replay.mismatches {
        list.object { writer in
          writer.member("code", mismatch.between.rawValue)
          writer.member("message", mismatch.summary)
          writer.member("firewall", mismatch.firewall)
          writer.object("packet") { write(mismatch.packet, to: &$0) }
          writer.array("hooks") { hooks in
            for hook in mismatch.hooks { hooks.object { write(hook, to: &$0) } }
          }
          writer.optional("bundle", mismatch.bundle)
        }
      }
    }
  }

  private static func write(_ hook: HookComparison, to writer: inout JSONWriter) {
    writer.member("hook", hook.hook)
    writer.optional("model", hook.model)
    writer.optional("kernel", hook.kernel)
    for (name, steps) in [("model_trace", hook.modelTrace), ("kernel_trace", hook.kernelTrace)] {
      writer.array(name) { trace in
        for step in steps {
          trace.object {
            write(step.rule, to: &$0)
            $0.member("verdict", step.verdict)
          }
        }
      }
    }
  }

  private static func write(_ probe: ProbeEvidence, to writer: inout JSONWriter) {
    writer.member("probes", probe.probeCount)
    writer.member("transmissions", probe.transmissionCount)
    writer.member("answered", probe.answeredCount)
    writer.optional("arrived", probe.arrivedCount)
    writer.object("experiences") { experiences in
      for tally in probe.tallies { experiences.member(tally.experience, tally.count) }
    }
    writer.array("examples") { list in
      for example in probe.examples { list.object { write(example, to: &$0) } }
    }
    writer.strings("canaries", probe.canaries)
    writer.strings("not_probed", probe.omissions)
    writer.member("means", probe.means)
  }

  private static func write(_ example: ProbeEvidence.Example, to writer: inout JSONWriter) {
    writer.object("packet") { write(example.packet, to: &$0) }
    writer.member("transmissions", example.transmissions)
    writer.optional("arrived", example.hasArrived)
    writer.optional("accepted", example.isAccepted)
    writer.member("came_back", example.cameBack)
    writer.member("found", example.found)
    for (name, capture) in [
      ("near_capture", example.nearCapture), ("far_capture", example.farCapture),
    ] {
      guard let capture else {
        writer.null(name)
        continue
      }
      writer.object(name) { writer in
        writer.member("file", capture.file)
        writer.array("packets") { packets in
          for packet in capture.packets { packets.value(packet) }
        }
      }
    }
  }

  static func write(_ rule: RuleCitation, to writer: inout JSONWriter) {
    writer.member("firewall", rule.firewall)
    writer.member("family", rule.family)
    writer.member("table", rule.table)
    writer.member("chain", rule.chain)
    writer.optional("handle", rule.handle)
    writer.member("rule", rule.text)
    writer.optional("source", rule.source)
  }

  /// A packet in the words of `simulate`'s input, which takes it back.
  static func write(_ packet: PacketDescription, to writer: inout JSONWriter) {
    writer.member("family", packet.family)
    writer.member("saddr", packet.sourceAddress)
    writer.member("daddr", packet.destinationAddress)
    writer.member("protocol", packet.transportProtocol)
    if let port = packet.sourcePort { writer.member("sport", port) }
    if let port = packet.destinationPort { writer.member("dport", port) }
    if let type = packet.icmpType { writer.member("icmp_type", type) }
    if let code = packet.icmpCode { writer.member("icmp_code", code) }
    if let flags = packet.flags { writer.strings("flags", flags) }
    if let state = packet.state { writer.member("state", state) }
    if let interface = packet.inputInterface { writer.member("iif", interface) }
    if let interface = packet.outputInterface { writer.member("oif", interface) }
    if !packet.further.isEmpty {
      writer.object("further") { further in
        for field in packet.further { further.member(field.name, field.value) }
      }
    }
  }
}

extension JSONWriter {
  fileprivate mutating func optional(_ name: String, _ value: String?) {
    if let value { member(name, value) } else { null(name) }
  }

  fileprivate mutating func optional(_ name: String, _ value: Int?) {
    if let value { member(name, value) } else { null(name) }
  }

  fileprivate mutating func optional(_ name: String, _ value: Bool?) {
    if let value { member(name, value) } else { null(name) }
  }

  mutating func strings(_ name: String, _ values: [String]) {
    array(name) { array in
      for value in values { array.value(value) }
    }
  }
}
