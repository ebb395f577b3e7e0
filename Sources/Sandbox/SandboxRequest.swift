import Addresses
import Simulation

/// What a parent asks of its child, as octets in a file.
///
/// Both ends are the same program, so there is no version; numbers are of 32 bits, most
/// significant octet first, and everything of variable size has its size before it.
struct SandboxRequest: Hashable {
  var ruleset: [UInt8]
  var host: Host
  var packets: [SandboxPacket]

  var bytes: [UInt8] {
    var writer = RequestWriter()
    writer.bytes.reserveCapacity(ruleset.count + 128 * packets.count)
    writer.write(ruleset)
    for value in [
      host.isForwarding ? 1 : 0, host.reversePathFilter, host.routesLocalnet ? 1 : 0,
      host.acceptsLocal == true ? 1 : 0,
    ] {
      writer.write(UInt32(clamping: value))
    }
    writer.write(UInt32(host.interfaces.count))
    for interface in host.interfaces {
      writer.write(interface.name)
      writer.write(interface.index ?? 0)
      writer.write(interface.hardwareAddress)
      writer.write(UInt32(interface.addresses.count))
      for own in interface.addresses { writer.write(own.address, length: own.length) }
    }
    writer.write(UInt32(host.routes.count))
    for route in host.routes {
      writer.write(route.device)
      writer.write(UInt32(route.destination == nil ? 0 : 1))
      if let prefix = route.destination { writer.write(prefix.network, length: prefix.length) }
    }
    writer.write(UInt32(packets.count))
    for packet in packets {
      writer.write(packet.bytes)
      switch packet.origin {
      case .local: writer.write(UInt32(0))
      case .received(let device, let frame):
        writer.write(UInt32(1))
        writer.write(device)
        writer.write(frame.source)
        writer.write(frame.destination)
        writer.write(frame.vlan.map { UInt32($0) + 1 } ?? 0)
      }
    }
    return writer.bytes
  }

  /// Reads what ``bytes`` wrote; nil where it is something else.
  init?(reading bytes: [UInt8]) {
    var reader = RequestReader(bytes: bytes)
    ruleset = reader.octets()
    host = Host(
      interfaces: [], isForwarding: reader.number() != 0,
      reversePathFilter: Int(reader.number()), routesLocalnet: reader.number() != 0,
      acceptsLocal: reader.number() != 0)
    for _ in 0..<reader.count() {
      let name = reader.name()
      let index = reader.number()
      let hardware = reader.hardwareAddress()
      var interface = Host.Interface(
        name: name, index: index == 0 ? nil : index, hardwareAddress: hardware, addresses: [])
      for _ in 0..<reader.count() {
        let (address, length) = reader.address()
        interface.addresses.append(Host.Interface.Address(address, length: length))
      }
      host.interfaces.append(interface)
    }
    for _ in 0..<reader.count() {
      let device = reader.name()
      var destination: IPPrefix?
      if reader.number() != 0 {
        let (address, length) = reader.address()
        destination = IPPrefix(containing: address, length: length)
      }
      host.routes.append(Host.Route(to: destination, device: device))
    }
    packets = []
    for _ in 0..<reader.count() {
      let octets = reader.octets()
      guard reader.number() != 0 else {
        packets.append(SandboxPacket(bytes: octets, origin: .local))
        continue
      }
      let device = reader.name()
      var frame = Packet.Frame(
        source: reader.hardwareAddress(), destination: reader.hardwareAddress())
      let tag = reader.number()
      if tag != 0 { frame.vlan = UInt16(truncatingIfNeeded: tag - 1) }
      packets.append(SandboxPacket(bytes: octets, origin: .received(device, frame)))
    }
    guard reader.isComplete else { return nil }
  }

  init(ruleset: [UInt8], host: Host, packets: [SandboxPacket]) {
    self.ruleset = ruleset
    self.host = host
    self.packets = packets
  }
}

private struct RequestWriter {
  var bytes: [UInt8] = []

  mutating func write(_ value: UInt32) {
    for shift in stride(from: 24, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift)))
    }
  }

  mutating func write(wide value: UInt128) {
    for shift in stride(from: 96, through: 0, by: -32) {
      write(UInt32(truncatingIfNeeded: value >> UInt128(shift)))
    }
  }

  mutating func write(_ octets: [UInt8]) {
    write(UInt32(octets.count))
    bytes += octets
  }

  mutating func write(_ name: InterfaceName) { write(wide: name.rawValue) }

  mutating func write(_ address: MACAddress?) {
    write(UInt32(address == nil ? 0 : 1))
    write(UInt32(truncatingIfNeeded: (address?.rawValue ?? 0) >> 32))
    write(UInt32(truncatingIfNeeded: address?.rawValue ?? 0))
  }

  mutating func write(_ address: IPAddress, length: Int) {
    write(UInt32(address.family == .ipv4 ? 4 : 6))
    write(wide: address.rawValue)
    write(UInt32(length))
  }
}

/// Reads zeros past the end and remembers that it did.
private struct RequestReader {
  let bytes: [UInt8]
  private var offset = 0
  private var isCutShort = false

  init(bytes: [UInt8]) { self.bytes = bytes }

  var isComplete: Bool { !isCutShort && offset == bytes.count }

  mutating func number() -> UInt32 {
    guard offset + 4 <= bytes.count else {
      isCutShort = true
      return 0
    }
    var value: UInt32 = 0
    for byte in bytes[offset..<offset + 4] { value = value << 8 | UInt32(byte) }
    offset += 4
    return value
  }

  /// How many follow; each takes four octets or more, so that nonsense ends.
  mutating func count() -> Int {
    let value = Int(number())
    guard value <= (bytes.count - offset) / 4 else {
      isCutShort = true
      return 0
    }
    return value
  }

  mutating func wide() -> UInt128 {
    var value: UInt128 = 0
    for _ in 0..<4 { value = value << 32 | UInt128(number()) }
    return value
  }

  mutating func octets() -> [UInt8] {
    let size = Int(number())
    guard size <= bytes.count - offset else {
      isCutShort = true
      return []
    }
    defer { offset += size }
    return Array(bytes[offset..<offset + size])
  }

  mutating func name() -> InterfaceName { InterfaceName(rawValue: wide()) }

  mutating func hardwareAddress() -> MACAddress? {
    let isThere = number() != 0
    let value = UInt64(number() & 0xFFFF) << 32 | UInt64(number())
    return isThere ? MACAddress(rawValue: value) : nil
  }

  mutating func address() -> (IPAddress, length: Int) {
    let family: IPFamily = number() == 4 ? .ipv4 : .ipv6
    let value = wide() & family.highestAddress
    return (IPAddress(family, rawValue: value), min(Int(number()), family.bitWidth))
  }
}
