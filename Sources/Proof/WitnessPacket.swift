package import Addresses
package import Rulesets

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
  /// What is proved to become of it at this firewall; nil where that is proved only not to be what
  /// the line expects.
  package var fate: Leaf.Fate?
  /// What decides, by the proof; nil where nothing does.
  package var decidedBy: RuleLocation?

  package init(
    phase: Phase, firewall: Int, kind: Hop.Kind, input: InterfaceName?, output: InterfaceName?,
    bytes: [UInt8], frameSource: MACAddress? = nil, connection: Connection, fate: Leaf.Fate? = nil,
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
    self.fate = fate
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
