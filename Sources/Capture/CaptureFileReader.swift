internal import LinuxKernel

/// Reads the packets of a pcap or pcapng file, one after the other.
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
    package var header: LinkHeader
    /// From the IP header on.
    package var bytes: [UInt8]
  }

  /// A frame of a file, which mostly carries an IP packet.
  package enum Frame: Hashable, Sendable {
    case packet(Packet)
    /// Something else, which is called `contents`; nil where the file holds so little of the frame
    /// that it may be an IP packet.
    case other(number: Int, contents: String?)

    /// Where it stands among all frames of the file, from 1 on.
    package var number: Int {
      switch self {
      case .packet(let packet): packet.number
      case .other(let number, _): number
      }
    }
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
    // A pipe gives its bytes only once.
    guard Files.isRegular(path) ?? true else {
      throw .notACaptureFile(path: path, message: "it is a pipe, a device or a folder")
    }
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
  /// - Throws: As ``nextFrame()``.
  package mutating func next() throws(CaptureError) -> Packet? {
    while let frame = try nextFrame() {
      if case .packet(let packet) = frame { return packet }
    }
    return nil
  }

  /// The next frame, whatever it carries; nil at the end of the file.
  ///
  /// - Throws: ``CaptureError/damaged(path:packet:message:)``; ``CaptureError/unreadable(path:_:)``;
  ///   ``CaptureError/unsupportedLinkType(source:name:)`` at a packet of an interface from which no
  ///   IP packet can be taken.
  package mutating func nextFrame() throws(CaptureError) -> Frame? {
    let isPcapng = pcapng != nil
    guard let frame = isPcapng ? try nextOfPcapng() : try nextOfPcap() else { return nil }
    number += 1
    if case .other = frame { others += 1 }
    return frame
  }

  private borrowing func nextOfPcap() throws(CaptureError) -> Frame? {
    switch pcap {
    case .none: return nil
    case .some(let handle):
      guard let linkType = handle.linkType else { return nil }
      let next = number + 1
      var found: Frame?
      let step = handle.next { frame, bytes in
        let whole = max(frame.originalByteCount, bytes.count)
        guard let start = linkType.offsetOfIP(in: bytes) else {
          found = .other(
            number: next, contents: linkType.contents(of: bytes, isCut: whole > bytes.count))
          return
        }
        found = .packet(
          Packet(
            number: next,
            facts: CapturedPacket(
              timestamp: frame.timestamp, originalByteCount: whole - start,
              direction: linkType.direction(in: bytes)),
            linkType: linkType, header: linkType.header(in: bytes, before: start),
            bytes: bytes.extracting(start..<bytes.count).octets))
      }
      switch step {
      case .packet: return found
      case .nothing, .end: return nil
      case .failure: throw .damaged(path: path, packet: next, message: handle.errorText)
      }
    }
  }

  private mutating func nextOfPcapng() throws(CaptureError) -> Frame? {
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
    guard let read else { return nil }
    guard let linkType = LinkType(fileNumber: read.linkType) else {
      throw .unsupportedLinkType(
        source: path, name: PcapHandle.linkTypeName(CInt(read.linkType)))
    }
    let bytes = read.frame.span
    let whole = max(read.originalByteCount, read.frame.count)
    guard let start = linkType.offsetOfIP(in: bytes) else {
      return .other(
        number: next, contents: linkType.contents(of: bytes, isCut: whole > read.frame.count))
    }
    return .packet(
      Packet(
        number: next,
        facts: CapturedPacket(
          timestamp: read.timestamp, originalByteCount: whole - start,
          direction: read.direction ?? linkType.direction(in: bytes)),
        linkType: linkType, interface: read.interfaceName, comment: read.comment,
        header: linkType.header(in: bytes, before: start),
        bytes: start == 0 ? read.frame : Array(read.frame[start...])))
  }
}

extension Span<UInt8> {
  /// A copy.
  var octets: [UInt8] { unsafe withUnsafeBufferPointer { unsafe [UInt8]($0) } }
}
