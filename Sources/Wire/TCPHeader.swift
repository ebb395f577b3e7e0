/// A TCP header with its options.
///
/// Source: RFC 9293 §3.1.
package struct TCPHeader: Hashable, Sendable {
  /// The control bits of the header's octet 13.
  package struct Flags: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let fin = Flags(rawValue: 0x01)
    package static let syn = Flags(rawValue: 0x02)
    package static let rst = Flags(rawValue: 0x04)
    package static let psh = Flags(rawValue: 0x08)
    package static let ack = Flags(rawValue: 0x10)
    package static let urg = Flags(rawValue: 0x20)
    package static let ecn = Flags(rawValue: 0x40)
    package static let cwr = Flags(rawValue: 0x80)

    package static let names: [(name: String, flag: Flags)] = [
      ("fin", .fin), ("syn", .syn), ("rst", .rst), ("psh", .psh), ("ack", .ack), ("urg", .urg),
      ("ecn", .ecn), ("cwr", .cwr),
    ]
  }

  /// One option.
  package enum Option: Hashable, Sendable {
    case end
    case noOperation
    case maximumSegmentSize(UInt16)
    case windowScale(UInt8)
    case selectiveAcknowledgementPermitted
    case timestamps(value: UInt32, echo: UInt32)
    /// Any other: its kind and the bytes after its length.
    case other(kind: UInt8, body: [UInt8])
  }

  package var sourcePort: UInt16
  package var destinationPort: UInt16
  package var sequence: UInt32
  package var acknowledgement: UInt32
  /// The four bits between data offset and flags.
  package var reserved: UInt8
  package var flags: Flags
  package var window: UInt16
  package var checksum: UInt16
  package var urgentPointer: UInt16
  package var options: [Option]

  package init(
    sourcePort: UInt16, destinationPort: UInt16, sequence: UInt32 = 0,
    acknowledgement: UInt32 = 0, flags: Flags = .syn, window: UInt16 = 64240,
    urgentPointer: UInt16 = 0, options: [Option] = []
  ) {
    self.sourcePort = sourcePort
    self.destinationPort = destinationPort
    self.sequence = sequence
    self.acknowledgement = acknowledgement
    reserved = 0
    self.flags = flags
    self.window = window
    checksum = 0
    self.urgentPointer = urgentPointer
    self.options = options
  }

  /// Reads a header that starts at `offset` and moves `offset` past it and its options.
  ///
  /// - Throws: ``WireError`` if bytes are missing, or the data offset or an option's length is
  ///   impossible.
  package init(reading bytes: [UInt8], at offset: inout Int) throws(WireError) {
    try bytes.require(20, at: offset, for: "TCP header")
    let length = Int(bytes[offset + 12] >> 4) * 4
    guard length >= 20 else {
      throw .badLength(header: "TCP header", offset: offset, length: length)
    }
    try bytes.require(length, at: offset, for: "TCP header")
    sourcePort = bytes.uint16(at: offset)
    destinationPort = bytes.uint16(at: offset + 2)
    sequence = bytes.uint32(at: offset + 4)
    acknowledgement = bytes.uint32(at: offset + 8)
    reserved = bytes[offset + 12] & 15
    flags = Flags(rawValue: bytes[offset + 13])
    window = bytes.uint16(at: offset + 14)
    checksum = bytes.uint16(at: offset + 16)
    urgentPointer = bytes.uint16(at: offset + 18)
    options = []
    var next = offset + 20
    let end = offset + length
    while next < end {
      options.append(try Option(reading: bytes, at: &next, end: end))
    }
    offset = end
  }

  /// The header's length, in bytes, padding included.
  package var byteCount: Int {
    let optionBytes = options.reduce(0) { $0 + $1.byteCount }
    return 20 + (optionBytes + 3) / 4 * 4
  }

  /// Appends the header as it stands; options are padded with end-of-list octets.
  package func write(into bytes: inout [UInt8]) {
    let start = bytes.count
    bytes.append(sourcePort)
    bytes.append(destinationPort)
    bytes.append(sequence)
    bytes.append(acknowledgement)
    let dataOffset = UInt8(truncatingIfNeeded: byteCount / 4)
    let dataOffsetOctet: UInt8 = dataOffset << 4 | reserved & 15
    bytes.append(dataOffsetOctet)
    bytes.append(flags.rawValue)
    bytes.append(window)
    bytes.append(checksum)
    bytes.append(urgentPointer)
    for option in options { option.write(into: &bytes) }
    while (bytes.count - start) % 4 != 0 { bytes.append(UInt8(0)) }
  }
}

extension TCPHeader.Option {
  fileprivate init(reading bytes: [UInt8], at offset: inout Int, end: Int) throws(WireError) {
    let kind = bytes[offset]
    guard kind > 1 else {
      self = kind == 0 ? .end : .noOperation
      offset += 1
      return
    }
    guard offset + 1 < end else {
      throw .truncated(header: "TCP option", offset: offset, needed: 2, available: end - offset)
    }
    let length = Int(bytes[offset + 1])
    guard length >= 2, offset + length <= end else {
      throw .badLength(header: "TCP option", offset: offset, length: length)
    }
    switch (kind, length) {
    case (2, 4): self = .maximumSegmentSize(bytes.uint16(at: offset + 2))
    case (3, 3): self = .windowScale(bytes[offset + 2])
    case (4, 2): self = .selectiveAcknowledgementPermitted
    case (8, 10):
      self = .timestamps(value: bytes.uint32(at: offset + 2), echo: bytes.uint32(at: offset + 6))
    default: self = .other(kind: kind, body: Array(bytes[offset + 2..<offset + length]))
    }
    offset += length
  }

  fileprivate var byteCount: Int {
    switch self {
    case .end, .noOperation: 1
    case .maximumSegmentSize: 4
    case .windowScale: 3
    case .selectiveAcknowledgementPermitted: 2
    case .timestamps: 10
    case .other(_, let body): 2 + body.count
    }
  }

  fileprivate func write(into bytes: inout [UInt8]) {
    switch self {
    case .end: bytes.append(UInt8(0))
    case .noOperation: bytes.append(UInt8(1))
    case .maximumSegmentSize(let size):
      bytes += [2, 4]
      bytes.append(size)
    case .windowScale(let shift): bytes += [3, 3, shift]
    case .selectiveAcknowledgementPermitted: bytes += [4, 2]
    case .timestamps(let value, let echo):
      bytes += [8, 10]
      bytes.append(value)
      bytes.append(echo)
    case .other(let kind, let body):
      bytes += [kind, UInt8(truncatingIfNeeded: 2 + body.count)]
      bytes += body
    }
  }
}

extension TCPHeader: CustomStringConvertible {
  package var description: String {
    let set = Flags.names.filter { flags.contains($0.flag) }.map(\.name)
    let shown = set.isEmpty ? "none" : set.joined(separator: ",")
    return "TCP \(sourcePort) > \(destinationPort) flags \(shown) seq \(sequence)"
  }
}
