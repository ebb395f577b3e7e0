internal import CLinuxShims
internal import Glibc

/// TCP connections that are begun, looked at and reset, many at a time.
package struct Connections: ~Copyable {
  /// One of them, by a number that is used again when it has ended.
  package typealias Handle = Int

  /// What is known of a connection.
  package enum State: Hashable, Sendable {
    /// Neither answer nor error.
    case waiting
    case established
    /// - Parameter message: What the error queue tells of its reason.
    case failed(Errno, message: DatagramSocket.Message?)
  }

  private let poll: Descriptor
  private var open: Set<CInt> = []
  private var tags = [UInt64](repeating: 0, count: 64)

  /// - Throws: What `epoll_create1(2)` failed with.
  package init() throws(Errno) {
    var raw: CInt = -1
    let status = unsafe portproof_open_poll(&raw)
    guard status == 0 else { throw Errno(rawValue: status) }
    poll = Descriptor(owning: raw)
  }

  deinit {
    for each in open { portproof_abort_connection(each) }
  }

  package var count: Int { open.count }

  /// A descriptor that poll(2) calls readable when there is something to take.
  package var selectableDescriptor: CInt { poll.raw }

  /// Begins a connection: the kernel sends a SYN.
  ///
  /// - Parameters:
  ///   - source: An address of this machine; port 0 for one that the kernel chooses.
  ///   - destination: Where to.
  ///   - segmentSize: The maximum segment size that the SYN announces.
  /// - Returns: The connection, and the port that it was sent from.
  /// - Throws: What the kernel has against it: ``Errno/notPermitted`` where a rule dropped the SYN.
  package mutating func begin(
    from source: Endpoint, to destination: Endpoint, segmentSize: UInt16
  ) throws(Errno) -> (handle: Handle, port: UInt16) {
    var raw: CInt = -1
    var from = source.raw
    var to = destination.raw
    var status = unsafe portproof_begin_connection(&from, &to, CInt(segmentSize), &raw)
    guard status == 0 else { throw Errno(rawValue: status) }
    status = portproof_poll_add(poll.raw, raw, UInt64(raw))
    guard status == 0 else {
      portproof_abort_connection(raw)
      throw Errno(rawValue: status)
    }
    open.insert(raw)
    return (Int(raw), from.port)
  }

  /// Tells the connections of which more is known, without waiting; each again until it is ended.
  ///
  /// - Returns: Whether there may be more.
  /// - Throws: What `epoll_wait(2)` failed with.
  package mutating func takeReady(_ body: (Handle) -> Void) throws(Errno) -> Bool {
    var got = 0
    let status = unsafe portproof_poll_take(poll.raw, &tags, tags.count, &got)
    guard status == 0 else { throw Errno(rawValue: status) }
    for tag in tags.prefix(got) { body(Int(tag)) }
    return got == tags.count
  }

  /// What became of a connection.
  package borrowing func state(of handle: Handle) -> State {
    // The error queue first: reading it may take the error away.
    let message = Self.message(of: CInt(handle))
    let status = portproof_connection_state(CInt(handle))
    switch status {
    case 0: return .established
    case EINPROGRESS:
      guard let message else { return .waiting }
      return .failed(message.error, message: message.message)
    default: return .failed(Errno(rawValue: status), message: message?.message)
    }
  }

  private static func message(
    of raw: CInt
  ) -> (error: Errno, message: DatagramSocket.Message)? {
    var bytes = [UInt8](repeating: 0, count: 64)
    var error = portproof_socket_error()
    var got = 0
    let status = unsafe portproof_receive_errors(raw, &bytes, bytes.count, &error, 1, &got)
    guard status == 0, got == 1, let message = DatagramSocket.Message(error) else { return nil }
    return (Errno(rawValue: CInt(error.number)), message)
  }

  /// How often the kernel has sent the SYN again by itself.
  package borrowing func repetitions(of handle: Handle) -> Int {
    var count: UInt32 = 0
    return unsafe portproof_repeated_segments(CInt(handle), &count) == 0 ? Int(count) : 0
  }

  /// Ends a connection by a reset, or the attempt without a word.
  package mutating func end(_ handle: Handle) {
    guard open.remove(CInt(handle)) != nil else { return }
    portproof_abort_connection(CInt(handle))
  }
}
