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
    message.attribute(5, UInt32(1).bigEndian)  // NFULA_CFG_QTHRESH: tell each packet at once
    do throws(Errno) {
      try socket.perform(message)
    } catch {
      throw .failed(step: "subscribing to the packet log", error)
    }
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
    let reader = NetlinkReader(bytes: buffer, count: count)
    reader.forEachMessage { start, end in
      // NFULNL_MSG_PACKET is 0.
      guard reader.uint16(at: start + 4) == 4 << 8 else { return }
      if let report = Self.report(reader, from: start + 20, to: end) { reports.append(report) }
    }
  }

  private static func report(
    _ reader: NetlinkReader, from start: Int, to end: Int
  ) -> ProbeReport? {
    var mark: ProbeTable.Mark?
    var report = ProbeReport(mark: .entered, hook: 0)
    reader.forEachAttribute(from: start, to: end) { type, value in
      let first = value.lowerBound
      switch type {
      // NFULA_PACKET_HDR: protocol, hook.
      case 1 where value.count >= 4: report.hook = reader.bytes[first + 2]
      // NFULA_IFINDEX_INDEV.
      case 4 where value.count >= 4: report.input = reader.uint32(at: first).bigEndian
      // NFULA_HWADDR: length, padding, address.
      case 8 where value.count >= 10 && reader.bytes[first] == 0 && reader.bytes[first + 1] == 6:
        report.hardwareSource = reader.bytes[(first + 4)..<(first + 10)].reduce(0) {
          $0 << 8 | UInt64($1)
        }
      // NFULA_PREFIX.
      case 10 where value.count >= 1: mark = ProbeTable.Mark(rawValue: reader.bytes[first])
      // NFULA_UID: only of a socket that a program holds.
      case 11: report.isFromProgram = true
      default: break
      }
    }
    guard let mark, report.hook < 8 else { return nil }
    report.mark = mark
    return report
  }
}
