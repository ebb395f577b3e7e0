import Foundation
import Glibc
import LinuxKernel

/// Two network namespaces joined by a virtual cable, which go away with the value.
///
/// Needs root. What is done in one of them is done by a thread of its own, as entering a namespace
/// changes the thread; descriptors that it opens stay in the namespace and can be used elsewhere.
package final class ProbeNetwork: Sendable {
  /// Addresses of the two ends.
  package static let near = (ipv4: "192.0.2.1", ipv6: "2001:db8::1")
  package static let far = (ipv4: "192.0.2.2", ipv6: "2001:db8::2")

  package enum Side: Sendable {
    case near
    case far
  }

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  private let nearEnd: Namespaces.Network
  private let farEnd: Namespaces.Network
  private let listeners = Listeners()

  /// Sockets that are closed with the network.
  private final class Listeners: @unchecked Sendable {
    private let lock = NSLock()
    private var raw: [CInt] = []

    func append(_ descriptor: CInt) { lock.withLock { raw.append(descriptor) } }

    func closeAll() {
      lock.withLock {
        for each in raw {
          _ = shutdown(each, CInt(SHUT_RDWR))
          _ = close(each)
        }
        raw = []
      }
    }
  }

  /// Makes the namespaces and brings both ends up.
  package init() throws {
    nearEnd = try Self.make()
    farEnd = try Self.make()
    let near = Self.near
    let far = Self.far
    try shell(
      .near,
      """
      ip link add near0 type veth peer name far0
      ip link set near0 up && ip link set lo up
      ip addr add \(near.ipv4)/24 dev near0 && ip addr add \(near.ipv6)/64 dev near0 nodad
      """)
    try move()
    try shell(
      .far,
      """
      ip link set far0 up && ip link set lo up
      ip addr add \(far.ipv4)/24 dev far0 && ip addr add \(far.ipv6)/64 dev far0 nodad
      """)
    // IPv6 sends nothing before both ends have a carrier and a route.
    for _ in 0..<200 {
      let ways = try shell(.near, "ip -o link show near0; ip -6 route show table local")
      if ways.contains("state UP"), ways.contains(near.ipv6) { return }
      usleep(10_000)
    }
    throw Failure(description: "the cable does not come up")
  }

  deinit { listeners.closeAll() }

  private static func make() throws -> Namespaces.Network {
    // A value that is not copied comes out of the thread in a box.
    final class Box: @unchecked Sendable { var network: Namespaces.Network? }
    let box = Box()
    try onThread {
      try Namespaces.enterAnotherNetworkNamespace()
      box.network = try Namespaces.Network()
    }
    guard let network = box.network.take() else {
      throw Failure(description: "there is no namespace")
    }
    return network
  }

  /// Gives the far end of the cable to the far namespace.
  private func move() throws {
    // A process in the far namespace names it for `ip`.
    let process = try startSleeper()
    defer {
      _ = kill(process, SIGKILL)
      var status: CInt = 0
      _ = unsafe waitpid(process, &status, 0)
    }
    try shell(.near, "ip link set far0 netns \(process)")
  }

  private func startSleeper() throws -> pid_t {
    final class Box: @unchecked Sendable { var process: pid_t = 0 }
    let box = Box()
    try inside(.far) {
      var child: pid_t = 0
      let path = unsafe strdup("/bin/sleep")
      let time = unsafe strdup("60")
      defer {
        unsafe free(path)
        unsafe free(time)
      }
      var arguments = unsafe [path, time, nil]
      let status = unsafe posix_spawn(&child, "/bin/sleep", nil, nil, &arguments, nil)
      guard status == 0 else { throw Failure(description: "no sleep: \(status)") }
      box.process = child
    }
    return box.process
  }

  /// Does something in one of the namespaces, on a thread that ends with it.
  package func inside(_ side: Side, _ body: @escaping @Sendable () throws -> Void) throws {
    try Self.onThread {
      switch side {
      case .near: try self.nearEnd.enter()
      case .far: try self.farEnd.enter()
      }
      try body()
    }
  }

  private static func onThread(_ body: @escaping @Sendable () throws -> Void) throws {
    final class Box: @unchecked Sendable { var error: (any Error)? }
    let box = Box()
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
      do { try body() } catch { box.error = error }
      done.signal()
    }
    thread.stackSize = 8 << 20
    thread.start()
    done.wait()
    if let error = box.error { throw error }
  }

  /// Runs a script in one of the namespaces.
  ///
  /// - Returns: What it wrote to standard output.
  @discardableResult
  package func shell(_ side: Side, _ script: String, input: String = "") throws -> String {
    final class Box: @unchecked Sendable { var output = "" }
    let box = Box()
    try inside(side) {
      let result = try ChildProcess.run(
        "/bin/sh", ["-ec", "PATH=/usr/sbin:/sbin:$PATH\n" + script], input: Array(input.utf8),
        timeout: .seconds(120), limit: 1 << 24)
      guard result.ending == .exited(0) else {
        throw Failure(
          description:
            "\(script): \(result.ending), \(String(decoding: result.errors, as: UTF8.self))")
      }
      box.output = String(decoding: result.output, as: UTF8.self)
    }
    return box.output
  }

  /// Replaces the ruleset of one end by nft commands.
  package func load(_ side: Side, _ ruleset: String) throws {
    try shell(side, "nft -f -", input: "flush ruleset\n" + ruleset)
  }

  /// Listens on TCP ports of the far end, at every address of both families.
  package func listen(tcp ports: [UInt16]) throws {
    try inside(.far) {
      for port in ports {
        let socket = try Self.bound(CInt(SOCK_STREAM.rawValue), port)
        guard Glibc.listen(socket, 4096) == 0 else { throw Errno(rawValue: errno) }
        self.listeners.append(socket)
      }
    }
  }

  /// Answers datagrams to a port of the far end with what `reply` makes of them; with nothing
  /// where that is nil.
  package func answer(
    udp port: UInt16, _ reply: @escaping @Sendable ([UInt8]) -> [UInt8]?
  ) throws {
    try inside(.far) {
      let socket = try Self.bound(CInt(SOCK_DGRAM.rawValue), port)
      self.listeners.append(socket)
      Thread.detachNewThread {
        var bytes = [UInt8](repeating: 0, count: 2048)
        while true {
          var source = sockaddr_in6()
          var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
          let count = unsafe withUnsafeMutablePointer(to: &source) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
              unsafe recvfrom(socket, &bytes, bytes.count, 0, address, &size)
            }
          }
          if count <= 0 { return }
          guard let answer = reply(Array(bytes.prefix(count))) else { continue }
          _ = unsafe withUnsafePointer(to: &source) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
              unsafe sendto(socket, answer, answer.count, 0, address, size)
            }
          }
        }
      }
    }
  }

  /// A socket for both families at a port.
  private static func bound(_ type: CInt, _ port: UInt16) throws -> CInt {
    let result = socket(AF_INET6, type | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard result >= 0 else { throw Errno(rawValue: errno) }
    var off: CInt = 0
    _ = unsafe setsockopt(
      result, CInt(IPPROTO_IPV6), IPV6_V6ONLY, &off, socklen_t(MemoryLayout<CInt>.size))
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    let status = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        unsafe bind(result, address, socklen_t(MemoryLayout<sockaddr_in6>.size))
      }
    }
    guard status == 0 else { throw Errno(rawValue: errno) }
    return result
  }
}
