internal import Addresses
internal import Wire

/// A packet that differs from others of its kind in few of its fields.
struct PacketTemplate {
  private var octets: [UInt8]
  /// Where the checksum of the transport lies.
  private let checksum: Int
  /// The sum of everything that stays the same.
  private let sum: InternetChecksum
  private let transport: Int

  // The payload is the transport header and what follows; its checksum, which lies at the offset,
  // and every field that is set later are 0.
  private init(
    from source: IPAddress, to destination: IPAddress, _ number: TransportProtocol,
    _ payload: [UInt8], checksumOffset: Int, hopLimit: UInt8, isSummedWithAddresses: Bool
  ) {
    var octets: [UInt8]
    switch source.family {
    case .ipv4:
      // Not fragmented; the kernel fills in length, identification and checksum.
      octets = [0x45, 0, 0, 0, 0, 0, 0x40, 0, hopLimit, number.rawValue, 0, 0]
      octets.append(source.rawValue, octets: 4)
      octets.append(destination.rawValue, octets: 4)
    case .ipv6:
      octets = [0x60, 0, 0, 0]
      octets.append(UInt128(payload.count), octets: 2)
      octets += [number.rawValue, hopLimit]
      octets.append(source.rawValue, octets: 16)
      octets.append(destination.rawValue, octets: 16)
    }
    var sum = InternetChecksum()
    if isSummedWithAddresses {
      sum.addPseudoHeader(
        source: source, destination: destination, transport: number, byteCount: payload.count)
    }
    sum.add(payload, in: 0..<payload.count)
    self.sum = sum
    transport = octets.count
    checksum = octets.count + checksumOffset
    self.octets = octets + payload
  }

  /// A TCP segment to a port that is set later.
  static func segment(
    from source: IPAddress, _ port: UInt16, to destination: IPAddress, sequence: UInt32,
    flags: UInt8, window: UInt16, options: [UInt8]
  ) -> PacketTemplate {
    var segment: [UInt8] = []
    segment.append(UInt128(port), octets: 2)
    segment.append(0, octets: 2)
    segment.append(UInt128(sequence), octets: 4)
    segment.append(0, octets: 4)
    segment += [UInt8((20 + options.count) / 4) << 4, flags]
    segment.append(UInt128(window), octets: 2)
    segment.append(0, octets: 4)
    return PacketTemplate(
      from: source, to: destination, .tcp, segment + options, checksumOffset: 16, hopLimit: 64,
      isSummedWithAddresses: true)
  }

  /// The segment, to a port.
  func segment(to port: UInt16) -> [UInt8] {
    var packet = octets
    packet[transport + 2] = UInt8(port >> 8)
    packet[transport + 3] = UInt8(truncatingIfNeeded: port)
    var sum = sum
    sum.add(port)
    let value = sum.value
    packet[checksum] = UInt8(value >> 8)
    packet[checksum + 1] = UInt8(truncatingIfNeeded: value)
    return packet
  }

  /// An ICMP or ICMPv6 message.
  static func message(
    from source: IPAddress, to destination: IPAddress, type: UInt8, code: UInt8,
    identifier: UInt16, sequence: UInt16, payload: [UInt8]
  ) -> [UInt8] {
    var message: [UInt8] = [type, code, 0, 0]
    message.append(UInt128(identifier), octets: 2)
    message.append(UInt128(sequence), octets: 2)
    let isIPv6 = source.family == .ipv6
    // RFC 4861: neighbours take no message of discovery that a router may have passed on.
    let isDiscovery = isIPv6 && (133...137).contains(type)
    let template = PacketTemplate(
      from: source, to: destination, isIPv6 ? .icmpv6 : .icmp, message + payload,
      checksumOffset: 2, hopLimit: isDiscovery ? 255 : 64, isSummedWithAddresses: isIPv6)
    var packet = template.octets
    let value = template.sum.value
    packet[template.checksum] = UInt8(value >> 8)
    packet[template.checksum + 1] = UInt8(truncatingIfNeeded: value)
    return packet
  }
}

extension [UInt8] {
  /// Adds a number in network byte order.
  fileprivate mutating func append(_ number: UInt128, octets count: Int) {
    for index in stride(from: count - 1, through: 0, by: -1) {
      append(UInt8(truncatingIfNeeded: number >> UInt128(8 * index)))
    }
  }
}
