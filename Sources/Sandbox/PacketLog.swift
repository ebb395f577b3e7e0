internal import LinuxKernel

/// What one probe reported.
struct ProbeReport: Hashable {
  var mark: ProbeTable.Mark
  /// The kernel's number of the hook.
  var hook: UInt8
  /// The source of the frame that the packet came in; nil where it came in none.
  var hardwareSource: UInt64?
  /// The index of the interface that it came in by; 0 where there is none.
  var input: UInt32 = 0
  /// Whether a program sent it, rather than the kernel by itself.
  var isFromProgram = false
}

/// The kernel's packet log, which the probes write to.
///
/// Source: include/uapi/linux/netfilter/nfnetlink_log.h; net/netfilter/nfnetlink_log.c.
struct PacketLog: ~Copyable {
  private let socket: NetlinkSocket
  private var buffer: [UInt8]
  /// The number that the next report must have.
  private var sequence: UInt32 = 0

  /// How many packets may be on their way before the log is read: it must hold their reports.
  let capacity: Int

  /// The size of a buffer in which the kernel gathers reports, a little less than the 32 KiB that
  /// it takes of memory with what the kernel adds to it.
  private static let gatheringSize: UInt32 = 32_000
  /// What a packet's reports take: some 180 octets each, of two for each hook that it may pass,
  /// twice over for what the kernel answers.
  private static let reservedSize = 20 * 256

  /// Subscribes to the group of the probes.
  init() throws(SandboxError) {
    let socket = try attempting("opening the packet log") { () throws(Errno) in
      try NetlinkSocket(.netfilter, patience: .seconds(10))
    }
    // NFNL_SUBSYS_ULOG is 4, NFULNL_MSG_CONFIG 1; the fixed part is `nfgenmsg`.
    var message = NetlinkMessage(type: 4 << 8 | 1)
    message.append(UInt16(0))
    message.append(ProbeTable.group.bigEndian)
    message.attribute(1, [1])  // NFULA_CFG_CMD: NFULNL_CFG_CMD_BIND
    message.attribute(2, [0, 0, 0, 0, 1, 0])  // NFULA_CFG_MODE: NFULNL_COPY_META
    message.attribute(3, Self.gatheringSize.bigEndian)  // NFULA_CFG_NLBUFSIZ
    message.attribute(5, UInt32.max.bigEndian)  // NFULA_CFG_QTHRESH: until the bell rings
    message.attribute(6) { $0.append(UInt16(1).bigEndian) }  // NFULA_CFG_FLAGS: NFULNL_CFG_F_SEQ
    do throws(Errno) {
      try socket.perform(message)
    } catch {
      throw .failed(step: "subscribing to the packet log", error)
    }
    capacity = max(8, min(256, (socket.room - 2 * Int(Self.gatheringSize)) / Self.reservedSize))
    self.socket = socket
    buffer = [UInt8](repeating: 0, count: 1 << 16)
  }

  /// Waits for reports and appends them.
  ///
  /// - Throws: ``SandboxError/failed(step:_:)`` where none came, or where one was lost.
  mutating func receive(into reports: inout [ProbeReport]) throws(SandboxError) {
    let count: Int
    do throws(Errno) {
      count = try socket.receive(into: &buffer)
    } catch {
      throw .failed(step: "reading the packet log", error)
    }
    // The span of the buffer keeps the rest of this value from changing.
    var next = sequence
    try Self.gather(buffer.span, count, &next, into: &reports)
    sequence = next
  }

  private static func gather(
    _ octets: Span<UInt8>, _ count: Int, _ sequence: inout UInt32,
    into reports: inout [ProbeReport]
  ) throws(SandboxError) {
    var start = 0
    while start + 16 <= count {
      let length = Int(NetlinkReader.uint32(in: octets, at: start))
      guard length >= 16, start + length <= count else { break }
      // NFULNL_MSG_PACKET is 0.
      if length >= 20, NetlinkReader.uint16(in: octets, at: start + 4) == 4 << 8 {
        let (report, number) = Self.report(octets, from: start + 20, to: start + length)
        guard var report, number == sequence else {
          throw .failed(step: "reading the packet log", .noBufferSpace)
        }
        // Of NFPROTO_NETDEV, which is 5, ingress is 0 and egress 1.
        if octets[start + 16] == 5 { report.hook += HookVerdicts.firstDeviceHook }
        sequence &+= 1
        reports.append(report)
      }
      start += (length + 3) & ~3
    }
  }

  private static func report(
    _ octets: Span<UInt8>, from first: Int, to end: Int
  ) -> (ProbeReport?, sequence: UInt32?) {
    var mark: ProbeTable.Mark?
    var report = ProbeReport(mark: .entered, hook: 0)
    var sequence: UInt32?
    var start = first
    while start + 4 <= end {
      let length = Int(NetlinkReader.uint16(in: octets, at: start))
      guard length >= 4, start + length <= end else { break }
      let value = start + 4
      switch NetlinkReader.uint16(in: octets, at: start + 2) & 0x3FFF {
      // NFULA_PACKET_HDR: protocol, hook.
      case 1 where length >= 8: report.hook = octets[value + 2]
      // NFULA_IFINDEX_INDEV.
      case 4 where length >= 8:
        report.input = NetlinkReader.uint32(in: octets, at: value).bigEndian
      // NFULA_HWADDR: length, padding, address.
      case 8 where length >= 14 && octets[value] == 0 && octets[value + 1] == 6:
        var address: UInt64 = 0
        for index in value + 4..<value + 10 { address = address << 8 | UInt64(octets[index]) }
        report.hardwareSource = address
      // NFULA_PREFIX.
      case 10 where length >= 5: mark = ProbeTable.Mark(rawValue: octets[value])
      // NFULA_UID: only of a socket that a program holds.
      case 11: report.isFromProgram = true
      // NFULA_SEQ.
      case 12 where length >= 8:
        sequence = NetlinkReader.uint32(in: octets, at: value).bigEndian
      default: break
      }
      start += (length + 3) & ~3
    }
    guard let mark, report.hook < 8 else { return (nil, sequence) }
    report.mark = mark
    return (report, sequence)
  }
}
