internal import Addresses

/// What matters of a packet that was captured, or that an ICMP error quotes.
///
/// It reads what is there and asks for no more: quotes are cut off, and a checksum that the
/// interface has yet to fill in is wrong.
struct SeenPacket {
  struct Segment {
    var sequence: UInt32
    /// 0 where the quote ends before.
    var acknowledgement: UInt32
    var flags: UInt8

    static let reset: UInt8 = 0x04
    static let synchronize: UInt8 = 0x02
    static let acknowledge: UInt8 = 0x10
  }

  enum Content {
    case tcp(Segment)
    case udp
    case icmp(type: UInt8, code: UInt8)
  }

  var source: IPAddress
  var destination: IPAddress
  var content: Content
  /// For ICMP the identifier.
  var sourcePort: UInt16
  /// For ICMP the sequence number.
  var destinationPort: UInt16
  /// What stands behind the transport header: of ICMP, behind its first eight octets.
  var payload: Int

  /// - Returns: nil for later fragments, other protocols, and what is cut off before the ports.
  init?(_ bytes: borrowing Span<UInt8>, from start: Int = 0) {
    guard start < bytes.count else { return nil }
    let transport: UInt8
    let offset: Int
    switch bytes[start] >> 4 {
    case 4:
      guard start + 20 <= bytes.count, bytes.number16(start + 6) & 0x1FFF == 0 else { return nil }
      source = .ipv4(IPv4Address(rawValue: bytes.number32(start + 12)))
      destination = .ipv4(IPv4Address(rawValue: bytes.number32(start + 16)))
      transport = bytes[start + 9]
      offset = start + Int(bytes[start] & 15) * 4
    case 6:
      guard start + 40 <= bytes.count, let found = Self.transport(of: bytes, from: start) else {
        return nil
      }
      source = .ipv6(IPv6Address(rawValue: bytes.number128(start + 8)))
      destination = .ipv6(IPv6Address(rawValue: bytes.number128(start + 24)))
      transport = found.number
      offset = found.offset
    default: return nil
    }
    guard offset + 8 <= bytes.count else { return nil }
    sourcePort = bytes.number16(offset)
    destinationPort = bytes.number16(offset + 2)
    payload = offset + 8
    switch transport {
    case 6:
      content = .tcp(
        Segment(
          sequence: bytes.number32(offset + 4),
          acknowledgement: offset + 12 <= bytes.count ? bytes.number32(offset + 8) : 0,
          flags: offset + 14 <= bytes.count ? bytes[offset + 13] : 0))
    case 17: content = .udp
    case 1, 58:
      content = .icmp(type: bytes[offset], code: bytes[offset + 1])
      sourcePort = bytes.number16(offset + 4)
      destinationPort = bytes.number16(offset + 6)
    default: return nil
    }
  }

  /// Passes over the extension headers that firewalls do; RFC 8200 §4.
  private static func transport(
    of bytes: borrowing Span<UInt8>, from start: Int
  ) -> (number: UInt8, offset: Int)? {
    var next = bytes[start + 6]
    var offset = start + 40
    while true {
      switch next {
      case 0, 43, 60:
        guard offset + 8 <= bytes.count else { return nil }
        next = bytes[offset]
        offset += (Int(bytes[offset + 1]) + 1) * 8
      case 44:
        guard offset + 8 <= bytes.count, bytes.number16(offset + 2) & 0xFFF8 == 0 else {
          return nil
        }
        next = bytes[offset]
        offset += 8
      default: return (next, offset)
      }
    }
  }

  /// Whether it is an ICMP or ICMPv6 error, which quotes a packet.
  var isError: Bool {
    guard case .icmp(let type, _) = content else { return false }
    return switch source.family {
    // RFC 792: unreachable, source quench, time exceeded, parameter problem.
    case .ipv4: type == 3 || type == 4 || type == 11 || type == 12
    // RFC 4443 §2.1.
    case .ipv6: type < 128
    }
  }
}

/// Numbers in network byte order; the caller has checked that their octets are there.
extension Span<UInt8> {
  func number16(_ offset: Int) -> UInt16 {
    UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
  }

  func number32(_ offset: Int) -> UInt32 {
    UInt32(number16(offset)) << 16 | UInt32(number16(offset + 2))
  }

  func number128(_ offset: Int) -> UInt128 {
    var result: UInt128 = 0
    for word in 0..<4 { result = result << 32 | UInt128(number32(offset + 4 * word)) }
    return result
  }
}
