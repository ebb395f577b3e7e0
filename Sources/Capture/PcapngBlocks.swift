/// The numbers of pcapng that are written and read.
///
/// Source: draft-ietf-opsawg-pcapng §4.
enum Pcapng {
  static let sectionHeader: UInt32 = 0x0A0D_0D0A
  static let byteOrderMagic: UInt32 = 0x1A2B_3C4D
  static let interfaceDescription: UInt32 = 1
  /// Its time and lengths stand where they do in an enhanced packet.
  static let obsoletePacket: UInt32 = 2
  static let simplePacket: UInt32 = 3
  static let enhancedPacket: UInt32 = 6

  static let endOfOptions: UInt16 = 0
  static let comment: UInt16 = 1
  static let interfaceName: UInt16 = 2
  static let interfaceDescriptionText: UInt16 = 3
  static let application: UInt16 = 4
  static let timestampResolution: UInt16 = 9
  static let interfaceFilter: UInt16 = 11
  static let timestampOffset: UInt16 = 14
  static let packetFlags: UInt16 = 2
}

/// Blocks of a pcapng file, one after the other, in little-endian order.
struct PcapngBlocks {
  private(set) var bytes: [UInt8] = []

  init() { bytes.reserveCapacity(1 << 19) }

  /// Forgets the blocks and keeps their room.
  mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  mutating func appendSection(comment: String?) {
    let start = begin(Pcapng.sectionHeader)
    append(Pcapng.byteOrderMagic)
    append(UInt16(1))
    append(UInt16(0))
    // The section's length: not known.
    append(UInt32.max)
    append(UInt32.max)
    if let comment { append(option: Pcapng.comment, comment) }
    append(option: Pcapng.application, "portproof")
    endOptions()
    end(blockAt: start)
  }

  mutating func append(_ interface: CaptureFileWriter.Interface) {
    let start = begin(Pcapng.interfaceDescription)
    append(interface.linkType.fileNumber)
    append(UInt16(0))
    append(UInt32(CaptureFileWriter.longestPacket))
    append(option: Pcapng.interfaceName, interface.name)
    if let text = interface.description {
      append(option: Pcapng.interfaceDescriptionText, text)
    }
    append(optionHead: Pcapng.timestampResolution, count: 1)
    // Timestamps count steps of 10⁻⁹ s.
    bytes += [9, 0, 0, 0]
    // The first octet says that the filter is a text for libpcap.
    if let filter = interface.filter { append(option: Pcapng.interfaceFilter, "\0" + filter) }
    endOptions()
    end(blockAt: start)
  }

  mutating func append(
    _ packet: CapturedPacket, _ octets: Span<UInt8>, interface: UInt32, comment: String?
  ) {
    let start = begin(Pcapng.enhancedPacket)
    append(interface)
    append(UInt32(truncatingIfNeeded: packet.timestamp >> 32))
    append(UInt32(truncatingIfNeeded: packet.timestamp))
    append(UInt32(octets.count))
    append(UInt32(clamping: max(octets.count, packet.originalByteCount)))
    unsafe octets.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    pad()
    if let direction = packet.direction {
      append(optionHead: Pcapng.packetFlags, count: 4)
      append(UInt32(direction == .inbound ? 1 : 2))
    }
    if let comment { append(option: Pcapng.comment, comment) }
    if packet.direction != nil || comment != nil { endOptions() }
    end(blockAt: start)
  }

  // Blocks begin and end with their length.

  private mutating func begin(_ type: UInt32) -> Int {
    let start = bytes.count
    append(type)
    append(UInt32(0))
    return start
  }

  private mutating func end(blockAt start: Int) {
    let length = UInt32(bytes.count - start + 4)
    append(length)
    for index in 0..<4 {
      bytes[start + 4 + index] = UInt8(truncatingIfNeeded: length >> UInt32(8 * index))
    }
  }

  // Options

  /// A text in UTF-8; what is longer than the format holds is cut.
  private mutating func append(option: UInt16, _ text: String) {
    var text = text[...]
    while text.utf8.count > Int(UInt16.max) { text.removeLast() }
    append(optionHead: option, count: UInt16(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
    pad()
  }

  private mutating func append(optionHead option: UInt16, count: UInt16) {
    append(option)
    append(count)
  }

  private mutating func endOptions() { append(optionHead: Pcapng.endOfOptions, count: 0) }

  private mutating func pad() {
    while !bytes.count.isMultiple(of: 4) { bytes.append(0) }
  }

  private mutating func append(_ number: UInt16) {
    bytes.append(UInt8(truncatingIfNeeded: number))
    bytes.append(UInt8(truncatingIfNeeded: number >> 8))
  }

  private mutating func append(_ number: UInt32) {
    append(UInt16(truncatingIfNeeded: number))
    append(UInt16(truncatingIfNeeded: number >> 16))
  }
}
