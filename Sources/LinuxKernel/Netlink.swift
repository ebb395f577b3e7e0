internal import CLinuxShims
internal import Glibc

/// A message to the kernel as netlink writes it: a header, a fixed part, attributes.
///
/// Source: netlink(7); numbers are in the byte order of the machine.
package struct NetlinkMessage: Sendable {
  package private(set) var bytes: [UInt8] = []

  /// Starts a request that the kernel acknowledges.
  ///
  /// With NLM_F_DUMP, which is 0x300, it asks for a list, which no acknowledgement ends.
  ///
  /// - Parameters:
  ///   - type: `nlmsg_type`.
  ///   - flags: `nlmsg_flags` beside NLM_F_REQUEST and NLM_F_ACK.
  package init(type: UInt16, flags: UInt16 = 0) {
    self.init(type: type, allFlags: flags | (flags & 0x300 == 0x300 ? 1 : 1 | 4))
  }

  fileprivate init(type: UInt16, allFlags: UInt16) {
    append(UInt32(0))
    append(type)
    append(allFlags)
    append(UInt32(1))
    append(UInt32(0))
  }

  package mutating func append(_ value: UInt8) { bytes.append(value) }

  package mutating func append(_ value: UInt16) {
    let ordered = Self.isLittleEndian ? value : value.byteSwapped
    bytes.append(UInt8(truncatingIfNeeded: ordered))
    bytes.append(UInt8(truncatingIfNeeded: ordered >> 8))
  }

  package mutating func append(_ value: UInt32) {
    let ordered = Self.isLittleEndian ? value : value.byteSwapped
    for shift in stride(from: 0, to: 32, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: ordered >> UInt32(shift)))
    }
  }

  /// Adds an attribute that holds `value`.
  package mutating func attribute(_ type: UInt16, _ value: [UInt8]) {
    attribute(type) { $0.bytes += value }
  }

  /// Adds an attribute that holds a number.
  package mutating func attribute(_ type: UInt16, _ value: UInt32) {
    attribute(type) { $0.append(value) }
  }

  /// Adds an attribute that holds what `content` adds: other attributes, as a rule.
  package mutating func attribute(_ type: UInt16, _ content: (inout Self) -> Void) {
    let start = bytes.count
    append(UInt16(0))
    append(type)
    content(&self)
    setLength(UInt16(bytes.count - start), at: start)
    while !bytes.count.isMultiple(of: 4) { bytes.append(0) }
  }

  private mutating func setLength(_ length: UInt16, at offset: Int) {
    let ordered = Self.isLittleEndian ? length : length.byteSwapped
    bytes[offset] = UInt8(truncatingIfNeeded: ordered)
    bytes[offset + 1] = UInt8(truncatingIfNeeded: ordered >> 8)
  }

  /// The message with its length, ready to be sent.
  fileprivate var finished: [UInt8] {
    var copy = self
    precondition(bytes.count <= UInt16.max, "requests are short, so the length has two octets")
    copy.setLength(UInt16(bytes.count), at: Self.isLittleEndian ? 0 : 2)
    return copy.bytes
  }

  fileprivate static var isLittleEndian: Bool { UInt16(1).littleEndian == 1 }
}

/// A socket to a part of the kernel that speaks netlink.
package struct NetlinkSocket: ~Copyable {
  /// The part of the kernel; the raw value is the protocol number of netlink(7).
  package enum Family: CInt, Sendable {
    case route = 0
    case netfilter = 12
  }

  private let descriptor: Descriptor

  /// - Parameters:
  ///   - family: The part of the kernel.
  ///   - patience: How long ``receive(into:)`` waits.
  /// - Throws: What `socket(2)` failed with.
  package init(_ family: Family, patience: Duration) throws(Errno) {
    var raw: CInt = -1
    let milliseconds = CInt(patience.components.seconds * 1000)
    let status = unsafe portproof_open_netlink(family.rawValue, milliseconds, &raw)
    guard status == 0 else { throw Errno(rawValue: status) }
    descriptor = Descriptor(owning: raw)
  }

  /// Sends a request and waits for the first datagram of the answer, which goes to the start of
  /// `buffer`.
  ///
  /// - Returns: Its size; no more than `buffer` holds.
  /// - Throws: What sending or receiving failed with.
  package borrowing func ask(
    _ message: NetlinkMessage, into buffer: inout [UInt8]
  ) throws(Errno) -> Int {
    try descriptor.write(message.finished)
    return try receive(into: &buffer)
  }

  /// Takes part in what the kernel tells a group of listeners.
  ///
  /// - Throws: What `setsockopt(2)` failed with.
  package borrowing func join(group: Int32) throws(Errno) {
    var number = group
    // NETLINK_ADD_MEMBERSHIP is 1 of SOL_NETLINK, which is 270.
    let size = socklen_t(MemoryLayout<Int32>.size)
    let raw = descriptor.raw
    _ = try retrying { Int(unsafe setsockopt(raw, 270, 1, &number, size)) }
  }

  /// What the kernel lists in answer to a request; ``NetlinkReader`` reads each of the parts.
  ///
  /// - Throws: What the kernel refused.
  package borrowing func list(_ message: NetlinkMessage) throws(Errno) -> [[UInt8]] {
    try descriptor.write(message.finished)
    var parts: [[UInt8]] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = try receive(into: &buffer)
      let reader = NetlinkReader(bytes: Array(buffer[..<count]), count: count)
      var ending: Errno?
      var isDone = false
      reader.forEachMessage { start, end in
        switch reader.uint16(at: start + 4) {
        // NLMSG_ERROR and NLMSG_DONE carry a number.
        case 2, 3:
          isDone = true
          let error = end >= start + 20 ? CInt(bitPattern: reader.uint32(at: start + 16)) : 0
          if error < 0 { ending = Errno(rawValue: -error) }
        default: break
        }
      }
      parts.append(reader.bytes)
      if let ending { throw ending }
      if isDone { return parts }
    }
  }

  /// Reads a datagram that has come already.
  ///
  /// - Returns: Its size; nil where there is none.
  /// - Throws: ``Errno/noBufferSpace`` where one was lost.
  package borrowing func receiveAtOnce(into buffer: inout [UInt8]) throws(Errno) -> Int? {
    let raw = descriptor.raw
    do throws(Errno) {
      return try retrying {
        unsafe buffer.withUnsafeMutableBytes { all in
          unsafe recv(raw, all.baseAddress, all.count, CInt(MSG_DONTWAIT))
        }
      }
    } catch  where error == .wouldBlock {
      return nil
    }
  }

  /// How many octets of messages the socket holds that are not read, with the kernel's own.
  package var room: Int { Int(portproof_receive_room(descriptor.raw)) }

  /// Sends a request and waits until the kernel has done it.
  ///
  /// - Throws: What the kernel refused.
  package borrowing func perform(_ message: NetlinkMessage) throws(Errno) {
    try descriptor.write(message.finished)
    try awaitAcknowledgement()
  }

  /// Sends changes that a part of netfilter makes together or not at all, and waits for them.
  ///
  /// - Parameters:
  ///   - messages: The changes.
  ///   - subsystem: The part: the upper octet of the messages' types.
  /// - Throws: What the kernel refused.
  ///
  /// Source: net/netfilter/nfnetlink.c, `nfnetlink_rcv_batch`.
  package borrowing func perform(
    _ messages: [NetlinkMessage], of subsystem: UInt8
  ) throws(Errno) {
    // NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END, which are not acknowledged.
    var bytes = Self.mark(16, subsystem)
    for message in messages { bytes += message.finished }
    try descriptor.write(bytes + Self.mark(17, subsystem))
    for _ in messages { try awaitAcknowledgement() }
  }

  private static func mark(_ type: UInt16, _ subsystem: UInt8) -> [UInt8] {
    var message = NetlinkMessage(type: type, allFlags: 1)
    message.append(UInt16(0))
    message.append(UInt16(subsystem).bigEndian)
    return message.finished
  }

  private borrowing func awaitAcknowledgement() throws(Errno) {
    var answer = [UInt8](repeating: 0, count: 4096)
    let count = try receive(into: &answer)
    let reader = NetlinkReader(bytes: answer, count: count)
    // NLMSG_ERROR is 2; with the number 0 it says that all is well.
    guard count >= 20, reader.uint16(at: 4) == 2 else { throw .protocolError }
    let error = CInt(bitPattern: reader.uint32(at: 16))
    guard error == 0 else { throw Errno(rawValue: -error) }
  }

  /// Waits for a datagram and writes it to the start of `buffer`.
  ///
  /// - Returns: Its size; no more than `buffer` holds.
  /// - Throws: ``Errno/wouldBlock`` where none came; ``Errno/noBufferSpace`` where one was lost.
  package borrowing func receive(into buffer: inout [UInt8]) throws(Errno) -> Int {
    let raw = descriptor.raw
    return try retrying {
      unsafe buffer.withUnsafeMutableBytes { all in
        unsafe recv(raw, all.baseAddress, all.count, 0)
      }
    }
  }
}

/// Reads numbers and attributes of messages from the kernel.
package struct NetlinkReader: Sendable {
  package let bytes: [UInt8]
  package let count: Int

  package init(bytes: [UInt8], count: Int) {
    self.bytes = bytes
    self.count = count
  }

  /// A number at `offset` of what a socket gave, in the byte order of the machine.
  package static func uint16(in octets: Span<UInt8>, at offset: Int) -> UInt16 {
    let value = UInt16(octets[offset]) | UInt16(octets[offset + 1]) << 8
    return NetlinkMessage.isLittleEndian ? value : value.byteSwapped
  }

  /// A number at `offset` of what a socket gave, in the byte order of the machine.
  package static func uint32(in octets: Span<UInt8>, at offset: Int) -> UInt32 {
    let value =
      UInt32(octets[offset]) | UInt32(octets[offset + 1]) << 8
      | UInt32(octets[offset + 2]) << 16 | UInt32(octets[offset + 3]) << 24
    return NetlinkMessage.isLittleEndian ? value : value.byteSwapped
  }

  package func uint16(at offset: Int) -> UInt16 {
    let value = UInt16(bytes[offset]) | UInt16(bytes[offset + 1]) << 8
    return NetlinkMessage.isLittleEndian ? value : value.byteSwapped
  }

  package func uint32(at offset: Int) -> UInt32 {
    var value: UInt32 = 0
    for index in 0..<4 { value |= UInt32(bytes[offset + index]) << UInt32(8 * index) }
    return NetlinkMessage.isLittleEndian ? value : value.byteSwapped
  }

  /// Calls `visit` with the offset and the end of each message.
  package func forEachMessage(_ visit: (_ start: Int, _ end: Int) -> Void) {
    var start = 0
    while start + 16 <= count {
      let length = Int(uint32(at: start))
      guard length >= 16, start + length <= count else { return }
      visit(start, start + length)
      start += (length + 3) & ~3
    }
  }

  /// Calls `visit` with the type of each attribute and where its value is.
  package func forEachAttribute(
    from first: Int, to end: Int, _ visit: (_ type: UInt16, _ value: Range<Int>) -> Void
  ) {
    var start = first
    while start + 4 <= end {
      let length = Int(uint16(at: start))
      guard length >= 4, start + length <= end else { return }
      // The upper two bits are flags: NLA_F_NESTED, NLA_F_NET_BYTEORDER.
      visit(uint16(at: start + 2) & 0x3FFF, start + 4..<start + length)
      start += (length + 3) & ~3
    }
  }
}
