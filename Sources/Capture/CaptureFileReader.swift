internal import LinuxKernel

/// Reads the IP packets of a pcap or pcapng file, one after the other.
package struct CaptureFileReader: ~Copyable {
  /// A packet of a file.
  package struct Packet: Hashable, Sendable {
    /// Where it stands among all packets of the file, from 1 on.
    package var number: Int
    package var facts: CapturedPacket
    /// From the IP header on.
    package var bytes: [UInt8]
  }

  package let path: String
  package let linkType: LinkType
  /// How many frames so far carried no IP packet.
  package private(set) var others = 0
  private var number = 0
  private let handle: PcapHandle

  /// - Throws: ``CaptureError/unreadable(path:_:)``, ``CaptureError/notACaptureFile(path:message:)``,
  ///   and ``CaptureError/unsupportedLinkType(source:name:)``.
  package init(_ path: String) throws(CaptureError) {
    do throws(Errno) {
      _ = try Descriptor(reading: path)
    } catch {
      throw .unreadable(path: path, error)
    }
    let handle = try PcapHandle.file(path)
    guard let linkType = handle.linkType else {
      throw .unsupportedLinkType(source: path, name: handle.linkTypeName)
    }
    self.path = path
    self.linkType = linkType
    self.handle = handle
  }

  /// The next IP packet; nil at the end of the file.
  ///
  /// - Throws: ``CaptureError/damaged(path:packet:message:)``.
  package mutating func next() throws(CaptureError) -> Packet? {
    while true {
      var packet: Packet?
      let linkType = linkType
      let next = number + 1
      let step = handle.next { frame, bytes in
        guard let start = linkType.offsetOfIP(in: bytes) else { return }
        packet = Packet(
          number: next,
          facts: CapturedPacket(
            timestamp: frame.timestamp,
            originalByteCount: max(frame.originalByteCount, bytes.count) - start,
            direction: linkType.direction(in: bytes)),
          bytes: bytes.extracting(start..<bytes.count).octets)
      }
      switch step {
      case .packet:
        number = next
        if let packet { return packet }
        others += 1
      case .nothing, .end: return nil
      case .failure: throw .damaged(path: path, packet: next, message: handle.errorText)
      }
    }
  }
}

extension Span<UInt8> {
  /// A copy.
  var octets: [UInt8] { unsafe withUnsafeBufferPointer { unsafe [UInt8]($0) } }
}
