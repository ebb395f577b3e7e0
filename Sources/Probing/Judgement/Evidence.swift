/// Everything that is known of one probe.
package struct Evidence: Sendable {
  package var probe: Probe
  package var observation: Observation
  package var life: TargetLife
  /// What the far end told of it; nil where nobody is there.
  package var far: FarView?
  /// Whether the rules on the way write what a closed port would; nil where they are not known.
  package var rules: RulesWord?
  /// Whether nothing comes back by nature.
  package var isOneWay: Bool
  /// Whether packets may end before they reach the target's host.
  package var crossesFirewall: Bool

  package init(
    probe: Probe, observation: Observation, life: TargetLife, far: FarView? = nil,
    rules: RulesWord? = nil, isOneWay: Bool = false, crossesFirewall: Bool = false
  ) {
    self.probe = probe
    self.observation = observation
    self.life = life
    self.far = far
    self.rules = rules
    self.isOneWay = isOneWay
    self.crossesFirewall = crossesFirewall
  }
}

/// What the rulesets on the way do with a probe, where a closed port would say the same.
package enum RulesWord: Hashable, Sendable {
  /// They reject it with what came back.
  case writesIt
  /// They do not, so the port wrote it.
  case doesNotWriteIt
}

/// What the far end told of one probe.
package struct FarView: Hashable, Sendable {
  /// Who listens on the port.
  package enum Listener: Hashable, Sendable {
    /// The run's responder.
    case responder
    /// A program of the host.
    case service
    /// Nobody.
    case nobody
    /// Not known: there are no ports, or the far end could not tell.
    case unknown
  }

  package var listener: Listener
  /// Whether the packet came in by an interface; nil where the far end cannot see that.
  package var hasArrived: Bool?
  /// Whether the listener got it.
  package var isAccepted: Bool
  /// Whether the host may have kept ICMP errors back; nil where that is not known.
  package var limitsICMPErrors: Bool?
  /// Its packets in the capture there, by number from 1.
  package var packets: [Int]
  /// Where that capture lies: `HOST:PATH`.
  package var captureFile: String?

  package init(
    listener: Listener, hasArrived: Bool?, isAccepted: Bool, limitsICMPErrors: Bool? = nil,
    packets: [Int] = [], captureFile: String? = nil
  ) {
    self.captureFile = captureFile
    self.packets = packets
    self.listener = listener
    self.hasArrived = hasArrived
    self.isAccepted = isAccepted
    self.limitsICMPErrors = limitsICMPErrors
  }
}
