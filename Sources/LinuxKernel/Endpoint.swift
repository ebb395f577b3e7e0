internal import CLinuxShims

/// An address of either family, and a port.
package struct Endpoint: Hashable, Sendable {
  package var isIPv6: Bool
  /// The address as a number, its first octet most significant.
  package var number: UInt128
  /// 0 where there is none, or none yet.
  package var port: UInt16

  package init(isIPv6: Bool, number: UInt128, port: UInt16 = 0) {
    self.isIPv6 = isIPv6
    self.number = number
    self.port = port
  }

  init(_ raw: portproof_endpoint) {
    isIPv6 = raw.is_ipv6 != 0
    number = UInt128(raw.high) << 64 | UInt128(raw.low)
    port = raw.port
  }

  var raw: portproof_endpoint {
    portproof_endpoint(
      high: UInt64(truncatingIfNeeded: number >> 64), low: UInt64(truncatingIfNeeded: number),
      port: port, is_ipv6: isIPv6 ? 1 : 0)
  }
}

/// Packets or datagrams one after the other in a row of octets, each with where it goes.
package struct OutgoingPackets: Sendable {
  package private(set) var bytes: [UInt8] = []
  private(set) var packets: [portproof_outgoing] = []

  package init() {}

  package var count: Int { packets.count }

  /// Adds a packet.
  package mutating func append(_ octets: [UInt8], to destination: Endpoint) {
    packets.append(
      portproof_outgoing(
        destination: destination.raw, offset: UInt32(bytes.count), size: UInt32(octets.count)))
    bytes += octets
  }

  /// Forgets the packets and keeps their room.
  package mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    packets.removeAll(keepingCapacity: true)
  }

  /// How many were sent, and why the next was not.
  package struct Progress: Hashable, Sendable {
    package var sent: Int
    /// nil where all were sent.
    package var error: Errno?
  }

  func send(by socket: CInt, from start: Int) -> Progress {
    var sent = 0
    let status = unsafe bytes.withUnsafeBufferPointer { bytes in
      unsafe packets.withUnsafeBufferPointer { packets in
        unsafe portproof_send_packets(
          socket, bytes.baseAddress, packets.baseAddress?.advanced(by: start),
          packets.count - start, &sent)
      }
    }
    return Progress(sent: sent, error: status == 0 ? nil : Errno(rawValue: status))
  }
}
