/// Which way a packet crossed an interface, seen from the machine that captured it.
package enum PacketDirection: String, Hashable, Sendable, CaseIterable {
  case inbound
  case outbound
}

/// What is known about a captured packet beside its bytes.
package struct CapturedPacket: Hashable, Sendable {
  /// Nanoseconds since 1970-01-01T00:00:00Z.
  package var timestamp: UInt64
  /// How many bytes went over the wire from the IP header on, padding of short frames included;
  /// more than were captured where the packet is longer than the snapshot length.
  package var originalByteCount: Int
  /// nil where neither the capture nor the frame says.
  package var direction: PacketDirection?

  package init(timestamp: UInt64, originalByteCount: Int, direction: PacketDirection?) {
    self.timestamp = timestamp
    self.originalByteCount = originalByteCount
    self.direction = direction
  }
}
