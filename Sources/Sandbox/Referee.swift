import Addresses
internal import LinuxKernel
internal import Simulation

/// Puts packets to the kernel of this namespace and gathers what the probes say of them.
///
/// The process stays on one processor, whose queue of received frames the kernel works off in
/// order. So once the bell, a frame of its own that is sent last, has been heard, everything that
/// came before it has been dealt with.
struct Referee: ~Copyable {
  private let names: [InterfaceName]
  private let hardwareAddresses: [UInt64]
  private let farIndices: [UInt32]
  private let bell: UInt32
  private let link: LinkSocket
  private let ipv4: RawSocket
  private let ipv6: RawSocket
  private var log: PacketLog
  private var reports: [ProbeReport]

  /// - Parameters:
  ///   - network: The interfaces.
  ///   - bell: The index of the end that the bell's frame goes into.
  /// - Throws: ``SandboxError`` with the socket that could not be opened.
  init(_ network: borrowing VirtualNetwork, bell: UInt32) throws(SandboxError) {
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
    names = network.names
    hardwareAddresses = network.hardwareAddresses
    farIndices = network.farIndices
    self.bell = bell
    reports = []
  }

  /// How many packets are on their way before the log is read; it must hold their reports.
  private static let batch = 16
  /// The first of the hardware addresses that tell packets apart.
  private static let firstTag: UInt64 = 0x0250_0000_0000

  /// The verdicts of all packets, which go through one after the other.
  mutating func verdicts(for packets: [SandboxPacket]) throws(SandboxError) -> [HookVerdicts] {
    var verdicts = [HookVerdicts](repeating: HookVerdicts(), count: packets.count)
    var index = 0
    while index < packets.count {
      switch packets[index].origin {
      case .local:
        try sendFromHere(packets[index].bytes)
        try ring()
        record(localPacket: &verdicts[index])
        index += 1
      case .received:
        let first = index
        var given: [UInt64: Int] = [:]
        while index < packets.count, index - first < Self.batch,
          case .received(let name, let frame) = packets[index].origin
        {
          let source = frame.source?.rawValue
          // Two packets of one source are told apart by waiting between them.
          if let source, given.updateValue(index, forKey: source) != nil { break }
          try inject(packets[index].bytes, name, frame, number: index)
          index += 1
        }
        try ring()
        record(received: first..<index, given: given, into: &verdicts)
      }
    }
    return verdicts
  }

  private func inject(
    _ bytes: [UInt8], _ name: InterfaceName, _ frame: Packet.Frame, number: Int
  ) throws(SandboxError) {
    guard let position = names.firstIndex(of: name) else {
      throw .unknownInterface(name.description)
    }
    var octets: [UInt8] = []
    octets.reserveCapacity(18 + bytes.count)
    append(frame.destination?.rawValue ?? hardwareAddresses[position], to: &octets)
    append(frame.source?.rawValue ?? Self.firstTag + UInt64(number), to: &octets)
    if let vlan = frame.vlan {
      octets += [0x81, 0, UInt8(truncatingIfNeeded: vlan >> 8), UInt8(truncatingIfNeeded: vlan)]
    }
    octets += (bytes.first ?? 0) >> 4 == 6 ? [0x86, 0xDD] : [0x08, 0]
    octets += bytes
    do throws(Errno) {
      try link.send(octets, by: farIndices[position])
    } catch {
      throw .failed(step: "sending a frame into \(name)", error)
    }
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

  /// Sends the bell's frame and reads the log until it is heard.
  private mutating func ring() throws(SandboxError) {
    reports.removeAll(keepingCapacity: true)
    do throws(Errno) {
      try link.send(Self.bellFrame, by: bell)
    } catch {
      throw .failed(step: "ringing the bell", error)
    }
    var seen = 0
    while !reports[seen...].contains(where: { $0.mark == .rang }) {
      seen = reports.count
      try log.receive(into: &reports)
    }
  }

  /// A frame with an IPv4 header alone, of protocol 255, that gets as far as prerouting.
  private static let bellFrame: [UInt8] = {
    var frame: [UInt8] = []
    append(ProbeTable.bellAddress, to: &frame)
    append(ProbeTable.bellAddress, to: &frame)
    let header: [UInt8] = [
      0x45, 0, 0, 20, 0, 0, 0, 0, 64, 255, 0xF5, 0xE7, 192, 0, 2, 1, 192, 0, 2, 2,
    ]
    return frame + [0x08, 0] + header
  }()

  private func record(
    received: Range<Int>, given: [UInt64: Int], into verdicts: inout [HookVerdicts]
  ) {
    for report in reports {
      guard let source = report.hardwareSource else { continue }
      // A packet that waited, as fragments do, may show up with those that were sent later.
      let index = given[source] ?? Int(source) - Int(Self.firstTag)
      guard index >= 0, index < received.upperBound else { continue }
      verdicts[index].note(report)
    }
  }

  /// Follows a packet of a program out, and back in where it went to the host itself.
  ///
  /// The kernel's own answers come the same way back in, but always behind the packet that they
  /// answer, so the first to enter a hook is that packet.
  private func record(localPacket verdicts: inout HookVerdicts) {
    var isBack = false
    for report in reports where report.mark != .rang {
      if report.isFromProgram, report.hook == 3 || report.hook == 4 {
        verdicts.note(report)
        isBack = verdicts.left & 1 << 4 != 0
      } else if isBack, report.input == 1, report.hook <= 1 {
        if report.mark == .entered, verdicts.entered & 1 << report.hook != 0 { return }
        verdicts.note(report)
      }
    }
  }
}

extension HookVerdicts {
  fileprivate mutating func note(_ report: ProbeReport) {
    switch report.mark {
    case .entered: entered |= 1 << report.hook
    case .left: left |= 1 << report.hook
    case .rang: break
    }
  }
}

private func append(_ hardware: UInt64, to octets: inout [UInt8]) {
  for shift in stride(from: UInt64(40), through: 0, by: -8) {
    octets.append(UInt8(truncatingIfNeeded: hardware >> shift))
  }
}
