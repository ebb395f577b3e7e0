package import Addresses
internal import Glibc
internal import LinuxKernel

/// Packets that cross one interface of this network namespace, from their IP header on.
///
/// It sees packets that arrive before any rule of a firewall drops them, and packets that leave
/// after every rule let them go; packet(7). The capture ends with the value. It belongs to the
/// network namespace in which it was opened, whichever thread drains it, and to one thread at a
/// time.
package struct LiveCapture: ~Copyable {
  /// How packets come from the kernel.
  package enum Delivery: Hashable, Sendable {
    /// Each at once, in slots that all are as large as the snapshot length wants.
    case immediate
    /// In blocks, which are handed over when they are full or this old; more packets fit into the
    /// same memory.
    case buffered(patience: Duration)
  }

  package struct Settings: Hashable, Sendable {
    /// The most bytes of a packet that are kept, its link header included.
    package var snapshotLength: Int
    /// How much memory the kernel keeps packets in, in bytes.
    package var bufferByteCount: Int
    package var delivery: Delivery
    /// The direction of what is captured; nil for both.
    ///
    /// A loopback shows each packet once, as inbound.
    package var direction: PacketDirection?

    package init(
      snapshotLength: Int = 512, bufferByteCount: Int = 8 << 20, delivery: Delivery = .immediate,
      direction: PacketDirection? = nil
    ) {
      self.snapshotLength = snapshotLength
      self.bufferByteCount = bufferByteCount
      self.delivery = delivery
      self.direction = direction
    }
  }

  /// What has been counted since the capture began.
  package struct Statistics: Hashable, Sendable {
    /// Packets that the filter let through, those that were dropped afterwards included.
    package var received: Int
    /// Packets for which the buffer had no room.
    package var droppedByKernel: Int
    /// Packets that the interface itself dropped, as far as its driver counts them.
    package var droppedByInterface: Int
  }

  /// What was drained.
  package struct Batch: Hashable, Sendable {
    /// How many packets were handed out.
    package var packets: Int
    /// How many frames carried no IP packet.
    package var others: Int
  }

  package let interface: InterfaceName
  package let linkType: LinkType
  /// A descriptor that poll(2) calls readable when packets wait; it is closed with the capture.
  package let selectableDescriptor: CInt
  private let direction: PacketDirection?
  private let handle: PcapHandle

  /// Begins to capture at `interface`, or at all where it is called `any`.
  ///
  /// The interface is not made promiscuous. Timestamps count nanoseconds.
  ///
  /// - Throws: ``CaptureError`` with what was refused and libpcap's words.
  package init(
    _ interface: InterfaceName, settings: Settings = Settings()
  ) throws(CaptureError) {
    let handle = try PcapHandle.live(interface, settings)
    guard let linkType = handle.linkType else {
      throw .unsupportedLinkType(source: interface.description, name: handle.linkTypeName)
    }
    let descriptor = handle.selectableDescriptor
    guard descriptor >= 0 else {
      throw .openingFailed(interface, step: .descriptor, message: "there is none")
    }
    self.interface = interface
    self.linkType = linkType
    selectableDescriptor = descriptor
    direction = settings.direction
    self.handle = handle
  }

  /// Has only packets through that the text lets through, in the language of pcap-filter(7).
  ///
  /// Packets that came before and were not drained yet are judged by it too.
  ///
  /// - Throws: ``CaptureError/badFilter(_:message:)`` and
  ///   ``CaptureError/filterNotSet(_:message:)``.
  package mutating func setFilter(_ text: String) throws(CaptureError) {
    do throws(PcapHandle.FilterFailure) {
      try handle.setFilter(text)
    } catch {
      switch error {
      case .notCompiled(let message): throw .badFilter(text, message: message)
      case .notSet(let message): throw .filterNotSet(interface, message: message)
      }
    }
  }

  /// Waits until packets can be drained, or for as long as it is given.
  ///
  /// - Returns: Whether something can be drained.
  /// - Throws: What `poll(2)` failed with, as ``CaptureError/interrupted(_:message:)``.
  package borrowing func wait(atMost patience: Duration) throws(CaptureError) -> Bool {
    let deadline = Clocks.monotonic + patience
    while true {
      let left = max(.zero, deadline - Clocks.monotonic)
      var waiting = pollfd(fd: selectableDescriptor, events: CShort(POLLIN), revents: 0)
      let milliseconds = CInt(min((left.seconds * 1000).rounded(.up), 1_000_000))
      let count = unsafe poll(&waiting, 1, milliseconds)
      if count > 0 { return true }
      if count < 0, errno != EINTR {
        throw .interrupted(interface, message: Errno(rawValue: errno).description)
      }
      if left == .zero { return false }
    }
  }

  /// Hands out what is there now, and does not wait.
  ///
  /// Nothing is allocated for a packet. The bytes last as long as the call of `body`.
  ///
  /// - Parameters:
  ///   - limit: The most frames that are taken.
  ///   - body: Is given each packet, and its bytes from the IP header on.
  /// - Returns: How many there were; none of both where nothing was there.
  /// - Throws: ``CaptureError/interrupted(_:message:)`` where the interface is gone or went down.
  package mutating func drain(
    limit: Int = 1 << 16, _ body: (CapturedPacket, Span<UInt8>) -> Void
  ) throws(CaptureError) -> Batch {
    var batch = Batch(packets: 0, others: 0)
    let linkType = linkType
    let direction = direction
    while batch.packets + batch.others < limit {
      let step = handle.next { frame, bytes in
        guard let start = linkType.offsetOfIP(in: bytes) else {
          batch.others += 1
          return
        }
        batch.packets += 1
        body(
          CapturedPacket(
            timestamp: frame.timestamp,
            originalByteCount: max(frame.originalByteCount, bytes.count) - start,
            direction: direction ?? linkType.direction(in: bytes)),
          bytes.extracting(start..<bytes.count))
      }
      switch step {
      case .packet: continue
      case .nothing, .end: return batch
      case .failure: throw .interrupted(interface, message: handle.errorText)
      }
    }
    return batch
  }

  /// What has been counted since the capture began.
  ///
  /// - Throws: ``CaptureError/openingFailed(_:step:message:)`` where the kernel does not say.
  package mutating func statistics() throws(CaptureError) -> Statistics {
    guard let statistics = handle.statistics() else {
      throw .openingFailed(interface, step: .statistics, message: handle.errorText)
    }
    return statistics
  }
}
