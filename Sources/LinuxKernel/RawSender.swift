internal import CLinuxShims

/// Sends packets with their IP headers from one address; it receives nothing.
///
/// The packets are routed, and pass this machine's rules, as those of any program. It needs
/// CAP_NET_RAW to be opened, and no longer than that.
package struct RawSender: ~Copyable {
  private let descriptor: Descriptor

  /// - Parameter source: An address of this machine.
  /// - Throws: ``Errno/notPermitted`` without CAP_NET_RAW; ``Errno/addressNotAvailable`` where it is
  ///   not an address of this machine.
  package init(from source: Endpoint) throws(Errno) {
    var raw: CInt = -1
    var address = source.raw
    let status = unsafe portproof_open_sender(&address, &raw)
    guard status == 0 else { throw Errno(rawValue: status) }
    descriptor = Descriptor(owning: raw)
  }

  /// Sends packets in their order, from number `start` on, without waiting.
  ///
  /// The kernel fills in an IPv4 header's length and checksum, and its identification where that
  /// is 0; raw(7).
  ///
  /// - Returns: How many were sent, and what is wrong with the next: ``Errno/notPermitted`` where a
  ///   rule dropped it, ``Errno/wouldBlock`` or ``Errno/noBufferSpace`` where there is no room now.
  package borrowing func send(
    _ packets: borrowing OutgoingPackets, from start: Int = 0
  ) -> OutgoingPackets.Progress {
    packets.send(by: descriptor.raw, from: start)
  }
}

/// A TCP port that no program of this machine gets, and at which the kernel stays silent.
///
/// It is a listening socket with a filter that takes every packet, which tcp_v4_rcv() and
/// tcp_v6_rcv() ask before the socket: the kernel does not answer what comes in for a port that it
/// knows nothing of with a reset. The port is free again when the value ends.
package struct ReservedPort: ~Copyable {
  private let descriptor: Descriptor
  package let port: UInt16

  /// - Parameter endpoint: An address of this machine; port 0 for one that the kernel chooses.
  /// - Throws: ``Errno/addressInUse``; ``Errno/addressNotAvailable`` where it is not an address of
  ///   this machine; ``Errno/accessDenied`` for a privileged port.
  package init(_ endpoint: Endpoint) throws(Errno) {
    var raw: CInt = -1
    var address = endpoint.raw
    let status = unsafe portproof_reserve_port(&address, &raw)
    guard status == 0 else { throw Errno(rawValue: status) }
    descriptor = Descriptor(owning: raw)
    port = address.port
  }
}
