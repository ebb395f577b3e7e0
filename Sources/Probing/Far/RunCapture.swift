internal import Addresses
internal import Capture
internal import LinuxKernel

/// What crosses the interfaces of the far end and belongs to the run.
struct RunCapture: ~Copyable {
  /// One interface under capture.
  private final class Tap {
    var capture: LiveCapture
    /// Its number in the file.
    let number: Int
    var isOver = false

    init(_ capture: consuming LiveCapture, number: Int) {
      self.capture = capture
      self.number = number
    }
  }

  private var taps: [Tap] = []
  private var file: CaptureFileWriter?
  private var packets: RunPackets
  /// Why arrivals may go unseen; nil where they do not.
  private(set) var blindness: String?
  /// Why packets are no longer written to the file.
  private(set) var fileTrouble: String?

  /// Begins to capture where the run's packets come in.
  ///
  /// - Parameters:
  ///   - assignment: The run.
  ///   - path: The file that packets are written to.
  init(_ assignment: Assignment, into path: String?) {
    packets = RunPackets(assignment)
    let filter = packets.filter
    if let path {
      do throws(CaptureError) {
        file = try CaptureFileWriter(path, comment: "portproof respond")
      } catch {
        fileTrouble = error.description
      }
    }
    do throws(Errno) {
      for name in try Self.interfaces(of: assignment) {
        do throws(CaptureError) {
          var capture = try LiveCapture(name, settings: Self.settings)
          try capture.setFilter(filter)
          let number = file?.add(.init(name: name.description, filter: filter)) ?? 0
          taps.append(Tap(capture, number: number))
        } catch {
          blindness = blindness ?? error.description
        }
      }
    } catch {
      blindness = "cannot tell which interfaces there are: \(error)"
    }
    if taps.isEmpty, blindness == nil { blindness = "no interface has an address of these" }
  }

  /// Headers and a token are enough; a burst waits until it is its turn.
  private static let settings = LiveCapture.Settings(
    snapshotLength: 192, bufferByteCount: 32 << 20)

  private static func interfaces(of assignment: Assignment) throws(Errno) -> [InterfaceName] {
    var names: Set<String> = []
    for address in assignment.addresses {
      guard let found = try socketAddress(address).interface() else { continue }
      if !found.isLoopback {
        names.insert(found.name)
      } else if isLoopback(address) {
        names.insert(found.name)
      } else {
        // An address that stands on the loopback is asked for by whatever interface.
        return [InterfaceName("any")].compactMap(\.self)
      }
    }
    // What a machine sends to itself goes by its loopback.
    for peer in assignment.peers where try socketAddress(peer).interface() != nil {
      names.insert("lo")
      break
    }
    return names.sorted().compactMap { InterfaceName($0) }
  }

  private static func socketAddress(_ address: IPAddress) -> SocketAddress {
    SocketAddress(isIPv6: address.family == .ipv6, number: address.rawValue, port: 0)
  }

  private static func isLoopback(_ address: IPAddress) -> Bool {
    switch address {
    case .ipv4(let address): address.rawValue >> 24 == 127
    case .ipv6(let address): address.rawValue == 1
    }
  }

  /// How many interfaces are under capture.
  var count: Int { taps.count }

  /// Has `sockets` tell, by numbers from `base` on, when packets wait.
  ///
  /// - Throws: What `epoll_ctl(2)` failed with.
  borrowing func isWatched(
    by sockets: borrowing BoundSockets, from base: Int
  ) throws(Errno) {
    for (index, tap) in taps.enumerated() {
      try sockets.watch(fileNumber: tap.capture.selectableDescriptor, as: base + index)
    }
  }

  /// Takes packets that wait at an interface.
  ///
  /// - Parameters:
  ///   - index: Counts the interfaces from 0.
  ///   - limit: The most packets that are taken.
  ///   - findings: Takes what they are.
  /// - Returns: Whether there may be more.
  mutating func drain(
    _ index: Int, limit: Int, into findings: inout [RunPackets.Finding]
  ) -> Bool {
    let tap = taps[index]
    if tap.isOver { return false }
    var taken: [(CapturedPacket, [UInt8])] = []
    let batch: LiveCapture.Batch
    do throws(CaptureError) {
      batch = try tap.capture.drain(limit: limit) { packet, bytes in
        let copy = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
        taken.append((packet, copy))
      }
    } catch {
      tap.isOver = true
      blindness = blindness ?? error.description
      return false
    }
    for (packet, bytes) in taken {
      let time = Int64(clamping: packet.timestamp)
      guard let finding = packets.finding(in: bytes, at: time) else { continue }
      let number = write(packet, bytes, finding, of: tap)
      switch finding {
      case .arrival(var sighting):
        sighting.packet = number
        findings.append(.arrival(sighting))
      case .acceptance(var sighting):
        sighting.packet = number
        findings.append(.acceptance(sighting))
      case .other: break
      }
    }
    return batch.packets + batch.others >= limit
  }

  private mutating func write(
    _ packet: CapturedPacket, _ bytes: [UInt8], _ finding: RunPackets.Finding, of tap: Tap
  ) -> Int? {
    guard fileTrouble == nil else { return nil }
    var packet = packet
    if packet.direction == nil {
      packet.direction =
        switch finding {
        case .arrival: .inbound
        case .acceptance, .other: .outbound
        }
    }
    do throws(CaptureError) {
      return try file?.write(packet, bytes.span, interface: tap.number)
    } catch {
      fileTrouble = error.description
      return nil
    }
  }

  /// Packets that the kernel let through and had no room for.
  var lostPackets: Int {
    taps.reduce(0) { sum, tap in
      sum + ((try? tap.capture.statistics().droppedByKernel) ?? 0)
    }
  }

  /// Gives the file its name.
  ///
  /// - Returns: Why there is none, where one was wanted.
  mutating func finish() -> String? {
    if let trouble = fileTrouble { return trouble }
    guard let file = file.take() else { return nil }
    do throws(CaptureError) {
      _ = try file.finish()
      return nil
    } catch {
      return error.description
    }
  }
}
