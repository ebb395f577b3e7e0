internal import Diagnostics
internal import Outcomes

/// The words in which every report tells of a claim, so that no two of them differ.
struct ClaimText {
  let sources: SourceMap
  let style: TextStyle

  /// A line about the answer, then the user's line with a caret, the line of the rule that decided,
  /// where a person wrote it, then the facts.
  func block(_ claim: ClaimOutcome) -> String {
    var text = title(claim) + "\n"
    let renderer = DiagnosticRenderer(sources: sources, style: style)
    let gutter: Int
    var claim = claim
    if let span = claim.expectationSpan {
      let ruleSpan = claim.decidedBy?.span.flatMap { isListing($0) ? nil : $0 }
      gutter = renderer.gutterWidth(of: [span] + (ruleSpan.map { [$0] } ?? []))
      text += renderer.snippet(
        Diagnostic.Label(span, visible(claim.message)), gutter: gutter,
        emphasis: emphasis(claim.status))
      if let ruleSpan {
        text += renderer.snippet(
          Diagnostic.Label(ruleSpan, "this rule decides"), gutter: gutter, emphasis: .note,
          arrow: ":::")
        // The place has been shown.
        claim.decidedBy?.source = nil
      }
    } else {
      gutter = 2
      text +=
        "  " + style.styled("-->", .frame) + " \(location(claim)): \(visible(claim.message))\n"
    }
    text += factLines(claim, indent: gutter + 1)
    if let hint = claim.hint {
      let hint = visible(hint)
      text += String(repeating: " ", count: gutter) + style.styled("help:", .note) + " \(hint)\n"
    }
    if let remedy = claim.remedy {
      let lines = remedy.split(separator: "\n", omittingEmptySubsequences: false).map {
        visible(String($0))
      }
      let margin = "\n" + String(repeating: " ", count: gutter + 8)
      text += String(repeating: " ", count: gutter) + style.styled("remedy:", .note)
      text += " " + lines.joined(separator: margin) + "\n"
    }
    return text
  }

  /// Whether a place is in JSON, whose lines are nothing to look at.
  private func isListing(_ span: SourceSpan) -> Bool {
    let first = sources[span.file].bytes.first { !" \t\r\n".utf8.contains($0) }
    return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
  }

  /// Packet, rule, trace and what the answer rests on: one line each.
  func factLines(_ claim: ClaimOutcome, indent: Int) -> String {
    var text = ""
    for fact in facts(claim) {
      text += String(repeating: " ", count: indent) + style.styled("= ", .frame)
      text += fact.name + String(repeating: " ", count: max(1, 11 - fact.name.count))
      text += visible(fact.value) + "\n"
    }
    return text
  }

  /// `FAIL  worker -> cp 50001 tcp expect allow, observed drop  (bootstrap/3, critical)`.
  func title(_ claim: ClaimOutcome) -> String {
    let word = style.styled(Self.word(claim.status), emphasis(claim.status))
    return "\(word)  \(style.styled(visible(headline(claim)), .strong))  "
      + "(\(claim.id), \(claim.severity.rawValue))"
  }

  /// The scenario and, where it says more, what was observed.
  func headline(_ claim: ClaimOutcome) -> String {
    switch claim.status {
    case .failed: "\(claim.scenario), observed \(claim.observed.rawValue)"
    case .passed, .unknown, .skipped: claim.scenario
    }
  }

  func location(_ claim: ClaimOutcome) -> String { "\(claim.file):\(claim.line):\(claim.column)" }

  /// Comments of rules are other people's text: what would steer a terminal is not passed on.
  func visible(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
      return text
    }
    var shown = ""
    for scalar in text.unicodeScalars {
      let isControl = scalar.properties.generalCategory == .control
      shown.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
    }
    return shown
  }

  static func word(_ status: ClaimOutcome.Status) -> String {
    switch status {
    case .passed: "ok"
    case .failed: "FAIL"
    case .unknown: "NOT KNOWN"
    case .skipped: "skipped"
    }
  }

  func emphasis(_ status: ClaimOutcome.Status) -> Emphasis {
    switch status {
    case .passed: .success
    case .failed: .error
    case .unknown: .warning
    case .skipped: .note
    }
  }

  private func facts(_ claim: ClaimOutcome) -> [(name: String, value: String)] {
    var facts: [(name: String, value: String)] = []
    if let packet = claim.counterexample { facts.append(("packet", Self.text(packet))) }
    if let rule = claim.decidedBy { facts.append(("decided by", Self.text(rule))) }
    for (index, step) in claim.trace.enumerated() {
      facts.append((index == 0 ? "trace" : "", Self.text(step)))
    }
    for reason in claim.reasons { facts.append(("reason", reason)) }
    for assumption in claim.assumptions { facts.append(("rests on", assumption)) }
    if let because = claim.because { facts.append(("because", because)) }
    if let replay = claim.evidence.replay { facts += Self.facts(replay) }
    if let probe = claim.evidence.probe { facts += probe.facts }
    return facts
  }

  /// What the kernel said, and where it disagrees both traces side by side.
  private static func facts(_ replay: ReplayEvidence) -> [(name: String, value: String)] {
    var facts = [(name: "replay", value: replay.sentence)]
    if replay.packetCount > 0 {
      for omission in replay.omissions {
        facts.append(("", "\(omission.phrase) not replayed: \(omission.reason)"))
      }
    }
    for (number, mismatch) in replay.mismatches.enumerated() {
      // The first is the packet of the claim.
      if number > 0 {
        facts.append(("packet", text(mismatch.packet)))
        facts.append(("", mismatch.summary))
      }
      for line in ReplayTable.lines(of: mismatch) { facts.append(("", line)) }
      if let bundle = mismatch.bundle { facts.append(("bundle", bundle)) }
    }
    return facts
  }

  /// `172.20.0.5:1024 > 172.20.0.2:50001  tcp syn, new, in eth0`.
  static func text(_ packet: PacketDescription) -> String {
    let source = endpoint(packet.family, packet.sourceAddress, packet.sourcePort)
    let destination = endpoint(packet.family, packet.destinationAddress, packet.destinationPort)
    var words = packet.transportProtocol
    if let flags = packet.flags, !flags.isEmpty { words += " " + flags.joined(separator: ",") }
    if let type = packet.icmpType { words += " type \(type)" }
    if let code = packet.icmpCode { words += " code \(code)" }
    if let state = packet.state { words += ", \(state)" }
    if let interface = packet.inputInterface { words += ", in \(interface)" }
    if let interface = packet.outputInterface { words += ", out \(interface)" }
    for field in packet.further { words += ", \(field.name) \(field.value)" }
    return "\(source) > \(destination)  \(words)"
  }

  private static func endpoint(_ family: String, _ address: String, _ port: UInt16?) -> String {
    guard let port else { return address }
    return family == "ip6" ? "[\(address)]:\(port)" : "\(address):\(port)"
  }

  /// `cp-host: inet talos ingress handle 12: tcp dport 22 accept (controlplane.yaml:41:3)`.
  static func text(_ rule: RuleCitation) -> String {
    var text = "\(rule.firewall): \(place(rule)): \(rule.text)"
    if let source = rule.source { text += " (\(source))" }
    return text
  }

  static func place(_ rule: RuleCitation) -> String {
    "\(rule.family) \(rule.table) \(rule.chain)" + (rule.handle.map { " handle \($0)" } ?? "")
  }

  /// `input  inet talos ingress handle 12: tcp dport 22 accept  accept`.
  static func text(_ step: TraceStep) -> String {
    var text = "\(step.hook)  \(place(step.rule))"
    if !step.rule.isPolicy { text += ": \(step.rule.text)" }
    return text + "  \(step.verdict)"
  }
}
