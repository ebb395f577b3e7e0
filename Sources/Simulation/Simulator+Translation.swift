import Addresses
import Rulesets
import Wire

/// A translation with the registers that hold its ranges, in plain bits.
struct TranslationPlan: Sendable {
  enum Kind: UInt8, Sendable { case destination, source, masquerade, redirect }

  struct Options: OptionSet, Sendable {
    let rawValue: UInt8
    init(rawValue: UInt8) { self.rawValue = rawValue }

    static let isRandom = Options(rawValue: 1)
    /// The host part of the address is kept.
    static let isPrefix = Options(rawValue: 2)
    /// A flag that is not followed.
    static let isOther = Options(rawValue: 4)
  }

  static let noRegister = UInt8.max

  var kind: Kind
  var options: Options = []
  var address = Self.noRegister
  var addressUpper = Self.noRegister
  var port = Self.noRegister
  var portUpper = Self.noRegister
}

// Source: net/netfilter/nf_nat_core.c `get_unique_tuple`, `nf_nat_packet`; nf_nat_masquerade.c,
// nf_nat_redirect.c.
extension Simulator {
  /// What becomes of a flow at a statement that translates it.
  enum TranslationOutcome {
    case bound
    case dropped
    /// It is bound, and to what is not known.
    case undecided
    /// Likewise, and where it is changed by that it is dropped.
    case undecidedOrDropped
  }

  /// Where a translation may take a flow.
  private struct Range {
    var addresses: ClosedRange<UInt128>?
    var ports: ClosedRange<UInt16>?

    func holds(_ address: UInt128) -> Bool { addresses?.contains(address) ?? true }
    func holds(port: UInt16) -> Bool { ports?.contains(port) ?? true }
  }

  mutating func translate(
    _ plan: TranslationPlan, _ packet: borrowing Packet, _ environment: inout Environment,
    _ hook: Hook
  ) -> TranslationOutcome {
    environment.flags.insert(.boundAtHook)
    let isSource = hook.translatesSources
    let tracked = track(packet)
    let isUsual =
      !environment.isTranslated && tracked.state == .known(.new) && !packet.isAuthenticated
      && environment.flags.isDisjoint(with: [.packetUnknown, .trackedBytesUnknown])
    if isUsual, let flow = tracked.flow {
      switch range(plan, packet, hook) {
      case .range(let range):
        let current = environment.mapped ?? flow
        let before = environment.mapped
        if bind(current, to: range, plan, isSource: isSource, packet, &environment) {
          return environment.mapped != before && !packet.isRewritable(isSource: isSource)
            ? .dropped : .bound
        }
      case .unusable: return .dropped
      case .unknown: break
      }
    }
    blur(isSource: isSource, packet, &environment)
    // Where the host has no address to take, the packet is dropped.
    let takesOwn = plan.kind == .masquerade || plan.kind == .redirect
    return packet.isRewritable(isSource: isSource) && !takesOwn ? .undecided : .undecidedOrDropped
  }

  /// Notes that one end of the packet is not known from here on.
  func blur(isSource: Bool, _ packet: borrowing Packet, _ environment: inout Environment) {
    environment.flags.insert(isSource ? .sourceTranslated : .destinationTranslated)
    alterAddresses(packet, &environment)
  }

  private enum FoundRange {
    case range(Range)
    case unknown
    /// There is no address to take; the packet is dropped.
    case unusable
  }

  private func range(
    _ plan: TranslationPlan, _ packet: borrowing Packet, _ hook: Hook
  ) -> FoundRange {
    func value(_ register: UInt8) -> UInt128? {
      register == TranslationPlan.noRegister || isUnknown(register) ? nil : registers[Int(register)]
    }
    for register in [plan.address, plan.addressUpper, plan.port, plan.portUpper]
    where register != TranslationPlan.noRegister && isUnknown(register) { return .unknown }
    if plan.options.contains(.isOther) { return .unknown }
    var range = Range()
    if let port = value(plan.port) {
      let upper = value(plan.portUpper) ?? port
      range.ports =
        UInt16(
          truncatingIfNeeded: min(port, upper))...UInt16(
          truncatingIfNeeded: max(port, upper))
    }
    switch plan.kind {
    case .destination, .source:
      guard let address = value(plan.address) else { break }
      let upper = value(plan.addressUpper) ?? address
      guard address <= upper else { return .unknown }
      range.addresses = address...upper
      if plan.options.contains(.isPrefix) {
        let own = (plan.kind == .source ? packet.source : packet.destination).rawValue
        let host = address ^ upper
        let mapped = own & host | address & ~host
        range.addresses = mapped...mapped
      }
    case .masquerade:
      guard let address = leavingAddress(packet) else { return .unknown }
      range.addresses = address...address
    case .redirect:
      guard let address = arrivalAddress(packet, hook) else { return .unknown }
      range.addresses = address...address
    }
    return .range(range)
  }

  /// The address that a packet which leaves by its output device is given as its source.
  private func leavingAddress(_ packet: borrowing Packet) -> UInt128? {
    // What the loopback device lacks in reach it takes from any other.
    guard let host, case .named(let name, _) = packet.output, name != Host.loopback,
      let interface = host.interface(name)
    else { return nil }
    let own = interface.addresses.filter { $0.address.family == packet.layout.family }
    switch packet.layout.family {
    case .ipv4:
      if own.count == 1 { return own[0].address.rawValue }
      // The one in whose network the next hop is, which is the destination itself if it is near.
      let near = own.filter {
        IPPrefix(containing: $0.address, length: $0.length).interval.contains(
          packet.destination.rawValue)
      }
      return near.count == 1 ? near[0].address.rawValue : nil
    case .ipv6:
      let global = own.filter { !$0.address.isLinkLocal }
      let to = packet.destination
      guard global.count == 1, !to.isLinkLocal, to.rawValue >> 120 != 0xFF else { return nil }
      return global[0].address.rawValue
    }
  }

  /// The address of this host that a packet is redirected to.
  private func arrivalAddress(_ packet: borrowing Packet, _ hook: Hook) -> UInt128? {
    if hook == .output { return packet.layout.isIPv4 ? 0x7F00_0001 : 1 }
    guard let host, case .named(let name, _) = packet.input,
      let interface = host.interface(name)
    else { return nil }
    let own = interface.addresses.filter {
      $0.address.family == packet.layout.family && !$0.address.isLinkLocal
    }
    switch packet.layout.family {
    case .ipv4: return own.first?.address.rawValue
    case .ipv6:
      let to = packet.destination
      // Which address fits depends on the reach of the one that the packet was for.
      guard own.count == 1, !to.isLinkLocal, to.rawValue >> 120 != 0xFF, to.rawValue >> 32 != 0
      else { return nil }
      return own[0].address.rawValue
    }
  }

  /// Chooses what the flow is mapped to and rewrites the packet.
  ///
  /// - Returns: false where the choice is not known.
  private mutating func bind(
    _ current: ConnectionTable.Flow, to range: Range, _ plan: TranslationPlan, isSource: Bool,
    _ packet: borrowing Packet, _ environment: inout Environment
  ) -> Bool {
    let isRandom = plan.options.contains(.isRandom)
    let transport = TransportProtocol(rawValue: current.transport)
    let hasPorts = transport.hasPorts
    // What an identifier is mapped to, and ports of other protocols, are not followed; nor are those
    // of DCCP, which newer kernels do not know.
    if range.ports != nil, !hasPorts, current.isEcho { return false }
    if range.ports != nil, transport == .dccp { return false }
    var chosen = current
    let port = isSource ? current.sourcePort : current.destinationPort
    let address = isSource ? current.source : current.destination
    let isInRange = range.holds(address) && (!hasPorts || range.holds(port: port))
    if isSource, !isRandom, isInRange {
      if !connections.isTaken(current) {
        return apply(current, current, isSource: true, packet, &environment)
      }
    } else if isSource, !isRandom {
      // Connections from one source are mapped alike.
      let sources = connections.connections(from: current).compactMap(\.mapped).filter {
        range.holds($0.source) && (!hasPorts || range.holds(port: $0.sourcePort))
      }
      if Set(sources.map { [$0.source, UInt128($0.sourcePort)] }).count > 1 { return false }
      if let known = sources.first {
        chosen.source = known.source
        chosen.sourcePort = known.sourcePort
        if !connections.isTaken(chosen) {
          return apply(chosen, current, isSource: true, packet, &environment)
        }
      }
    }
    chosen = current
    if let addresses = range.addresses {
      guard addresses.lowerBound == addresses.upperBound else { return false }
      if isSource {
        chosen.source = addresses.lowerBound
      } else {
        chosen.destination = addresses.lowerBound
      }
    }
    let isFree = !connections.isTaken(chosen)
    if !isRandom {
      if let ports = range.ports {
        let fits = !hasPorts || ports.contains(port)
        if fits, isFree {
          return apply(chosen, current, isSource: isSource, packet, &environment)
        }
      } else if isFree {
        return apply(chosen, current, isSource: isSource, packet, &environment)
      }
    }
    // Now a port is drawn, unless there is nothing to draw from; a flow whose answers would then be
    // another connection's is dropped when it is to be confirmed.
    if hasPorts {
      if let ports = range.ports {
        guard ports.count == 1 else { return false }
        if isSource { chosen.sourcePort = ports.lowerBound }
        if !isSource { chosen.destinationPort = ports.lowerBound }
      } else if isSource {
        return false
      }
    } else if current.isEcho, isSource {
      return false
    }
    guard !connections.isTaken(chosen) else { return false }
    return apply(chosen, current, isSource: isSource, packet, &environment)
  }

  private mutating func apply(
    _ chosen: ConnectionTable.Flow, _ current: ConnectionTable.Flow, isSource: Bool,
    _ packet: borrowing Packet, _ environment: inout Environment
  ) -> Bool {
    guard chosen != current else { return true }
    environment.mapped = chosen
    environment.flags.insert(isSource ? .sourceMapped : .destinationMapped)
    rewrite(to: chosen, isSource: isSource, packet, &environment)
    return true
  }

  /// Writes one end of a flow into the packet.
  private func rewrite(
    to flow: ConnectionTable.Flow, isSource: Bool, _ packet: borrowing Packet,
    _ environment: inout Environment
  ) {
    var content = PacketContent(of: packet)
    content.setAddress(isSource ? flow.source : flow.destination, isSource: isSource)
    content.setPort(isSource ? flow.sourcePort : flow.destinationPort, isSource: isSource)
    if packet.layout.transport == TransportProtocol.sctp.rawValue {
      // The sum of SCTP is made anew over the whole segment, which is not followed.
      let start = packet.layout.transportOffset
      environment.alter(start + 8, start + 12)
    }
    #if FAULTS
    if fault == .translationUnseen { return }
    #endif
    environment.content = content
  }

  /// Binds a flow that no chain bound to what it is, if that is free.
  func bindUnbound(
    _ binding: Binding, _ packet: borrowing Packet, _ environment: inout Environment, _ hook: Hook
  ) {
    guard hook.translatesSources, !environment.flags.contains(.boundAtHook),
      case .new = binding, !connections.isEmpty, let flow = tracked?.flow,
      connections.isTaken(environment.mapped ?? flow)
    else { return }
    // Another connection's answers look like this one's, so that a source port is drawn.
    blur(isSource: true, packet, &environment)
  }

  /// Translates a packet of a connection that is bound already, as the kernel does at this hook.
  ///
  /// - Returns: false where the kernel drops it, because its header is too short to be rewritten, or
  ///   it is an error with a wrong sum.
  mutating func translateBound(
    _ binding: Binding, _ packet: borrowing Packet, _ environment: inout Environment, _ hook: Hook
  ) -> Bool {
    let isSource = hook.translatesSources
    switch binding {
    case .none: return true
    case .new:
      if let mapped = environment.mapped,
        environment.flags.contains(isSource ? .sourceMapped : .destinationMapped)
      {
        rewrite(to: mapped, isSource: isSource, packet, &environment)
      }
      return true
    case .boundElsewhere, .undecided:
      alterAddresses(packet, &environment)
      return true
    case .bound(let index, let isReply):
      let connection = connections[index]
      if tracked?.state == .known(.related), packet.isSpoiltError { return false }
      // An answer goes back the other way: what was its destination is its source.
      let applies =
        isSource != isReply ? connection.isSourceMapped : connection.isDestinationMapped
      guard applies else { return true }
      guard let mapped = connection.mapped, tracked?.state != .known(.related),
        !packet.isAuthenticated, !environment.flags.contains(.packetUnknown)
      else {
        blur(isSource: isSource, packet, &environment)
        return packet.isRewritable(isSource: isSource)
      }
      guard packet.isRewritable(isSource: isSource) else { return false }
      let target = isReply ? connection.original.reversed : mapped
      rewrite(to: target, isSource: isSource, packet, &environment)
      return true
    }
  }
}

extension Hook {
  /// Whether translation at the hook is that of sources.
  var translatesSources: Bool { self == .input || self == .postrouting }
}

extension Packet {
  /// Whether translation writes behind an IPv6 authentication header, which is not followed.
  var isAuthenticated: Bool {
    !layout.isIPv4 && layout.transport == TransportProtocol.ah.rawValue
  }

  /// Whether the packet is an ICMP error whose sum is wrong, which translation drops at every hook.
  ///
  /// Source: net/netfilter/nf_nat_proto.c `nf_nat_icmp_reply_translation`.
  var isSpoiltError: Bool {
    let own: TransportProtocol = layout.isIPv4 ? .icmp : .icmpv6
    return layout.transport == own.rawValue
      && !layout.isChecksumValid(of: own, from: layout.transportOffset, in: bytes)
  }

  /// Whether translation finds as much of the transport header as it wants to write.
  ///
  /// Source: net/netfilter/nf_nat_proto.c `l4proto_manip_pkt`; the others are checked by tracking.
  func isRewritable(isSource: Bool) -> Bool {
    guard let layout = layout.tracked(in: bytes),
      layout.transport == TransportProtocol.gre.rawValue
    else { return true }
    let start = layout.transportOffset
    return layout.byteCount >= start + 8 && (isSource || bytes[start + 1] & 7 <= 1)
  }
}
