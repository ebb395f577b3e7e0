package import Addresses
package import Rulesets
package import Scenarios

/// One packet out of a proof, byte for byte, at one firewall on its way.
///
/// What is proved of a set holds for each of its packets, so whoever can be asked about one (the
/// simulator, a kernel) can be held against the proof.
package struct WitnessPacket: Hashable, Sendable {
  /// What the connection table of the firewall's host holds of the packet's connection.
  package enum Connection: Hashable, Sendable {
    /// Nothing: whatever the packet is by itself.
    case none
    /// An entry that this packet opened, and that has been answered.
    case established(opening: [UInt8])
    /// Something that only the line says; there is no packet that brings it about.
    case claimed(String)
  }

  /// What is proved of it at this firewall.
  package enum Proved: Hashable, Sendable {
    case fate(Leaf.Fate)
    /// Its fate rests on something unknown, but is what the line expects whatever that is.
    case expected(Flow.Expectation)
    /// Likewise, but is never what the line expects.
    case unexpected(Flow.Expectation)
    case nothing
  }

  package var phase: Phase
  /// Which of the prover's firewalls.
  package var firewall: Int
  package var kind: Hop.Kind
  /// The interface that it comes in by; nil where the host sends it.
  package var input: InterfaceName?
  /// The interface that it leaves by; nil where the host takes it in.
  package var output: InterfaceName?
  /// From the IP header on, with right lengths and checksums.
  package var bytes: [UInt8]
  /// The source of the frame, where the proof rests on it.
  package var frameSource: MACAddress?
  package var connection: Connection
  package var proved: Proved
  /// What decides, by the proof; nil where nothing does.
  package var decidedBy: RuleLocation?

  package init(
    phase: Phase, firewall: Int, kind: Hop.Kind, input: InterfaceName?, output: InterfaceName?,
    bytes: [UInt8], frameSource: MACAddress? = nil, connection: Connection,
    proved: Proved = .nothing,
    decidedBy: RuleLocation? = nil
  ) {
    self.phase = phase
    self.firewall = firewall
    self.kind = kind
    self.input = input
    self.output = output
    self.bytes = bytes
    self.frameSource = frameSource
    self.connection = connection
    self.proved = proved
    self.decidedBy = decidedBy
  }

  package var family: IPFamily { (bytes.first ?? 0) >> 4 == 6 ? .ipv6 : .ipv4 }
}

/// The packets that stand for an answer.
package struct WitnessSelection: Hashable, Sendable {
  /// Why parts of the proof have no packet here, and how many.
  package struct Omission: Hashable, Sendable {
    package var reason: String
    package var count: Int

    package init(reason: String, count: Int) {
      self.reason = reason
      self.count = count
    }
  }

  package var packets: [WitnessPacket] = []
  package private(set) var omissions: [Omission] = []

  package init() {}

  /// Notes that there is no packet of a part.
  package mutating func omit(_ reason: String) {
    if let index = omissions.firstIndex(where: { $0.reason == reason }) {
      omissions[index].count += 1
    } else {
      omissions.append(Omission(reason: reason, count: 1))
    }
  }
}
