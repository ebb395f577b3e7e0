internal import Outcomes

extension ProbeEvidence {
  /// What was sent and what came of it, in one line: `3 of 4 probes answered: 3 allow, 1 drop`.
  var sentence: String {
    let noun = probeCount == 1 ? "probe" : "probes"
    let found = tallies.map { "\($0.count) \($0.experience)" }.joined(separator: ", ")
    var text = "\(answeredCount) of \(probeCount) \(noun) answered"
    if let arrivedCount { text += ", \(arrivedCount) arrived" }
    return found.isEmpty ? text : "\(text): \(found)"
  }

  /// The lines of a report, each with its name.
  var facts: [(name: String, value: String)] {
    var facts = [(name: "probe", value: sentence)]
    for example in examples {
      let times = example.transmissions == 1 ? "" : "  ×\(example.transmissions)"
      facts.append(("sent", ClaimText.text(example.packet) + times))
      if let arrival = example.arrival { facts.append(("arrived", arrival)) }
      facts.append(("came back", example.cameBack))
      facts.append(("so", example.found))
      for capture in [example.nearCapture, example.farCapture].compactMap({ $0 }) {
        facts.append(("capture", capture.text))
      }
    }
    for canary in canaries { facts.append(("canary", canary)) }
    for omission in omissions { facts.append(("not probed", omission)) }
    facts.append(("means", means))
    return facts
  }

  /// The capture files of the examples that lie on this machine, each once.
  var captureFiles: [String] {
    var files: [String] = []
    for file in examples.compactMap(\.nearCapture?.file) where !files.contains(file) {
      files.append(file)
    }
    return files
  }
}

extension ProbeEvidence.Example {
  var arrival: String? {
    guard let hasArrived else { return nil }
    if !hasArrived { return "no" }
    guard let isAccepted else { return "yes" }
    return isAccepted ? "yes, and the listener got it" : "yes, but no listener got it"
  }
}

extension ProbeEvidence.Capture {
  /// `captures/run.pcapng, packets 17, 18 and 21`.
  var text: String {
    guard let last = packets.last else { return file }
    let others = packets.dropLast().map(String.init).joined(separator: ", ")
    return others.isEmpty
      ? "\(file), packet \(last)" : "\(file), packets \(others) and \(last)"
  }
}
