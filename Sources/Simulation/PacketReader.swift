import Addresses
import Documents
package import Rulesets
import Wire

/// One line of a packet file: a packet, and the hook it is asked at.
package struct PacketQuestion: Sendable {
  package enum Content: Sendable {
    case packet(Packet)
    /// A receiver throws these bytes away; why.
    case malformed(String)
  }

  package var content: Content
  /// Nil for the packet's whole way.
  package var hook: Hook?
  /// Whether this host sends it.
  package var isLocal: Bool

  /// Asks for the whole way of exact bytes.
  ///
  /// - Parameters:
  ///   - bytes: The packet from the IP header on.
  ///   - input: Where it comes in; nothing of it is read of a packet that this host sends.
  ///   - output: Where it leaves.
  ///   - frame: The frame around it; nil for a packet that this host sends.
  package init(
    bytes: [UInt8], input: Packet.Device, output: Packet.Device, frame: Packet.Frame?
  ) {
    self.init(
      bytes: bytes, hook: nil, input: input, output: output, frame: frame, state: nil, mark: 0)
  }

  private init(
    bytes: [UInt8], hook: Hook?, input: Packet.Device, output: Packet.Device,
    frame: Packet.Frame?, state: Packet.State?, mark: UInt32
  ) {
    self.hook = hook
    isLocal = frame == nil
    do throws(PacketLayout.Malformation) {
      content = .packet(
        try Packet(
          bytes: bytes, input: isLocal ? .absent : input == .absent ? .unknown : input,
          output: output == .absent ? .unknown : output, frame: frame, state: state, mark: mark))
    } catch {
      content = .malformed(error.rawValue)
    }
  }

  /// Reads one line.
  ///
  /// - Throws: ``SimulationInputError`` with the member that is wrong.
  package init(reading line: [UInt8]) throws(SimulationInputError) {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONDocument(reading: line).value
    } catch {
      throw .syntax(error)
    }
    guard value.kind == .object else { throw .member(name: "packet", problem: "is no object") }
    var hook: Hook?
    if let name = value["hook"]?.string {
      guard let known = Hook(rawValue: name) else {
        throw .member(name: "hook", problem: "is none of nftables': \(name)")
      }
      hook = known
    }
    let input = try Self.device(value, "iif")
    let output = try Self.device(value, "oif")
    var isLocal = value["local"]?.boolean ?? false
    if hook == .output || hook == .egress { isLocal = true }
    if value["local"] == nil, hook == nil, input == .absent, output != .absent { isLocal = true }

    let bytes = try PacketFields(value).bytes()
    var frame: Packet.Frame?
    if !isLocal {
      frame = Packet.Frame(
        source: try Self.hardware(value, "smac"), destination: try Self.hardware(value, "dmac"),
        vlan: value["vlan"]?.integer.flatMap { UInt16(exactly: $0) })
    }
    var state: Packet.State?
    if let name = value["state"]?.string {
      state = Packet.State(rawValue: name)
      if state == nil { throw .member(name: "state", problem: "is no state: \(name)") }
    }
    let mark = value["mark"]?.integer ?? 0
    self.init(
      bytes: bytes, hook: hook, input: input, output: output, frame: frame, state: state,
      mark: UInt32(truncatingIfNeeded: mark))
  }

  private static func device(
    _ value: JSONValue, _ name: String
  ) throws(SimulationInputError) -> Packet.Device {
    guard let text = value[name]?.string else { return .absent }
    guard let known = InterfaceName(text) else {
      throw .member(name: name, problem: "is no interface name: \(text)")
    }
    return Packet.Device(known)
  }

  private static func hardware(
    _ value: JSONValue, _ name: String
  ) throws(SimulationInputError) -> MACAddress? {
    guard let text = value[name]?.string else { return nil }
    guard let address = MACAddress(text) else {
      throw .member(name: name, problem: "is no hardware address: \(text)")
    }
    return address
  }
}

/// The header fields of a packet line, or its exact bytes.
private struct PacketFields {
  let value: JSONValue

  init(_ value: JSONValue) { self.value = value }

  func bytes() throws(SimulationInputError) -> [UInt8] {
    if let text = value["l3_hex"]?.string {
      guard let bytes = octets(text) else { throw .hexadecimal("l3_hex") }
      return bytes
    }
    let source = try address("saddr")
    let destination = try address("daddr")
    if let family = value["family"]?.string, (family == "ip6") != (source.family == .ipv6) {
      throw .member(name: "family", problem: "is not the addresses': \(family)")
    }
    let ttl = try number("ttl", UInt8.self) ?? 64
    guard
      let bytes = PacketBuilder.packet(
        from: source, to: destination, carrying: try segment(source.family), hopLimit: ttl)
    else { throw .member(name: "daddr", problem: "is of another family than `saddr`") }
    return bytes
  }

  private func segment(
    _ family: IPFamily
  ) throws(SimulationInputError) -> PacketBuilder.Segment {
    let transport = try transport(family)
    let source = try number("sport", UInt16.self) ?? 40000
    let destination = try number("dport", UInt16.self) ?? 0
    switch transport {
    case .tcp:
      var header = TCPHeader(sourcePort: source, destinationPort: destination)
      header.flags = try flags()
      return .tcp(header, payload: [])
    case .udp:
      return .udp(
        UDPHeader(sourcePort: source, destinationPort: destination, payloadByteCount: 0),
        payload: [])
    case .udplite:
      return .udplite(
        UDPHeader(sourcePort: source, destinationPort: destination, payloadByteCount: 0),
        payload: [])
    case .sctp:
      return .sctp(SCTPHeader(sourcePort: source, destinationPort: destination), payload: [])
    case .icmp where family == .ipv4, .icmpv6 where family == .ipv6:
      let type = try number("icmp_type", UInt8.self) ?? (family == .ipv4 ? 8 : 128)
      let code = try number("icmp_code", UInt8.self) ?? 0
      return .icmp(ICMPHeader(type: type, code: code, rest: 0x1234_0001), payload: [])
    default: return .other(transport, Array(repeating: 0, count: 8))
    }
  }

  private func transport(_ family: IPFamily) throws(SimulationInputError) -> TransportProtocol {
    if let number = try number("protocol", UInt8.self) {
      return TransportProtocol(rawValue: number)
    }
    guard let name = value["protocol"]?.string else {
      throw .member(name: "protocol", problem: "is missing")
    }
    // In IPv6 `icmp` means the protocol that does its work there.
    if name == "icmp", family == .ipv6 { return .icmpv6 }
    guard let transport = TransportProtocol(name) else {
      throw .member(name: "protocol", problem: "is not known: \(name)")
    }
    return transport
  }

  private func flags() throws(SimulationInputError) -> TCPHeader.Flags {
    guard let list = value["flags"]?.array else { return .syn }
    var flags: TCPHeader.Flags = []
    for entry in list {
      guard let name = entry.string,
        let known = TCPHeader.Flags.names.first(where: { $0.name == name })
      else { throw .member(name: "flags", problem: "holds a flag that TCP does not have") }
      flags.insert(known.flag)
    }
    return flags
  }

  private func address(_ name: String) throws(SimulationInputError) -> IPAddress {
    guard let text = value[name]?.string else { throw .member(name: name, problem: "is missing") }
    guard let address = IPAddress(text) else {
      throw .member(name: name, problem: "is no address: \(text)")
    }
    return address
  }

  private func number<Number: FixedWidthInteger>(
    _ name: String, _: Number.Type
  ) throws(SimulationInputError) -> Number? {
    guard let member = value[name], member.kind == .number else { return nil }
    guard let number = member.integer, let fitting = Number(exactly: number) else {
      throw .member(name: name, problem: "is out of its range")
    }
    return fitting
  }

  private func octets(_ text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = nibble(digits[index]), let low = nibble(digits[index + 1]) else {
        return nil
      }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private func nibble(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
