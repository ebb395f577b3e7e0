import Addresses
import Rulesets
import Wire

/// What connection tracking makes of a packet.
enum Classification: Hashable, Sendable {
  case known(Packet.State)
  case unknown
}

/// What connection tracking found when it looked at a packet.
struct TrackedPacket: Sendable {
  var state: Classification
  /// The packet's ends when it was looked at; nil where its transport header could not be read.
  var flow: ConnectionTable.Flow?
  /// The connection of the run that it belongs to, or whose error it is; -1 for none.
  var connection = -1
  var isReply = false
  /// What the connection's tracking holds after the packet.
  var tcp: TCPTracking?
  /// Whether the packet ends its connection.
  var endsConnection = false
  /// Whether the connection may have been taken out, or another begun in its place.
  var mayEndConnection = false
}

extension Simulator {
  /// The ends of a packet, or nil where its transport header cannot be read.
  func flow(of packet: borrowing Packet) -> ConnectionTable.Flow? {
    guard let layout = packet.layout.tracked(in: packet.bytes) else { return nil }
    return flow(in: packet.bytes, layout, from: 0, at: layout.transportOffset)
  }

  /// The ends of a packet whose IP header is at `network` and whose segment is at `start`.
  private func flow(
    in bytes: [UInt8], _ layout: PacketLayout, from network: Int, at start: Int,
    transport: UInt8? = nil
  ) -> ConnectionTable.Flow? {
    guard let transport = transport ?? layout.transport else { return nil }
    let width = layout.isIPv4 ? 32 : 128
    let (source, destination) = layout.isIPv4 ? (12, 16) : (8, 24)
    guard
      let from = layout.bits(at: (network + source) * 8, count: width, in: bytes),
      let to = layout.bits(at: (network + destination) * 8, count: width, in: bytes)
    else { return nil }
    // The whole header of ICMP must be there (`icmp_pkt_to_tuple`).
    if [1, 58].contains(transport), layout.bits(at: start * 8, count: 64, in: bytes) == nil {
      return nil
    }
    var flow = ConnectionTable.Flow(
      family: layout.family, transport: transport, source: from, destination: to, sourcePort: 0,
      destinationPort: 0)
    if TransportProtocol(rawValue: transport).hasPorts {
      guard let ports = layout.bits(at: start * 8, count: 32, in: bytes) else { return nil }
      flow.sourcePort = UInt16(truncatingIfNeeded: ports >> 16)
      flow.destinationPort = UInt16(truncatingIfNeeded: ports)
    } else if flow.isEcho {
      guard let kind = layout.bits(at: start * 8, count: 16, in: bytes),
        let identifier = layout.bits(at: start * 8 + 32, count: 16, in: bytes)
      else { return nil }
      flow.sourcePort = UInt16(identifier)
      flow.destinationPort = UInt16(kind)
    }
    return flow
  }

  /// What connection tracking says of the packet, asked once per packet.
  mutating func classification(_ packet: borrowing Packet) -> Classification {
    track(packet).state
  }

  /// Looks at the packet as tracking does, once per packet and before anything rewrites it.
  @discardableResult
  mutating func track(_ packet: borrowing Packet) -> TrackedPacket {
    if let tracked { return tracked }
    let answer: TrackedPacket
    if let state = packet.state {
      answer = TrackedPacket(state: .known(state), flow: flow(of: packet))
    } else if connections.isEmpty {
      answer = TrackedPacket(state: firstState(packet), flow: flow(of: packet))
    } else {
      answer = lookUp(packet)
    }
    tracked = answer
    return answer
  }

  private func lookUp(_ packet: borrowing Packet) -> TrackedPacket {
    let first = firstState(packet)
    var answer = TrackedPacket(state: first, flow: flow(of: packet))
    guard let flow = answer.flow else { return answer }
    switch integrity(of: packet) {
    case .known(.new): break
    // What is malformed or never tracked belongs to no connection.
    case .known: return answer
    case .unknown:
      if connections.relation(of: flow) != .unrelated { answer.state = .unknown }
      return answer
    }
    if let quoted = quotedFlow(packet) {
      switch connections.relation(of: quoted.reversed) {
      case .unrelated: break
      case .undecided: answer.state = .unknown
      case .original(let index):
        // An error goes to where the packet that it quotes came from.
        guard packet.destination.rawValue == quoted.source else { return answer }
        answer.state = .known(.related)
        answer.connection = index
      case .reply(let index):
        guard packet.destination.rawValue == quoted.source else { return answer }
        answer.state = .known(.related)
        answer.connection = index
        answer.isReply = true
      }
      return answer
    }
    if flow == flow.reversed, connections.relation(of: flow) != .unrelated {
      // Which of two equal directions is found depends on a hash.
      answer.state = .unknown
      return answer
    }
    switch connections.relation(of: flow) {
    case .unrelated: return answer
    case .undecided: answer.state = .unknown
    case .original(let index): join(&answer, index, isReply: false, packet)
    case .reply(let index): join(&answer, index, isReply: true, packet)
    }
    return answer
  }

  private func join(
    _ answer: inout TrackedPacket, _ index: Int, isReply: Bool, _ packet: borrowing Packet
  ) {
    let connection = connections[index]
    answer.connection = index
    answer.isReply = isReply
    answer.state = .known(isReply || connection.hasReply ? .established : .new)
    guard let tcp = connection.tcp, let segment = segment(packet) else { return }
    switch tcp.receive(segment, isReply: isReply) {
    case .taken(let next): answer.tcp = next
    case .invalid:
      answer.state = .known(.invalid)
      answer.connection = -1
    case .ends:
      answer.tcp = tcp
      answer.endsConnection = true
    case .unknown:
      answer.state = .unknown
      answer.tcp = .unknown
      answer.mayEndConnection = segment.mayEndConnection
    }
  }

  func segment(_ packet: borrowing Packet) -> TCPTracking.Segment? {
    guard let layout = packet.layout.tracked(in: packet.bytes),
      layout.transport == TransportProtocol.tcp.rawValue
    else { return nil }
    let start = layout.transportOffset
    guard let sequence = layout.bits(at: (start + 4) * 8, count: 32, in: packet.bytes),
      let acknowledgment = layout.bits(at: (start + 8) * 8, count: 32, in: packet.bytes),
      let flags = layout.bits(at: (start + 13) * 8, count: 8, in: packet.bytes)
    else { return nil }
    let header = Int(packet.bytes[start + 12] >> 4) * 4
    return TCPTracking.Segment(
      sequence: UInt32(sequence), acknowledgment: UInt32(acknowledgment), flags: UInt8(flags),
      payloadCount: max(0, layout.byteCount - start - header))
  }

  /// The flow of the packet that an ICMP error quotes; nil for everything that is no error.
  ///
  /// Source: net/netfilter/nf_conntrack_proto_icmp.c `nf_conntrack_inet_error`.
  private func quotedFlow(_ packet: borrowing Packet) -> ConnectionTable.Flow? {
    guard let layout = packet.layout.tracked(in: packet.bytes), let transport = layout.transport
    else { return nil }
    let start = layout.transportOffset
    guard layout.byteCount >= start + 8 else { return nil }
    let inner = start + 8
    switch layout.family {
    case .ipv4:
      guard transport == 1, [3, 4, 5, 11, 12].contains(packet.bytes[start]),
        inner + 20 <= layout.byteCount, packet.bytes[inner] >> 4 == 4,
        packet.bytes[inner + 6] & 0x1F == 0, packet.bytes[inner + 7] == 0
      else { return nil }
      return flow(
        in: packet.bytes, layout, from: inner, at: inner + Int(packet.bytes[inner] & 15) * 4,
        transport: packet.bytes[inner + 9])
    case .ipv6:
      guard transport == 58, packet.bytes[start] < 128,
        let (number, offset) = layout.trackedTransport(ofIPv6At: inner, in: packet.bytes)
      else { return nil }
      return flow(in: packet.bytes, layout, from: inner, at: offset, transport: number)
    }
  }

  /// Whether a packet is one that tracking works with (`new`), or what it is otherwise.
  private func integrity(of packet: borrowing Packet) -> Classification {
    if packet.layout.transport != nil, packet.layout.isFragment { return .unknown }
    guard let layout = packet.layout.tracked(in: packet.bytes), let transport = layout.transport
    else { return .known(.invalid) }
    let start = layout.transportOffset
    let count = layout.byteCount - start
    // Sums are checked where a packet comes in, not where it is made.
    let checksIn = packet.frame != nil && !isReturning
    func isSound(_ transport: TransportProtocol, _ packet: borrowing Packet) -> Bool {
      !checksIn || layout.isChecksumValid(of: transport, from: start, in: packet.bytes)
    }
    switch (TransportProtocol(rawValue: transport), layout.family) {
    case (.tcp, _):
      guard count >= 20 else { return .known(.invalid) }
      let header = Int(packet.bytes[start + 12] >> 4) * 4
      guard header >= 20, header <= count, isSound(.tcp, packet) else { return .known(.invalid) }
      // Push and the two congestion bits do not count; `tcp_valid_flags` lists what is left.
      let flags = packet.bytes[start + 13] & 0x37
      let valid: [UInt8] = [0x02, 0x22, 0x12, 0x04, 0x14, 0x11, 0x31, 0x10, 0x30]
      return .known(valid.contains(flags) ? .new : .invalid)
    case (.udp, _):
      guard count >= 8 else { return .known(.invalid) }
      let length = Int(packet.bytes[start + 4]) << 8 | Int(packet.bytes[start + 5])
      guard length >= 8, length <= count else { return .known(.invalid) }
      let hasChecksum = packet.bytes[start + 6] != 0 || packet.bytes[start + 7] != 0
      return .known(!hasChecksum || isSound(.udp, packet) ? .new : .invalid)
    case (.udplite, _):
      guard count >= 8 else { return .known(.invalid) }
      let coverage = Int(packet.bytes[start + 4]) << 8 | Int(packet.bytes[start + 5])
      let hasChecksum = packet.bytes[start + 6] != 0 || packet.bytes[start + 7] != 0
      guard coverage == 0 || coverage >= 8, coverage <= count, hasChecksum else {
        return .known(.invalid)
      }
      // Kernels differ in how they sum what the checksum covers.
      return .unknown
    case (.icmp, .ipv4):
      return .known(count >= 8 && isSound(.icmp, packet) ? .new : .invalid)
    case (.icmpv6, .ipv6):
      guard count >= 8, isSound(.icmpv6, packet) else { return .known(.invalid) }
      switch packet.bytes[start] {
      case 130...136, 143, 151, 152: return .known(.untracked)
      case 137: return .unknown
      default: return .known(.new)
      }
    case (.icmp, .ipv6), (.icmpv6, .ipv4): return .known(.invalid)
    // "No next header": there is no protocol to track.
    case (_, .ipv6) where transport == 59: return .known(.invalid)
    case (.gre, _):
      // Only the version that PPTP uses is more than another protocol (`gre_pkt_to_tuple`).
      guard count >= 4 else { return .unknown }
      return packet.bytes[start + 1] & 7 == 1 ? .unknown : .known(.new)
    case (.sctp, _):
      // A packet without a chunk, or with a wrong sum, is none (`nf_conntrack_sctp_packet`).
      guard count > 12, !checksIn || hasSCTPChecksum(packet.bytes[start..<start + count])
      else { return .known(.invalid) }
      return .unknown
    case (.dccp, _): return .unknown
    default: return .known(.new)
    }
  }

  /// The state of a packet whose flow is not in the table.
  ///
  /// Source: net/netfilter/nf_conntrack_core.c `nf_conntrack_in`, nf_conntrack_proto_tcp.c,
  /// nf_conntrack_proto_udp.c, nf_conntrack_proto_icmp.c, nf_conntrack_proto_icmpv6.c.
  private func firstState(_ packet: borrowing Packet) -> Classification {
    let integrity = integrity(of: packet)
    guard integrity == .known(.new), let layout = packet.layout.tracked(in: packet.bytes),
      let transport = layout.transport
    else { return integrity }
    let start = layout.transportOffset
    switch TransportProtocol(rawValue: transport) {
    case .tcp:
      // Only a SYN or a plain ACK opens a connection (`tcp_conntracks`, row "none").
      switch packet.bytes[start + 13] & 0x37 {
      case 0x02, 0x22, 0x10, 0x30: return .known(.new)
      #if FAULTS
      case 0x12 where fault == .synAckIsNew: return .known(.new)
      #endif
      default: return .known(.invalid)
      }
    case .icmp:
      return .known([8, 13, 15, 17].contains(packet.bytes[start]) ? .new : .invalid)
    case .icmpv6:
      return .known([128, 139].contains(packet.bytes[start]) ? .new : .invalid)
    default: return .known(.new)
    }
  }

  /// How a packet stands to address translation.
  enum Binding {
    /// The packet has no connection.
    case none
    /// It begins a connection.
    case new
    /// Its connection is bound already: one of the run's, or one that is not known.
    case bound(Int, isReply: Bool)
    case boundElsewhere
    case undecided
  }

  mutating func binding(_ packet: borrowing Packet, _ environment: Environment) -> Binding {
    if environment.flags.contains(.untrackedUnknown) { return .undecided }
    if environment.flags.contains(.untracked) { return .none }
    if environment.flags.contains(.trackedBytesUnknown) { return .undecided }
    let tracked = track(packet)
    switch tracked.state {
    case .known(.invalid), .known(.untracked): return .none
    case .known(.established), .known(.new):
      if tracked.connection >= 0 { return .bound(tracked.connection, isReply: tracked.isReply) }
      return tracked.state == .known(.new) ? .new : .boundElsewhere
    case .known(.related):
      // An error of a connection that is not translated is left as it is.
      if tracked.connection >= 0 {
        return .bound(tracked.connection, isReply: tracked.isReply)
      }
      if environment.flags.contains(.relatedBegins) { return .new }
      return environment.flags.contains(.relatedFollows) ? .boundElsewhere : .undecided
    case .unknown: return .undecided
    }
  }

  /// Whether translation may change or drop a packet of which it is not known whether it belongs to
  /// a connection.
  mutating func mayBeTranslated(
    _ packet: borrowing Packet, _ environment: Environment
  ) -> Bool {
    // Of a packet whose state is given the connection is not in the table.
    if packet.state != nil || packet.isSpoiltError { return true }
    let index = track(packet).connection
    if index >= 0, !environment.flags.contains(.trackedBytesUnknown) {
      return connections[index].mayBeTranslated
    }
    return connections.mayHoldTranslations
  }

  /// Takes the packet out of tracking, if tracking has not taken it already.
  mutating func stopTracking(_ packet: borrowing Packet, _ environment: inout Environment) {
    switch phase {
    case .before: environment.flags.insert(.untracked)
    case .undecided: environment.flags.insert(.untrackedUnknown)
    case .after:
      switch program.tracking(packet.layout.family) {
      case .off: environment.flags.insert(.untracked)
      case .unknown: environment.flags.insert(.untrackedUnknown)
      case .on:
        switch classification(packet) {
        case .known(.invalid), .known(.untracked): environment.flags.insert(.untracked)
        case .known(.new), .known(.established), .known(.related): break
        case .unknown: environment.flags.insert(.untrackedUnknown)
        }
      }
    }
  }

  /// What a packet leaves behind in the connection table.
  ///
  /// - Parameters:
  ///   - packet: The packet, whose state was looked up before.
  ///   - environments: What may hold at the end of its way.
  ///   - passed: Whether it left its last hook; nil where that is not known.
  mutating func settle(
    _ packet: borrowing Packet, _ environments: [Environment], passed: Bool?
  ) {
    guard packet.state == nil else { return }
    let tracking = program.tracking(packet.layout.family)
    guard tracking != .off, let flow = track(packet).flow else { return }
    if !environments.isEmpty, environments.allSatisfy({ $0.flags.contains(.untracked) }) { return }
    let tracked = track(packet)
    let isSure =
      tracking == .on && passed != nil
      && !environments.contains {
        !$0.flags.isDisjoint(with: [.untracked, .untrackedUnknown, .trackedBytesUnknown])
      }
    switch tracked.state {
    case .known(.invalid), .known(.untracked), .known(.related): return
    case .known(.established), .known(.new), .unknown: break
    }
    if tracked.connection >= 0 {
      update(tracked, environments, isSure: isSure)
      return
    }
    guard passed != false, tracked.state != .known(.established) else { return }
    var connection = ConnectionTable.Connection(original: flow, mapped: flow)
    // Both directions of a connection from one end to itself look alike.
    connection.isCertain = isSure && tracked.state == .known(.new) && flow != flow.reversed
    connection.tcp = segment(packet).map { TCPTracking(opening: $0) }
    if let first = environments.first {
      connection.mapped = first.mapped ?? flow
      connection.isSourceMapped = first.flags.contains(.sourceMapped)
      connection.isDestinationMapped = first.flags.contains(.destinationMapped)
      connection.mark = first.connectionMark
      for other in environments {
        if other.mapped != first.mapped || other.isTranslated { connection.mapped = nil }
        if other.connectionMark != first.connectionMark
          || other.flags.contains(.connectionMarkUnknown)
        {
          connection.mark = nil
        }
        if !other.flags.isDisjoint(with: [.sourceMapped, .sourceTranslated]) {
          connection.isSourceMapped = true
        }
        if !other.flags.isDisjoint(with: [.destinationMapped, .destinationTranslated]) {
          connection.isDestinationMapped = true
        }
        if other.flags.contains(.connectionChanged) { connection.isPlain = false }
      }
    }
    connections.insert(connection, isHidden: program.setsZones)
  }

  private mutating func update(
    _ tracked: TrackedPacket, _ environments: [Environment], isSure: Bool
  ) {
    let index = tracked.connection
    if tracked.isReply { connections[index].hasReply = true }
    if let tcp = tracked.tcp { connections[index].tcp = tcp }
    if !isSure || tracked.mayEndConnection { connections[index].isCertain = false }
    for environment in environments where environment.flags.contains(.connectionMarkSet) {
      let isKnown = environments.count == 1 && !environment.flags.contains(.connectionMarkUnknown)
      connections[index].mark = isKnown ? environment.connectionMark : nil
    }
    if environments.contains(where: { $0.flags.contains(.connectionChanged) }) {
      connections[index].isPlain = false
    }
    if tracked.endsConnection { connections.remove(index) }
  }
}

/// Whether the checksum of an SCTP packet, least significant octet first, is right (RFC 9260 §6.8).
private func hasSCTPChecksum(_ packet: ArraySlice<UInt8>) -> Bool {
  guard packet.count >= 12 else { return false }
  let place = packet.startIndex + 8
  var blank = packet
  for index in place..<place + 4 { blank[index] = 0 }
  let sum = (0..<4).reduce(UInt32(0)) { $0 | UInt32(packet[place + $1]) << UInt32(8 * $1) }
  return sum == CastagnoliChecksum.value(of: blank)
}
