internal import Addresses
internal import Capture

/// Tells what a captured packet is to the run.
struct PacketReading {
  /// What a packet is.
  enum Role {
    /// A probe on its way out.
    case probe
    /// What ends a half-opened connection.
    case ownReset
    case answer(Observation.Answer)
    /// Of a probe's addresses and ports, and no answer to it: the rest of a connection.
    case other
  }

  private let probes: [Probe]
  private let key: RunKey
  /// Whether SYNs are raw, so that their sequence number is the run's.
  private let isRaw: Bool
  private let initialSequenceNumber: UInt32
  private(set) var flows: FlowIndex

  init(_ probes: [Probe], key: RunKey, isRaw: Bool, flows: FlowIndex) {
    self.probes = probes
    self.key = key
    self.isRaw = isRaw
    initialSequenceNumber = key.initialSequenceNumber
    self.flows = flows
  }

  /// Remembers from where a datagram or a connection goes.
  mutating func insert(_ probe: Int, _ transport: FlowIndex.Transport, port: UInt16) {
    flows.insert(
      probe, transport, local: probes[probe].source, port, remote: probes[probe].destination,
      probes[probe].port)
  }

  /// - Returns: The probe and what the packet is to it; nil for others' packets.
  mutating func read(_ bytes: borrowing Span<UInt8>) -> (probe: Int, role: Role)? {
    guard let seen = SeenPacket(bytes) else { return nil }
    if seen.isError { return readError(seen, bytes) }
    let transport = Self.transport(of: seen)
    if let probe = flows.probe(
      transport, local: seen.destination, seen.localPort(isOutgoing: false),
      remote: seen.source, seen.remotePort(isOutgoing: false)),
      let role = roleOfAnswer(seen, to: probe, bytes)
    {
      return (probe, role)
    }
    guard
      let probe = flows.probe(
        transport, local: seen.source, seen.localPort(isOutgoing: true),
        remote: seen.destination, seen.remotePort(isOutgoing: true))
    else { return nil }
    return (probe, roleOfQuestion(seen))
  }

  private static func transport(of seen: SeenPacket) -> FlowIndex.Transport {
    switch seen.content {
    case .tcp: .tcp
    case .udp: .udp
    case .icmp: .icmp
    }
  }

  private mutating func readError(
    _ seen: SeenPacket, _ bytes: borrowing Span<UInt8>
  ) -> (probe: Int, role: Role)? {
    guard case .icmp(let type, let code) = seen.content,
      let quoted = SeenPacket(bytes, from: seen.payload),
      let probe = flows.probe(
        Self.transport(of: quoted), local: quoted.source, quoted.localPort(isOutgoing: true),
        remote: quoted.destination, quoted.remotePort(isOutgoing: true))
    else { return nil }
    switch quoted.content {
    case .tcp(let segment):
      // The resets of the run are quoted too, by what does not like them.
      if isRaw, segment.sequence != initialSequenceNumber { return (probe, .other) }
    case .udp: break
    case .icmp(let quotedType, _):
      guard case .icmp(quotedType, _) = probes[probe].kind else { return nil }
    }
    return (probe, .answer(.icmpError(type: type, code: code, sender: seen.source)))
  }

  /// nil where the packet is none that comes from the other end.
  private func roleOfAnswer(
    _ seen: SeenPacket, to probe: Int, _ bytes: borrowing Span<UInt8>
  ) -> Role? {
    switch seen.content {
    case .tcp(let segment):
      if isRaw, segment.acknowledgement != initialSequenceNumber &+ 1 { return .other }
      // What became of a connection of the kernel's is the kernel's to say.
      if !isRaw { return .other }
      let flags = segment.flags
      if flags & SeenPacket.Segment.reset != 0 {
        return flags & SeenPacket.Segment.acknowledge != 0 ? .answer(.reset) : .other
      }
      let both = SeenPacket.Segment.synchronize | SeenPacket.Segment.acknowledge
      return flags & both == both ? .answer(.synAcknowledgement) : .other
    case .udp:
      var payload: [UInt8] = []
      for index in seen.payload..<min(bytes.count, seen.payload + Token.byteCount) {
        payload.append(bytes[index])
      }
      return .answer(
        .reply(carriesToken: Token(reading: payload[...], .reply, key) != nil))
    case .icmp(let type, _):
      guard case .icmp(let asked, _) = probes[probe].kind,
        type == Self.reply(to: asked, seen.source.family)
      else { return nil }
      return .answer(.reply(carriesToken: false))
    }
  }

  private func roleOfQuestion(_ seen: SeenPacket) -> Role {
    switch seen.content {
    case .tcp(let segment):
      if segment.flags & SeenPacket.Segment.reset != 0 { return .ownReset }
      return segment.flags & SeenPacket.Segment.synchronize != 0 ? .probe : .other
    case .udp, .icmp: return .probe
    }
  }

  /// The type of the message that answers one, with its identifier and sequence number.
  ///
  /// Source: RFC 792, RFC 950, RFC 4443 §4.
  static func reply(to type: UInt8, _ family: IPFamily) -> UInt8? {
    switch (family, type) {
    case (.ipv4, 8): 0
    case (.ipv4, 13), (.ipv4, 15), (.ipv4, 17): type + 1
    case (.ipv6, 128): 129
    default: nil
    }
  }
}

extension SeenPacket {
  /// The port of this machine; of ICMP the identifier, which both directions carry alike.
  fileprivate func localPort(isOutgoing: Bool) -> UInt16 {
    if case .icmp = content { return sourcePort }
    return isOutgoing ? sourcePort : destinationPort
  }

  fileprivate func remotePort(isOutgoing: Bool) -> UInt16 {
    if case .icmp = content { return destinationPort }
    return isOutgoing ? destinationPort : sourcePort
  }
}
