/// What connection tracking remembers of a TCP connection, as far as it decides what comes next.
///
/// Followed are openings, established connections whose packets come one after the other, and
/// connections that were picked up in their midst, whose windows the kernel does not check. What
/// depends on windows otherwise is not known.
///
/// Source: net/netfilter/nf_conntrack_proto_tcp.c `tcp_conntracks`, `tcp_in_window`.
enum TCPTracking: Hashable, Sendable {
  /// A SYN was seen; the sequence number that follows it.
  case synSent(end: UInt32)
  /// It was answered.
  case synReceived(client: UInt32, server: UInt32)
  /// The sequence numbers that follow on both sides.
  case established(client: UInt32, server: UInt32)
  /// A plain ACK opened it.
  case pickedUp
  case unknown

  /// The part of a segment that tracking reads.
  struct Segment: Hashable, Sendable {
    var sequence: UInt32
    var acknowledgment: UInt32
    var flags: UInt8
    var payloadCount: Int

    var isReset: Bool { flags & 4 != 0 }
    var isSyn: Bool { flags & 2 != 0 }
    var isFin: Bool { flags & 1 != 0 }
    var isAck: Bool { flags & 16 != 0 }

    /// Whether there are states in which the segment takes the connection out of the table: a SYN
    /// begins another in the place of a closed one, and a reset ends one that was not answered at
    /// once, and others after ten seconds.
    var mayEndConnection: Bool { isReset || (isSyn && !isAck) }

    /// The sequence number behind the segment.
    var end: UInt32 {
      sequence &+ UInt32(truncatingIfNeeded: payloadCount) &+ (isSyn ? 1 : 0) &+ (isFin ? 1 : 0)
    }
  }

  /// What becomes of a packet and of what is remembered.
  enum Outcome: Hashable, Sendable {
    /// It belongs to the connection.
    case taken(TCPTracking)
    case invalid
    /// It belongs to the connection and ends it at once.
    case ends
    case unknown
  }

  /// What an opening packet leaves behind.
  init(opening segment: Segment) {
    self = segment.isSyn ? .synSent(end: segment.end) : .pickedUp
  }

  func receive(_ segment: Segment, isReply: Bool) -> Outcome {
    let isSynOnly = segment.isSyn && !segment.isAck && !segment.isReset
    let isSynAck = segment.isSyn && segment.isAck && !segment.isReset
    let isPlainAck = segment.isAck && !segment.isSyn && !segment.isFin && !segment.isReset
    // Once a connection is answered, the server opens none by it.
    if isReply, isSynOnly {
      switch self {
      case .synSent: return .taken(.unknown)
      case .synReceived, .established, .pickedUp: return .invalid
      case .unknown: return .unknown
      }
    }
    switch self {
    case .unknown: return .unknown
    case .synSent(let end): return receive(segment, isReply, opening: end)
    case .synReceived(let client, let server), .established(let client, let server):
      // From the opener it belongs to no connection that is answered.
      if isSynAck, !isReply { return .unknown }
      // A repeated SYN or SYN+ACK is let pass, in case the other side knows more.
      if isSynOnly || isSynAck { return .taken(.unknown) }
      let own = isReply ? server : client
      let other = isReply ? client : server
      guard segment.sequence == own, segment.acknowledgment == other else { return .unknown }
      if isPlainAck {
        // An answer to the first SYN does not establish the connection by itself.
        if isReply, case .synReceived = self { return .unknown }
        let next = segment.end
        return .taken(
          .established(client: isReply ? client : next, server: isReply ? next : server))
      }
      return segment.isFin && segment.isAck ? .taken(.unknown) : .unknown
    case .pickedUp:
      if isPlainAck { return .taken(.pickedUp) }
      if isSynAck, !isReply { return .unknown }
      if isSynOnly || isSynAck { return .taken(.unknown) }
      return segment.isFin && !segment.isReset ? .taken(.unknown) : .unknown
    }
  }

  private func receive(_ segment: Segment, _ isReply: Bool, opening end: UInt32) -> Outcome {
    guard isReply else {
      if segment.isReset { return .unknown }
      // Until it is answered, the client has nothing to say but the SYN again.
      guard segment.isSyn, !segment.isAck else { return .invalid }
      let distance = Int32(bitPattern: segment.end &- end)
      return distance >= 0 ? .taken(.synSent(end: segment.end)) : .unknown
    }
    if segment.isReset {
      let isRefusal = segment.isAck && segment.acknowledgment == end && segment.sequence == 0
      return isRefusal && segment.payloadCount == 0 ? .ends : .unknown
    }
    if segment.isSyn {
      guard segment.acknowledgment == end, segment.payloadCount == 0 else { return .unknown }
      return .taken(.synReceived(client: end, server: segment.end))
    }
    if segment.isFin { return .invalid }
    return .taken(.unknown)
  }
}
