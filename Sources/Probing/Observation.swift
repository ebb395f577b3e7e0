package import Addresses
package import LinuxKernel

/// What the sender saw of one probe.
package struct Observation: Hashable, Sendable {
  package enum Answer: Hashable, Sendable {
    /// TCP: SYN and ACK, from the address and port that were asked.
    case synAcknowledgement
    /// TCP: RST. A closed port and `reject with tcp reset` look the same.
    case reset
    /// UDP: a datagram from the address and port that were asked. ICMP: the reply that belongs to
    /// the request.
    ///
    /// - Parameter carriesToken: Whether it proves that a responder of this run wrote it.
    case reply(carriesToken: Bool)
    /// An ICMP or ICMPv6 error that quotes the probe.
    ///
    /// - Parameter sender: Who says so: the destination, or a hop on the way.
    case icmpError(type: UInt8, code: UInt8, sender: IPAddress)
    /// This machine would not send it: a rule of its own, no route, no such address.
    case notSent(Errno)
    /// An error without its reason (`connect(2)` where no error queue says more).
    case failed(Errno)
    /// Nothing.
    case silence
  }

  package var answer: Answer
  /// How often it left this machine.
  package var transmissions: Int
  /// The port that it was sent from; nil for ICMP.
  package var sourcePort: UInt16?
  /// From the last transmission before the answer to the answer.
  package var roundTrip: Duration?
  /// The packets of the run's capture that belong to it, by number from 1, in order; empty where
  /// nothing is captured.
  package var packets: [Int]

  package init(
    _ answer: Answer, transmissions: Int, sourcePort: UInt16? = nil, roundTrip: Duration? = nil,
    packets: [Int] = []
  ) {
    self.answer = answer
    self.transmissions = transmissions
    self.sourcePort = sourcePort
    self.roundTrip = roundTrip
    self.packets = packets
  }
}
