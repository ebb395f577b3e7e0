internal import LinuxKernel

/// Writes a pcapng file: interfaces, packets with directions, and comments.
///
/// The file takes its name with ``finish()``; nobody ever sees half of it, and where the value ends
/// before, nothing is left. Packets can hold what nobody else is to read, so only the file's owner may
/// read it (mode 0600).
///
/// Source: draft-ietf-opsawg-pcapng. Numbers are written in little-endian order.
package struct CaptureFileWriter: ~Copyable {
  /// Where packets of the file were captured.
  package struct Interface: Hashable, Sendable {
    package var name: String
    /// What more there is to say: the machine, the namespace.
    package var description: String?
    /// What the packets that are written begin with; ``LiveCapture`` hands them out as raw IP.
    package var linkType: LinkType
    /// The filter that was set, in the language of pcap-filter(7).
    package var filter: String?

    package init(
      name: String, description: String? = nil, linkType: LinkType = .rawIP, filter: String? = nil
    ) {
      self.name = name
      self.description = description
      self.linkType = linkType
      self.filter = filter
    }
  }

  /// The most bytes of a packet that are written.
  ///
  /// It is `MAXIMUM_SNAPLEN` of libpcap, which refuses files whose interfaces have different ones.
  package static let longestPacket = 262_144

  /// How many packets are written.
  package private(set) var packetCount = 0
  private var interfaceCount = 0
  private var blocks = PcapngBlocks()
  private let path: String
  private let file: ReplacementFile

  /// Begins a file.
  ///
  /// - Parameters:
  ///   - path: Where it is found in the end.
  ///   - comment: What the whole file is: the run.
  /// - Throws: ``CaptureError/unwritable(path:_:)``.
  package init(_ path: String, comment: String? = nil) throws(CaptureError) {
    self.path = path
    do throws(Errno) {
      file = try ReplacementFile(for: path, isPrivate: true)
    } catch {
      throw .unwritable(path: path, error)
    }
    blocks.appendSection(comment: comment)
  }

  /// Adds an interface.
  ///
  /// - Returns: The number by which packets name it: 0 for the first.
  package mutating func add(_ interface: Interface) -> Int {
    blocks.append(interface)
    interfaceCount += 1
    return interfaceCount - 1
  }

  /// Writes one packet.
  ///
  /// - Parameters:
  ///   - packet: What is known about it; `originalByteCount` counts from where `bytes` begin.
  ///   - bytes: What was captured, from the header on that the interface's link type names.
  ///   - interface: A number that ``add(_:)`` gave.
  ///   - comment: What readers of the file are told about the packet.
  /// - Returns: The packet's number in the file, from 1 on.
  /// - Throws: ``CaptureError/unwritable(path:_:)``.
  package mutating func write(
    _ packet: CapturedPacket, _ bytes: Span<UInt8>, interface: Int, comment: String? = nil
  ) throws(CaptureError) -> Int {
    precondition((0..<interfaceCount).contains(interface), "the interface was not added")
    blocks.append(
      packet, bytes.extracting(first: Self.longestPacket), interface: UInt32(interface),
      comment: comment)
    packetCount += 1
    if blocks.bytes.count >= 1 << 18 { try flush() }
    return packetCount
  }

  private mutating func flush() throws(CaptureError) {
    do throws(Errno) {
      try file.write(blocks.bytes)
    } catch {
      throw .unwritable(path: path, error)
    }
    blocks.removeAll()
  }

  /// Gives the file its name.
  ///
  /// - Returns: How many packets it has.
  /// - Throws: ``CaptureError/unwritable(path:_:)``; a file that had the name is then as it was.
  package consuming func finish() throws(CaptureError) -> Int {
    try flush()
    let count = packetCount
    let path = path
    do throws(Errno) {
      try file.commit()
    } catch {
      throw .unwritable(path: path, error)
    }
    return count
  }
}
