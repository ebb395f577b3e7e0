internal import CLinuxShims
internal import Glibc

/// Sends whole frames by network interfaces; it receives nothing.
package struct LinkSocket: ~Copyable {
  private let descriptor: Descriptor

  /// - Throws: What opening the socket failed with.
  package init() throws(Errno) {
    var raw: CInt = -1
    let status = unsafe portproof_open_link(&raw)
    guard status == 0 else { throw Errno(rawValue: status) }
    descriptor = Descriptor(owning: raw)
  }

  /// Frames one after the other in a row of octets, each with the interface that it goes out by.
  package struct Frames: Sendable {
    private(set) var bytes: [UInt8] = []
    private(set) var frames: [portproof_frame] = []

    package init() {}

    package var count: Int { frames.count }

    /// Adds a frame, from its Ethernet header on.
    package mutating func append(_ octets: ArraySlice<UInt8>, by interface: UInt32) {
      frames.append(
        portproof_frame(
          interface: interface, offset: UInt32(bytes.count), size: UInt32(octets.count)))
      bytes += octets
    }

    /// Forgets the frames and keeps their room.
    package mutating func removeAll() {
      bytes.removeAll(keepingCapacity: true)
      frames.removeAll(keepingCapacity: true)
    }
  }

  /// Sends frames in their order.
  ///
  /// The other end of a virtual pair has been handed the frames when the function returns.
  ///
  /// - Throws: What sending the first that could not be sent failed with; none behind it is sent.
  package borrowing func send(_ frames: Frames) throws(Errno) {
    var sent = 0
    let status = unsafe portproof_send_frames(
      descriptor.raw, frames.bytes, frames.frames, frames.count, &sent)
    guard status == 0 else { throw Errno(rawValue: status) }
  }
}

/// Sends packets of one family with the IP header that they bring; it receives nothing.
package struct RawSocket: ~Copyable {
  private let descriptor: Descriptor
  private let isIPv6: Bool

  /// - Throws: What opening the socket failed with.
  package init(isIPv6: Bool) throws(Errno) {
    var raw: CInt = -1
    let status = unsafe portproof_open_raw(isIPv6 ? 1 : 0, &raw)
    guard status == 0 else { throw Errno(rawValue: status) }
    descriptor = Descriptor(owning: raw)
    self.isIPv6 = isIPv6
  }

  /// Sends a packet where its own header says.
  ///
  /// The kernel fills in an IPv4 header's length and checksum, and its identification and source
  /// where they are 0; raw(7).
  ///
  /// - Throws: ``Errno/notPermitted`` where a rule dropped it; ``Errno/invalidArgument`` where the
  ///   header is cut short; otherwise what the kernel has against the packet.
  package borrowing func send(_ packet: [UInt8]) throws(Errno) {
    let range = isIPv6 ? 24..<40 : 16..<20
    guard packet.count >= range.upperBound else { throw .invalidArgument }
    var destination = Array(packet[range])
    destination += repeatElement(0, count: 16 - destination.count)
    let status = unsafe portproof_send_raw(
      descriptor.raw, isIPv6 ? 1 : 0, destination, packet, packet.count)
    guard status == 0 else { throw Errno(rawValue: status) }
  }
}
