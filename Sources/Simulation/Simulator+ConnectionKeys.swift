import Addresses
import Rulesets
import Wire

// Source: net/netfilter/nft_ct.c `nft_ct_get_eval`.
extension Simulator {
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
    let tracked = track(packet)
    switch state {
    case .invalid, .untracked: return .missing
    case .new, .established, .related:
      if key == .networkProtocol { return .value(packet.layout.isIPv4 ? 2 : 10) }
      if tracked.connection >= 0 {
        return load(key, direction, of: tracked, environment)
      }
      guard state == .new else {
        if key == .status, state == .established {
          // Seen an answer, and confirmed.
          return .partial(2 | 8, unknown: ~(2 | 8), fixedReasons.connectionKey)
        }
        return .unknownOrMissing(fixedReasons.connectionKey)
      }
      return loadNew(key, direction, tracked, packet, environment)
    }
  }

  /// A key of a connection that the packet begins.
  private func loadNew(
    _ key: ConnectionKey.Key, _ direction: ConnectionKey.Direction?, _ tracked: TrackedPacket,
    _ packet: borrowing Packet, _ environment: Environment
  ) -> Loaded {
    let unknown = Loaded.unknownOrMissing(fixedReasons.connectionKey)
    let isGiven = packet.state != nil
    switch key {
    case .direction: return .value(0)
    case .status:
      // The kernel's own marks of finished translation, of timeouts and of helpers, and translation
      // itself where it ran.
      var known: UInt128 = 0
      if environment.flags.contains(.sourceMapped) { known |= 0x10 }
      if environment.flags.contains(.destinationMapped) { known |= 0x20 }
      var unknownBits: UInt128 = 0x2580
      if isReturning { unknownBits |= 8 }
      if environment.isTranslated { unknownBits |= 0x30 }
      if isGiven { unknownBits |= 0x3FFF & ~0x6 }
      return .partial(known, unknown: unknownBits, fixedReasons.connectionKey)
    case .mark:
      if environment.flags.contains(.connectionMarkUnknown) { return unknown }
      if isGiven, !environment.flags.contains(.connectionMarkSet) { return unknown }
      return .value(UInt128(environment.connectionMark))
    case .sourceAddress, .destinationAddress, .sourcePort, .destinationPort, .transportProtocol:
      guard let flow = tracked.flow else { return unknown }
      if direction == .original { return isGiven ? unknown : end(key, of: flow) }
      if isGiven || environment.isTranslated { return unknown }
      return end(key, of: (environment.mapped ?? flow).reversed)
    case .state, .networkProtocol, .expiration, .helper, .label, .bytes, .packets, .zone, .id,
      .eventmask, .secmark, .averagePacket:
      return unknown
    }
  }

  /// A key of a connection of the run.
  private func load(
    _ key: ConnectionKey.Key, _ direction: ConnectionKey.Direction?, of tracked: TrackedPacket,
    _ environment: Environment
  ) -> Loaded {
    let unknown = Loaded.unknownOrMissing(fixedReasons.connectionKey)
    let connection = connections[tracked.connection]
    switch key {
    case .direction: return .value(tracked.isReply ? 1 : 0)
    case .status:
      // Besides the kernel's own marks, whether a connection counts as assured takes time.
      var known: UInt128 = 8
      if connection.hasReply || tracked.isReply { known |= 2 }
      var unknownBits: UInt128 = 0x2584
      if connection.mapped == nil {
        unknownBits |= 0x30
      } else {
        if connection.isSourceMapped { known |= 0x10 }
        if connection.isDestinationMapped { known |= 0x20 }
      }
      return .partial(known, unknown: unknownBits & ~known, fixedReasons.connectionKey)
    case .mark:
      if environment.flags.contains(.connectionMarkUnknown) { return unknown }
      if environment.flags.contains(.connectionMarkSet) {
        return .value(UInt128(environment.connectionMark))
      }
      return connection.mark.map { .value(UInt128($0)) } ?? unknown
    case .sourceAddress, .destinationAddress, .sourcePort, .destinationPort, .transportProtocol:
      if direction == .original { return end(key, of: connection.original) }
      guard let mapped = connection.mapped, direction == .reply else { return unknown }
      return end(key, of: mapped.reversed)
    case .state, .networkProtocol, .expiration, .helper, .label, .bytes, .packets, .zone, .id,
      .eventmask, .secmark, .averagePacket:
      return unknown
    }
  }

  private func end(_ key: ConnectionKey.Key, of flow: ConnectionTable.Flow) -> Loaded {
    switch key {
    case .sourceAddress: return .value(flow.source)
    case .destinationAddress: return .value(flow.destination)
    case .transportProtocol: return .value(UInt128(flow.transport))
    default:
      guard TransportProtocol(rawValue: flow.transport).hasPorts else {
        return .unknownOrMissing(fixedReasons.connectionKey)
      }
      return .value(UInt128(key == .sourcePort ? flow.sourcePort : flow.destinationPort))
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
      // Bytes rewritten before tracking looked may have changed what it saw.
      if environment.flags.contains(.trackedBytesUnknown) { return .unknown }
      return classification(packet)
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
}
