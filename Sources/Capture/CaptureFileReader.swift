internal import LinuxKernel

/// Reads the IP packets of a pcap or pcapng file, one after the other.
///
/// libpcap reads pcap; pcapng is read here, for libpcap does not tell interfaces and directions.
package struct CaptureFileReader: ~Copyable {
  /// A packet of a file.
  package struct Packet: Hashable, Sendable {
    /// Where it stands among all packets of the file, from 1 on.
    package var number: Int
    package var facts: CapturedPacket
    package var linkType: LinkType
    /// The name of the interface, where the file tells it.
    package var interface: String?
    /// The first comment on the packet, where the file has one.
    package var comment: String?
    /// From the IP header on.
    package var bytes: [UInt8]
  }

  package let path: String
  /// How many frames so far carried no IP packet.
  package private(set) var others = 0
  private var number = 0
  // One of both is there.
  private let pcap: PcapHandle?
  private var pcapng: PcapngFile?

  /// Begins to read a file; pipes cannot be read, as the file is opened twice.
  ///
  /// - Throws: ``CaptureError/unreadable(path:_:)``, ``CaptureError/notACaptureFile(path:message:)``,
  ///   and ``CaptureError/unsupportedLinkType(source:name:)`` where no packet of a pcap file can be
  ///   one of IP.
  package init(_ path: String) throws(CaptureError) {
    self.path = path
    if try Self.isPcapng(path) {
      do throws(Errno) {
        pcapng = PcapngFile(try Descriptor(reading: path))
      } catch {
        throw .unreadable(path: path, error)
      }
      pcap = nil
    } else {
      let handle = try PcapHandle.file(path)
      guard handle.linkType != nil else {
        throw .unsupportedLinkType(source: path, name: handle.linkTypeName)
      }
      pcap = consume handle
      pcapng = nil
    }
  }

  private static func isPcapng(_ path: String) throws(CaptureError) -> Bool {
    do throws(Errno) {
      var head: [UInt8] = []
      let file = try Descriptor(reading: path)
      while head.count < 4, try file.read(4 - head.count, into: &head) > 0 {}
      return head == [0x0A, 0x0D, 0x0D, 0x0A]
    } catch {
      throw .unreadable(path: path, error)
    }
  }

  /// The next IP packet; nil at the end of the file.
  ///
  /// - Throws: ``CaptureError/damaged(path:packet:message:)``; ``CaptureError/unreadable(path:_:)``;
  ///   ``CaptureError/unsupportedLinkType(source:name:)`` at a packet of an interface from which no
  ///   IP packet can be taken.
  package mutating func next() throws(CaptureError) -> Packet? {
    while true {
      let isPcapng = pcapng != nil
      var found: Packet?
      guard isPcapng ? try nextOfPcapng(&found) : try nextOfPcap(&found) else { return nil }
      number += 1
      if let found { return found }
      others += 1
    }
  }

  /// - Returns: Whether there was another frame, from which `packet` was taken if it is of IP.
  private borrowing func nextOfPcap(_ packet: inout Packet?) throws(CaptureError) -> Bool {
    switch pcap {
    case .none: return false
    case .some(let handle):
      guard let linkType = handle.linkType else { return false }
      let next = number + 1
      var found: Packet?
      let step = handle.next { frame, bytes in
        guard let start = linkType.offsetOfIP(in: bytes) else { return }
        found = Packet(
          number: next,
          facts: CapturedPacket(
            timestamp: frame.timestamp,
            originalByteCount: max(frame.originalByteCount, bytes.count) - start,
            direction: linkType.direction(in: bytes)),
          linkType: linkType, bytes: bytes.extracting(start..<bytes.count).octets)
      }
      packet = found
      switch step {
      case .packet: return true
      case .nothing, .end: return false
      case .failure: throw .damaged(path: path, packet: next, message: handle.errorText)
      }
    }
  }

  private mutating func nextOfPcapng(_ packet: inout Packet?) throws(CaptureError) -> Bool {
    let next = number + 1
    let read: PcapngFile.Packet?
    do throws(PcapngFile.Failure) {
      read = try pcapng?.next()
    } catch {
      switch error {
      case .unreadable(let error): throw .unreadable(path: path, error)
      case .broken(let message): throw .damaged(path: path, packet: next, message: message)
      }
    }
    guard let read else { return false }
    guard let linkType = LinkType(fileNumber: read.linkType) else {
      throw .unsupportedLinkType(
        source: path, name: PcapHandle.linkTypeName(CInt(read.linkType)))
    }
    guard let start = linkType.offsetOfIP(in: read.frame.span) else { return true }
    packet = Packet(
      number: next,
      facts: CapturedPacket(
        timestamp: read.timestamp,
        originalByteCount: max(read.originalByteCount, read.frame.count) - start,
        direction: read.direction ?? linkType.direction(in: read.frame.span)),
      linkType: linkType, interface: read.interfaceName, comment: read.comment,
      bytes: start == 0 ? read.frame : Array(read.frame[start...]))
    return true
  }
}

extension Span<UInt8> {
  /// A copy.
  var octets: [UInt8] { unsafe withUnsafeBufferPointer { unsafe [UInt8]($0) } }
}
