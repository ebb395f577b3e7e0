internal import LinuxKernel

/// Puts packets to the kernel of this namespace and gathers what the probes say of them.
///
/// The process stays on one processor, whose queue of received frames the kernel works off in
/// order. So once the bell, a frame of its own that is sent last, has been heard, everything that
/// came before it has been dealt with.
struct Referee: ~Copyable {
  private let link: LinkSocket
  private let ipv4: RawSocket
  private let ipv6: RawSocket
  private var log: PacketLog
  private var reports: [ProbeReport] = []
  private var frames = LinkSocket.Frames()
  private var segments: [Segment] = []

  /// Packets whose reports come one after the other between two strokes of the bell.
  private struct Segment {
    /// The packet that a program sends; nil where frames come in.
    var local: Int?
    /// The packet that comes in, where it is alone.
    var only: Int?
    /// Those whose source address the caller gave.
    var given: [UInt64: Int] = [:]
  }

  /// - Throws: ``SandboxError`` with the socket that could not be opened.
  init() throws(SandboxError) {
    let link = try attempting("opening a packet socket") { () throws(Errno) in try LinkSocket() }
    let ipv4 = try attempting("opening a raw socket") { () throws(Errno) in
      try RawSocket(isIPv6: false)
    }
    let ipv6 = try attempting("opening a raw socket") { () throws(Errno) in
      try RawSocket(isIPv6: true)
    }
    log = try PacketLog()
    self.link = link
    self.ipv4 = ipv4
    self.ipv6 = ipv6
  }

  /// The verdicts of the packets of a request, which go through one after the other.
  ///
  /// - Parameters:
  ///   - reader: What ``PacketTrain`` wrote, from the number of the first packet on.
  ///   - after: What is done after some packets have gone through.
  ///   - alone: Whether that is after each of them.
  ///   - apart: Whether each packet is kept apart from the next, as what leaves by a device must
  ///     be: it has lost the address that tells it apart.
  /// - Returns: The verdicts; nil where the request is not understood.
  /// - Throws: ``SandboxError`` where a frame could not be sent, or a report was lost.
  mutating func verdicts(
    for reader: inout OctetReader, after: () throws(SandboxError) -> Void, alone: Bool,
    apart: Bool
  ) throws(SandboxError) -> [HookVerdicts]? {
    let tag = reader.number()
    let count = reader.count()
    var verdicts = [HookVerdicts](repeating: HookVerdicts(), count: count)
    var index = 0
    var inBatch = 0
    begin()
    while index < count {
      let kind = reader.number()
      switch kind {
      case PacketTrain.Kind.separator:
        separate()
        continue
      case PacketTrain.Kind.local:
        let octets = reader.octets()
        separate()
        segments[segments.count - 1].local = index
        try sendFrames()
        try sendFromHere(Array(octets))
        separate()
      default:
        let octets = reader.octets()
        guard octets.count >= 14 else { return nil }
        if apart {
          separate()
          segments[segments.count - 1].only = index
        }
        frames.append(octets, by: kind)
        let source = octets[octets.startIndex + 6..<octets.startIndex + 12]
          .reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        if source != PacketTrain.firstTag | UInt64(tag &+ UInt32(index)) {
          segments[segments.count - 1].given[source] = index
        }
      }
      index += 1
      inBatch += 1
      if inBatch == log.capacity || alone || index == count {
        try ring()
        try after()
        record(tag: tag, into: &verdicts)
        begin()
        inBatch = 0
      }
    }
    return verdicts
  }

  private mutating func begin() {
    segments.removeAll(keepingCapacity: true)
    segments.append(Segment())
    reports.removeAll(keepingCapacity: true)
  }

  private mutating func separate() {
    frames.append(ProbeTable.separating[...], by: InterfacePlan.bell.farIndex)
    segments.append(Segment())
  }

  private mutating func sendFrames() throws(SandboxError) {
    do throws(Errno) {
      try link.send(frames)
    } catch {
      throw .failed(step: "sending a frame", error)
    }
    frames.removeAll()
  }

  /// Sends a packet as a program on the host would.
  ///
  /// A packet that a rule drops, that has no route or that no program could send is no error: it
  /// is in the log how far it came.
  private func sendFromHere(_ bytes: [UInt8]) throws(SandboxError) {
    do throws(Errno) {
      if (bytes.first ?? 0) >> 4 == 6 { try ipv6.send(bytes) } else { try ipv4.send(bytes) }
    } catch {
      switch error {
      case .notPermitted, .accessDenied, .invalidArgument, .messageTooLong, .networkUnreachable,
        .hostUnreachable:
        return
      default: throw .failed(step: "sending a packet", error)
      }
    }
  }

  /// Sends what waits and the bell's frame, and reads the log until the bell is heard.
  private mutating func ring() throws(SandboxError) {
    frames.append(ProbeTable.ringing[...], by: InterfacePlan.bell.farIndex)
    try sendFrames()
    while reports.last?.mark != .rang { try log.receive(into: &reports) }
  }

  private func record(tag: UInt32, into verdicts: inout [HookVerdicts]) {
    var segment = 0
    var isBack = false
    for report in reports {
      if report.mark == .separated {
        segment += 1
        isBack = false
      } else if report.mark == .rang {
        return
      } else if let local = segments[segment].local {
        follow(report, &isBack, &verdicts[local])
      } else if report.hook == HookVerdicts.firstDeviceHook + 1 {
        if let only = segments[segment].only { verdicts[only].note(report) }
      } else if let source = report.hardwareSource {
        // A packet that waited, as fragments do, may show up with those that were sent later.
        let number = Int(UInt32(truncatingIfNeeded: source) &- tag)
        if let index = segments[segment].given.isEmpty ? nil : segments[segment].given[source] {
          verdicts[index].note(report)
        } else if source & PacketTrain.tagMask == PacketTrain.firstTag, number < verdicts.count {
          verdicts[number].note(report)
        }
      }
    }
  }

  /// Follows a packet of a program out, and back in where it went to the host itself.
  ///
  /// The kernel's own answers come the same way back in, but always behind the packet that they
  /// answer, so the first to enter a hook is that packet.
  private func follow(
    _ report: ProbeReport, _ isBack: inout Bool, _ verdicts: inout HookVerdicts
  ) {
    if report.isFromProgram, report.hook != 0, report.hook != 1 {
      verdicts.note(report)
      isBack = verdicts.left & 1 << 4 != 0
    } else if isBack, report.input == 1,
      report.hook <= 1 || report.hook == HookVerdicts.firstDeviceHook
    {
      if report.mark != .left, verdicts.entered & 1 << report.hook != 0 {
        isBack = false
        return
      }
      verdicts.note(report)
    }
  }
}

extension HookVerdicts {
  fileprivate mutating func note(_ report: ProbeReport) {
    switch report.mark {
    case .entered: entered |= 1 << report.hook
    case .left: left |= 1 << report.hook
    case .passed:
      entered |= 1 << report.hook
      left |= 1 << report.hook
    case .separated, .rang: break
    }
  }
}
