package import Addresses

/// One question to the wire: a packet from one address to another, sent until it is answered or
/// has been sent often enough.
package struct Probe: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// A SYN to this port.
    case tcp(UInt16)
    /// A datagram that carries the run's token, to this port.
    case udp(UInt16)
    /// A message of this type and code: ICMP in IPv4, ICMPv6 in IPv6.
    case icmp(type: UInt8, code: UInt8)
  }

  /// An address of this machine.
  package var source: IPAddress
  /// Of the same family.
  package var destination: IPAddress
  package var kind: Kind
  /// The port it is sent from; nil for a fresh one of the run's.
  package var sourcePort: UInt16?
  /// How often it is sent at most, the first time included.
  package var transmissions: Int
  /// How long each transmission waits for an answer.
  package var timeout: Duration
  /// Whether its silence must not be owed to the limit that kernels put on ICMP errors: it is sent
  /// at most once a second to its destination (`net.ipv4.icmp_ratelimit`, facts of icmp(7)).
  package var isPaced: Bool

  package init(
    from source: IPAddress, to destination: IPAddress, _ kind: Kind, sourcePort: UInt16? = nil,
    transmissions: Int = Probe.defaultTransmissions, timeout: Duration = Probe.defaultTimeout,
    isPaced: Bool = false
  ) {
    self.source = source
    self.destination = destination
    self.kind = kind
    self.sourcePort = sourcePort
    self.transmissions = transmissions
    self.timeout = timeout
    self.isPaced = isPaced
  }

  package static let defaultTransmissions = 2
  package static let defaultTimeout = Duration.milliseconds(500)
}
