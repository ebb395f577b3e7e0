internal import CLinuxShims

/// A socket for datagrams to and from many, with the errors that came back about them.
package struct DatagramSocket: ~Copyable {
  package enum Kind: Hashable, Sendable {
    case udp
    /// Echo requests; icmp(7), `net.ipv4.ping_group_range`. The port is their identifier.
    case ping
  }

  /// A datagram that came in.
  package struct Incoming: Hashable, Sendable {
    package var source: Endpoint
    package var payload: [UInt8]
  }

  /// What became of a datagram that was sent.
  package struct Failure: Hashable, Sendable {
    /// Where it went.
    package var destination: Endpoint
    package var error: Errno
    /// The ICMP or ICMPv6 message that says so; nil where this machine itself does.
    package var message: Message?
    /// The payload of the datagram, as far as it was quoted.
    package var payload: [UInt8]
  }

  package struct Message: Hashable, Sendable {
    package var type: UInt8
    package var code: UInt8
    /// Who sent it.
    package var sender: Endpoint

    init?(_ raw: portproof_socket_error) {
      // SO_EE_ORIGIN_ICMP and SO_EE_ORIGIN_ICMP6
      guard raw.origin == 2 || raw.origin == 3 else { return nil }
      type = raw.type
      code = raw.code
      sender = Endpoint(raw.offender)
    }
  }

  private let descriptor: Descriptor
  /// Its own port.
  package let port: UInt16
  /// Datagrams that came in and found no room.
  package private(set) var lost: UInt32 = 0
  private var bytes = [UInt8](repeating: 0, count: count * slot)
  private var incoming = [portproof_incoming](repeating: portproof_incoming(), count: count)
  private var errors = [portproof_socket_error](repeating: portproof_socket_error(), count: count)

  private static let count = 64
  private static let slot = 512

  /// - Parameters:
  ///   - kind: What it sends.
  ///   - source: An address of this machine; port 0 for one that the kernel chooses.
  /// - Throws: ``Errno/addressInUse``; ``Errno/addressNotAvailable`` where it is not an address of
  ///   this machine; ``Errno/accessDenied`` for a privileged port, and where the user may not send
  ///   echo requests.
  package init(_ kind: Kind, from source: Endpoint) throws(Errno) {
    var raw: CInt = -1
    var address = source.raw
    let status = unsafe portproof_open_datagrams(&address, kind == .ping ? 1 : 0, &raw)
    guard status == 0 else { throw Errno(rawValue: status) }
    descriptor = Descriptor(owning: raw)
    port = address.port
  }

  /// A descriptor that poll(2) calls readable, or failed, when there is something to take.
  package var selectableDescriptor: CInt { descriptor.raw }

  /// Sends datagrams in their order, from number `start` on, without waiting.
  ///
  /// - Returns: How many were sent, and an error: the next one's, or what came back about an earlier
  ///   one (``Errno/connectionRefused`` and the like, which ``takeFailures(_:)`` tells more of).
  package borrowing func send(
    _ datagrams: borrowing OutgoingPackets, from start: Int = 0
  ) -> OutgoingPackets.Progress {
    datagrams.send(by: descriptor.raw, from: start)
  }

  /// Whether this machine has a way to `destination`, as far as a socket can tell.
  ///
  /// - Throws: What `connect(2)` failed with.
  package static func checkRoute(
    from source: Endpoint, to destination: Endpoint
  ) throws(Errno) {
    var from = source.raw
    var to = destination.raw
    let status = unsafe portproof_check_route(&from, &to)
    guard status == 0 else { throw Errno(rawValue: status) }
  }

  /// Takes what has come in, without waiting; an error about an earlier datagram may come instead.
  ///
  /// - Throws: What `recvmmsg(2)` failed with, but for ``Errno/wouldBlock``.
  package mutating func takeIncoming(_ body: (Incoming) -> Void) throws(Errno) {
    while true {
      var got = 0
      let status = unsafe portproof_receive_datagrams(
        descriptor.raw, &bytes, Self.slot, &incoming, Self.count, &got, &lost)
      if Errno(rawValue: status) == .wouldBlock { return }
      guard status == 0 else { throw Errno(rawValue: status) }
      for index in 0..<got {
        let start = index * Self.slot
        let size = min(Int(incoming[index].size), Self.slot)
        body(
          Incoming(
            source: Endpoint(incoming[index].source), payload: Array(bytes[start..<start + size])))
      }
      if got < Self.count { return }
    }
  }

  /// Takes what the error queue holds, without waiting.
  ///
  /// - Throws: What `recvmsg(2)` failed with.
  package mutating func takeFailures(_ body: (Failure) -> Void) throws(Errno) {
    while true {
      var got = 0
      let status = unsafe portproof_receive_errors(
        descriptor.raw, &bytes, Self.slot, &errors, Self.count, &got)
      guard status == 0 else { throw Errno(rawValue: status) }
      for index in 0..<got {
        let start = index * Self.slot
        let size = min(Int(errors[index].size), Self.slot)
        body(
          Failure(
            destination: Endpoint(errors[index].destination),
            error: Errno(rawValue: CInt(errors[index].number)), message: Message(errors[index]),
            payload: Array(bytes[start..<start + size])))
      }
      if got < Self.count { return }
    }
  }
}
