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

  /// Sends a frame, from its Ethernet header on, by the interface with this index.
  ///
  /// The other end of a virtual pair has been handed the frame when the function returns.
  ///
  /// - Throws: What `sendto(2)` failed with.
  package borrowing func send(_ frame: [UInt8], by interface: UInt32) throws(Errno) {
    let status = unsafe portproof_send_frame(descriptor.raw, interface, frame, frame.count)
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
