import Addresses
import Simulation

/// Packets on their way to the child, each as what is to be put where.
///
/// Packets that come in are whole frames. Their source address tells them apart in the reports of
/// the probes: where the caller gives none it is a number that grows from packet to packet. Between
/// two packets that this cannot tell apart stands a frame that only the probes see.
struct PacketTrain {
  /// What a car of the train is, in the place of an interface's index.
  enum Kind {
    static let local: UInt32 = 0
    static let separator: UInt32 = 1
  }

  /// The first of the hardware addresses that tell packets apart.
  static let firstTag: UInt64 = 0x0252_0000_0000
  static let tagMask: UInt64 = 0xFFFF_0000_0000

  /// How many packets one message carries.
  static let length = 1024

  /// Makes the request that carries `packets`.
  ///
  /// - Parameters:
  ///   - packets: Not more than ``length``.
  ///   - tag: The number of the first packet.
  ///   - plan: The interfaces of the sandbox.
  ///   - mode: What else is to be done with them.
  /// - Returns: The message.
  /// - Throws: ``SandboxError/unknownInterface(_:)``.
  static func request(
    _ packets: ArraySlice<SandboxPacket>, tag: UInt32, _ plan: InterfacePlan,
    _ mode: ProbeTable.Mode
  ) throws(SandboxError) -> [UInt8] {
    var writer = OctetWriter()
    writer.reserveCapacity(packets.count * 128)
    writer.write(UInt32(0))
    writer.write(SandboxMessage.Request.packets.rawValue)
    writer.write(UInt8((mode.isTracing ? 1 : 0) | (mode.isConfirming ? 2 : 0)))
    writer.write(tag)
    writer.write(UInt32(packets.count))
    var given: Set<UInt64> = []
    for (number, packet) in packets.enumerated() {
      switch packet.origin {
      case .local:
        writer.write(Kind.local)
        writer.write(packet.bytes)
      case .received(let name, let frame):
        guard let interface = plan[name] else { throw .unknownInterface(name.description) }
        let own = firstTag | UInt64(tag &+ UInt32(number))
        let source = frame.source?.rawValue ?? own
        // A source like those that the sandbox gives stands alone.
        let isLikeOwn = frame.source != nil && source & tagMask == firstTag
        if frame.source != nil, isLikeOwn || !given.insert(source).inserted {
          writer.write(Kind.separator)
          given = [source]
        }
        writer.write(interface.farIndex)
        writer.write(UInt32(14 + (frame.vlan == nil ? 0 : 4) + packet.bytes.count))
        writer.append(hardware: frame.destination?.rawValue ?? interface.hardwareAddress)
        writer.append(hardware: source)
        if let vlan = frame.vlan {
          writer.append([
            0x81, 0, UInt8(truncatingIfNeeded: vlan >> 8), UInt8(truncatingIfNeeded: vlan),
          ])
        }
        writer.append((packet.bytes.first ?? 0) >> 4 == 6 ? [0x86, 0xDD] : [0x08, 0])
        writer.append(packet.bytes)
        if isLikeOwn { writer.write(Kind.separator) }
      }
    }
    writer.replace(at: 0, with: UInt32(writer.bytes.count - SandboxMessage.headSize))
    return writer.bytes
  }
}

extension SandboxPacket {
  /// Whether the kernel may keep the packet beyond its way through the hooks.
  ///
  /// A fragment waits for its like. What IPv6 extension headers hold is not looked for.
  var mayStay: Bool {
    guard let first = bytes.first else { return false }
    if first >> 4 == 6 {
      // Hop-by-hop options, routing, fragment, destination options.
      return bytes.count > 6 && [0, 43, 44, 60, 51, 135].contains(bytes[6])
    }
    return bytes.count > 7 && (bytes[6] & 0x3F != 0 || bytes[7] != 0)
  }
}
