import Addresses
import Rulesets
import Wire

extension Simulator {
  /// Reads a field as the kernel would.
  mutating func load(
    _ field: FieldLoad, _ packet: borrowing Packet, _ environment: Environment, hook: Hook
  ) -> Loaded {
    switch field {
    case .payload(let base, let offset, let length):
      return loadPayload(base, Int(offset), Int(length), packet, environment)
    case .meta(let key): return loadMeta(key, packet, environment, hook)
    case .connection(let key, let direction):
      return loadConnection(key, direction, packet, environment)
    case .extensionPresence(let kind):
      guard !packet.layout.isIPv4 else { return .missing }
      if environment.flags.contains(.packetUnknown) { return .unknown(fixedReasons.altered) }
      return .value(packet.layout.offset(ofExtension: kind, in: packet.bytes) == nil ? 0 : 1)
    case .extensionBits(let kind, let offset, let length):
      guard !packet.layout.isIPv4 else { return .missing }
      if environment.flags.contains(.packetUnknown) {
        return .unknownOrMissing(fixedReasons.altered)
      }
      guard let start = packet.layout.offset(ofExtension: kind, in: packet.bytes) else {
        return .missing
      }
      return bits(start * 8 + Int(offset), Int(length), packet, environment)
    case .optionPresence(let holder, let kind):
      switch option(holder, kind, 1, packet, environment) {
      case .value: return .value(1)
      case .missing: return .value(0)
      case .unknown(let reason), .unknownOrMissing(let reason), .partial(_, _, let reason):
        return .unknown(reason)
      }
    case .optionBits(let holder, let kind, let offset, let length):
      let needed = (Int(offset) + Int(length) + 7) / 8
      switch option(holder, kind, needed, packet, environment) {
      case .value(let start):
        return bits(Int(start) * 8 + Int(offset), Int(length), packet, environment)
      case .missing: return .missing
      case .unknown(let reason), .unknownOrMissing(let reason), .partial(_, _, let reason):
        return .unknownOrMissing(reason)
      }
    case .addressType(let query): return addressType(query, packet, environment, hook)
    case .route(let query): return route(query, packet, environment, hook)
    case .counter(let number): return count(Int(number))
    case .unpredictable(let reason): return .unknown(reason)
    case .unanswered(let reason): return .unknownOrMissing(reason)
    }
  }

  /// Whether a guard holds: 1 or 0, or the kernel finds nothing to compare.
  mutating func check(
    _ one: Guard, _ packet: borrowing Packet, _ environment: Environment
  ) -> Loaded {
    switch one {
    case .ipv4: return .value(packet.layout.isIPv4 ? 1 : 0)
    case .ipv6: return .value(packet.layout.family == .ipv6 ? 1 : 0)
    case .possibly(let family, _):
      let holds = family == .ipv4 ? packet.layout.isIPv4 : packet.layout.family == .ipv6
      return holds ? .value(1) : .unknown(fixedReasons.listedAlike)
    case .possiblyOfProtocol: return .unknown(fixedReasons.protocolNotListed)
    case .transport(let number):
      if environment.flags.contains(.packetUnknown) {
        return .unknownOrMissing(fixedReasons.altered)
      }
      guard let transport = packet.layout.transport else { return .missing }
      return .value(transport == number ? 1 : 0)
    case .icmpType(let types), .icmpv6Type(let types):
      switch loadPayload(.transport, 0, 8, packet, environment) {
      case .value(let type): return .value(types.contains { UInt128($0) == type } ? 1 : 0)
      case .missing: return .missing
      case .unknown(let reason), .partial(_, _, let reason): return .unknown(reason)
      case .unknownOrMissing(let reason): return .unknownOrMissing(reason)
      }
    case .ethernetInput:
      switch deviceType(packet.input) {
      case .value(let type): return .value(type == 1 ? 1 : 0)
      case .missing: return .missing
      case .unknown(let reason), .partial(_, _, let reason): return .unknown(reason)
      case .unknownOrMissing(let reason): return .unknownOrMissing(reason)
      }
    case .etherType(let number):
      switch loadPayload(.link, 96, 16, packet, environment) {
      case .value(let type): return .value(type == UInt128(number) ? 1 : 0)
      case .missing: return .missing
      case .unknown(let reason), .partial(_, _, let reason): return .unknown(reason)
      case .unknownOrMissing(let reason): return .unknownOrMissing(reason)
      }
    }
  }

  /// What a load of whole octets finds.
  enum LoadedOctets {
    case value(UInt64)
    case missing
    case unknown(Int32)
  }

  @inline(__always)
  func loadOctets(
    _ field: OctetField, _ packet: borrowing Packet, _ environment: Environment
  ) -> LoadedOctets {
    var start = Int(field.offset)
    if field.isTransport {
      if packet.layout.fragmentOffset != 0 { return .unknown(fixedReasons.fragment) }
      start &+= packet.layout.transportOffset
    }
    let end = start &+ Int(field.count)
    if environment.alteredUpper > 0 {
      if environment.flags.contains(.packetUnknown) || environment.mayDiffer(start, end) {
        return .unknown(fixedReasons.altered)
      }
    } else if environment.flags.contains(.packetUnknown) {
      return .unknown(fixedReasons.altered)
    }
    guard end <= packet.layout.byteCount, !field.isTransport || packet.layout.transport != nil
    else { return .missing }
    var value: UInt64 = 0
    for offset in start..<end { value = value << 8 | UInt64(packet.bytes[offset]) }
    return .value(value)
  }

  /// Bits from the IP header on.
  private func bits(
    _ offset: Int, _ length: Int, _ packet: borrowing Packet, _ environment: Environment
  ) -> Loaded {
    if environment.flags.contains(.packetUnknown) { return .unknownOrMissing(fixedReasons.altered) }
    guard let value = packet.layout.bits(at: offset, count: length, in: packet.bytes) else {
      return .missing
    }
    if environment.alteredUpper > 0, environment.mayDiffer(offset >> 3, (offset + length + 7) >> 3)
    {
      return .unknown(fixedReasons.altered)
    }
    return .value(value)
  }

  func loadPayload(
    _ base: PayloadField.Base, _ offset: Int, _ length: Int, _ packet: borrowing Packet,
    _ environment: Environment
  ) -> Loaded {
    switch base {
    case .network:
      return bits(offset, length, packet, environment)
    case .transport:
      if environment.flags.contains(.packetUnknown) {
        return .unknownOrMissing(fixedReasons.altered)
      }
      guard packet.layout.transport != nil else { return .missing }
      if packet.layout.fragmentOffset != 0 { return .unknownOrMissing(fixedReasons.fragment) }
      return bits(packet.layout.transportOffset * 8 + offset, length, packet, environment)
    case .inner:
      // Source: net/netfilter/nft_payload.c, `nft_payload_inner_offset`.
      if environment.flags.contains(.packetUnknown) {
        return .unknownOrMissing(fixedReasons.altered)
      }
      guard let transport = packet.layout.transport else { return .missing }
      if packet.layout.fragmentOffset != 0 { return .unknownOrMissing(fixedReasons.fragment) }
      let start = packet.layout.transportOffset
      switch TransportProtocol(rawValue: transport) {
      case .udp: return bits((start + 8) * 8 + offset, length, packet, environment)
      case .tcp:
        guard
          let words = packet.layout.bits(at: (start + 12) * 8, count: 4, in: packet.bytes)
        else { return .missing }
        return bits((start + Int(words) * 4) * 8 + offset, length, packet, environment)
      case .icmp, .igmp, .icmpv6: return .missing
      default: return .unknownOrMissing(fixedReasons.options)
      }
    case .link: return loadLink(offset, length, packet)
    }
  }

  private func loadLink(_ offset: Int, _ length: Int, _ packet: borrowing Packet) -> Loaded {
    if isReturning {
      // The loopback device makes a header of zeros before the type.
      if offset + length <= 96 { return .value(0) }
    }
    guard isReturning || packet.frame != nil else {
      if case .absent = packet.input { return .missing }
      return .unknownOrMissing(fixedReasons.link)
    }
    let vlan = packet.frame?.vlan
    if case .value(let type) = deviceType(packet.input), type != 1, !isReturning {
      return .unknownOrMissing(fixedReasons.link)
    }
    switch (offset, length) {
    case (96, 16):
      guard vlan == nil else { return .unknownOrMissing(fixedReasons.link) }
      return .value(packet.layout.isIPv4 ? 0x0800 : 0x86DD)
    case (0, 48):
      if let destination = packet.frame?.destination {
        return .value(UInt128(destination.rawValue))
      }
      if case .named(let name, _) = packet.input,
        let own = host?.interface(name)?.hardwareAddress
      {
        return .value(UInt128(own.rawValue))
      }
      return .unknown(fixedReasons.link)
    case (48, 48):
      if let source = packet.frame?.source { return .value(UInt128(source.rawValue)) }
      return .unknown(fixedReasons.link)
    default: return .unknownOrMissing(fixedReasons.link)
    }
  }

  /// The hardware type of a device.
  private func deviceType(_ device: Packet.Device) -> Loaded {
    switch device {
    case .absent: return .missing
    case .unknown: return .unknownOrMissing(fixedReasons.device)
    case .named(let name, _):
      if name == Host.loopback { return .value(772) }
      let text = name.description
      // Tunnels and point-to-point links have types of their own.
      for prefix in ["tun", "wg", "ppp", "gre", "sit", "ip6tnl", "ipip", "wwan", "vti", "nflog"]
      where text.hasPrefix(prefix) && host?.interface(name)?.hardwareAddress == nil {
        return .unknown(fixedReasons.device)
      }
      return .value(1)
    }
  }

  private mutating func loadMeta(
    _ key: MetaKey, _ packet: borrowing Packet, _ environment: Environment, _ hook: Hook
  ) -> Loaded {
    switch key {
    case .length:
      if environment.flags.contains(.packetUnknown) { return .unknown(fixedReasons.altered) }
      return .value(UInt128(size(of: packet, hook)))
    case .nfproto: return .value(packet.layout.isIPv4 ? 2 : 10)
    case .l4proto:
      if environment.flags.contains(.packetUnknown) {
        return .unknownOrMissing(fixedReasons.altered)
      }
      guard let transport = packet.layout.transport else { return .missing }
      return .value(UInt128(transport))
    case .etherProtocol: return .value(packet.layout.isIPv4 ? 0x0800 : 0x86DD)
    case .mark:
      if environment.flags.contains(.markUnknown) { return .unknown(fixedReasons.mark) }
      return .value(UInt128(environment.mark))
    case .inputName: return name(of: inputDevice(packet, hook))
    case .outputName: return name(of: outputDevice(packet, hook))
    case .inputIndex: return index(of: inputDevice(packet, hook))
    case .outputIndex: return index(of: outputDevice(packet, hook))
    case .inputType: return deviceType(inputDevice(packet, hook))
    case .outputType: return deviceType(outputDevice(packet, hook))
    case .inputGroup, .inputKind: return grouped(inputDevice(packet, hook))
    case .outputGroup, .outputKind: return grouped(outputDevice(packet, hook))
    case .packetType:
      if environment.flags.contains(.packetTypeUnknown) { return .unknown(fixedReasons.meta) }
      if let type = environment.packetType { return .value(UInt128(type)) }
      guard let destination = packet.frame?.destination else { return .value(0) }
      if destination.rawValue == 0xFFFF_FFFF_FFFF { return .value(1) }
      if destination.rawValue >> 40 & 1 != 0 { return .value(2) }
      // Hooks behind ingress see no frame that was for another host (`ip_rcv_core`, `ip6_rcv_core`).
      guard hook == .ingress, packet.input != host?.device(Host.loopback) else { return .value(0) }
      guard case .named(let input, _) = packet.input,
        let own = host?.interface(input)?.hardwareAddress
      else { return .unknown(fixedReasons.meta) }
      return .value(own == destination ? 0 : 3)
    case .userID, .groupID, .cgroup:
      // Only packets of a socket have an owner; one that came in meets its socket after routing.
      switch hook {
      case .ingress, .prerouting, .forward: return .missing
      case .postrouting:
        if packet.frame != nil { return .missing }
        return .unknownOrMissing(fixedReasons.meta)
      case .input, .output, .egress: return .unknownOrMissing(fixedReasons.meta)
      }
    case .realm:
      if hook == .prerouting || hook == .ingress { return .missing }
      return .unknownOrMissing(fixedReasons.meta)
    case .secpath, .ipsec:
      // A packet as it is on the wire was not decrypted here.
      if isWholeWay { return .value(0) }
      return .unknownOrMissing(fixedReasons.meta)
    case .priority, .inputVRF, .inputVRFName, .inputBridgeName, .outputBridgeName, .secmark,
      .nftrace, .cpu, .random, .time, .day, .hour:
      return .unknownOrMissing(fixedReasons.meta)
    }
  }

  func inputDevice(_ packet: borrowing Packet, _ hook: Hook) -> Packet.Device {
    switch hook {
    case .output: return .absent
    case .postrouting:
      // What a packet made here reads depends on how it was made.
      if case .absent = packet.input { return .unknown }
      return packet.input
    case .ingress, .prerouting, .input, .forward, .egress: return packet.input
    }
  }

  func outputDevice(_ packet: borrowing Packet, _ hook: Hook) -> Packet.Device {
    switch hook {
    case .ingress, .prerouting, .input: .absent
    case .forward, .output, .postrouting, .egress: packet.output
    }
  }

  private func name(of device: Packet.Device) -> Loaded {
    switch device {
    case .absent: .value(0)
    case .named(let name, _): .value(name.rawValue)
    case .unknown: .unknown(fixedReasons.device)
    }
  }

  private func index(of device: Packet.Device) -> Loaded {
    switch device {
    case .absent: .value(0)
    case .named(_, let index): index.map { .value(UInt128($0)) } ?? .unknown(fixedReasons.device)
    case .unknown: .unknown(fixedReasons.device)
    }
  }

  private func grouped(_ device: Packet.Device) -> Loaded {
    if case .absent = device { return .missing }
    return .unknownOrMissing(fixedReasons.meta)
  }

  /// Where an option begins, as an offset from the IP header.
  ///
  /// Source: net/netfilter/nft_exthdr.c.
  private func option(
    _ holder: OptionalHeader.Holder, _ kind: UInt8, _ needed: Int, _ packet: borrowing Packet,
    _ environment: Environment
  ) -> Loaded {
    if environment.flags.contains(.packetUnknown) { return .unknownOrMissing(fixedReasons.altered) }
    switch holder {
    case .tcpOption:
      guard packet.layout.transport == TransportProtocol.tcp.rawValue,
        packet.layout.fragmentOffset == 0
      else { return .missing }
      let start = packet.layout.transportOffset
      guard packet.layout.byteCount >= start + 20 else { return .missing }
      let length = Int(packet.bytes[start + 12] >> 4) * 4
      guard length >= 20, packet.layout.byteCount >= start + length else { return .missing }
      if environment.mayDiffer(start, start + length) {
        return .unknownOrMissing(fixedReasons.altered)
      }
      var offset = 20
      while offset < length - 1 {
        let found = packet.bytes[start + offset]
        let size = Int(packet.bytes[start + offset + 1])
        // End-of-list does not end the kernel's search.
        let step = found <= 1 || size == 0 ? 1 : size
        if found == kind {
          guard offset + step <= length, needed <= step else { return .missing }
          return .value(UInt128(start + offset))
        }
        offset += step
      }
      return .missing
    case .ipv4Option:
      guard packet.layout.isIPv4 else { return .unknownOrMissing(fixedReasons.options) }
      return packet.layout.transportOffset == 20
        ? .missing : .unknownOrMissing(fixedReasons.options)
    case .sctpChunk:
      return packet.layout.transport == TransportProtocol.sctp.rawValue
        ? .unknownOrMissing(fixedReasons.options) : .missing
    case .dccpOption:
      return packet.layout.transport == TransportProtocol.dccp.rawValue
        ? .unknownOrMissing(fixedReasons.options) : .missing
    case .ipv6Extension: return .unknownOrMissing(fixedReasons.options)
    }
  }

  /// Rewrites bits of the packet.
  ///
  /// - Returns: 1 where the packet is now another, 2 where it is and the rule ends, 0 where it is as
  ///   it was or is not known.
  mutating func alter(
    _ change: PayloadChange, _ register: UInt8, _ packet: borrowing Packet,
    _ environment: inout Environment
  ) -> Loaded {
    if environment.flags.contains(.packetUnknown) { return .unknownOrMissing(fixedReasons.altered) }
    let start: Int
    switch change.base {
    case .network: start = 0
    case .transport:
      guard packet.layout.transport != nil else { return .missing }
      if packet.layout.fragmentOffset != 0 {
        environment.flags.insert(.packetUnknown)
        if phase != .after { environment.flags.insert(.trackedBytesUnknown) }
        return .unknownOrMissing(fixedReasons.fragment)
      }
      start = packet.layout.transportOffset
    case .inner, .link:
      environment.flags.insert(.packetUnknown)
      if phase != .after { environment.flags.insert(.trackedBytesUnknown) }
      return .unknownOrMissing(fixedReasons.altered)
    }
    let bitOffset = start * 8 + Int(change.bitOffset)
    let length = Int(change.bitLength)
    let first = bitOffset >> 3
    let last = (bitOffset + length + 7) >> 3
    guard last <= packet.layout.byteCount else { return .missing }
    let touchesAddresses = change.base == .network && last > (packet.layout.isIPv4 ? 12 : 8)
    // What is written ends the rule where its checksum cannot follow (`nft_payload_set_eval`).
    let content = PacketContent(of: packet)
    if change.base == .transport ? change.isSummed : touchesAddresses,
      !content.canSum(isTransport: change.base == .transport, touchesAddresses)
    {
      return spoil(content, change, register, &environment)
    }
    if touchesAddresses { environment.flags.insert(.addressesWritten) }
    if phase == .after {
      track(packet)
    } else if change.base == .transport || touchesAddresses {
      // Tracking has yet to read the ends and flags that change here.
      environment.flags.insert(.trackedBytesUnknown)
    }
    if isUnknown(register) {
      environment.alter(first, last)
      // The checksum of the IPv4 header follows every change of it, that of the transport header
      // every change of itself and of addresses.
      if change.base == .network, packet.layout.isIPv4 { environment.alter(10, 12) }
      if change.base == .transport || touchesAddresses { alterAddresses(packet, &environment) }
      return .value(0)
    }
    var rewritten = content
    rewritten.setBits(
      registers[Int(register)], at: bitOffset, count: length,
      isTransport: change.base == .transport, isSummed: change.isSummed)
    guard rewritten.isLaidOutAsBefore else {
      environment.flags.insert(.packetUnknown)
      return .value(0)
    }
    environment.content = rewritten
    return .value(1)
  }

  /// Ends a rule whose change is not made, for want of a checksum of the segment.
  ///
  /// That of the IPv4 header has been brought up to date by then, and is wrong from here on.
  /// Source: net/netfilter/nft_payload.c `nft_payload_set_eval`.
  private func spoil(
    _ content: PacketContent, _ change: PayloadChange, _ register: UInt8,
    _ environment: inout Environment
  ) -> Loaded {
    guard change.base == .network, change.isSummed, content.layout.isIPv4 else { return .missing }
    guard !isUnknown(register) else {
      environment.alter(10, 12)
      environment.flags.insert(.headerSumSpoilt)
      return .missing
    }
    var spoilt = content
    spoilt.sumBits(
      registers[Int(register)], at: Int(change.bitOffset), count: Int(change.bitLength))
    guard spoilt != content else { return .missing }
    environment.flags.insert(.headerSumSpoilt)
    environment.content = spoilt
    return .value(2)
  }

  /// Addresses, ports and the checksums over them are not known from here on.
  func alterAddresses(_ packet: borrowing Packet, _ environment: inout Environment) {
    if packet.layout.isIPv4 {
      environment.alter(10, packet.layout.transportOffset + 20)
    } else {
      let start = (packet.layout.tracked(in: packet.bytes) ?? packet.layout).transportOffset
      environment.alter(8, max(40, start + 20))
    }
  }
}
