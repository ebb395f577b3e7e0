internal import Addresses
internal import Capture

/// Writes a run's packets into a file, with what each of them is.
struct CaptureNotes: ~Copyable {
  private let probes: [Probe]
  private var writer: CaptureFileWriter
  private let interface: Int
  private var sent: [Int: Int] = [:]
  private(set) var packets: [Int: [Int]] = [:]
  /// What writing failed with first.
  private(set) var failure: CaptureError?

  init(_ path: String, _ probes: [Probe], filter: String) throws(CaptureError) {
    self.probes = probes
    writer = try CaptureFileWriter(path, comment: "portproof: \(probes.count) probes")
    interface = writer.add(CaptureFileWriter.Interface(name: "any", filter: filter))
  }

  mutating func write(
    _ packet: CapturedPacket, _ bytes: borrowing Span<UInt8>, _ probe: Int,
    _ role: PacketReading.Role
  ) {
    guard failure == nil else { return }
    let comment = "probe \(probe), \(words(probe, role))"
    do throws(CaptureError) {
      let number = try writer.write(packet, copy bytes, interface: interface, comment: comment)
      packets[probe, default: []].append(number)
    } catch {
      failure = error
    }
  }

  private mutating func words(_ probe: Int, _ role: PacketReading.Role) -> String {
    switch role {
    case .probe:
      sent[probe, default: 0] += 1
      let number = sent[probe, default: 0]
      let planned = probes[probe].transmissions
      // It may be asked more often than it was meant to be.
      let count = number > planned ? "\(number)" : "\(number) of \(planned)"
      switch probes[probe].kind {
      case .tcp: return "SYN \(count)"
      case .udp: return "datagram \(count)"
      case .icmp(let type, let code): return "ICMP \(type)/\(code), \(count)"
      }
    case .ownReset: return "RST of ours"
    case .other: return "no answer"
    case .answer(.synAcknowledgement): return "SYN-ACK"
    case .answer(.reset): return "RST"
    case .answer(.reply): return "reply"
    case .answer(.icmpError(let type, let code, let sender)):
      return "ICMP error \(type)/\(code) of \(sender)"
    case .answer(.notSent), .answer(.failed), .answer(.silence): return "no answer"
    }
  }

  /// Gives the file its name.
  consuming func finish() throws(CaptureError) {
    if let failure { throw failure }
    _ = try writer.finish()
  }
}
