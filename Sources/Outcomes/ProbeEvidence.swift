/// What real packets found out about a line.
package struct ProbeEvidence: Hashable, Sendable {
  /// How many different packets were asked for, and how many of them were sent.
  package var probeCount: Int
  /// How many packets left this machine, retransmissions included.
  package var transmissionCount: Int
  /// How many probes were answered, by whomever.
  package var answeredCount: Int
  /// How many probes came in at the far end; nil where nobody watched there.
  package var arrivedCount: Int?
  /// How many probes met what: `allow`, `drop`, `reject with port-unreachable`, `not known`.
  package var tallies: [Tally]
  /// The probes that say most, the ones that contradict the line first.
  package var examples: [Example]
  /// Signs of life of the targets: `10.0.0.2 tcp/22 answered before (0.3 ms) and after (0.2 ms)`.
  package var canaries: [String]
  /// What the line covers and no probe stands for.
  package var omissions: [String]
  /// How the packets were sent, and what that cannot tell; one sentence.
  package var means: String

  package struct Tally: Hashable, Sendable {
    package var experience: String
    package var count: Int

    package init(_ experience: String, _ count: Int) {
      self.experience = experience
      self.count = count
    }
  }

  /// Packets in a capture file.
  package struct Capture: Hashable, Sendable {
    package var file: String
    /// Numbers from 1, as `tshark` and `tcpdump -#` count.
    package var packets: [Int]

    package init(file: String, packets: [Int]) {
      self.file = file
      self.packets = packets
    }
  }

  /// One probe: what was sent, what arrived, what came back.
  package struct Example: Hashable, Sendable {
    package var packet: PacketDescription
    package var transmissions: Int
    /// Whether it came in at the far end; nil where nobody watched there.
    package var hasArrived: Bool?
    /// Whether a listener there got it; nil where nobody watched.
    package var isAccepted: Bool?
    /// `nothing`, `SYN-ACK after 0.31 ms`, `ICMP port-unreachable from 10.0.0.2`.
    package var cameBack: String
    /// What that comes to: `drop: it arrived, and the listener there did not get it`.
    package var found: String
    /// At this end, and at the far end.
    package var nearCapture: Capture?
    package var farCapture: Capture?

    package init(
      packet: PacketDescription, transmissions: Int, hasArrived: Bool? = nil,
      isAccepted: Bool? = nil, cameBack: String, found: String, nearCapture: Capture? = nil,
      farCapture: Capture? = nil
    ) {
      self.packet = packet
      self.transmissions = transmissions
      self.hasArrived = hasArrived
      self.isAccepted = isAccepted
      self.cameBack = cameBack
      self.found = found
      self.nearCapture = nearCapture
      self.farCapture = farCapture
    }
  }

  package init(means: String) {
    probeCount = 0
    transmissionCount = 0
    answeredCount = 0
    tallies = []
    examples = []
    canaries = []
    omissions = []
    self.means = means
  }
}
