package import Addresses

/// What the far end of a run is asked to do, and the run's key.
package struct Assignment: Hashable, Sendable {
  package var key: RunKey
  /// The addresses of the far end that are probed: it binds these and no other.
  package var addresses: [IPAddress]
  /// The addresses that probes come from; others are strangers.
  package var peers: [IPAddress]
  package var tcpPorts: IntervalSet
  package var udpPorts: IntervalSet
  /// After this the far end stops by itself.
  package var duration: Duration
  /// Whether SYNs of `connect(2)` are answered, which carry less of a token: only from ``peers``
  /// and with the run's maximum segment size.
  package var admitsConnect: Bool

  package static let defaultDuration = Duration.seconds(60)

  package init(
    key: RunKey, addresses: [IPAddress], peers: [IPAddress], tcpPorts: IntervalSet,
    udpPorts: IntervalSet, duration: Duration = Assignment.defaultDuration,
    admitsConnect: Bool = false
  ) {
    self.key = key
    self.addresses = addresses
    self.peers = peers
    self.tcpPorts = tcpPorts
    self.udpPorts = udpPorts
    self.duration = duration
    self.admitsConnect = admitsConnect
  }
}
