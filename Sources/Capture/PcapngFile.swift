internal import LinuxKernel

/// The packets of a pcapng file, in either byte order, of any number of sections and interfaces.
///
/// Source: draft-ietf-opsawg-pcapng §4; blocks that are not known are stepped over, as it asks.
struct PcapngFile: ~Copyable {
  /// Why there is no next packet.
  enum Failure: Error {
    case unreadable(Errno)
    case broken(String)
  }

  struct Packet {
    /// The number of the link type in files.
    var linkType: UInt16
    var interfaceName: String?
    /// Nanoseconds since 1970-01-01T00:00:00Z; 0 for simple packets, which have no time.
    var timestamp: UInt64
    var originalByteCount: Int
    var direction: PacketDirection?
    var comment: String?
    /// From the link header on.
    var frame: [UInt8]
  }

  private struct Interface {
    var linkType: UInt16
    var snapshotLength: UInt32
    var name: String?
    /// How many steps of a timestamp make a second.
    var stepsPerSecond: UInt64 = 1_000_000
    /// What timestamps count from, in seconds since 1970-01-01T00:00:00Z.
    var epoch: Int64 = 0
  }

  private let file: Descriptor
  /// What has been read and not been used from `position` on.
  private var buffer: [UInt8] = []
  private var position = 0
  private var isBigEndian = false
  private var interfaces: [Interface] = []

  /// Begins to read `file`, which stands at its start.
  init(_ file: consuming Descriptor) { self.file = file }

  /// The largest block that is read, in bytes: what libpcap allows too.
  static let largestBlock = 16 << 20

  /// The next packet; nil at the end of the file.
  mutating func next() throws(Failure) -> Packet? {
    while try fill(1) {
      guard try fill(12) else { throw .broken("the file ends within a block") }
      if isSectionHeader { try beginSection() }
      let type = number(at: position)
      let length = Int(number(at: position + 4))
      guard length >= 12, length.isMultiple(of: 4), length <= Self.largestBlock else {
        throw .broken("a block has the impossible length \(length)")
      }
      guard try fill(length) else { throw .broken("the file ends within a block") }
      guard Int(number(at: position + length - 4)) == length else {
        throw .broken("a block has two different lengths")
      }
      let body = position + 8..<position + length - 4
      position += length
      switch type {
      case Pcapng.sectionHeader: try checkVersion(body)
      case Pcapng.interfaceDescription: try addInterface(body)
      case Pcapng.enhancedPacket: return try enhancedPacket(body)
      case Pcapng.simplePacket: return try simplePacket(body)
      case Pcapng.obsoletePacket: return try obsoletePacket(body)
      default: continue
      }
    }
    return nil
  }

  // Blocks

  private var isSectionHeader: Bool {
    // The same in both byte orders.
    number(at: position) == Pcapng.sectionHeader
  }

  /// Takes over the byte order of the section that begins here, before its length is read.
  private mutating func beginSection() throws(Failure) {
    isBigEndian = false
    interfaces = []
    let magic = number(at: position + 8)
    guard magic != Pcapng.byteOrderMagic else { return }
    guard magic == Pcapng.byteOrderMagic.byteSwapped else {
      throw .broken("a section does not tell its byte order")
    }
    isBigEndian = true
  }

  private func checkVersion(_ body: Range<Int>) throws(Failure) {
    guard body.count >= 16 else { throw .broken("the header of a section is cut off") }
    let major = shortNumber(at: body.lowerBound + 4)
    guard major == 1 else { throw .broken("a section has the version \(major)") }
  }

  private mutating func addInterface(_ body: Range<Int>) throws(Failure) {
    guard body.count >= 8 else { throw .broken("the description of an interface is cut off") }
    var interface = Interface(
      linkType: shortNumber(at: body.lowerBound),
      snapshotLength: number(at: body.lowerBound + 4))
    try forEachOption(body.dropFirst(8)) { (code, value) throws(Failure) in
      switch code {
      case Pcapng.interfaceName: interface.name = text(value)
      case Pcapng.timestampResolution where value.count == 1:
        interface.stepsPerSecond = try steps(buffer[value.lowerBound])
      case Pcapng.timestampOffset where value.count == 8:
        interface.epoch = longNumber(at: value.lowerBound)
      default: break
      }
    }
    interfaces.append(interface)
  }

  private func enhancedPacket(_ body: Range<Int>) throws(Failure) -> Packet {
    guard body.count >= 20 else { throw .broken("a packet block is cut off") }
    return try packet(body, interface: Int(number(at: body.lowerBound)))
  }

  private func obsoletePacket(_ body: Range<Int>) throws(Failure) -> Packet {
    guard body.count >= 20 else { throw .broken("a packet block is cut off") }
    return try packet(body, interface: Int(shortNumber(at: body.lowerBound)))
  }

  /// Both kinds of packets with a time have it, and all behind it, at the same place.
  private func packet(
    _ body: Range<Int>, interface number: Int
  ) throws(Failure) -> Packet {
    let interface = try interface(number)
    let start = body.lowerBound
    let captured = Int(self.number(at: start + 12))
    let padded = (captured + 3) & ~3
    guard padded <= body.count - 20 else {
      throw .broken("\(captured) bytes of a packet are not in its block")
    }
    let ticks = UInt64(self.number(at: start + 4)) << 32 | UInt64(self.number(at: start + 8))
    var packet = Packet(
      linkType: interface.linkType, interfaceName: interface.name,
      timestamp: try nanoseconds(ticks, interface),
      originalByteCount: Int(self.number(at: start + 16)),
      frame: Array(buffer[start + 20..<start + 20 + captured]))
    try forEachOption(body.dropFirst(20 + padded)) { (code, value) throws(Failure) in
      switch code {
      case Pcapng.comment: packet.comment = packet.comment ?? text(value)
      case Pcapng.packetFlags where value.count == 4:
        // §4.3.1: the lowest two bits; 3 is not used.
        switch self.number(at: value.lowerBound) & 3 {
        case 1: packet.direction = .inbound
        case 2: packet.direction = .outbound
        default: break
        }
      default: break
      }
    }
    return packet
  }

  private func simplePacket(_ body: Range<Int>) throws(Failure) -> Packet {
    guard body.count >= 4 else { throw .broken("a packet block is cut off") }
    let interface = try interface(0)
    let original = Int(number(at: body.lowerBound))
    let limit = interface.snapshotLength == 0 ? Int.max : Int(interface.snapshotLength)
    let captured = min(original, limit)
    guard captured <= body.count - 4 else {
      throw .broken("\(captured) bytes of a packet are not in its block")
    }
    let start = body.lowerBound + 4
    return Packet(
      linkType: interface.linkType, interfaceName: interface.name, timestamp: 0,
      originalByteCount: original, frame: Array(buffer[start..<start + captured]))
  }

  private func interface(_ number: Int) throws(Failure) -> Interface {
    guard number < interfaces.count else {
      throw .broken("a packet is of interface \(number), which is not described")
    }
    return interfaces[number]
  }

  // Times

  /// `if_tsresol`: a power of ten, or of two where the highest bit is set.
  private func steps(_ resolution: UInt8) throws(Failure) -> UInt64 {
    let exponent = Int(resolution & 0x7F)
    guard exponent <= (resolution < 0x80 ? 19 : 63) else {
      throw .broken("timestamps have the impossible resolution \(resolution)")
    }
    if resolution >= 0x80 { return 1 << UInt64(exponent) }
    return (0..<exponent).reduce(1) { steps, _ in steps * 10 }
  }

  private func nanoseconds(_ ticks: UInt64, _ interface: Interface) throws(Failure) -> UInt64 {
    let sinceEpoch = Int128(ticks) * 1_000_000_000 / Int128(interface.stepsPerSecond)
    let all = sinceEpoch + Int128(interface.epoch) * 1_000_000_000
    guard let nanoseconds = UInt64(exactly: all) else {
      throw .broken("a timestamp is out of range")
    }
    return nanoseconds
  }

  // Bytes

  private func forEachOption(
    _ bytes: Range<Int>, _ body: (UInt16, Range<Int>) throws(Failure) -> Void
  ) throws(Failure) {
    var place = bytes.lowerBound
    while place < bytes.upperBound {
      guard bytes.upperBound - place >= 4 else { throw .broken("an option is cut off") }
      let code = shortNumber(at: place)
      let count = Int(shortNumber(at: place + 2))
      if code == Pcapng.endOfOptions { return }
      guard (count + 3) & ~3 <= bytes.upperBound - place - 4 else {
        throw .broken("an option is cut off")
      }
      try body(code, place + 4..<place + 4 + count)
      place += 4 + (count + 3) & ~3
    }
  }

  private func text(_ range: Range<Int>) -> String {
    String(decoding: buffer[range], as: UTF8.self)
  }

  private func shortNumber(at place: Int) -> UInt16 {
    let number = UInt16(buffer[place]) | UInt16(buffer[place + 1]) << 8
    return isBigEndian ? number.byteSwapped : number
  }

  private func number(at place: Int) -> UInt32 {
    let number =
      UInt32(buffer[place]) | UInt32(buffer[place + 1]) << 8 | UInt32(buffer[place + 2]) << 16
      | UInt32(buffer[place + 3]) << 24
    return isBigEndian ? number.byteSwapped : number
  }

  private func longNumber(at place: Int) -> Int64 {
    let first = UInt64(number(at: place))
    let second = UInt64(number(at: place + 4))
    return Int64(bitPattern: isBigEndian ? first << 32 | second : second << 32 | first)
  }

  /// Makes `count` bytes ready from `position` on.
  ///
  /// - Returns: Whether the file has them.
  private mutating func fill(_ count: Int) throws(Failure) -> Bool {
    if buffer.count - position >= count { return true }
    buffer.removeSubrange(..<position)
    position = 0
    do throws(Errno) {
      while buffer.count < count {
        if try file.read(1 << 15, into: &buffer) == 0 { return false }
      }
    } catch {
      throw .unreadable(error)
    }
    return true
  }
}
