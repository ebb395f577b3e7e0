package import Addresses
import Wire

/// A connection that was there before the packets of a run.
package struct EarlierConnection: Hashable, Sendable {
  /// Who opened it, and whom to.
  package var source: IPAddress
  package var destination: IPAddress
  /// The number of its protocol.
  package var transport: UInt8
  /// The opener's port; of ICMP and ICMPv6 the identifier.
  package var sourcePort: UInt16
  /// The other port; of ICMP and ICMPv6 the type of the question in the upper octet, and the code.
  package var destinationPort: UInt16
  /// Whether an answer was seen: only then is the opener's next packet `established`.
  package var isAnswered: Bool
  package var mark: UInt32

  package init(
    from source: IPAddress, to destination: IPAddress, transport: UInt8, sourcePort: UInt16 = 0,
    destinationPort: UInt16 = 0, isAnswered: Bool = true, mark: UInt32 = 0
  ) {
    self.source = source
    self.destination = destination
    self.transport = transport
    self.sourcePort = sourcePort
    self.destinationPort = destinationPort
    self.isAnswered = isAnswered
    self.mark = mark
  }
}

extension Simulator {
  /// Enters a connection that is not translated, and whose window is not checked, into the table.
  ///
  /// Of TCP, one that is answered is established; where it stands otherwise is not known.
  package mutating func add(_ earlier: EarlierConnection) {
    #if FAULTS
    if fault == .earlierUnseen { return }
    #endif
    let flow = ConnectionTable.Flow(
      family: earlier.source.family, transport: earlier.transport,
      source: earlier.source.rawValue, destination: earlier.destination.rawValue,
      sourcePort: earlier.sourcePort, destinationPort: earlier.destinationPort)
    var connection = ConnectionTable.Connection(original: flow, mapped: flow)
    connection.isCertain = flow != flow.reversed
    connection.hasReply = earlier.isAnswered
    connection.mark = earlier.mark
    if earlier.transport == TransportProtocol.tcp.rawValue {
      connection.tcp = earlier.isAnswered ? .pickedUp : .unknown
    }
    connections.insert(connection, isHidden: program.setsZones)
  }
}
