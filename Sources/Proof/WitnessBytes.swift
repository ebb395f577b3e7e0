internal import Addresses
internal import PacketSets
internal import Wire

/// Makes the bytes of one packet of a leaf.
struct WitnessBytes {
  private let witness: Witness
  private let names: [DescribedDimension]
  /// How many routers the packet crossed before the firewall that it is made for.
  private let crossedRouters: Int

  init(_ witness: Witness, _ names: [DescribedDimension], crossedRouters: Int) {
    self.witness = witness
    self.names = names
    self.crossedRouters = crossedRouters
  }

  /// The bytes of a packet, or why none can be made.
  enum Made {
    case bytes([UInt8], frameSource: MACAddress?)
    case impossible(String)
  }

  /// The packet as it arrives at the firewall.
  func make() -> Made {
    for address in [witness.source, witness.destination]
    where !HostAddresses.unicast(witness.family).contains(address.rawValue) {
      return .impossible("no host has the address \(address)")
    }
    guard var bytes = plain(witness) else { return .impossible("its addresses differ in family") }
    var frameSource: MACAddress?
    for field in names where field.isConstrained {
      switch field.kind {
      case .packet: break
      // What nobody knows and what counts as either way is no part of a packet.
      case .unknown, .gate, .assumption: continue
      // What translation keeps is another packet's.
      case .kept: continue
      case .choice: return .impossible("rests on the choice of \(field.name)")
      }
      if field.name == "ether saddr" {
        frameSource = field.set.lowest.map { MACAddress(rawValue: UInt64($0)) }
        continue
      }
      if let usual = Self.usual(field.name) {
        guard field.set.contains(usual) else {
          return .impossible("no packet was made for \(field.name)")
        }
        continue
      }
      guard write(field, into: &bytes) else {
        return .impossible("no packet was made for \(field.name)")
      }
    }
    countDown(&bytes)
    sum(&bytes)
    guard isStillInside(bytes) else { return .impossible("its checksum is another") }
    return .bytes(bytes, frameSource: frameSource)
  }

  /// The packet that opened the connection which this one follows.
  func opening(isReply: Bool) -> [UInt8]? {
    let opening = isReply ? witness.reversed : witness.opening
    guard var bytes = plain(opening) else { return nil }
    WitnessBytes(opening, [], crossedRouters: 0).sum(&bytes)
    return bytes
  }

  /// What every ordinary packet reads in fields that are no bits of its headers.
  private static func usual(_ name: String) -> UInt128? {
    switch name {
    case "meta pkttype", "ct mark", "ct status", "ip6 extension header": 0
    // No options: the header is as short as can be, and each option absent.
    case "ip hdrlength", "tcp doff": 5
    default: name.hasPrefix("tcp option ") && name.hasSuffix(" exists") ? 0 : nil
    }
  }

  private var transportOffset: Int { witness.family == .ipv4 ? 20 : 40 }

  /// The packet with usual values in all fields that the witness does not name.
  private func plain(_ witness: Witness) -> [UInt8]? {
    let segment: PacketBuilder.Segment
    let (word0, word1) = (witness.word0, witness.word1)
    switch witness.transport {
    case .tcp:
      segment = .tcp(
        TCPHeader(
          sourcePort: word0, destinationPort: word1, sequence: 1_000,
          acknowledgement: witness.flags & 0x10 != 0 ? 1_000 : 0,
          flags: TCPHeader.Flags(rawValue: witness.flags)), payload: [])
    case .udp:
      segment = .udp(
        UDPHeader(sourcePort: word0, destinationPort: word1, payloadByteCount: 0), payload: [])
    case .udplite:
      segment = .udplite(
        UDPHeader(sourcePort: word0, destinationPort: word1, payloadByteCount: 0), payload: [])
    case .sctp:
      segment = .sctp(
        SCTPHeader(sourcePort: word0, destinationPort: word1), payload: Self.initiation)
    case .icmp where witness.family == .ipv4, .icmpv6 where witness.family == .ipv6:
      segment = .icmp(
        ICMPHeader(
          type: UInt8(word0 >> 8), code: UInt8(truncatingIfNeeded: word0), rest: 0x1234_0001),
        payload: [])
    default:
      segment = .other(
        witness.transport,
        [
          UInt8(word0 >> 8), UInt8(truncatingIfNeeded: word0), UInt8(word1 >> 8),
          UInt8(truncatingIfNeeded: word1), 0, 0, 0, 0, 0, 0, 0, 0,
        ])
    }
    return PacketBuilder.packet(
      from: witness.source, to: witness.destination, carrying: segment)
  }

  /// An INIT chunk: tag 1, a window, one stream each way, sequence number 1 (RFC 9260 §3.3.2).
  private static let initiation: [UInt8] = [
    1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 255, 255, 0, 1, 0, 1, 0, 0, 0, 1,
  ]

  /// Writes a header field that the leaf constrains.
  ///
  /// - Returns: Whether a header has such a field and the packet can have such a value.
  private func write(_ field: DescribedDimension, into bytes: inout [UInt8]) -> Bool {
    let network =
      witness.family == .ipv4
      ? HeaderLayout.ipv4(coversUnusualPackets: true)
        + HeaderLayout.ipv4(coversUnusualPackets: false) : HeaderLayout.ipv6
    let headers = [
      (0, network), (8 * transportOffset, HeaderLayout.transport(witness.transport.rawValue)),
    ]
    for (offset, segments) in headers {
      for segment in segments {
        guard case .field(let name, let domain) = segment.content, name == field.name else {
          continue
        }
        let bits = segment.range.lowerBound + offset..<segment.range.upperBound + offset
        guard bits.upperBound <= 8 * bytes.count else { return false }
        let allowed = usable(field.set.intersection(domain), of: name)
        let current = Self.number(bits, in: bytes)
        guard let value = allowed.contains(current) ? current : allowed.lowest else {
          return false
        }
        Self.write(value, at: bits, into: &bytes)
        return true
      }
    }
    return false
  }

  /// The values of a field that a packet can have and still get to the firewall, whole.
  private func usable(_ set: IntervalSet, of name: String) -> IntervalSet {
    switch name {
    case "ip ttl", "ip6 hoplimit":
      set.intersection(IntervalSet(Interval(UInt128(1 + crossedRouters), 255)))
    case "ip frag-off": set.intersection(IntervalSet([Interval(0), Interval(0x4000)]))
    default: set
    }
  }

  /// Lowers the lifetime by the routers before this firewall.
  private func countDown(_ bytes: inout [UInt8]) {
    guard crossedRouters > 0 else { return }
    let octet = witness.family == .ipv4 ? 8 : 7
    bytes[octet] = UInt8(max(0, Int(bytes[octet]) - crossedRouters))
  }

  /// Makes the checksums right.
  private func sum(_ bytes: inout [UInt8]) {
    if witness.family == .ipv4 {
      Self.store(0, at: 10, &bytes)
      var header = InternetChecksum()
      header.add(bytes, in: 0..<20)
      Self.store(header.value, at: 10, &bytes)
    }
    let start = transportOffset
    let transport = witness.transport
    if transport == .sctp {
      for octet in start + 8..<start + 12 { bytes[octet] = 0 }
      let value = CastagnoliChecksum.value(of: bytes[start...])
      for octet in 0..<4 {
        bytes[start + 8 + octet] = UInt8(truncatingIfNeeded: value >> UInt32(8 * octet))
      }
      return
    }
    let field: Int
    switch transport {
    case .tcp: field = start + 16
    case .udp, .udplite: field = start + 6
    case .icmp where witness.family == .ipv4, .icmpv6 where witness.family == .ipv6:
      field = start + 2
    default: return
    }
    Self.store(0, at: field, &bytes)
    var segment = InternetChecksum()
    segment.add(bytes, in: start..<bytes.count)
    if transport != .icmp {
      segment.addPseudoHeader(
        source: witness.source, destination: witness.destination, transport: transport,
        byteCount: bytes.count - start)
    }
    // RFC 768: a computed zero is sent as all ones, because zero means "no checksum".
    let value = segment.value
    Self.store(value == 0 && transport != .tcp ? 0xFFFF : value, at: field, &bytes)
  }

  /// Whether the checksum of a message without ports is what the leaf says of its second word.
  private func isStillInside(_ bytes: [UInt8]) -> Bool {
    switch witness.transport {
    case .icmp where witness.family == .ipv4, .icmpv6 where witness.family == .ipv6:
      let start = transportOffset + 2
      return witness.words1.contains(UInt128(bytes[start]) << 8 | UInt128(bytes[start + 1]))
    default: return true
    }
  }

  private static func store(_ value: UInt16, at offset: Int, _ bytes: inout [UInt8]) {
    bytes[offset] = UInt8(value >> 8)
    bytes[offset + 1] = UInt8(truncatingIfNeeded: value)
  }

  private static func number(_ bits: Range<Int>, in bytes: [UInt8]) -> UInt128 {
    bits.reduce(0) { $0 << 1 | UInt128(bytes[$1 / 8] >> UInt8(7 - $1 % 8) & 1) }
  }

  private static func write(_ value: UInt128, at bits: Range<Int>, into bytes: inout [UInt8]) {
    for (position, bit) in bits.reversed().enumerated() {
      let place = UInt8(1) << UInt8(7 - bit % 8)
      if value >> UInt128(position) & 1 == 1 {
        bytes[bit / 8] |= place
      } else {
        bytes[bit / 8] &= ~place
      }
    }
  }
}
