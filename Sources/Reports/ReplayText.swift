internal import Outcomes

/// The words in which reports tell of replays.
extension ReplayEvidence {
  /// `agrees`, `disagrees`, `not possible: …`.
  var text: String {
    switch answer {
    case .agrees: "agrees"
    case .disagrees: "disagrees"
    case .notPossible(let reason): "not possible: \(reason)"
    }
  }

  /// `agrees (6 packets)`.
  var sentence: String {
    switch answer {
    case .agrees: "\(text) (\(packets(packetCount)))"
    case .disagrees: "\(text) (\(mismatches.count) of \(packets(packetCount)))"
    case .notPossible: text
    }
  }
}

extension ReplayEvidence.Omission {
  /// `2 packets`.
  var phrase: String { packets(count) }
}

extension ReplaySummary {
  /// What stands behind the counts of lines: `212 packets replayed in the kernel agree`.
  var phrase: String {
    if obstacle != nil { return "not replayed" }
    if disagreementCount > 0 {
      return "\(disagreementCount) of \(packets(packetCount)) replayed in the kernel "
        + (disagreementCount == 1 ? "disagrees" : "disagree")
    }
    if packetCount == 0 { return "no packet replayed" }
    return "\(packets(packetCount)) replayed in the kernel \(packetCount == 1 ? "agrees" : "agree")"
  }

  /// `8 packets not replayed: rests on limit rate 5/second`, a line for each reason.
  var notes: [String] {
    omissions.map { "\($0.phrase) not replayed: \($0.reason)" }
  }
}

private func packets(_ count: Int) -> String { "\(count) packet\(count == 1 ? "" : "s")" }
