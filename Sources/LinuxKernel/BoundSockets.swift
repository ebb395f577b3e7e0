internal import CLinuxShims
internal import Glibc

/// An address with a port.
package struct SocketAddress: Hashable, Sendable {
  package var isIPv6: Bool
  /// The address as a number, its first octet most significant.
  package var number: UInt128
  package var port: UInt16
  /// The index of a link-local address's interface; 0 for other addresses, and where it is for the
  /// kernel to find.
  package var scope: UInt32 = 0

  package init(isIPv6: Bool, number: UInt128, port: UInt16) {
    self.isIPv6 = isIPv6
    self.number = number
    self.port = port
  }

  fileprivate init(_ raw: portproof_socket_address) {
    isIPv6 = raw.is_ipv6 != 0
    var octets = raw.octets
    let width = isIPv6 ? 16 : 4
    number = unsafe withUnsafeBytes(of: &octets) { bytes in
      unsafe bytes.prefix(width).reduce(0) { $0 << 8 | UInt128($1) }
    }
    port = raw.port
    scope = raw.scope
  }

  fileprivate var raw: portproof_socket_address {
    var raw = portproof_socket_address()
    raw.is_ipv6 = isIPv6 ? 1 : 0
    raw.port = port
    raw.scope = scope
    let bits = isIPv6 ? number : number << 96
    unsafe withUnsafeMutableBytes(of: &raw.octets) { bytes in
      for index in 0..<16 {
        unsafe bytes[index] = UInt8(truncatingIfNeeded: bits >> UInt128(120 - 8 * index))
      }
    }
    return raw
  }
}

extension SocketAddress {
  /// The interface that has the address, and whether it is a loopback; nil where none has it.
  ///
  /// - Throws: What `getifaddrs(3)` failed with.
  package func interface() throws(Errno) -> (name: String, isLoopback: Bool)? {
    var target = raw
    var name = [CChar](repeating: 0, count: 16)
    var isLoopback: CInt = 0
    let status = unsafe portproof_interface_of(&target, &name, &isLoopback)
    guard status == 0 else { throw Errno(rawValue: status) }
    let octets = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    if octets.isEmpty { return nil }
    return (String(decoding: octets, as: UTF8.self), isLoopback != 0)
  }
}

/// Sockets of TCP and UDP at which this machine is asked, thousands of them, closed when the value
/// ends.
///
/// Each is known by its number: 0 for the first that was opened, and so on.
package struct BoundSockets: ~Copyable {
  package enum Transport: Hashable, Sendable {
    /// TCP: connections are closed as soon as they are taken.
    case stream
    /// UDP.
    case datagrams
  }

  private var sockets: [CInt] = []
  private let epoll: Descriptor
  private var ready = [UInt64](repeating: 0, count: 256)
  private var buffer = [UInt8](repeating: 0, count: 1 << 16)

  /// - Throws: What `epoll_create1(2)` failed with.
  package init() throws(Errno) {
    var raw: CInt = -1
    let status = unsafe portproof_open_epoll(&raw)
    guard status == 0 else { throw Errno(rawValue: status) }
    epoll = Descriptor(owning: raw)
  }

  deinit {
    for socket in sockets { _ = Glibc.close(socket) }
  }

  package var count: Int { sockets.count }

  /// Lets this process hold as many descriptors as the system allows it.
  ///
  /// - Returns: How many that is.
  /// - Throws: What `setrlimit(2)` failed with.
  package static func raiseDescriptorLimit() throws(Errno) -> UInt64 {
    var limit: UInt64 = 0
    let status = unsafe portproof_raise_open_files(&limit)
    guard status == 0 else { throw Errno(rawValue: status) }
    return limit
  }

  /// Opens a socket, bound to one address alone, that takes only what the filter accepts.
  ///
  /// - Returns: The socket's number.
  /// - Throws: ``Errno/addressInUse`` where another program has the port, or what else the kernel
  ///   has against it.
  @discardableResult
  package mutating func open(
    _ transport: Transport, at endpoint: SocketAddress, _ filter: SocketFilter
  ) throws(Errno) -> Int {
    var target = endpoint.raw
    var raw: CInt = -1
    let status = unsafe portproof_open_bound(
      transport == .stream ? 1 : 0, &target, filter.encoded, filter.encoded.count, &raw)
    guard status == 0 else { throw Errno(rawValue: status) }
    let number = sockets.count
    sockets.append(raw)
    let watching = portproof_watch_readable(epoll.raw, raw, UInt64(number))
    guard watching == 0 else {
      sockets.removeLast()
      _ = Glibc.close(raw)
      throw Errno(rawValue: watching)
    }
    return number
  }

  /// Has ``wait(_:)`` tell by this number, which no socket will ever have, when something else can
  /// be read.
  ///
  /// - Throws: ``Errno/notPermitted`` for a file, which can always be read.
  package borrowing func watch(_ descriptor: borrowing Descriptor, as name: Int) throws(Errno) {
    let status = portproof_watch_readable(epoll.raw, descriptor.raw, UInt64(name))
    guard status == 0 else { throw Errno(rawValue: status) }
  }

  /// As ``watch(_:as:)``, for a descriptor that stays open as long as this value.
  ///
  /// - Throws: What `epoll_ctl(2)` failed with.
  package borrowing func watch(fileNumber: Int32, as name: Int) throws(Errno) {
    let status = portproof_watch_readable(epoll.raw, fileNumber, UInt64(name))
    guard status == 0 else { throw Errno(rawValue: status) }
  }

  /// Waits until something can be read.
  ///
  /// - Parameter milliseconds: The longest time.
  /// - Returns: The numbers of what can be read, at most some hundreds; none after the time, or
  ///   where a signal came.
  /// - Throws: What `epoll_wait(2)` failed with.
  package mutating func wait(_ milliseconds: Int32) throws(Errno) -> [Int] {
    var count: CInt = 0
    let status = unsafe portproof_take_readable(
      epoll.raw, &ready, CInt(ready.count), milliseconds, &count)
    guard status == 0 else {
      if Errno(rawValue: status) == .interrupted { return [] }
      throw Errno(rawValue: status)
    }
    return ready.prefix(Int(count)).map { Int($0) }
  }

  /// Takes a connection off a listener and closes it.
  ///
  /// - Returns: Who asked for it; nil where there is none.
  /// - Throws: What became of the connection, or the listener, meanwhile.
  package borrowing func accept(at socket: Int) throws(Errno) -> SocketAddress? {
    var peer = portproof_socket_address()
    let status = unsafe portproof_accept_and_close(sockets[socket], &peer)
    if Errno(rawValue: status) == .wouldBlock { return nil }
    guard status == 0 else { throw Errno(rawValue: status) }
    return SocketAddress(peer)
  }

  /// A datagram that came.
  package struct Datagram: Sendable {
    package var sender: SocketAddress
    package var bytes: [UInt8]
  }

  /// Takes a datagram off a socket.
  ///
  /// - Parameters:
  ///   - socket: The socket's number.
  ///   - limit: The most octets that are taken of the datagram.
  /// - Returns: The datagram; nil where there is none.
  /// - Throws: What the kernel has to say in its place.
  package mutating func receive(at socket: Int, limit: Int = 1 << 16) throws(Errno) -> Datagram? {
    var sender = portproof_socket_address()
    var count = 0
    let status = unsafe portproof_receive_datagram(
      sockets[socket], &buffer, min(limit, buffer.count), &count, &sender)
    if Errno(rawValue: status) == .wouldBlock { return nil }
    guard status == 0 else { throw Errno(rawValue: status) }
    return Datagram(
      sender: SocketAddress(sender), bytes: Array(buffer.prefix(min(count, limit, buffer.count))))
  }

  /// Sends a datagram from the address and port that the socket is bound to.
  ///
  /// - Throws: What the kernel has against it.
  package borrowing func send(
    _ bytes: [UInt8], to receiver: SocketAddress, from socket: Int
  ) throws(Errno) {
    var target = receiver.raw
    let status = unsafe portproof_send_datagram(
      sockets[socket], bytes, bytes.count, &target)
    guard status == 0 else { throw Errno(rawValue: status) }
  }
}
