package import Addresses

/// What a responder tells, one line of JSON each.
package enum ResponderEvent: Hashable, Sendable {
  /// It answers from now on.
  case ready(Readiness)
  /// A packet of the run came in.
  case arrival(FarEndReport.Sighting)
  /// A packet of the run got through.
  case acceptance(FarEndReport.Sighting)
  /// All that had come before the question with this number is told.
  case synced(Int)
  /// What it was told cannot be done; nothing more comes.
  case error(String)
  /// Nothing more comes.
  case end(Ending)

  /// What the responder has and lacks.
  package struct Readiness: Hashable, Sendable {
    /// Bound on every address of the assignment.
    package var boundTCP: IntervalSet = .empty
    package var boundUDP: IntervalSet = .empty
    /// Bound by another program on an address of the assignment.
    package var takenTCP: IntervalSet = .empty
    package var takenUDP: IntervalSet = .empty
    /// Neither.
    package var refusals: [Refusal] = []
    /// As ``FarEndReport/icmpRateLimit``.
    package var icmpRateLimit: Int?
    /// As ``FarEndReport/icmpv6RateLimit``.
    package var icmpv6RateLimit: Int?
    package var blindBecause: String?
    /// The file that packets are written to.
    package var capture: String?
    /// Why there is none, where one was wanted.
    package var captureTrouble: String?
    /// Whether it can no longer do more than an ordinary user.
    package var hasDroppedPrivileges = false

    package init() {}
  }

  /// Ports that could not be bound on an address, and are not in use.
  package struct Refusal: Hashable, Sendable {
    package enum Transport: String, Hashable, Sendable, CaseIterable {
      case tcp
      case udp
    }

    package var transport: Transport
    package var address: IPAddress
    package var ports: IntervalSet
    /// In one phrase.
    package var reason: String

    package init(
      _ transport: Transport, _ address: IPAddress, _ ports: IntervalSet, because reason: String
    ) {
      self.transport = transport
      self.address = address
      self.ports = ports
      self.reason = reason
    }
  }

  /// Why a responder ended, and what it has done.
  package struct Ending: Hashable, Sendable {
    package enum Reason: String, Hashable, Sendable, CaseIterable {
      /// The time of the assignment is over.
      case elapsed
      /// It was told to.
      case stopped
      /// Whoever drives it has closed its standard input.
      case inputEnded = "input-ended"
      /// SIGINT or SIGTERM.
      case interrupted
      /// What it was told after the assignment made no sense.
      case misled
      /// The kernel failed it.
      case failed
    }

    package var reason: Reason
    /// Packets of the run that were seen to come in.
    package var arrivals = 0
    package var acceptances = 0
    /// Datagrams that were answered.
    package var replies = 0
    /// Datagrams that could not be answered.
    package var failedReplies = 0
    /// Datagrams that began as the run's do and were not.
    package var strangers = 0
    /// Packets that the capture lost.
    package var lostCaptures = 0
    /// Why arrivals went unseen in the end; nil where they did not.
    package var blindBecause: String?
    /// Why there is no file of packets, where one was wanted.
    package var captureTrouble: String?
    /// Sightings that were not told, as nobody read what was told before.
    package var untold = 0

    package init(_ reason: Reason) { self.reason = reason }
  }
}
