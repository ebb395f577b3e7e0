package import Addresses

/// What the far end of a run told.
package struct FarEndReport: Hashable, Sendable {
  /// A packet of the run at the far end, as it was there.
  package struct Sighting: Hashable, Sendable {
    package var source: IPAddress
    package var destination: IPAddress
    package var kind: Probe.Kind
    /// nil for ICMP.
    package var sourcePort: UInt16?
    /// The probe's number, where the packet carries one.
    package var probe: UInt32?
    /// Nanoseconds since 1970-01-01T00:00:00Z, by the far end's clock.
    package var time: Int64
    /// Its number in the far end's capture file, from 1; nil where it has none.
    package var packet: Int?

    package init(
      from source: IPAddress, to destination: IPAddress, _ kind: Probe.Kind,
      sourcePort: UInt16? = nil, probe: UInt32? = nil, time: Int64, packet: Int? = nil
    ) {
      self.source = source
      self.destination = destination
      self.kind = kind
      self.sourcePort = sourcePort
      self.probe = probe
      self.time = time
      self.packet = packet
    }
  }

  /// What the far end is called.
  package var host: String
  /// Ports on which the responder listens, on every address of the assignment.
  package var boundTCP: IntervalSet
  package var boundUDP: IntervalSet
  /// Ports on which another program listens, on an address of the assignment.
  package var takenTCP: IntervalSet
  package var takenUDP: IntervalSet
  /// Why packets' arrival cannot be seen there; nil where it can.
  package var blindBecause: String?
  /// Packets as they came in by an interface, before any rule.
  package var arrivals: [Sighting]
  /// Packets that got through to a listener: a datagram read from its socket, a SYN that the
  /// kernel answered with SYN and ACK, an echo request that it answered.
  package var acceptances: [Sighting]
  /// `net.ipv4.icmp_ratelimit` in milliseconds; nil where it could not be read.
  package var icmpRateLimit: Int?
  /// `net.ipv6.icmp.ratelimit` in milliseconds; nil where it could not be read.
  package var icmpv6RateLimit: Int?
  /// Packets that the capture there lost.
  package var lostCaptures: Int
  /// Ports that the responder could not bind, and nobody else has.
  package var refusals: [ResponderEvent.Refusal] = []
  /// Sightings that it had to leave out.
  package var untold = 0
  /// Where the far end's capture lies, on the far end.
  package var capture: String?

  package init(host: String) {
    self.host = host
    boundTCP = .empty
    boundUDP = .empty
    takenTCP = .empty
    takenUDP = .empty
    arrivals = []
    acceptances = []
    lostCaptures = 0
  }
}
