/// How fast a run sends.
package enum Rate: Hashable, Sendable {
  /// At most so many packets a second to each destination address.
  case perTarget(Int)
  /// As fast as packets are taken and their answers can be read.
  case unlimited

  /// Polite: what a busy machine does not notice.
  package static let `default` = Rate.perTarget(1000)

  /// From one packet to the next, in nanoseconds; 0 where there is no limit.
  var interval: Int64 {
    switch self {
    case .perTarget(let count): 1_000_000_000 / Int64(max(1, count))
    case .unlimited: 0
    }
  }
}

/// How far a run is.
package struct RunProgress: Hashable, Sendable {
  /// Packets, or begun connections, so far.
  package var sent: Int
  /// Probes whose answer is known.
  package var answered: Int
  /// Probes that neither are answered nor have waited long enough.
  package var outstanding: Int
  /// Packets a second since the run began.
  package var rate: Double
  /// How long the rest takes if nothing more is answered.
  package var remaining: Duration
}
