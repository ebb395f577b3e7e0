internal import Addresses
internal import Capture
internal import Diagnostics
internal import Simulation
internal import Wire

/// What the frames of a capture file ask the simulator.
struct CaptureQuestions {
  let path: String
  /// Where packets came in for which the file does not say it.
  let input: InterfaceName?
  let host: Host?

  enum Asked {
    case packet(PacketQuestion)
    /// Nothing that a verdict could be given on; why.
    case nothing(String)
  }

  /// The question of a frame.
  ///
  /// - Throws: A diagnostic with the packet's number where the file does not hold all of it, or names
  ///   an interface that cannot be one.
  func asked(_ frame: CaptureFileReader.Frame) throws(Diagnostic) -> Asked {
    switch frame {
    case .other(let number, nil): throw cut(number, holding: nil)
    case .other(_, let contents?): return .nothing("no IP packet (\(contents))")
    case .packet(let packet): return try asked(packet)
    }
  }

  private func asked(_ packet: CaptureFileReader.Packet) throws(Diagnostic) -> Asked {
    let layout = try layout(of: packet)
    if packet.header.receiver == .another { return .nothing("the frame was for another host") }
    let bytes = layout?.finishingChecksum(in: packet.bytes) ?? packet.bytes
    let device = try device(of: packet)
    guard isFromHere(packet) else {
      return .packet(
        PacketQuestion(
          bytes: bytes, input: device ?? input.map { Packet.Device($0) } ?? .unknown,
          output: .unknown, frame: frame(around: packet, layout)))
    }
    if let layout, isForeign(IPAddress(layout.family, rawValue: layout.source(in: bytes))) {
      return .nothing("it is forwarded: its source is not this host's")
    }
    return .packet(
      PacketQuestion(bytes: bytes, input: .absent, output: device ?? .unknown, frame: nil))
  }

  /// nil for a packet that receivers throw away.
  private func layout(
    of packet: CaptureFileReader.Packet
  ) throws(Diagnostic) -> PacketLayout? {
    let isCut = packet.bytes.count < packet.facts.originalByteCount
    do throws(PacketLayout.Malformation) {
      let layout = try PacketLayout(reading: packet.bytes)
      // The length of a jumbogram stands in its options.
      if isCut, !layout.isIPv4, packet.bytes[4] == 0, packet.bytes[5] == 0, packet.bytes[6] == 0 {
        throw .totalLength
      }
      return layout
    } catch {
      switch error {
      case .empty, .headerTruncated, .totalLength:
        if isCut { throw cut(packet.number, holding: packet.facts.originalByteCount) }
      case .version, .headerLength, .headerChecksum: break
      }
      return nil
    }
  }

  private func cut(_ number: Int, holding count: Int?) -> Diagnostic {
    let whole = count.map { " of \($0) bytes" } ?? ""
    return Diagnostic(
      "simulate.cut-packet", .error,
      "\(path): packet \(number): the file does not hold all\(whole) of it", at: nil,
      help: "capture whole packets: `tcpdump -s 0`")
  }

  // Interfaces and frames

  /// Names that capture programs give to what is no interface of its own.
  private static let collective: Set<String> = ["any", "-", ""]

  /// nil where the file does not say, or `--iif` says it instead.
  private func device(
    of packet: CaptureFileReader.Packet
  ) throws(Diagnostic) -> Packet.Device? {
    guard let name = packet.interface, !Self.collective.contains(name), !packet.header.isTagged
    else { return nil }
    if let known = InterfaceName(name) { return Packet.Device(known) }
    guard input == nil else { return nil }
    throw Diagnostic(
      "simulate.wrong-packet", .error,
      "\(path): packet \(packet.number): no interface of Linux can be called '\(name)'", at: nil,
      help: "--iif NAME says where packets came in")
  }

  private func frame(
    around packet: CaptureFileReader.Packet, _ layout: PacketLayout?
  ) -> Packet.Frame {
    let destination: MACAddress? =
      switch packet.header.receiver {
      case .everybody: MACAddress(rawValue: 0xFFFF_FFFF_FFFF)
      case .group: groupAddress(layout?.destination(in: packet.bytes) ?? 0, layout)
      case .one, .another, nil: packet.header.destination
      }
    return Packet.Frame(source: packet.header.source, destination: destination)
  }

  /// The hardware address that packets to a group are sent to.
  ///
  /// Source: RFC 1112 §6.4, RFC 2464 §7.
  private func groupAddress(_ group: UInt128, _ layout: PacketLayout?) -> MACAddress {
    let number = UInt64(truncatingIfNeeded: group)
    return layout?.family == .ipv6
      ? MACAddress(rawValue: 0x3333_0000_0000 | number & 0xFFFF_FFFF)
      : MACAddress(rawValue: 0x0100_5E00_0000 | number & 0x7F_FFFF)
  }

  // The host

  /// Files of Ethernet frames mostly do not tell directions; the sender's address does.
  private func isFromHere(_ packet: CaptureFileReader.Packet) -> Bool {
    switch packet.facts.direction {
    case .outbound: return true
    case .inbound: return false
    case nil:
      guard let sender = packet.header.source, let host else { return false }
      return host.interfaces.contains { $0.hardwareAddress == sender }
    }
  }

  /// Whether the host is described, and the address is none of its own.
  private func isForeign(_ address: IPAddress) -> Bool {
    guard let host else { return false }
    switch address {
    case .ipv4(let own): if own.rawValue >> 24 == 127 || own.rawValue == 0 { return false }
    // The unspecified address, the loopback's, and those that interfaces give themselves.
    case .ipv6(let own): if own.rawValue <= 1 || own.rawValue >> 118 == 0x3FA { return false }
    }
    return !host.interfaces.contains { $0.addresses.contains { $0.address == address } }
  }
}
