import Addresses
import Rulesets
import Wire

/// What connection tracking makes of a packet.
enum Classification: Hashable, Sendable {
  case known(Packet.State)
  case unknown
}

/// The connections that packets of one run have opened.
struct ConnectionTable: Sendable {
  /// The two ends and the protocol of a packet.
  struct Flow: Hashable, Sendable {
    var family: IPFamily
    var transport: UInt8
    var source: UInt128
    var destination: UInt128
    /// Ports; identifier and type for ICMP.
    var sourcePort: UInt16
    var destinationPort: UInt16

    var reversed: Flow {
      var flow = self
      swap(&flow.source, &flow.destination)
      swap(&flow.sourcePort, &flow.destinationPort)
      return flow
    }
  }

  private var flows: [Flow: Bool] = [:]
  private var translated: [Flow] = []
  private var addresses: Set<UInt128> = []
  /// Set where a flow was opened that cannot be recognised again: both its ends were translated,
  /// or it lies in a zone.
  private var hidesReplies = false

  var isEmpty: Bool { flows.isEmpty && translated.isEmpty && !hidesReplies }

  mutating func confirm(_ flow: Flow, isTranslated: Bool, isHidden: Bool) {
    if isHidden { hidesReplies = true }
    if isTranslated { translated.append(flow) }
    addresses.insert(flow.source)
    addresses.insert(flow.destination)
    if flows[flow] == nil { flows[flow] = isTranslated }
  }

  /// Whether a connection begins or ends at an address.
  func mentions(_ address: UInt128) -> Bool {
    hidesReplies || addresses.contains(address)
  }

  enum Relation {
    case unrelated
    case original
    case reply
    case undecided
  }

  func relation(of flow: Flow) -> Relation {
    if isEmpty { return .unrelated }
    if let isTranslated = flows[flow] { return isTranslated ? .undecided : .original }
    if let isTranslated = flows[flow.reversed] { return isTranslated ? .undecided : .reply }
    if hidesReplies { return .undecided }
    for known in translated where known.transport == flow.transport {
      let fromServer = known.destination == flow.source && known.destinationPort == flow.sourcePort
      let toClient = known.source == flow.destination && known.sourcePort == flow.destinationPort
      if fromServer || toClient { return .undecided }
    }
    return .unrelated
  }
}

extension Simulator {
  /// The ends of a packet, or nil where its transport header cannot be read.
  func flow(of packet: borrowing Packet) -> ConnectionTable.Flow? {
    let layout = packet.layout
    guard let transport = layout.transport, layout.fragmentOffset == 0 else { return nil }
    var flow = ConnectionTable.Flow(
      family: layout.family, transport: transport, source: layout.source(in: packet.bytes),
      destination: layout.destination(in: packet.bytes), sourcePort: 0, destinationPort: 0)
    let start = layout.transportOffset * 8
    if TransportProtocol(rawValue: transport).hasPorts {
      guard let ports = layout.bits(at: start, count: 32, in: packet.bytes) else { return nil }
      flow.sourcePort = UInt16(truncatingIfNeeded: ports >> 16)
      flow.destinationPort = UInt16(truncatingIfNeeded: ports)
    } else if isEcho(transport, layout.family) {
      guard let identifier = layout.bits(at: start + 32, count: 16, in: packet.bytes) else {
        return nil
      }
      flow.sourcePort = UInt16(identifier)
      flow.destinationPort = UInt16(identifier)
    }
    return flow
  }

  private func isEcho(_ transport: UInt8, _ family: IPFamily) -> Bool {
    transport == (family == .ipv4 ? 1 : 58)
  }

  /// What connection tracking says of the packet, asked once per packet.
  mutating func classification(_ packet: borrowing Packet) -> Classification {
    if let classified { return classified }
    let answer: Classification =
      if let state = packet.state { .known(state) } else { classify(packet) }
    classified = answer
    return answer
  }

  private func classify(_ packet: borrowing Packet) -> Classification {
    let fresh = freshState(packet)
    guard !connections.isEmpty, let flow = flow(of: packet) else { return fresh }
    if fresh == .known(.untracked) { return fresh }
    switch connections.relation(of: flow) {
    case .unrelated:
      // An ICMP error may belong to one of the run's connections.
      let isError = isEcho(flow.transport, flow.family) && fresh == .known(.invalid)
      return isError && mayBelongToConnection(packet) ? .unknown : fresh
    case .undecided: return .unknown
    case .original:
      // The first packets of a direction stay new until an answer was seen.
      return fresh == .known(.new) && isOpening(packet, flow) ? fresh : .unknown
    case .reply: return isAnswer(packet, flow) ? .known(.established) : .unknown
    }
  }

  /// Whether the packet that an ICMP error quotes can be one of the run's connections.
  private func mayBelongToConnection(_ packet: borrowing Packet) -> Bool {
    let quoted = packet.layout.transportOffset + 8
    let (source, destination, width) =
      packet.layout.isIPv4 ? (quoted + 12, quoted + 16, 32) : (quoted + 8, quoted + 24, 128)
    guard
      let from = packet.layout.bits(at: source * 8, count: width, in: packet.bytes),
      let to = packet.layout.bits(at: destination * 8, count: width, in: packet.bytes)
    else { return false }
    return connections.mentions(from) || connections.mentions(to)
  }

  private func flags(_ packet: borrowing Packet) -> UInt8? {
    packet.layout.bits(
      at: (packet.layout.transportOffset + 13) * 8, count: 8, in: packet.bytes
    ).map { UInt8($0) }
  }

  private func isOpening(_ packet: borrowing Packet, _ flow: ConnectionTable.Flow) -> Bool {
    guard flow.transport == 6 else { return flow.transport == 17 }
    return flags(packet).map { $0 & 0x17 == 0x02 } ?? false
  }

  private func isAnswer(_ packet: borrowing Packet, _ flow: ConnectionTable.Flow) -> Bool {
    guard flow.transport == 6 else { return flow.transport == 17 }
    // A SYN+ACK answers the SYN that opened the connection.
    return flags(packet).map { $0 & 0x17 == 0x12 } ?? false
  }

  /// The state of a packet whose flow is not in the table.
  ///
  /// Source: net/netfilter/nf_conntrack_core.c `nf_conntrack_in`, nf_conntrack_proto_tcp.c,
  /// nf_conntrack_proto_udp.c, nf_conntrack_proto_icmp.c, nf_conntrack_proto_icmpv6.c.
  private func freshState(_ packet: borrowing Packet) -> Classification {
    let layout = packet.layout
    guard let transport = layout.transport else { return .known(.invalid) }
    if layout.fragmentOffset != 0 || layout.isFragment { return .unknown }
    let start = layout.transportOffset
    let count = layout.byteCount - start
    // Sums are checked where a packet comes in, not where it is made.
    let checksIn = packet.frame != nil
    switch (TransportProtocol(rawValue: transport), layout.family) {
    case (.tcp, _):
      guard count >= 20 else { return .known(.invalid) }
      let header = Int(packet.bytes[start + 12] >> 4) * 4
      guard header >= 20, header <= count else { return .known(.invalid) }
      if checksIn, !layout.isChecksumValid(of: .tcp, from: start, in: packet.bytes) {
        return .known(.invalid)
      }
      return .known(stateOfFirst(flags: packet.bytes[start + 13]))
    case (.udp, _):
      guard count >= 8 else { return .known(.invalid) }
      let length = Int(packet.bytes[start + 4]) << 8 | Int(packet.bytes[start + 5])
      guard length >= 8, length <= count else { return .known(.invalid) }
      let hasChecksum = packet.bytes[start + 6] != 0 || packet.bytes[start + 7] != 0
      // A shorter length than the packet's is summed differently.
      if hasChecksum, length != count { return .unknown }
      if hasChecksum, checksIn,
        !layout.isChecksumValid(of: .udp, from: start, in: packet.bytes)
      {
        return .known(.invalid)
      }
      return .known(.new)
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
      guard count >= 8 else { return .known(.invalid) }
      if checksIn, !layout.isChecksumValid(of: .icmp, from: start, in: packet.bytes) {
        return .known(.invalid)
      }
      switch packet.bytes[start] {
      case 8, 13, 15, 17: return .known(.new)
      default: return .known(.invalid)
      }
    case (.icmpv6, .ipv6):
      guard count >= 8 else { return .known(.invalid) }
      if checksIn, !layout.isChecksumValid(of: .icmpv6, from: start, in: packet.bytes) {
        return .known(.invalid)
      }
      switch packet.bytes[start] {
      case 130...136, 143, 151, 152: return .known(.untracked)
      case 128, 139: return .known(.new)
      case 137: return .unknown
      default: return .known(.invalid)
      }
    case (.icmp, .ipv6), (.icmpv6, .ipv4): return .known(.invalid)
    // "No next header": there is no protocol to track.
    case (_, .ipv6) where transport == 59: return .known(.invalid)
    case (.sctp, _) where count < 12: return .known(.invalid)
    case (.sctp, _), (.dccp, _), (.gre, _): return .unknown
    case (.ah, .ipv6):
      // Tracking steps over this header, where rules do not.
      return .unknown
    default: return .known(.new)
    }
  }

  private func stateOfFirst(flags: UInt8) -> Packet.State {
    // Push and the two congestion bits do not count; `tcp_valid_flags` lists what is left, and of
    // that only a SYN or a plain ACK opens a connection (`tcp_conntracks`, row "none").
    switch flags & 0x37 {
    case 0x02, 0x22, 0x10, 0x30: .new
    default: .invalid
    }
  }

  /// How a packet stands to address translation.
  enum Binding {
    /// The packet has no connection.
    case none
    /// It begins a connection.
    case new
    /// Its connection is bound already, perhaps to other addresses.
    case bound
    case undecided
  }

  mutating func binding(_ packet: borrowing Packet, _ environment: Environment) -> Binding {
    if environment.flags.contains(.untrackedUnknown) { return .undecided }
    if environment.flags.contains(.untracked) { return .none }
    switch classification(packet) {
    case .known(.invalid), .known(.untracked): return .none
    case .known(.established): return .bound
    case .known(.related):
      if environment.flags.contains(.relatedBegins) { return .new }
      return environment.flags.contains(.relatedFollows) ? .bound : .undecided
    case .unknown: return .undecided
    case .known(.new):
      guard packet.state == nil, !connections.isEmpty, let flow = flow(of: packet) else {
        return .new
      }
      switch connections.relation(of: flow) {
      case .unrelated: return .new
      case .original, .reply, .undecided: return .undecided
      }
    }
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

  mutating func loadConnection(
    _ key: ConnectionKey.Key, _ direction: ConnectionKey.Direction?, _ packet: borrowing Packet,
    _ environment: Environment
  ) -> Loaded {
    let state: Packet.State
    switch connectionState(packet, environment) {
    case .known(let known): state = known
    case .unknown:
      return key == .state
        ? .unknown(fixedReasons.connectionState)
        : .unknownOrMissing(fixedReasons.connectionState)
    }
    if key == .state { return .value(UInt128(state.bit)) }
    switch state {
    case .invalid, .untracked: return .missing
    case .established, .related:
      if key == .status, state == .established {
        // Seen an answer, and confirmed.
        return .partial(2 | 8, unknown: ~(2 | 8), fixedReasons.connectionKey)
      }
      if key == .networkProtocol { return .value(packet.layout.isIPv4 ? 2 : 10) }
      return .unknownOrMissing(fixedReasons.connectionKey)
    case .new: return loadNewConnection(key, direction, packet, environment)
    }
  }

  private func loadNewConnection(
    _ key: ConnectionKey.Key, _ direction: ConnectionKey.Direction?, _ packet: borrowing Packet,
    _ environment: Environment
  ) -> Loaded {
    let unknown = Loaded.unknownOrMissing(fixedReasons.connectionKey)
    switch key {
    case .direction: return .value(0)
    case .status:
      // The kernel's own marks of finished translation, of timeouts and of helpers, and translation
      // itself where it ran.
      var unknownBits: UInt128 = 0x2580
      if isReturning { unknownBits |= 8 }
      if environment.isTranslated { unknownBits |= 0x30 }
      if packet.state != nil || !connections.isEmpty { unknownBits |= 0x3FFF & ~0x6 }
      return .partial(0, unknown: unknownBits, fixedReasons.connectionKey)
    case .networkProtocol: return .value(packet.layout.isIPv4 ? 2 : 10)
    case .mark:
      if environment.flags.contains(.connectionMarkUnknown) { return unknown }
      if packet.state != nil, !environment.flags.contains(.connectionMarkSet) { return unknown }
      if !connections.isEmpty { return unknown }
      return .value(UInt128(environment.connectionMark))
    case .sourceAddress, .destinationAddress, .sourcePort, .destinationPort, .transportProtocol:
      guard direction == .original, packet.state == nil, let flow = flow(of: packet) else {
        return unknown
      }
      switch key {
      case .sourceAddress: return .value(flow.source)
      case .destinationAddress: return .value(flow.destination)
      case .transportProtocol: return .value(UInt128(flow.transport))
      default:
        guard TransportProtocol(rawValue: flow.transport).hasPorts else { return unknown }
        return .value(UInt128(key == .sourcePort ? flow.sourcePort : flow.destinationPort))
      }
    case .state, .expiration, .helper, .label, .bytes, .packets, .zone, .id, .eventmask,
      .secmark, .averagePacket:
      return unknown
    }
  }

  /// The state that rules see where the walk is.
  private mutating func connectionState(
    _ packet: borrowing Packet, _ environment: Environment
  ) -> Classification {
    if environment.flags.contains(.untrackedUnknown) { return .unknown }
    if environment.flags.contains(.untracked) || packet.state == .untracked {
      return .known(.untracked)
    }
    switch phase {
    case .before: return .known(.invalid)
    case .undecided:
      return classification(packet) == .known(.invalid) ? .known(.invalid) : .unknown
    case .after:
      let answer = classification(packet)
      // Bytes rewritten before tracking looked may have changed what it saw.
      return environment.alteredUpper > 0 && answer != .unknown && mayAlterTracking(environment)
        ? .unknown : answer
    }
  }

  /// Whether `notrack` would change what the packet's state reads: a packet that was looked up and
  /// has an entry, or is untracked already, stays what it is (net/netfilter/nft_ct.c).
  mutating func mayStopTracking(_ packet: borrowing Packet, _ environment: Environment) -> Bool {
    guard phase == .after else { return true }
    switch connectionState(packet, environment) {
    case .known(.invalid), .unknown: return true
    case .known(.established), .known(.related), .known(.new), .known(.untracked): return false
    }
  }

  private func mayAlterTracking(_ environment: Environment) -> Bool {
    environment.flags.contains(.trackedBytesUnknown)
  }
}
